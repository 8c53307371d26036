from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from cleanaudio.audio.level import LevelMeter
from cleanaudio.audio.processor import through
from cleanaudio.audio.queue import Queue
from cleanaudio.batch.replay import Known
from cleanaudio.batch.voice import BEARS, CELL_S, HOLD, REACH, Cells, compared, eased, listen
from cleanaudio.batch.watched import STRETCH, Watched

RATE = 16000


class Late:
    """Scales what comes; gives it late, in pieces of its own size."""

    def __init__(self, gain, size=1000, channels=1):
        self.gain, self.size, self.channels, self.latency = np.float32(gain), size, channels, 7
        self.reset()

    def reset(self):
        self.waiting = Queue(np.zeros((self.channels, 0), np.float32))

    def process(self, block):
        self.waiting.push(block)
        return self.gain * self.waiting.pop(len(self.waiting) // self.size * self.size)

    def flush(self):
        return self.gain * self.waiting.pop(len(self.waiting))


@pytest.fixture(scope="module")
def heard_everywhere():
    from cleanaudio.metrics import speech_level

    patch = pytest.MonkeyPatch()
    patch.setattr(speech_level, "speech_probabilities", lambda signal: np.ones(max(1, len(signal) // 512)))
    yield
    patch.undo()


def answer(voice, seconds=0.15, seed=1):
    """Return a voice as a room without a direct path gives it back."""
    random = np.random.default_rng(seed)
    taps = random.standard_normal(RATE // 2) * np.exp(-np.arange(RATE // 2) / RATE / seconds)
    wet = np.convolve(voice, taps)[: len(voice)]
    return (wet * np.std(voice) / np.std(wet)).astype(np.float32)


def cells_of(noisy, cleaned):
    return listen(compared(noisy[None], cleaned[None], RATE), -(-len(noisy) // round(CELL_S * RATE)), 20.0)


def test_what_a_room_adds_is_the_voice_and_noise_is_not(speech_like, noise_like, heard_everywhere):
    voice = speech_like(10, RATE)
    room, noise = (one * np.std(voice) for one in (answer(voice) / np.std(voice), noise_like(10, RATE, "pink")))
    in_room, in_noise = (cells_of(voice + more, voice).bearable().share for more in (room, noise))
    assert in_room.mean() < 0.8 and in_room.min() >= BEARS[-1]
    assert in_noise.mean() > 0.97


def test_what_is_cleaned_more_gently_takes_the_place_of_the_input(speech_like, noise_like, heard_everywhere):
    voice, noise = speech_like(26, RATE), noise_like(26, RATE, "pink")
    in_room = voice + answer(voice)
    noisy = (in_room + 0.05 * np.std(voice) * noise)[None]
    watched = Watched(Known(np.stack([voice, in_room]), 0), RATE, 1)
    out = through(watched, noisy)
    half = slice(4 * RATE, -4 * RATE)
    np.testing.assert_allclose(out[0, half], (voice + in_room)[half] / 2, atol=1e-5)
    assert watched.notes("the cleaning", "")[0].startswith("guarded: the cleaning is gentler at 0:00–0:26: ")
    short = Watched(Known(np.stack([voice, in_room])[:, : 9 * RATE], 0), RATE, 1)
    through(short, noisy[:, : 9 * RATE])
    assert " at 0:00–0:09: " in short.notes("the cleaning", "")[0]  # where the last cell ends early
    # most of it is what the guard allows, whatever is in it
    out = through(Watched(Known(np.stack([voice, in_room]), 0), RATE, 1, share=0.25), noisy)
    np.testing.assert_allclose(out[0, half], (0.75 * noisy[0] + 0.125 * (voice + in_room))[half], atol=1e-5)


def test_the_line_is_that_of_least_squares_without_negative_parts(heard_everywhere):
    random = np.random.default_rng(3)
    for offset, slope in ((1.0, 0.5), (0.0, 0.7), (2.0, 0.0), (-0.5, 1.0)):
        x = random.random(60)
        y = np.maximum(offset + slope * x + 0.1 * random.standard_normal(60), 0)
        rows = np.stack([np.ones(60), x, x**2, y, x * y], axis=1)
        nothing = np.zeros((1, 5))
        found = Cells(nothing, nothing, rows.sum(axis=0)[None], np.zeros((1, 3)), *np.zeros((2, 1)))._slope()
        assert found[0] == pytest.approx(nnls(np.stack([np.ones(60), x], axis=1), y)[0][1], abs=1e-9)


def test_a_voice_that_is_gone_comes_back(speech_like, noise_like, heard_everywhere):
    voice = speech_like(10, RATE) + 0.001 * noise_like(10, RATE)
    borne = cells_of(voice, 1e-3 * noise_like(10, RATE, "white")).bearable()
    assert np.all(borne.loss_db > 12)
    left = eased(voice[None], np.zeros((1, len(voice)), np.float32), borne, round(CELL_S * RATE))
    assert 20 * np.log10(np.std(left) / np.std(voice)) > -6.5


@settings(deadline=None)
@given(st.lists(st.integers(0, 90000), max_size=8), st.sampled_from([1, 999, 50000, 400000]))
def test_the_cut_into_blocks_and_the_delay_of_the_processor_do_not_matter(talk_and_output, cuts, size):
    talk, expected = talk_and_output
    watched = Watched(Late(0.05, size), RATE, 1)
    for _ in range(2):
        bounds = [0, *np.minimum(np.cumsum([0, *cuts]), talk.shape[1]), talk.shape[1]]
        pieces = [watched.process(talk[:, a:b]) for a, b in pairwise(bounds)]
        out = np.concatenate([*pieces, watched.flush()], axis=1)
        np.testing.assert_allclose(out, expected, atol=1e-6)
        watched.reset()


@pytest.fixture(scope="module")
def talk_and_output(speech_like, heard_everywhere):
    talk = speech_like(26, RATE)[None]
    cells = []
    for part in np.split(talk, range(160000, talk.shape[1], 160000), axis=1):
        meter, count = LevelMeter(RATE, 1), -(-part.shape[1] // round(CELL_S * RATE))
        meter.add(part)
        cells.append(listen(compared(part, np.float32(0.05) * part, RATE), count, meter.result().snr_db))
    borne = Cells.joined(cells).bearable()
    assert borne.share.min() < 0.6
    return talk, eased(talk, np.float32(0.05) * talk, borne, round(CELL_S * RATE))


@pytest.mark.parametrize("rate", [1, 8000, 11025, 44103, 192000])
@pytest.mark.parametrize("seconds", [0, 0.01, 10.7])
def test_any_rate_and_length(rate, seconds):
    audio = np.random.default_rng(0).standard_normal((2, round(seconds * rate))).astype(np.float32) * 0.1
    watched = Watched(Late(0.5, 100, channels=2), rate, 2)
    out = through(watched, audio)
    assert out.shape == audio.shape and np.isfinite(out).all()
    watched.notes("the cleaning", "")


def test_no_more_of_the_cleaned_signal_than_the_guard_allows(noise_like):
    noise = noise_like(12, RATE, "white")[None] * 0.1
    out = through(Watched(Late(0.0), RATE, 1, share=0.75), noise)
    np.testing.assert_allclose(out, 0.25 * noise, atol=1e-6)


def test_it_lags_no_more_than_a_stretch_and_what_a_cell_reaches(noise_like):
    watched, given = Watched(Late(0.5), RATE, 1), 0
    for _ in range(40):
        given += watched.process(noise_like(1, RATE)[None]).shape[1]
    assert 40 * RATE - given <= (STRETCH + 2 * REACH + HOLD + 2) * CELL_S * RATE
