"""Quiet stretches without speech."""

import numpy as np
import pytest
from scipy.signal import welch

from cleanaudio.audio.pauses import SPEECH_MODULATION_DB, pieces, quietest

RATE = 16000


def noise(seconds, level=0.01, seed=0):
    return (level * np.random.default_rng(seed).standard_normal((1, round(seconds * RATE)))).astype(np.float32)


@pytest.fixture
def talk(speech_like):
    """Noise throughout; a voice from 2 s to 6 s."""
    audio = noise(8)
    voice = speech_like(4.0, RATE).reshape(-1)[: 4 * RATE]
    audio[0, 2 * RATE : 2 * RATE + len(voice)] += voice
    return audio


def test_pieces_tell_level_and_spectrum():
    found = list(pieces([noise(10, 0.02)], RATE))
    assert np.mean([piece.level_db for piece in found]) == pytest.approx(20 * np.log10(0.02), abs=0.2)
    expected = welch(noise(10, 0.02)[0], RATE, nperseg=512, return_onesided=False)[1]
    (mean,) = np.mean([piece.psd for piece in found], axis=0)
    assert np.mean(mean[5:-5]) == pytest.approx(np.mean(expected[5:250]), rel=0.03)
    assert not any(piece.speech for piece in found)


def test_blocks_do_not_matter(talk):
    whole = list(pieces([talk], RATE))
    cut = list(pieces([talk[:, at : at + 333] for at in range(0, talk.shape[1], 333)], RATE))
    assert [piece.start for piece in whole] == [piece.start for piece in cut]
    np.testing.assert_allclose([piece.psd for piece in whole], [piece.psd for piece in cut], rtol=1e-4)


def test_the_voice_moves_and_is_left_out(talk):
    found = list(pieces([talk], RATE))
    inside = [piece for piece in found if 2 * RATE <= piece.start < 6 * RATE]
    assert max(piece.modulation_db for piece in inside) > SPEECH_MODULATION_DB
    chosen = quietest(found)
    level = np.mean([piece.level_db for piece in chosen])
    assert level == pytest.approx(-40, abs=1)
    assert sum(piece.frames for piece in chosen) > RATE
    assert [piece.start for piece in chosen] == sorted(piece.start for piece in chosen)


def test_no_more_are_held_than_8_seconds():
    assert len(quietest(pieces([noise(30)], RATE))) == 32


def test_digital_silence_is_no_noise():
    audio = np.concatenate([np.zeros((1, 2 * RATE), np.float32), noise(3)], axis=1)
    chosen = quietest(pieces([audio], RATE))
    assert chosen and all(piece.start >= 2 * RATE - 4096 for piece in chosen)
    assert all(piece.level_db > -50 for piece in chosen)
    assert quietest(pieces([np.zeros((2, RATE), np.float32)], RATE)) == []


def test_nothing_and_almost_nothing():
    assert list(pieces([], RATE)) == []
    assert list(pieces([noise(0.01)], RATE)) == []
    assert len(list(pieces([noise(0.1)], RATE))) == 1


@pytest.mark.parametrize("rate", [8000, 44100, 192000])
def test_other_rates(rate):
    audio = (0.01 * np.random.default_rng(0).standard_normal((2, rate * 2))).astype(np.float32)
    found = list(pieces([audio], rate))
    assert np.mean([piece.level_db for piece in found]) == pytest.approx(-40, abs=0.3)
    assert found[-1].start + found[-1].frames <= audio.shape[1]
