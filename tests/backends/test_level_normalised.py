from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanaudio.audio.processor import through
from cleanaudio.backends import chain
from cleanaudio.backends.interface import Setup
from cleanaudio.backends.level_normalised import COMMON_DB, FALL_DB, MOST_DB, LevelGains, LevelNormalised
from cleanaudio.backends.spec import parse

RATE, HOP, SIZE, BINS = 16000, 160, 320, 161


class Kept:
    """Gives back what it is given, some frames later, and remembers it."""

    def __init__(self, look_ahead: int) -> None:
        self.look_ahead = look_ahead
        self.reset()

    def reset(self) -> None:
        self._held, self.heard = None, []

    def __call__(self, spectra):
        self.heard.append(spectra)
        held = spectra if self._held is None else np.concatenate([self._held, spectra], axis=1)
        ready = max(0, held.shape[1] - self.look_ahead)
        self._held = held[:, ready:]
        return held[:, :ready]

    def flush(self):
        return self._held


def spectra_of(levels_db: np.ndarray, channels: int = 1) -> np.ndarray:
    """Spectra whose frames have these levels in dBFS."""
    rng = np.random.default_rng(0)
    shape = channels, len(levels_db), BINS
    noise = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    noise *= SIZE / 2 / np.sqrt(np.sum(np.abs(noise) ** 2, axis=2, keepdims=True))
    return (noise * 10 ** (levels_db[:, None] / 20)).astype(np.complex64)


def run(transform, spectra: np.ndarray, cuts: list[int]) -> np.ndarray:
    return np.concatenate([*(transform(piece) for piece in np.split(spectra, cuts, axis=1)), transform.flush()], axis=1)


def test_gains_follow_the_loudest_frames_around() -> None:
    levels = np.r_[np.full(500, -70.0), np.full(100, -31.0), np.full(1000, -70.0)]
    gains = LevelGains(0.01, live=False)
    gains_db = np.concatenate([*(gains(piece) for piece in np.array_split(levels, 7)), gains.flush()])
    assert len(gains_db) == len(levels)
    assert gains_db[0] == MOST_DB  # the loud ones are more than three seconds away
    np.testing.assert_allclose(gains_db[220:600], 10.0)
    np.testing.assert_allclose(gains_db[699], 12.0)
    assert np.diff(gains_db).min() == -FALL_DB
    assert np.all(np.diff(gains_db[600:]) >= 0)


def test_live_gains_begin_with_none_and_soon_find_their_level() -> None:
    gains = LevelGains(0.01, live=True)
    gains_db = gains(np.full(300, -41.0))
    assert len(gains_db) == 300
    assert gains_db[0] < 0.5
    np.testing.assert_allclose(gains_db[110:], 20.0)
    assert not len(gains.flush())
    np.testing.assert_array_equal(LevelGains(0.01, live=True)(np.zeros(3)), np.zeros(3))


@pytest.mark.parametrize("live", [False, True])
@given(
    levels=st.lists(st.floats(-90, 0), min_size=1, max_size=500),
    cuts=st.lists(st.integers(0, 500), max_size=6),
    look_ahead=st.integers(0, 3),
)
def test_every_frame_comes_back_as_it_was_whatever_the_pieces(live, levels, cuts, look_ahead) -> None:
    spectra = spectra_of(np.array(levels), channels=2)
    cuts = sorted(min(cut, len(levels)) for cut in cuts)
    inner, whole = Kept(look_ahead), Kept(look_ahead)
    normalised = LevelNormalised(inner, SIZE, HOP, RATE, live)
    out = run(normalised, spectra, cuts)
    np.testing.assert_allclose(out, spectra, rtol=1e-6)
    run(LevelNormalised(whole, SIZE, HOP, RATE, live), spectra, [])
    np.testing.assert_array_equal(np.concatenate(inner.heard, axis=1), np.concatenate(whole.heard, axis=1))
    normalised.reset()
    np.testing.assert_array_equal(run(normalised, spectra, cuts), out)


@pytest.mark.parametrize("level_db", [-34, -55])
@pytest.mark.parametrize("spec", ["deepfilternet", "fullband", "fullband-offline"])
def test_quiet_speech_is_cleaned_as_loud_speech_is(noisy_speech, spec: str, level_db: float) -> None:
    voice = noisy_speech(4.0, 48000, snr_db=15)
    loud = voice / np.sqrt(np.square(voice.reshape(-1, 480)).mean(1).max()) * 10 ** (COMMON_DB / 20)
    path, gain = chain.resolve(chain.Settings(parse(spec)), Setup(48000, 1)), 10 ** ((level_db - COMMON_DB) / 20)
    wanted, got = (through(path.open(), (factor * loud[None]).astype(np.float32))[0] / factor for factor in (1, gain))
    error = got - wanted
    assert 10 * np.log10((wanted @ wanted) / (error @ error)) > 30
    assert 20 * np.log10(np.std(wanted) / np.std(loud)) > -1.5


def test_what_is_heard_is_as_loud_as_is_common() -> None:
    quiet = spectra_of(np.full(50, -45.0))
    inner = Kept(0)
    run(LevelNormalised(inner, SIZE, HOP, RATE, live=False), quiet, [])
    level = 10 * np.log10(4 * np.sum(np.abs(inner.heard[0]) ** 2, axis=2) / SIZE**2)
    np.testing.assert_allclose(level, COMMON_DB, atol=1e-3)


def test_the_loudest_channel_counts_and_common_levels_are_not_touched() -> None:
    spectra = spectra_of(np.full(50, COMMON_DB + 1), channels=2)
    spectra[1] *= 1e-3
    inner = Kept(0)
    np.testing.assert_array_equal(run(LevelNormalised(inner, SIZE, HOP, RATE, live=False), spectra, [20]), spectra)
    np.testing.assert_array_equal(np.concatenate(inner.heard, axis=1), spectra)
