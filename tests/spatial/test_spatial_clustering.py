import numpy as np
import pytest

from cleanaudio.errors import RecipeError
from cleanaudio.spatial.clustering import cacgmm


def _two_sources(seed=0, channels=3, frames=200, bins=6):
    """Spectra of two sources that take turns, and who speaks: (channels, frames, bins), (2, frames)."""
    rng = np.random.default_rng(seed)
    transfer = rng.standard_normal((2, channels, bins, 2)) @ [1, 1j]
    spectra = rng.standard_normal((2, frames, bins, 2)) @ [1, 1j]
    active = (np.arange(frames) // 25) % 2 == np.arange(2)[:, None]
    mixed = np.einsum("kcf,ktf,kt->ctf", transfer, spectra, active)
    own = rng.standard_normal((channels, frames, bins, 2)) @ [0.03, 0.03j]
    return (mixed + own).astype(np.complex64), active.astype(np.float64)


def _naive(spectra, posterior, iterations, loading):
    """The update of Ito, Araki & Nakatani (2016) written down for one bin, with a prior that stays."""
    channels, _frames = spectra.shape
    z = spectra.astype(complex) / np.linalg.norm(spectra, axis=0)
    prior = weight = posterior.astype(float)
    for _ in range(iterations):
        density = []
        q = np.empty_like(weight)
        for k in range(len(posterior)):
            b = channels * (weight[k] * z) @ z.conj().T
            b = b / np.trace(b).real * channels + loading * np.eye(channels)
            q[k] = np.einsum("ct,cd,dt->t", z.conj(), np.linalg.inv(b), z).real
            density.append(prior[k] / (np.linalg.det(b).real * q[k] ** channels))
        posterior = np.array(density) / np.sum(density, axis=0)
        weight = posterior / q
    return posterior


def test_it_is_the_published_update():
    spectra, active = _two_sources()
    start = np.tile((0.3 + 0.4 * active)[:, :, None], (1, 1, spectra.shape[2]))
    ours = cacgmm(spectra, start, iterations=3)
    for f in range(spectra.shape[2]):
        np.testing.assert_allclose(ours[:, :, f], _naive(spectra[:, :, f], start[:, :, f], 3, 1e-3), atol=2e-3)


def test_a_doubtful_mask_becomes_a_good_one():
    spectra, active = _two_sources(1)
    rng = np.random.default_rng(2)
    wrong = rng.random((200, 6)) < 0.3
    first = np.where(wrong, 1 - active[0][:, None], active[0][:, None])
    start = np.stack([first, 1 - first])
    found = cacgmm(spectra, start, 10)
    assert np.mean((found[0] > 0.5) != (active[0][:, None] > 0.5)) < 0.02
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)


def test_silent_bins_are_no_trouble():
    spectra, active = _two_sources(4)
    spectra[:, :, 2] = 0
    spectra[:, :50] = 0
    start = np.tile((0.3 + 0.4 * active)[:, :, None], (1, 1, 6))
    assert np.isfinite(cacgmm(spectra, start)).all()


def test_two_identical_channels():
    spectra, active = _two_sources(5)
    spectra[1] = spectra[0]
    start = np.tile((0.3 + 0.4 * active)[:, :, None], (1, 1, 6))
    found = cacgmm(spectra, start)
    assert np.isfinite(found).all()


def test_bad_input():
    spectra, _ = _two_sources()
    start = np.ones((2, 200, 6))
    with pytest.raises(RecipeError, match="two channels"):
        cacgmm(spectra[:1], start)
    with pytest.raises(RecipeError, match="guide"):
        cacgmm(spectra, start[:, :10])
