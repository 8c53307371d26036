"""Gain rules against the papers' formulas, computed with scipy's special functions in double precision."""

import numpy as np
import pytest
import scipy.special as sp

from cleanaudio.backends.estimators import AMPLITUDE, LOG_AMPLITUDE, bessel_scaled, exp1
from cleanaudio.backends.gains import Estimate, OmLsa, Subtraction
from cleanaudio.backends.presence import SpeechAbsence
from cleanaudio.backends.prior import XI_MIN, DecisionDirected, MaximumLikelihood, Noncausal

HOP_S = 0.008
RNG = np.random.default_rng(1)


class Given:
    """A prior that is known."""

    look_ahead = 0

    def __init__(self, xi):
        self._xi = xi

    def __call__(self, powers, noise):
        return powers / noise, self._xi.copy()


def grid():
    """Return γ and ξ, (frames, bins), from -30 to 30 dB and from -25 to 30 dB."""
    gamma, xi = np.meshgrid(np.geomspace(1e-3, 1e3, 61), np.geomspace(10**-2.5, 1e3, 56), indexing="ij")
    return gamma.astype(np.float32), xi.astype(np.float32)


def log_amplitude(gamma, xi):
    v = xi / (1 + xi) * gamma
    return xi / (1 + xi) * np.exp(sp.exp1(v) / 2)


def amplitude(gamma, xi):
    v = xi / (1 + xi) * gamma
    bessel = (1 + v) * sp.i0e(v / 2) + v * sp.i1e(v / 2)
    return np.sqrt(np.pi) / 2 * np.sqrt(v) / gamma * bessel


def test_exponential_integral():
    v = np.geomspace(1e-9, 650, 5001)
    assert np.max(np.abs(exp1(v) / sp.exp1(v) - 1)) < 1e-11


def test_bessel_functions():
    v = np.concatenate([[0.0], np.geomspace(1e-3, 1e4, 5001)])
    i0, i1 = bessel_scaled(v)
    np.testing.assert_allclose(i0, sp.i0e(v), rtol=1e-11)
    np.testing.assert_allclose(i1, sp.i1e(v), rtol=1e-9, atol=1e-12)


def test_the_table_gives_the_exponential_integral():
    v = np.geomspace(1e-7, 100, 20001).astype(np.float32)
    gain = np.ones_like(v)
    LOG_AMPLITUDE.apply(gain, v.copy())
    exact = np.exp(sp.exp1(v.astype(np.float64)) / 2)
    assert np.max(np.abs(gain / exact - 1)) < 1.5e-4


@pytest.mark.parametrize(
    ("estimator", "formula"),
    [(LOG_AMPLITUDE, log_amplitude), (AMPLITUDE, amplitude), (None, lambda gamma, xi: xi / (1 + xi))],
)
def test_estimators_equal_the_papers(estimator, formula):
    gamma, xi = grid()
    gains = Estimate(Given(xi), estimator, 1e-9)(gamma, np.ones_like(gamma))
    exact = np.minimum(formula(gamma.astype(np.float64), xi.astype(np.float64)), 1)
    assert np.max(np.abs(gains / exact - 1)) < 3e-4


@pytest.mark.parametrize("estimator", [LOG_AMPLITUDE, AMPLITUDE])
def test_at_high_snr_they_become_the_wiener_filter(estimator):
    xi = np.full((1, 5), 100.0, np.float32)
    gains = Estimate(Given(xi), estimator, 1e-9)(xi, np.ones_like(xi))
    np.testing.assert_allclose(gains, 100 / 101, rtol=3e-3)


def test_log_amplitude_is_never_above_the_amplitude():
    gamma, xi = grid()
    low, high = (Estimate(Given(xi), e, 1e-9)(gamma, np.ones_like(gamma)) for e in (LOG_AMPLITUDE, AMPLITUDE))
    assert np.all(low <= high * 1.0005)


def test_magnitude_subtraction_is_bolls():
    noisy = RNG.rayleigh(1, (50, 20))
    noise = 0.3
    mean_magnitude = np.sqrt(np.pi / 4 * noise)
    expected = np.maximum(noisy - 2 * mean_magnitude, 0.002 * noisy)
    powers = (noisy**2).astype(np.float32)
    gains = Subtraction("magnitude", 2.0, 0.002, 0.0)(powers, np.full_like(powers, noise))
    np.testing.assert_allclose(gains * noisy, expected, rtol=1e-4, atol=1e-6)


def test_power_subtraction_is_beroutis():
    powers = RNG.exponential(1, (50, 20)).astype(np.float32)
    noise, alpha, beta = 0.4, 3.0, 0.01
    difference = powers.astype(np.float64) - alpha * noise
    expected = np.minimum(np.where(difference > beta * noise, difference, beta * noise), powers)
    gains = Subtraction("power", alpha, beta, 0.0)(powers, np.full_like(powers, noise))
    np.testing.assert_allclose(gains.astype(np.float64) ** 2 * powers, expected, rtol=1e-4, atol=1e-7)


def test_maximum_likelihood_wiener_is_s_over_s_plus_n():
    powers = RNG.exponential(1, (50, 20)).astype(np.float32)
    noise = np.full_like(powers, 0.5)
    speech = np.maximum(powers - noise, 0)
    gains = Estimate(MaximumLikelihood(), None, 0.0)(powers, noise)
    np.testing.assert_allclose(gains, speech / (speech + noise), atol=1e-6)


@pytest.mark.parametrize(("estimator", "formula"), [(LOG_AMPLITUDE, log_amplitude), (None, lambda g, x: x / (1 + x))])
def test_the_decision_directed_recursion(estimator, formula):
    powers = RNG.exponential(2, (40, 7)).astype(np.float32)
    noise = RNG.uniform(0.5, 2, (40, 7)).astype(np.float32)
    _, xi = DecisionDirected(0.98, HOP_S, estimator)(powers, noise)
    clean = np.maximum(powers[0].astype(np.float64) - noise[0], 0)
    for t in range(40):
        gamma = powers[t].astype(np.float64) / noise[t]
        expected = np.maximum(0.98 * clean / noise[t] + 0.02 * np.maximum(gamma - 1, 0), XI_MIN)
        np.testing.assert_allclose(xi[t], expected, rtol=2e-3)
        clean = np.minimum(formula(gamma, expected), 1) ** 2 * powers[t]


def test_the_noncausal_prior_is_the_same_forwards_and_backwards():
    powers = RNG.exponential(1, (40, 9)).astype(np.float32) * np.linspace(0.1, 9, 40, dtype=np.float32)[:, None]
    noise = np.ones_like(powers)

    def run(x):
        prior = Noncausal(0.98, HOP_S, LOG_AMPLITUDE)
        assert len(prior(x, noise)[1]) == 0  # it waits for its look-ahead
        return prior.flush()[1]

    np.testing.assert_allclose(run(powers), run(powers[::-1])[::-1], rtol=1e-4)


def test_the_noncausal_prior_does_not_depend_on_blocks():
    powers = RNG.exponential(1, (300, 9)).astype(np.float32)
    noise = np.ones_like(powers)

    def run(step):
        prior = Noncausal(0.98, HOP_S, LOG_AMPLITUDE)
        parts = [prior(powers[t : t + step], noise[t : t + step])[1] for t in range(0, 300, step)]
        return np.concatenate([part for part in [*parts, prior.flush()[1]] if len(part)])

    np.testing.assert_array_equal(run(300), run(7))


def test_omlsa_lies_between_its_floor_and_the_conditional_gain():
    gamma, xi = grid()
    gains = OmLsa(Given(xi), SpeechAbsence(31.25, HOP_S), 0.1)(gamma, np.ones_like(gamma))
    conditional = np.clip(log_amplitude(gamma.astype(np.float64), xi.astype(np.float64)), 0.1, 1)
    assert np.all(gains >= 0.1 * 0.9999)
    assert np.all(gains <= conditional * 1.0005)


def test_omlsa_is_the_floor_in_noise_and_lets_speech_through():
    xi = np.full((60, 257), XI_MIN, np.float32)
    xi[30:, 20:200] = 30.0
    gamma = 1 + xi
    gains = OmLsa(Given(xi), SpeechAbsence(31.25, HOP_S), 0.1)(gamma, np.ones_like(gamma))
    assert np.all(gains[:30] < 0.101)
    assert np.all(gains[40:, 40:180] > 0.95)


def test_presence_follows_the_snr():
    quiet, loud = (np.full((20, 257), level, np.float32) for level in (1e-3, 10.0))
    assert np.all(SpeechAbsence(31.25, HOP_S)(quiet) == np.float32(SpeechAbsence.ABSENCE_MAX))
    assert np.all(SpeechAbsence(31.25, HOP_S)(loud) == 0)


@pytest.mark.parametrize(
    "rule",
    [
        Subtraction("magnitude", 2, 0.002, 0.0),
        Subtraction("power", 2, 0.002, 0.0),
        Estimate(DecisionDirected(0.98, HOP_S, AMPLITUDE), AMPLITUDE, 0.0),
        Estimate(MaximumLikelihood(), None, 0.0),
        OmLsa(DecisionDirected(0.98, HOP_S, LOG_AMPLITUDE), SpeechAbsence(31.25, HOP_S), 0.0),
    ],
)
def test_gains_are_finite_and_at_most_one_whatever_comes(rule):
    powers = np.zeros((30, 257), np.float32)
    powers[10:20] = RNG.exponential(1, (10, 257))
    powers[20] = 1e9
    noise = np.full_like(powers, 1e-13)
    noise[15:25] = 1e6
    gains = rule(powers, noise)
    assert np.all((gains >= 0) & (gains <= 1))
