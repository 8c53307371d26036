"""Lining signals up, and what comes out of a score."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import correlate

from cleanaudio.errors import InputError
from cleanaudio.metrics.align import cross_correlation, find_lag, shift
from cleanaudio.metrics.interface import NotMeasurable
from cleanaudio.metrics.score import line_up, measure, measure_before, score

NOISE = np.random.default_rng(7).standard_normal(24000).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(lag=st.integers(-1600, 1600), sign=st.sampled_from([1, -1, 0.1]))
def test_a_delay_within_the_limit_is_found(lag, sign):
    moved = sign * shift(NOISE, -lag)
    assert find_lag(NOISE, moved, 16000) == lag
    inner = slice(2000, -2000)
    assert np.array_equal(shift(moved, lag)[inner], (np.float32(sign) * NOISE)[inner])


def test_a_delay_beyond_the_limit_is_not_taken_for_one():
    assert find_lag(NOISE, shift(NOISE, -3000), 16000) is None
    assert find_lag(NOISE, shift(NOISE, -3000), 16000, limit_s=0.2) == 3000
    assert find_lag(NOISE[:5], NOISE[:5], 16000) == 0
    assert find_lag(NOISE, np.zeros_like(NOISE), 16000) == 0


@pytest.mark.parametrize(
    ("frames", "others", "limit"), [(24000, 24000, 150), (24000, 23500, 1), (700, 24000, 600), (40, 40, 39), (1, 1, 0)]
)
def test_correlation_block_by_block_is_that_of_the_whole(frames, others, limit):
    reference, signal = NOISE[:frames], NOISE[-others:]
    whole = correlate(signal.astype(float), reference.astype(float))
    zero = frames - 1
    expected = np.pad(whole, limit)[zero : zero + 2 * limit + 1]
    assert cross_correlation(reference, signal, limit) == pytest.approx(expected, abs=1e-8)


def test_speech_in_loud_noise_is_lined_up_and_another_recording_is_not(speech_like, noise_like):
    clean, noise = speech_like(4.0, seed=1), noise_like(4.0)
    buried = clean + 10 ** (15 / 20) * np.std(clean) / np.std(noise) * noise
    assert find_lag(clean, shift(buried, -320), 16000) == 320
    assert find_lag(clean, noise, 16000) is None
    assert find_lag(clean, shift(clean, -3200), 16000) is None
    lined_up = line_up(shift(clean, -3200), 16000, clean)
    assert lined_up.lag_ms == 0 and np.array_equal(lined_up.signals.enhanced[0], shift(clean, -3200))
    assert lined_up.notes == (
        "no delay of enhanced against the reference found within 0.1 s: are they the same recording?",
    )


def test_lining_long_recordings_up_takes_no_more_memory_than_short_ones():
    def peak(seconds):
        signal = np.resize(NOISE, 16000 * seconds)
        tracemalloc.start()
        find_lag(signal, signal, 16000)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(120) < 1.1 * peak(20)


def test_shift_fills_with_zeros():
    assert shift(np.array([[1, 2, 3]]), 1).tolist() == [[2, 3, 0]]
    assert shift(np.array([[1, 2, 3]]), -2).tolist() == [[0, 0, 1]]
    assert shift(np.array([1, 2, 3]), 0).tolist() == [1, 2, 3]


def test_a_delay_is_reported_and_removed(speech_like, noise_like):
    clean = speech_like(2.0)
    noisy = clean + 0.01 * noise_like(2.0)
    late = shift(noisy, -160)
    found = score(late, 16000, clean, metrics=["si_sdr"])
    assert found["lag_ms"] == 10
    assert found["si_sdr"] == pytest.approx(score(noisy, 16000, clean, metrics=["si_sdr"])["si_sdr"], abs=0.1)
    left = score(late, 16000, clean, metrics=["si_sdr"], align=False)
    assert left["si_sdr"] < 0 and "lag_ms" not in left


def test_enhanced_and_noisy_are_moved_onto_the_reference():
    lined_up = line_up(shift(NOISE, -80), 16000, NOISE, shift(NOISE, 40))
    assert lined_up.lag_ms == 5
    for what in ("enhanced", "noisy"):
        assert np.array_equal(getattr(lined_up.signals, what)[0, 100:-100], NOISE[100:-100])
    assert len(lined_up.notes) == 2


def test_without_a_reference_the_noisy_signal_is_the_anchor():
    lined_up = line_up(shift(NOISE, -16), 16000, noisy=NOISE)
    assert lined_up.lag_ms == 1
    assert np.array_equal(lined_up.signals.enhanced[0, :-16], NOISE[:-16])


def test_lengths_that_differ_a_little_are_made_one_and_said():
    lined_up = line_up(NOISE[:-100], 16000, NOISE, np.append(NOISE, NOISE[:7]))
    assert lined_up.signals.enhanced.shape == lined_up.signals.noisy.shape == (1, len(NOISE))
    assert [note.split()[0] for note in lined_up.notes] == ["enhanced", "noisy"]
    assert "(-100 frames)" in lined_up.notes[0] and "(+7 frames)" in lined_up.notes[1]


def test_lengths_that_differ_much_are_an_error():
    with pytest.raises(InputError, match="reference has 12000"):
        score(NOISE[:5000], 16000, NOISE[:12000])


def test_default_metrics_are_those_that_the_signals_allow(monkeypatch, noisy_speech):
    from cleanaudio.metrics import registry

    alone = {metric.name for metric, _ in registry.select(None, frozenset())}
    assert {"dnsmos", "loudness", "artifacts"} <= alone and not alone & {"pesq_wb", "speech_level_change"}
    both = {metric.name for metric, _ in registry.select(None, frozenset({"reference", "noisy"}))}
    assert {"pesq_wb", "pesq_wb_delta", "stoi_delta", "snr_delta", "speech_level_change"} <= both | alone


def test_what_the_input_had_is_given_as_it_was_whatever_the_gain(speech_like):
    speech = speech_like(2.0)
    lined_up = line_up(0.8 * speech, 16000, noisy=0.1 * speech, gain=8.0)
    asked = ["loudness", "loudness_delta", "true_peak"]
    assert measure(lined_up, asked)["loudness_delta"] == pytest.approx(0, abs=0.01)
    before = measure_before(lined_up, asked)
    assert before == {"loudness": pytest.approx(score(0.1 * speech, 16000, metrics=["loudness"])["loudness"], abs=1e-6)}


def test_nan_in_one_partner_leaves_the_others_their_numbers():
    bad = NOISE.copy()
    bad[3] = np.nan
    found = score(0.1 * NOISE, 16000, bad, metrics=["snr", "clipping_ratio"])
    assert isinstance(found["snr"], NotMeasurable) and found["clipping_ratio"] == 0
