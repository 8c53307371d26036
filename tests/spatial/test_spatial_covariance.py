import numpy as np
import pytest
import scipy.linalg

from cleanaudio.spatial import covariance as cov


def _random_covariance(rng, bins, channels, rank=None):
    a = rng.standard_normal((bins, channels, rank or 3 * channels, 2)) @ [1, 1j]
    return a @ a.conj().swapaxes(1, 2)


def _spectra(rng, channels=3, frames=40, bins=5):
    return (rng.standard_normal((channels, frames, bins, 2)) @ [1, 1j]).astype(np.complex64)


def test_a_weighted_sum_is_what_numpy_gives():
    rng = np.random.default_rng(0)
    x, w = _spectra(rng), rng.random((40, 5)).astype(np.float32)
    for f in range(5):
        theirs = np.cov(x[:, :, f], aweights=w[:, f], bias=True)
        mean = np.average(x[:, :, f], axis=1, weights=w[:, f])
        theirs = (theirs + np.outer(mean, mean.conj())) * w[:, f].sum()
        np.testing.assert_allclose(cov.weighted_sum(x, w)[f], theirs, rtol=1e-4, atol=1e-4)


def test_recursion_forgets():
    rng = np.random.default_rng(1)
    x = _spectra(rng)
    one = np.ones((40, 5), np.float32)
    forever, short = cov.Recursive(3, 5), cov.Recursive(3, 5, memory_frames=4)
    for part in (x, 100 * x, x):
        forever.push(part, one)
        short.push(part, one)
    expected = cov.weighted_sum(x) / 40
    np.testing.assert_allclose(forever.mean(), expected * (1 + 1e4 + 1) / 3, rtol=1e-4)
    np.testing.assert_allclose(short.mean(), expected * (1 + 1e4 * np.exp(-10)) / (1 + np.exp(-10)), rtol=1e-3)
    short.reset()
    assert not short.mean().any()


def test_the_generalised_eigenproblem_is_scipys():
    rng = np.random.default_rng(2)
    a, b = _random_covariance(rng, 4, 5), _random_covariance(rng, 4, 5)
    values, vectors = cov.generalised_eigen(a, b)
    for f in range(4):
        np.testing.assert_allclose(values[f], scipy.linalg.eigh(a[f], b[f], eigvals_only=True), rtol=1e-9)
        np.testing.assert_allclose(a[f] @ vectors[f], b[f] @ vectors[f] * values[f], atol=1e-8)


def test_rank_one_recovers_the_transfer_function():
    rng = np.random.default_rng(3)
    a = rng.standard_normal((4, 5, 2)) @ [1, 1j]
    noise = _random_covariance(rng, 4, 5)
    speech = a[:, :, None] * a[:, None].conj()
    np.testing.assert_allclose(cov.rank_one(speech + 1e-6 * noise, noise), speech, rtol=1e-3, atol=1e-3)


def test_taking_the_noise_away():
    rng = np.random.default_rng(4)
    a = rng.standard_normal((4, 5, 2)) @ [1, 1j]
    noise = _random_covariance(rng, 4, 5)
    speech = a[:, :, None] * a[:, None].conj()
    np.testing.assert_allclose(cov.less_noise(speech + noise, noise), speech, atol=1e-8)
    less = cov.less_noise(speech + 0.5 * noise, noise)  # more noise was measured than there is
    assert np.linalg.eigvalsh(less).min() > -1e-9


def test_a_loaded_covariance_can_be_inverted():
    singular = np.ones((2, 3, 3), np.complex128)
    assert np.isfinite(np.linalg.inv(cov.loaded(singular, 1e-6))).all()
    assert np.isfinite(np.linalg.inv(cov.loaded(0 * singular, 1e-6))).all()
    assert cov.condition(cov.loaded(singular, 1e-3)) == pytest.approx([3.001 / 0.001] * 2)
    np.testing.assert_allclose(cov.power(singular), 1.0)
