"""Metrics without a reference: WADA-SNR, levels, speech ratio, what cleaning did to the speech."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import gamma

from cleanaudio.metrics import wada
from cleanaudio.metrics.interface import NotMeasurable
from cleanaudio.metrics.score import score


def measure(name, signal, rate=16000, noisy=None):
    return score(signal, rate, noisy=noisy, metrics=[name], align=False)[name]


@pytest.mark.parametrize("snr_db", [-10, 0, 5, 15, 30])
def test_wada_finds_the_snr_of_its_own_model(snr_db):
    rng = np.random.default_rng(snr_db + 50)
    speech = rng.gamma(0.4, size=400_000) * rng.choice([-1, 1], 400_000)
    noise = rng.standard_normal(400_000) * np.sqrt(np.mean(speech**2)) * 10 ** (-snr_db / 20)
    tolerance = 1.5 if snr_db < 0 else 0.3
    assert measure("wada_snr", 0.01 * (speech + noise)) == pytest.approx(snr_db, abs=tolerance)


@pytest.mark.filterwarnings("ignore::scipy.integrate.IntegrationWarning")
@pytest.mark.parametrize("snr_db", [-5.0, 10.0, 40.0])
def test_wada_table_by_adaptive_quadrature(snr_db):
    scale = np.sqrt(10 ** (snr_db / 10) / (0.4 * 1.4))

    def normal(z):
        return np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)

    def expected(function):
        def given(s):
            bounds = sorted({s - 9, s + 9, max(0.0, s - 9)})  # the logarithm is infinite at 0
            pieces = pairwise(bounds)
            return sum(quad(lambda z: function(abs(z)) * normal(z - s), *piece, epsabs=1e-6)[0] for piece in pieces)

        inner = np.array([given(scale * v**2.5) for v in nodes])
        return np.trapezoid(inner * np.exp(-(nodes**2.5)) / gamma(1.4), nodes)

    nodes = np.linspace(0, 30**0.4, 301)
    value = np.log(expected(lambda z: z)) - expected(lambda z: np.log(z) if z else 0.0)
    snrs, table = wada.table()
    assert np.interp(snr_db, snrs, table) == pytest.approx(value, abs=2e-3)


def test_wada_table_rises_to_the_value_of_clean_speech():
    from scipy.special import digamma

    _, table = wada.table()
    assert (np.diff(table) > 0).all()
    assert table[0] == pytest.approx(np.log(np.sqrt(2 / np.pi)) + (np.euler_gamma + np.log(2)) / 2, abs=1e-3)
    assert table[-1] == pytest.approx(np.log(0.4) - digamma(0.4), abs=0.03)


def test_wada_leaves_out_digital_silence_and_refuses_it_alone(noisy_speech):
    noisy = noisy_speech(2.0)
    padded = np.concatenate([np.zeros(40000, np.float32), noisy])
    assert measure("wada_snr", padded) == pytest.approx(measure("wada_snr", noisy), abs=1e-3)
    assert isinstance(measure("wada_snr", np.zeros(5000)), NotMeasurable)


@pytest.mark.parametrize("name", ["wada_snr", "dynamic_range"])
def test_an_offset_is_no_noise(name, noisy_speech):
    noisy = noisy_speech(3.0)
    assert measure(name, noisy + np.float32(0.1)) == pytest.approx(measure(name, noisy), abs=0.1)


def test_noise_floor_is_the_level_of_the_noise(speech_like, noise_like):
    noisy = speech_like(4.0) + 10 ** (-50 / 20) * noise_like(4.0, 16000, "white")
    assert measure("noise_floor", noisy) == pytest.approx(-50, abs=1.0)
    assert measure("noise_floor", np.zeros(16000)) == NotMeasurable("digital silence")


def test_clipping_ratio_counts_flat_tops(tone):
    sine = tone(100.0, 1.0, 16000, 1.0)
    assert measure("clipping_ratio", 0.9 * sine) == 0
    share = np.mean(np.abs(2 * sine) >= 1)
    assert measure("clipping_ratio", np.clip(2 * sine, -1, 1)) == pytest.approx(share, abs=1e-3)


def test_dynamic_range_is_from_background_to_loud():
    level = np.repeat([0.001, 0.1], 16000)
    sign = np.where(np.arange(32000) % 2, 1, -1)
    assert measure("dynamic_range", level * sign) == pytest.approx(40, abs=0.1)
    assert isinstance(measure("dynamic_range", np.zeros(32000)), NotMeasurable)


def test_loudness_and_true_peak_are_those_of_the_meters(tone):
    found = score(tone(997.0, 2.0, 48000, 1.0), 48000, metrics=["loudness", "true_peak"])
    assert found["loudness"] == pytest.approx(-3.01, abs=0.02)
    assert found["true_peak"] == pytest.approx(0, abs=0.02)
    assert isinstance(measure("loudness", np.ones(1000)), NotMeasurable)
    assert isinstance(measure("loudness", 1e-5 * np.ones(16000)), NotMeasurable)
    assert measure("true_peak", np.zeros(100)) == NotMeasurable("digital silence")


def test_speech_ratio_tells_speech_from_none(speech_like, noise_like):
    speech, noise = speech_like(4.0), 0.01 * noise_like(4.0)
    half = np.concatenate([noise, speech + noise[: len(speech)]])
    assert measure("speech_ratio", noise) < 0.1
    assert 0.1 < measure("speech_ratio", half) < 0.6
    assert isinstance(measure("speech_ratio", speech[:300]), NotMeasurable)


def test_a_gain_that_is_known_is_taken_out_of_comparisons_with_the_input(speech_like, noise_like):
    speech, noise = speech_like(4.0, seed=3), 0.003 * noise_like(4.0, 16000, "white")
    noisy, cleaned = 0.1 * (speech + noise), 0.1 * 0.2 * speech  # most of the speech went
    asked = ["speech_level_change", "dnsmos_ovrl_delta", "noise_floor_delta", "loudness"]
    plain, loud = (score(gain * cleaned, 16000, noisy=noisy, metrics=asked, gain=gain) for gain in (1.0, 20.0))
    assert plain["speech_level_change"] == pytest.approx(-14, abs=0.5)
    for key in asked[:3]:
        assert loud[key] == pytest.approx(plain[key], abs=1e-3)
    assert loud["loudness"] == pytest.approx(plain["loudness"] + 26.02, abs=0.01)


def test_nobody_can_tell_what_speech_lost_behind_a_gain_that_is_not_known(speech_like, noise_like):
    speech, noise = speech_like(4.0, seed=3), 0.003 * noise_like(4.0, 16000, "white")
    for cleaned in (speech, 0.2 * speech):
        found = measure("speech_level_change", 5.0 * 10 ** (4 / 20) * cleaned, noisy=speech + noise)
        assert isinstance(found, NotMeasurable) and "dB louder than the input" in found.reason
    assert measure("speech_level_change", 1.2 * speech, noisy=speech + noise) == pytest.approx(1.6, abs=0.5)


def test_speech_level_change_sees_a_gain_but_not_removed_noise(speech_like, noise_like):
    speech = speech_like(4.0)
    noisy = speech + 0.01 * noise_like(4.0)
    assert measure("speech_level_change", speech, noisy=noisy) == pytest.approx(0, abs=0.5)
    assert measure("speech_level_change", 0.5 * speech, noisy=noisy) == pytest.approx(-6.02, abs=0.5)
    steady = noise_like(4.0)
    assert isinstance(measure("speech_level_change", steady, noisy=steady), NotMeasurable)


def test_spectral_distortion_sees_a_filter_but_neither_gain_nor_removed_noise(speech_like, noise_like):
    from scipy.signal import firwin, lfilter

    speech = speech_like(4.0)
    noisy = speech + 0.002 * noise_like(4.0)
    dull = np.roll(lfilter(firwin(255, 1500, fs=16000), 1, speech), -127).astype(np.float32)
    assert measure("spectral_distortion", 0.5 * noisy, noisy=noisy) < 0.01
    assert measure("spectral_distortion", speech, noisy=noisy) < 1.5
    assert measure("spectral_distortion", dull, noisy=noisy) > 3
    assert isinstance(measure("spectral_distortion", np.zeros(16000), noisy=np.zeros(16000)), NotMeasurable)
    longer = measure("spectral_distortion", np.append(dull, np.zeros(48000)), noisy=np.append(noisy, np.zeros(48000)))
    assert longer == pytest.approx(measure("spectral_distortion", dull, noisy=noisy), rel=0.05)


def test_a_silenced_voice_has_no_level_left(speech_like):
    speech = speech_like(3.0)
    assert measure("speech_level_change", np.zeros_like(speech), noisy=speech) == -math.inf
