"""Dither, rounding and the limiter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.signal import resample_poly

from cleanaudio.audio.limiter import LOOK_AHEAD_S, Limiter
from cleanaudio.audio.quantise import Quantiser

RATE = 48000


def cut(process, signal, lengths, flush=None):
    pieces, start = [], 0
    for length in [*lengths, signal.shape[1]]:
        pieces.append(process(signal[:, start : start + length]))
        start += length
    if flush:
        pieces.append(flush())
    return pieces


def noise(channels, frames, level=0.1, seed=0):
    return (np.random.default_rng(seed).standard_normal((channels, frames)) * level).astype(np.float32)


@pytest.mark.parametrize("bits", [8, 16, 20, 24])
def test_exact_samples_pass_without_dither(bits):
    steps = np.random.default_rng(1).integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (2, 5000))
    signal = (steps / 2.0 ** (bits - 1)).astype(np.float32)
    np.testing.assert_array_equal(Quantiser(bits, 2, seed=1).process(signal).T, steps)


def test_silence_among_sound_stays_silent():
    signal = noise(1, 9000)
    signal[:, 3000:6000] = 0
    assert not Quantiser(16, 1, seed=5).process(signal)[3000:6000].any()


@pytest.mark.parametrize("bits", [8, 16, 24])
def test_dither_makes_the_error_triangular_noise_of_constant_power(bits):
    signal = noise(2, 100_000)
    error = Quantiser(bits, 2, seed=1).process(signal).T - signal.astype(np.float64) * 2 ** (bits - 1)
    if bits < 24:
        assert np.var(error) == pytest.approx(0.25, rel=0.02)  # 1/12 of rounding and 2/12 of the dither, in steps²
    assert abs(error.mean()) < 0.005
    assert np.abs(error).max() <= 1.5
    assert abs(np.corrcoef(error.ravel(), signal.ravel())[0, 1]) < 0.01
    assert abs(np.corrcoef(error[0], error[1])[0, 1]) < 0.01


def test_a_tone_below_one_step_survives_in_the_mean():
    tone = (0.3 * np.sin(2 * np.pi * 1000 / RATE * np.arange(RATE * 4)) / 32768).astype(np.float32)[None]
    plain, dithered = (Quantiser(16, 1, seed=seed).process(tone)[:, 0] for seed in (None, 3))
    assert not plain.any()
    amplitude = 2 * np.dot(dithered, tone[0]) / np.dot(tone[0], tone[0]) / 2
    assert amplitude / 32768 == pytest.approx(1, rel=0.1)


def test_the_dither_is_triangular():
    step = np.full((1, 100_000), 0.25 / 128, dtype=np.float32)  # a quarter of a step above zero
    values = Quantiser(8, 1, seed=2).process(step)[:, 0]
    triangle = stats.triang(0.5, -1, 2)
    for value in (-1, 0, 1):
        expected = triangle.cdf(value + 0.5 - 0.25) - triangle.cdf(value - 0.5 - 0.25)
        assert np.mean(values == value) == pytest.approx(expected, abs=0.01)


def test_the_same_seed_gives_the_same_and_another_another():
    signal = noise(1, 5000)
    one, same, other = (Quantiser(16, 1, seed=seed).process(signal) for seed in (7, 7, 8))
    assert (one == same).all() and (one != other).any()


@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 700), max_size=8),
    channels=st.integers(1, 5),
    bits=st.sampled_from([8, 16, 24, 32]),
)
def test_quantising_does_not_depend_on_the_blocks(lengths, channels, bits):
    signal = noise(channels, 3000, 0.5)
    signal[:, 500:1500] = 0.25  # exact: a stretch where no dither is drawn
    whole = Quantiser(bits, channels, seed=3).process(signal)
    pieces = cut(Quantiser(bits, channels, seed=3).process, signal, lengths)
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
@pytest.mark.parametrize("seed", [None, 1])
def test_nothing_wraps(bits, seed):
    signal = np.array([[1.0, -1.0, 2.0, -2.0, 1e30, -1e30, 0.9999999, -0.9999999] * 100], dtype=np.float32)
    quantiser = Quantiser(bits, 1, seed)
    values = quantiser.process(signal)[:, 0]
    assert (np.sign(values) == np.sign(signal[0])).all()
    assert values.max() == 2 ** (bits - 1) - 1 and values.min() == -(2 ** (bits - 1))
    assert quantiser.clipped == 400


@settings(max_examples=40, deadline=None)
@given(lengths=st.lists(st.integers(0, 2000), max_size=8), seed=st.integers(0, 99))
def test_the_limiter_is_not_there_below_full_scale(lengths, seed):
    signal = noise(2, 6000, 0.3, seed).clip(-1, 1)
    signal[0, 0], signal[1, -1] = 1.0, -1.0
    limiter = Limiter(RATE, 2)
    np.testing.assert_array_equal(np.concatenate(cut(limiter.process, signal, lengths, limiter.flush), axis=1), signal)
    assert limiter.limited == 0


@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 3000), max_size=8), level=st.floats(0.2, 30), rate=st.sampled_from([8000, 48000])
)
def test_the_limiter_holds_full_scale_with_any_blocks(lengths, level, rate):
    signal = noise(2, 8000, level)
    one, other = Limiter(rate, 2), Limiter(rate, 2)
    got = np.concatenate(cut(one.process, signal, lengths, one.flush), axis=1)
    whole = np.concatenate([other.process(signal), other.flush()], axis=1)
    assert got.shape == signal.shape
    assert np.abs(got).max() <= 1.0
    np.testing.assert_allclose(got, whole, atol=2e-7)
    assert one.limited == np.count_nonzero(np.abs(signal) > 1)


def test_the_limiter_moves_smoothly_and_is_gone_after_a_peak():
    signal = np.full((2, RATE), 0.1, dtype=np.float32)
    signal[0, RATE // 2] = 2.0
    limiter = Limiter(RATE, 2)
    got = np.concatenate([limiter.process(signal), limiter.flush()], axis=1)
    gain = got / signal
    assert got[0, RATE // 2] == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_array_equal(gain[0], gain[1])  # the stereo image does not move
    touched = np.flatnonzero(gain[0] < 1)
    assert touched[0] >= RATE // 2 - round(RATE * LOOK_AHEAD_S)
    assert touched[-1] < RATE // 2 + 0.2 * RATE
    assert np.abs(np.diff(20 * np.log10(gain[0]))).max() < 0.05


def test_the_limiter_leaves_its_input_alone():
    signal = noise(1, 4000, 3.0)
    before = signal.copy()
    limiter = Limiter(RATE, 1)
    limiter.process(signal)
    limiter.flush()
    np.testing.assert_array_equal(signal, before)


@pytest.mark.parametrize("rate", [16000, 48000])
def test_a_recording_that_begins_loud_is_turned_down_from_its_first_frame(rate):
    """What is clipped in place of it swings over between the samples: by 3 dB and more in noise."""
    loud, ceiling = noise(1, rate, 1.2), 0.891
    limiter = Limiter(rate, 1, ceiling, true_peak=True)
    out = np.concatenate(cut(limiter.process, loud, [7, 100, 3000], limiter.flush), axis=1)
    begin = np.pad(out[:, : rate // 50].astype(np.float64), ((0, 0), (rate // 50, 0)))
    assert np.abs(resample_poly(begin, 8, 1, axis=1)).max() < ceiling * 1.01
    assert np.abs(out).max() < ceiling
