import re

import numpy as np
import pytest

from cleanaudio.audio.processor import through
from cleanaudio.batch.guard import EXCERPTS, Decision, _loss, decide, excerpts
from cleanaudio.batch.voice import compared, listen
from cleanaudio.batch.watched import Watched
from cleanaudio.metrics.dnsmos import P835
from cleanaudio.metrics.interface import Signals

RATE = 16000


class Scaling:
    """Multiplies by a factor."""

    latency = 0

    def __init__(self, factor):
        self.factor = np.float32(factor)

    def process(self, block):
        return block * self.factor

    def flush(self):
        return np.zeros((1, 0), np.float32)


def decision(audio, factor, rate=RATE):
    return decide(lambda start, frames: audio[:, start : start + frames], audio.shape[1], rate, lambda: Scaling(factor))


@pytest.fixture
def talk(speech_like, noise_like):
    audio = 0.02 * noise_like(8, RATE, "pink")
    audio[RATE:] += speech_like(7, RATE)
    return audio[None]


def test_cleaning_that_keeps_the_speech_passes(talk):
    assert decision(talk, 0.9).reason is None and decision(talk, 0.9).share == 1


def test_cleaning_that_eats_the_speech_is_watched(talk):
    found = decision(talk, 0.05)
    assert found.share == 1
    watched = found.watching(found.cleaned, RATE, 1)
    out = through(watched, talk)
    assert 20 * np.log10(np.std(out) / np.std(talk)) > -3.5  # -26 without
    (note,) = watched.notes("the cleaning", "-b omlsa")
    assert re.fullmatch(r"guarded: [34]\d% of the cleaning at 0:00–0:08: the speech would lose 2\d\.\d dB", note)


@pytest.mark.parametrize("factor", [1e-9, 0.0])
def test_speech_that_becomes_digital_silence_is_lost(talk, factor):
    found = decision(talk, factor)
    out = through(found.watching(found.cleaned, RATE, 1), talk)
    assert 20 * np.log10(np.std(out) / np.std(talk)) > -3.5


def test_an_excerpt_that_becomes_digital_silence_counts_among_the_others(talk):
    signals = [Signals(talk * np.float32(factor), RATE, noisy=talk) for factor in (1.0, 0.0)]
    assert 50 < _loss(signals) < 150


def test_silence_and_nothing_need_no_guard():
    assert decision(np.zeros((1, RATE), np.float32), 0.1).share == 1
    assert decision(np.zeros((1, 0), np.float32), 0.1).share == 1


@pytest.mark.parametrize(
    ("frames", "rate"), [(1, 8000), (1, 16000), (1, 44100), (1, 192000), (2, 48000), (3, 48000), (100, 48000)]
)
def test_a_few_frames_are_no_error(rate, frames):
    found = decision(np.full((1, frames), 0.3, np.float32), 0.9, rate)
    assert 0 <= found.share <= 1 and np.array_equal(found.cleaned.flush(), np.zeros((1, 0), np.float32))


@pytest.mark.parametrize("seconds", [0.5, 10, 10.1, 14, 59, 60.1, 61, 3600])
def test_excerpts_are_few_inside_and_reach_both_ends(seconds):
    frames = round(seconds * RATE)
    found = excerpts(frames, RATE)
    assert len(found) <= EXCERPTS and found[0][0] == 0
    assert sum(found[-1]) == frames
    assert all(start >= 0 and start + length <= frames for start, length in found)
    assert min(length for _, length in found) >= 0.6 * max(length for _, length in found)  # none is a scrap


def test_where_no_voice_can_be_made_out_little_more_than_12_db_goes(noise_like):
    found = decision(0.1 * noise_like(4, RATE, "white")[None], 0.01)
    assert found.share == 0.75 and "no voice" in found.reason


def test_what_stands_out_counts_as_speech_where_none_is_heard(noise_like):
    puffs = 0.1 * noise_like(4, RATE, "white") * (np.arange(4 * RATE) % RATE < RATE // 2)
    audio = (puffs + 0.001 * noise_like(4, RATE)).astype(np.float32)[None]
    found = decision(audio, 0.01)
    assert found.whispered
    watched = found.watching(found.cleaned, RATE, 1)
    assert 20 * np.log10(np.std(through(watched, audio)) / np.std(audio)) > -6.5
    assert "speech would lose" in watched.notes("the cleaning", "")[0]


def test_other_sounds_between_the_talk_are_no_speech(talk, noise_like):
    puffs = 0.3 * noise_like(10, RATE, "white") * (np.arange(10 * RATE) % RATE < RATE // 2)
    audio = np.concatenate([np.resize(talk[0], 10 * RATE), puffs]).astype(np.float32)[None]

    class ForSpeechOnly(Scaling):
        """Takes away what is louder than the voice, as a network does with what it does not know."""

        heard = np.zeros((1, 0), np.float32)

        def process(self, block):
            self.heard = np.concatenate([self.heard, block], axis=1)
            return block[:, :0]

        def flush(self):
            parts = self.heard.reshape(-1, 10 * RATE)
            level = np.sqrt(np.mean(parts**2, axis=1, keepdims=True))
            return (parts * np.where(level > 0.15, self.factor, np.float32(1))).reshape(1, -1)

    watched = Watched(ForSpeechOnly(0.01), RATE, 1)
    out = through(watched, audio)
    np.testing.assert_allclose(out[:, : 9 * RATE], audio[:, : 9 * RATE], atol=1e-6)
    (note,) = watched.notes("the cleaning", "-b omlsa")
    assert note.startswith("sounds that are no speech lost up to 40 dB at 0:10–0:20; if they are music, -b omlsa")


def test_what_is_clean_and_would_be_harmed_is_left_alone(talk, monkeypatch):
    from cleanaudio.metrics import dnsmos

    assert decision(talk, 0.05).share == 1
    monkeypatch.setattr(dnsmos, "glance", lambda signal: dnsmos.P835(sig=3.5, bak=4.0, ovrl=3.2))
    found = decision(talk, 0.05)
    assert found.share == 0 and "clean already" in found.reason


@pytest.mark.parametrize(("seconds", "cleanings"), [(20, 1), (70, EXCERPTS)])
def test_a_short_recording_is_cleaned_once(talk, monkeypatch, seconds, cleanings):
    monkeypatch.setattr("cleanaudio.batch.guard._bearable", lambda pairs, rate: Decision(float(len(list(pairs)) > 0)))
    audio = np.resize(talk, (1, seconds * RATE))
    opened = []

    def open_processor():
        opened.append(Scaling(0.9))
        return opened[-1]

    found = decide(lambda start, frames: audio[:, start : start + frames], audio.shape[1], RATE, open_processor)
    assert len(opened) == cleanings and (found.cleaned is not None) == (cleanings == 1)
    for _ in range(2 if found.cleaned else 0):
        found.cleaned.reset()
        pieces = [found.cleaned.process(audio[:, at : at + 7001]) for at in range(0, audio.shape[1], 7001)]
        assert np.array_equal(np.concatenate([*pieces, found.cleaned.flush()], axis=1), np.float32(0.9) * audio)


def test_the_input_is_heard_once_however_many_steps_are_tried(talk, monkeypatch):
    from cleanaudio.metrics import dnsmos, speech_level

    asked = {"glances": 0, "speech": 0}
    speech = speech_level.speech_probabilities
    told = iter([P835(3.5, 2.0, 2.5), P835(2.0, 3.0, 2.0), P835(2.5, 3.0, 2.4), P835(3.3, 3.0, 2.6)])

    def counted(what, function):
        def counting(*given):
            asked[what] += 1
            return function(*given)

        return counting

    monkeypatch.setattr(dnsmos, "glance", counted("glances", lambda signal: next(told)))
    monkeypatch.setattr(speech_level, "speech_probabilities", counted("speech", speech))
    found = decision(talk, 0.2)
    assert found.share == 0.5 and found.reason == "DNSMOS SIG fell by 1.50"
    assert asked == {"glances": 4, "speech": 1}


@pytest.mark.parametrize("turn_s", [3, 5, 12])
def test_guests_in_a_room_are_told_from_the_host_however_short_their_turns(speech_like, turn_s):
    """Of the host nothing goes, of a guest the room, which is louder than the guest."""
    host, guest = speech_like(4 * turn_s, RATE, 1), speech_like(4 * turn_s, RATE, 2)
    draw = np.random.default_rng(3)
    room = draw.standard_normal(RATE // 2) * np.exp(-np.arange(RATE // 2) / (0.1 * RATE))
    late = np.convolve(guest, room)[: len(guest)]
    late *= 1.5 * np.std(guest) / np.std(late)
    guests = np.arange(len(host)) // (turn_s * RATE) % 2 == 1
    cleaned = np.where(guests, guest, host)
    noisy = cleaned + np.where(guests, late, 0) + 0.001 * draw.standard_normal(len(host))
    signals = compared(noisy[None].astype(np.float32), cleaned[None].astype(np.float32), RATE)
    share = listen(signals, len(host) // (RATE // 2), 20.0).bearable(gentler=True).cleaned
    turns = share.reshape(4, 2 * turn_s)
    assert np.all(turns[1::2, turn_s // 2 + 1 : -turn_s // 2] < 0.9)
    assert np.all(turns[::2, 10:-10] > 0.99)  # as far as a cell reaches, and its neighbours
