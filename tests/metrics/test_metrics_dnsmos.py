"""DNSMOS against the package that carries its networks."""

from __future__ import annotations

import numpy as np
import pytest

from cleanaudio.metrics import dnsmos, mel
from cleanaudio.metrics.score import score

SCALES = {"sig": "sig_mos", "bak": "bak_mos", "ovrl": "ovrl_mos", "p808": "p808_mos"}


@pytest.fixture(scope="module")
def theirs():
    from speechmos import dnsmos as package

    return lambda signal: package.run(signal, 16000)


@pytest.mark.parametrize("seconds", [0.7, 17.1])
def test_scores_equal_the_package(theirs, noisy_speech, seconds):
    signal = noisy_speech(4.0, 16000, 8.0)
    signal = np.resize(signal, int(16000 * seconds) + 37)
    expected, found = theirs(signal), dnsmos.mos(signal)
    for ours, name in SCALES.items():
        assert getattr(found, ours) == pytest.approx(float(expected[name]), abs=1e-4), ours


@pytest.mark.parametrize("seconds", [0.7, 5, 9.01, 12])
def test_a_glance_is_the_package_on_one_window_or_more(theirs, noisy_speech, seconds):
    signal = np.resize(noisy_speech(4.0, 16000, 8.0), int(16000 * seconds))
    expected = theirs(np.resize(signal, max(len(signal), dnsmos.WINDOW)))
    found = dnsmos.glance(signal)
    for ours in ("sig", "bak", "ovrl"):
        assert getattr(found, ours) == pytest.approx(float(expected[SCALES[ours]]), abs=1e-4), ours


def test_sections_change_nothing(noisy_speech, monkeypatch):
    signal = np.resize(noisy_speech(4.0), 16000 * 12)
    whole = dnsmos.mos(signal)
    monkeypatch.setattr(dnsmos, "SECTION", 2)
    parts = dnsmos.mos(signal)
    for scale in SCALES:
        assert getattr(parts, scale) == pytest.approx(getattr(whole, scale), abs=1e-5)


def test_windows_are_those_of_the_package():
    # the loop of the reference implementation, which skips a window that comes out one sample short
    for seconds in (9.01, 9.99, 10.0, 10.2, 17.0, 25.7, 61.0, 180.3):
        frames = round(seconds * 16000)
        kept = []
        for idx in range(int(np.floor(frames / 16000) - 9.01) + 1):
            if min(frames, int((idx + 9.01) * 16000)) - idx * 16000 >= int(9.01 * 16000):
                kept.append(idx)
        assert dnsmos.window_starts(frames) == kept
    assert 7 not in dnsmos.window_starts(16000 * 20)


def test_stereo_is_the_channel_mean_and_too_loud_is_clipped(noisy_speech):
    signal = 3 * noisy_speech(2.3)
    side = 0.1 * np.sin(np.arange(len(signal)) / 7).astype(np.float32)
    stereo = score(np.stack([signal + side, signal - side]), 16000, metrics=["dnsmos"])
    mono = score(np.clip(signal, -1, 1), 16000, metrics=["dnsmos"])
    assert stereo == pytest.approx(mono, abs=1e-3)
    assert list(mono) == ["dnsmos_sig", "dnsmos_bak", "dnsmos_ovrl", "dnsmos_p808"]


def test_one_number_can_be_asked_for(noisy_speech):
    assert list(score(noisy_speech(1.2, 8000), 8000, metrics=["dnsmos_ovrl"])) == ["dnsmos_ovrl"]


def test_a_single_sample_has_scores():
    found = dnsmos.mos(np.zeros(1, np.float32))
    assert np.isfinite([found.sig, found.bak, found.ovrl, found.p808]).all()


@pytest.mark.parametrize(("rate", "size", "bands"), [(16000, 321, 120), (22050, 1024, 40), (48000, 512, 26)])
def test_mel_filters_equal_librosa(rate, size, bands):
    from librosa.filters import mel as theirs

    assert np.allclose(mel.filters(rate, size, bands), theirs(sr=rate, n_fft=size, n_mels=bands), atol=1e-7)


def test_mel_features_equal_librosa(noisy_speech):
    import librosa

    audio = np.resize(noisy_speech(4.0), dnsmos.WINDOW + 16000)
    found = dnsmos._p808_features(audio, [0, 1])
    for second, features in enumerate(found):
        window = audio[16000 * second : 16000 * second + dnsmos.WINDOW - 160]
        power = librosa.feature.melspectrogram(y=window, sr=16000, n_fft=321, hop_length=160, n_mels=120)
        assert np.allclose(features, (librosa.power_to_db(power, ref=np.max).T + 40) / 40, atol=1e-4)


def test_digital_silence_has_no_opinion(speech_like):
    speech = speech_like(2.0)
    found = score(0 * speech, 16000, noisy=speech, metrics=["dnsmos_ovrl", "dnsmos_ovrl_delta"])
    assert found["dnsmos_ovrl"].reason == found["dnsmos_ovrl_delta"].reason == "digital silence"
    back = score(speech, 16000, noisy=0 * speech, metrics=["dnsmos_ovrl", "dnsmos_ovrl_delta"])
    assert back["dnsmos_ovrl"] > 1 and back["dnsmos_ovrl_delta"].reason == "noisy input: digital silence"
