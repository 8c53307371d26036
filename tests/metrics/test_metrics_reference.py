"""Metrics against the clean reference, compared with other implementations and with the formulas written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
import soxr
from scipy.linalg import solve_toeplitz, toeplitz
from scipy.optimize import brentq

from cleanaudio.metrics import registry
from cleanaudio.metrics.composite import regression
from cleanaudio.metrics.interface import NotMeasurable, Signals
from cleanaudio.metrics.score import score


@pytest.fixture(scope="module")
def pair(speech_like, noise_like):
    clean = speech_like(3.0, 16000, 3)
    return clean, (0.8 * clean + 0.02 * noise_like(3.0, 16000, "pink", 5)).astype(np.float32)


def measure(name, enhanced, reference, rate=16000):
    return score(enhanced, rate, reference, metrics=[name], align=False)[name]


@pytest.mark.parametrize("name", ["lsd", "llr", "wss", "si_sdr", "stoi"])
def test_digital_silence_is_not_measurable_on_either_side(name, speech_like):
    speech = speech_like(2.0)
    for enhanced, reference, reason in (
        (speech, 0 * speech, "reference is silent"),
        (0 * speech, speech, "enhanced is silent"),
    ):
        found = score(enhanced, 16000, reference, metrics=[name])[name]
        assert isinstance(found, NotMeasurable) and found.reason == reason


def test_snr_is_the_power_ratio_that_was_mixed(speech_like, noise_like):
    clean, noise = speech_like(2.0).astype(float), noise_like(2.0).astype(float)
    noise *= np.sqrt(np.sum(clean**2) / np.sum(noise**2)) * 10 ** (-7 / 20)
    assert measure("snr", clean + noise, clean) == pytest.approx(7, abs=1e-3)


def test_si_sdr_is_the_formula_and_forgets_the_level(pair):
    clean, noisy = (signal.astype(float) - signal.astype(float).mean() for signal in pair)
    target = (noisy @ clean) / (clean @ clean) * clean
    expected = 10 * np.log10(np.sum(target**2) / np.sum((noisy - target) ** 2))
    assert measure("si_sdr", pair[1], pair[0]) == pytest.approx(expected, abs=1e-4)
    assert measure("si_sdr", -0.1 * pair[1], pair[0]) == pytest.approx(expected, abs=1e-3)


def test_identical_signals(pair):
    clean = pair[0]
    found = score(clean, 16000, clean, metrics=["snr", "si_sdr", "segmental_snr", "pesq_wb", "stoi", "estoi", "lsd"])
    assert found["snr"] == math.inf and found["si_sdr"] == math.inf
    assert found["pesq_wb"] == pytest.approx(4.64, abs=0.005)
    assert found["stoi"] == pytest.approx(1, abs=1e-6) and found["estoi"] == pytest.approx(1, abs=1e-6)
    assert found["lsd"] == 0 and found["lag_ms"] == 0


@pytest.mark.parametrize(("name", "rate", "mode"), [("pesq_wb", 16000, "wb"), ("pesq_nb", 8000, "nb")])
def test_pesq_is_the_package_behind_soxr(pair, name, rate, mode):
    import soxr
    from pesq import pesq

    reference, enhanced = (soxr.resample(signal, 16000, rate) if rate != 16000 else signal for signal in pair)
    assert measure(name, pair[1], pair[0]) == pytest.approx(pesq(rate, reference, enhanced, mode), abs=1e-9)


@pytest.mark.parametrize("extended", [False, True])
def test_stoi_is_the_package(pair, extended):
    from pystoi import stoi

    expected = stoi(pair[0], pair[1], 16000, extended=extended)
    assert measure("estoi" if extended else "stoi", pair[1], pair[0]) == pytest.approx(expected, abs=1e-6)


def test_stoi_of_a_clip_without_thirty_frames_is_not_measurable(pair):
    for frames in (100, 5000):
        value = measure("stoi", pair[1][16000 : 16000 + frames], pair[0][16000 : 16000 + frames])
        assert isinstance(value, NotMeasurable) and "30 frames" in value.reason


@pytest.mark.parametrize("name", ["snr", "si_sdr", "segmental_snr", "pesq_wb", "stoi", "llr", "cepstral_distance"])
def test_a_silent_reference_is_said(pair, name):
    assert measure(name, pair[1], np.zeros_like(pair[1])) == NotMeasurable("reference is silent")


@pytest.mark.parametrize("name", ["si_sdr", "pesq_wb", "stoi"])
def test_a_silent_output_is_said(pair, name):
    assert measure(name, np.zeros_like(pair[1]), pair[0]) == NotMeasurable("enhanced is silent")


def test_pesq_without_an_utterance(tone):
    rumble = tone(20.0, 1.0, 16000)  # below what PESQ's telephone filter lets through
    value = measure("pesq_wb", rumble, rumble)
    assert value == NotMeasurable("PESQ found no utterance in the reference")


def short_utterances(seconds):
    """Bursts of noise of 0.4 s every 0.9 s, and the same with some noise, (2, n)."""
    rng = np.random.default_rng(0)
    clean = 0.2 * rng.standard_normal(seconds * 16000) * (np.arange(seconds * 16000) % 14400 < 6400)
    return np.float32([clean, clean + 0.01 * rng.standard_normal(len(clean))])


def test_pesq_of_more_utterances_than_the_package_has_room_for_is_the_mean_of_pieces():
    from pesq import pesq

    clean, noisy = short_utterances(70)  # 78 utterances
    expected = np.mean([pesq(16000, *pair, "wb") for pair in np.split(np.stack([clean, noisy]), 4, axis=1)])
    assert measure("pesq_wb", noisy, clean) == pytest.approx(expected, abs=1e-9)


def test_pesq_leaves_pieces_without_speech_out_but_no_speech_that_is_gone():
    from pesq import pesq

    clean, noisy = short_utterances(30)
    half = len(clean) // 2
    clean[half:] *= 0.001
    assert measure("pesq_wb", noisy, clean) == pytest.approx(pesq(16000, clean[:half], noisy[:half], "wb"), abs=1e-9)
    clean[half:] *= 1000
    noisy[half:] = 0
    assert measure("pesq_wb", noisy, clean) == NotMeasurable("PESQ found nothing that it could compare")


def test_pesq_of_clips_is_that_of_the_whole():
    from pesq import pesq

    clean, noisy = short_utterances(19)
    assert measure("pesq_wb", noisy, clean) == pytest.approx(pesq(16000, clean, noisy, "wb"), abs=1e-9)


def test_pesq_of_a_tenth_of_a_second(pair):
    value = measure("pesq_wb", pair[1][16000:17600], pair[0][16000:17600])
    assert isinstance(value, NotMeasurable) and "quarter of a second" in value.reason


def frames_by_loop(signal, rate):
    size = round(0.03 * rate)
    hop = size // 4
    window = 0.5 * (1 - np.cos(2 * np.pi * np.arange(1, size + 1) / (size + 1)))
    return [window * signal[k * hop : k * hop + size] for k in range(int(len(signal) / hop - size / hop))]


def test_segmental_snr_by_loop(pair):
    values = []
    for clean, noisy in zip(*(frames_by_loop(signal.astype(float), 16000) for signal in pair), strict=True):
        ratio = np.sum(clean**2) / (np.sum((clean - noisy) ** 2) + 2.2e-16)
        values.append(min(35, max(-10, 10 * np.log10(ratio + 2.2e-16))))
    assert measure("segmental_snr", pair[1], pair[0]) == pytest.approx(np.mean(values), abs=1e-6)


@pytest.mark.parametrize("name", ["segmental_snr", "llr", "wss", "cepstral_distance"])
def test_the_last_whole_frame_does_not_count(noise_like, name):
    """As in the authors' programs, which take (N - 480) / 120 frames."""
    clean = 0.1 * noise_like(0.045, 16000, "white")
    noisy = clean + 0.01 * noise_like(0.045, 16000, "white", 2)
    harmed = noisy.copy()
    harmed[480:600] *= 0.5
    short = measure(name, noisy[:599], clean[:599])
    assert short == NotMeasurable("shorter than a frame of 30 ms and a quarter of one")
    assert measure(name, harmed[:600], clean[:600]) == measure(name, noisy[:600], clean[:600])
    assert measure(name, harmed, clean) != measure(name, noisy, clean)


def predictor(frame, order):
    lags = np.array([np.dot(frame[: len(frame) - k], frame[k:]) for k in range(order + 1)])
    return lags, np.concatenate([[1], -solve_toeplitz(lags[:-1], lags[1:])])


def trimmed(values):
    return np.mean(np.sort(values)[: round(0.95 * len(values))])


def test_llr_and_cepstral_distance_by_normal_equations(pair, noise_like):
    floor = 1e-4 * noise_like(3.0, 16000, "white", 9)
    clean, noisy = (signal.astype(np.float32) + floor for signal in pair)
    ratios, distances = [], []
    for x, y in zip(*(frames_by_loop(signal.astype(float), 16000) for signal in (clean, noisy)), strict=True):
        lags, a = predictor(x, 16)
        _, b = predictor(y, 16)
        ratios.append(min(2, np.log((b @ toeplitz(lags) @ b) / (a @ toeplitz(lags) @ a))))
        # the cepstrum of 1 / A from its definition: the inverse transform of the log spectrum
        envelopes = [-np.fft.irfft(np.log(np.abs(np.fft.rfft(c, 8192)) ** 2))[1:17] for c in (a, b)]
        distances.append(min(10, 10 / np.log(10) * np.sqrt(2 * np.sum((envelopes[0] - envelopes[1]) ** 2))))
    assert measure("llr", noisy, clean) == pytest.approx(trimmed(ratios), rel=1e-5)
    assert measure("cepstral_distance", noisy, clean) == pytest.approx(trimmed(distances), rel=1e-3)


def nearest_peak(slopes, levels, band):
    n = band
    if slopes[band] > 0:
        while n < len(slopes) and slopes[n] > 0:
            n += 1
        return levels[n - 1]
    while n >= 0 and slopes[n] <= 0:
        n -= 1
    return levels[n + 1]


def test_weighted_spectral_slope_by_loop(pair):
    from cleanaudio.metrics.composite import critical_bands

    bands, values = critical_bands(16000, 1024), []
    assert bands.shape == (25, 512) and np.allclose(bands.max(axis=1)[:7], 1)
    for x, y in zip(*(frames_by_loop(signal.astype(float) + 2.2e-16, 16000) for signal in pair), strict=True):
        slopes, weights = [], []
        for frame in (x, y):
            level = 10 * np.log10(np.maximum(bands @ np.abs(np.fft.fft(frame, 1024)[:512]) ** 2, 1e-10))
            slope = level[1:] - level[:-1]
            weight = []
            for band in range(24):
                peak = nearest_peak(slope, level, band)
                weight.append(20 / (20 + max(level) - level[band]) * 1 / (1 + peak - level[band]))
            slopes.append(slope)
            weights.append(np.array(weight))
        mean = (weights[0] + weights[1]) / 2
        values.append(np.sum(mean * (slopes[0] - slopes[1]) ** 2) / np.sum(mean))
    assert measure("wss", pair[1], pair[0]) == pytest.approx(trimmed(values), rel=1e-6)


@pytest.fixture(scope="module")
def alike(pair, noise_like):
    """A pair without frames that are too different for a likelihood ratio."""
    floor = (0.02 * noise_like(3.0, 16000, "white", 9)).astype(np.float32)
    return tuple(signal + floor for signal in pair)


def test_composite_is_the_regression_of_its_parts(alike):
    keys = ["csig", "cbak", "covl", "llr", "wss", "segmental_snr", "pesq_wb"]
    found = score(alike[1], 16000, alike[0], metrics=keys, align=False)
    expected = regression(found["llr"], found["wss"], found["segmental_snr"], found["pesq_wb"])
    assert {key: found[key] for key in expected} == pytest.approx(expected)


def test_below_16_khz_the_regression_takes_the_raw_pesq_that_it_was_fitted_on(alike):
    clean, noisy = (soxr.resample(signal, 16000, 8000) for signal in alike)
    found = score(noisy, 8000, clean, metrics=["composite", "llr", "wss", "segmental_snr", "pesq_nb"], align=False)
    raw = brentq(lambda x: 0.999 + 4 / (1 + np.exp(4.6607 - 1.4945 * x)) - found["pesq_nb"], -0.5, 4.5)
    expected = regression(found["llr"], found["wss"], found["segmental_snr"], raw)
    assert {key: found[key] for key in expected} == pytest.approx(expected)


def test_a_frame_counts_at_most_2_in_the_likelihood_ratio(pair):
    clean, noisy = pair[0].copy(), pair[1]
    clean[len(clean) // 2 :] = 0
    assert 1 < measure("llr", noisy, clean) <= 2


def test_regression_gives_the_published_example():
    # the example in the documentation of the authors' own program
    found = regression(llr=0.681368, wss=49.671978, segmental_snr=3.991727, mos=2.255732)
    assert found == pytest.approx({"csig": 3.3050, "cbak": 2.6160, "covl": 2.7133}, abs=1e-3)


def test_log_spectral_distance_of_a_gain_is_the_gain(noise_like):
    noise = 0.1 * noise_like(2.0, 48000, "white")
    assert measure("lsd", 0.5 * noise, noise, 48000) == pytest.approx(20 * np.log10(2), abs=0.01)
    assert measure("lsd_hi", 0.5 * noise, noise, 48000) == pytest.approx(20 * np.log10(2), abs=0.01)


def test_lsd_hears_every_whole_frame(noise_like):
    noise = 0.1 * noise_like(1.0, 48000, "white")[: 4 * 2048]
    harmed = noise.copy()
    harmed[-2048:] *= 0.5
    assert measure("lsd", harmed, noise, 48000) == pytest.approx(20 * np.log10(2) / 4, abs=0.01)
    assert measure("lsd", harmed[-2048:], noise[-2048:], 48000) == pytest.approx(20 * np.log10(2), abs=0.01)
    assert isinstance(measure("lsd", harmed[-2047:], noise[-2047:], 48000), NotMeasurable)


def test_lsd_hi_hears_a_lost_upper_band_only_there(noise_like):
    from scipy.signal import firwin, lfilter

    noise = 0.1 * noise_like(2.0, 48000, "white")
    low = np.roll(lfilter(firwin(511, 7500, fs=48000), 1, noise), -255)
    assert measure("lsd_hi", low, noise, 48000) > 40
    assert isinstance(measure("lsd_hi", low[::3], noise[::3], 16000), NotMeasurable)


def test_delta_is_after_minus_before(pair, noise_like):
    clean, noisy = pair
    worse = noisy + 0.05 * noise_like(3.0, 16000, "white", 6)
    found = score(noisy, 16000, clean, worse, ["si_sdr", "si_sdr_delta", "estoi_delta", "lsd_delta"], align=False)
    before = score(worse, 16000, clean, metrics=["si_sdr"], align=False)["si_sdr"]
    assert found["si_sdr_delta"] == pytest.approx(found["si_sdr"] - before, abs=1e-9)
    assert found["estoi_delta"] > 0 > found["lsd_delta"]


def test_delta_of_two_infinities_is_not_measurable(pair):
    clean = pair[0]
    assert isinstance(score(clean, 16000, clean, clean, ["si_sdr_delta"])["si_sdr_delta"], NotMeasurable)


def test_stereo_against_mono_compares_the_channel_mean(pair):
    clean, noisy = pair
    difference = 0.05 * np.sin(np.arange(len(clean)) / 9).astype(np.float32)
    stereo = np.stack([noisy + difference, noisy - difference])
    assert measure("si_sdr", stereo, clean) == pytest.approx(measure("si_sdr", noisy, clean), abs=1e-3)


def test_every_metric_stays_in_its_range_and_gives_its_keys(pair):
    clean, noisy = pair
    signals = Signals(noisy, 16000, clean, (noisy + (noisy - clean)))
    for name in registry.names():
        metric = registry.get(name)
        found = metric(signals)
        assert tuple(found) == metric.keys
        for value in found.values():
            assert isinstance(value, NotMeasurable) or metric.low <= value <= metric.high, (name, value)
