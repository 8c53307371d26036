import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanaudio.spatial.tdoa import DelayTrack, band, best_peaks, correlation, phat


def gcc_phat(signal, reference, rate, max_delay_s, upsampling=8):
    """The delay of a signal behind a reference, in samples, and the height of the peak."""
    size = 2 << (max(len(signal), 2) - 1).bit_length()
    cross = np.fft.rfft(signal, size) * np.fft.rfft(reference, size).conj()
    curve = correlation(phat(cross), size, band(size, rate), upsampling)
    lags, heights = best_peaks(curve, 0.0, max_delay_s * rate, 1, upsampling)
    return float(lags[0]), float(heights[0])


def _delayed(signal, delay):
    hertz = np.fft.rfftfreq(2 * len(signal))
    return np.fft.irfft(np.fft.rfft(signal, 2 * len(signal)) * np.exp(-2j * np.pi * hertz * delay))[: len(signal)]


@settings(max_examples=15, deadline=None)
@given(st.floats(-150, 150))
def test_delays_are_found_to_a_twentieth_of_a_sample(delay):
    signal = np.random.default_rng(1).standard_normal(8000)
    found, height = gcc_phat(_delayed(signal, delay), signal, 16000, 0.02)
    assert abs(found - delay) < 0.05
    assert height > 0.5


def test_agrees_with_pyroomacoustics():
    from pyroomacoustics.experimental import tdoa

    rng = np.random.default_rng(2)
    signal = rng.standard_normal(8000)
    other = _delayed(signal, 7.3) + 0.3 * rng.standard_normal(8000)
    theirs = tdoa(other, signal, interp=16, phat=True, fs=1)
    assert gcc_phat(other, signal, 16000, 0.01)[0] == pytest.approx(theirs, abs=0.1)


def test_identical_and_inverted_signals():
    signal = np.random.default_rng(3).standard_normal(4000)
    assert gcc_phat(signal, signal, 16000, 0.01) == (pytest.approx(0, abs=1e-6), pytest.approx(1, abs=0.01))
    assert gcc_phat(-signal, signal, 16000, 0.01)[1] < 0.3


def test_silence_has_no_peak():
    assert gcc_phat(np.zeros(1000), np.zeros(1000), 16000, 0.01)[1] == 0


def test_best_peaks_are_in_order_and_within_reach():
    curve = np.zeros(256)
    curve[[5, 20, -10, 100]] = 0.5, 0.9, 0.7, 2.0
    lags, heights = best_peaks(curve, 0, 30, 4)
    np.testing.assert_allclose(lags[:3], [20, -10, 5])
    np.testing.assert_allclose(heights[:3], [0.9, 0.7, 0.5])


def test_one_odd_window_does_not_move_the_track():
    track = DelayTrack(1, 2, 16000, lag=4)
    decided = []
    for k in range(12):
        # the right delay is 8; once the echo at −30 is a little higher
        heights = [0.4, 0.5] if k == 6 else [0.5, 0.3]
        done = track.push(np.array([[8.0, -30.0]]), np.array([heights]))
        decided += [] if done is None else [done[0]]
    decided += [rest[0] for rest in track.flush()]
    assert decided == [8.0] * 12


def test_a_new_speaker_is_followed():
    track = DelayTrack(1, 2, 16000, lag=4)
    decided = []
    for k in range(20):
        heights = [0.6, 0.1] if k < 10 else [0.1, 0.6]
        done = track.push(np.array([[8.0, -30.0]]), np.array([heights]))
        decided += [] if done is None else [done[0]]
    decided += [rest[0] for rest in track.flush()]
    assert decided == [8.0] * 10 + [-30.0] * 10
