"""The artifact score rises with musical noise and with nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import istft, stft

from cleanaudio.metrics.artifacts import _running_mean, _running_median, isolated_share
from cleanaudio.metrics.interface import NotMeasurable
from cleanaudio.metrics.score import score


def subtract(noisy, noise, factor, floor):
    """Power spectral subtraction with the noise's true mean spectrum; without a floor it is famous for its music."""
    _, _, spectra = stft(noisy, 16000, nperseg=512, noverlap=384)
    mean = np.mean(np.abs(stft(noise, 16000, nperseg=512, noverlap=384)[2]) ** 2, axis=1, keepdims=True)
    gain = np.sqrt(np.maximum(0, 1 - factor * mean / np.maximum(np.abs(spectra) ** 2, 1e-20)))
    return istft(np.maximum(gain, floor) * spectra, 16000, nperseg=512, noverlap=384)[1][: len(noisy)]


@pytest.fixture(scope="module")
def scene(speech_like, noise_like):
    speech = speech_like(5.0, 16000, 2)
    noise = 0.02 * noise_like(5.0, 16000, "pink", 4)
    return speech, speech + noise, noise


def artifacts(signal, noisy=None):
    return score(signal, 16000, noisy=noisy, metrics=["artifacts"], align=False)["artifacts"]


def kurtosis(signal, noisy):
    return score(signal, 16000, noisy=noisy, metrics=["kurtosis_ratio"], align=False)["kurtosis_ratio"]


def test_speech_and_steady_noise_have_none(scene):
    speech, noisy, noise = scene
    assert artifacts(speech) < 0.1
    assert artifacts(noisy) < 0.05
    assert artifacts(noise) < 0.05
    assert artifacts(noisy, noisy) < 0.05
    assert kurtosis(noisy, noisy) == pytest.approx(1)


def test_musical_noise_has_plenty_and_a_floor_hides_it(scene):
    _, noisy, noise = scene
    bare = subtract(noisy, noise, 2, 0)
    covered = subtract(noisy, noise, 2, 0.4)
    assert artifacts(bare) > 0.5
    assert artifacts(bare, noisy) > 0.5
    assert artifacts(covered) < 0.3
    assert kurtosis(bare, noisy) > 1.3 * kurtosis(covered, noisy)


def test_the_score_rises_with_the_level_of_added_tones(scene):
    speech, noisy, _ = scene
    rng = np.random.default_rng(1)
    music = np.zeros_like(noisy)
    for start in rng.integers(0, len(music) - 640, 400):
        beep = np.sin(2 * np.pi * rng.uniform(300, 6000) * np.arange(640) / 16000) * np.hanning(640)
        music[start : start + 640] += beep.astype(np.float32)
    scores = [artifacts(speech + level * music + 0.0005 * noisy) for level in (0, 0.0003, 0.001, 0.003)]
    assert scores == sorted(scores) and scores[0] < 0.1 and scores[-1] > 0.6


def test_a_smooth_gain_is_no_artifact(scene):
    speech, noisy, _ = scene
    gate = np.where(np.abs(speech) > 0.02, 1.0, 0.05)
    gate = np.convolve(gate, np.hanning(1601) / np.hanning(1601).sum(), "same")
    assert artifacts((gate * noisy).astype(np.float32), noisy) < 0.2


def test_digital_silence_is_no_pause(scene):
    _, noisy, noise = scene
    cleaned = subtract(noisy, noise, 2, 0).astype(np.float32)
    silence = np.zeros(5 * 16000, np.float32)
    longer = kurtosis(np.concatenate([cleaned, silence]), np.concatenate([noisy, silence]))
    assert longer == pytest.approx(kurtosis(cleaned, noisy), rel=0.02)


def test_what_has_no_pauses_to_judge():
    assert isinstance(artifacts(np.zeros(16000)), NotMeasurable)
    assert isinstance(artifacts(np.ones(1000)), NotMeasurable)
    assert isinstance(kurtosis(np.ones(16000), np.zeros(16000)), NotMeasurable)


def test_long_recordings_are_judged_in_pieces(scene, monkeypatch):
    from cleanaudio.metrics import artifacts as module
    from cleanaudio.metrics.interface import Signals
    from cleanaudio.metrics.spectrogram import powers

    spectrogram = powers(Signals(subtract(scene[1], scene[2], 2, 0), 16000), "enhanced")
    whole = isolated_share(spectrogram)
    monkeypatch.setattr(module, "CHUNK", 97)
    assert isolated_share(spectrogram) == pytest.approx(whole, rel=1e-9)


def test_running_statistics_by_scipy():
    from scipy.ndimage import median_filter, uniform_filter1d

    values = np.random.default_rng(3).standard_normal((4, 50))
    assert np.allclose(_running_median(values, 3), median_filter(values, (1, 7), mode="nearest"))
    assert np.allclose(_running_mean(values, 3), uniform_filter1d(values, 7, axis=1, mode="nearest"))
