"""Masks from where sound comes from: a mixture of complex angular central Gaussians, guided by a first mask.

Each frame's direction in the space of the channels, z = x / ‖x‖, belongs to one of K classes with the density
p(z) ∝ det(B)⁻¹ (zᴴ B⁻¹ z)⁻ᴹ (Ito, Araki & Nakatani, EUSIPCO 2016). Expectation-maximisation finds the B and the
probabilities. A guide says beforehand how probable each class is in each frame and bin, as in guided source separation
(Boeddeker, Heitkaemper, Schmalenstroeer, Drude, Heymann & Haeb-Umbach, CHiME 2018): with it the classes keep their
meaning in every bin.

The quadratic form and the update of B are both inner products of the real features of z zᴴ, M² per frame, so that
the work is two real matrix products per iteration.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.errors import RecipeError

_BINS_AT_ONCE = 32  # their features stay in the processor's cache
_LEAST = 1e-10
_DOUBT = 0.1  # so much may the directions overrule the guide
_LOADING = 1e-3  # added to the diagonal of each B, whose mean eigenvalue is 1


def cacgmm(spectra: NDArray[np.complex64], guide: NDArray[np.floating], iterations: int = 5) -> NDArray[np.float32]:
    """Return the probability of each class.

    Parameters
    ----------
    spectra : ndarray, shape (channels, frames, bins)
        At least two channels.
    guide : ndarray, shape (classes, frames, bins)
        Prior probability of the classes, ≥ 0; made to sum to 1. What the directions are first learned from, and, kept
        within 0.1 … 0.9, the prior that stays.
    iterations : int

    Returns
    -------
    ndarray, shape (classes, frames, bins), float32

    Raises
    ------
    RecipeError
        Shapes that do not fit, fewer than two channels or classes.
    """
    channels, frames, bins = spectra.shape
    classes = len(guide)
    if channels < 2 or classes < 2 or guide.shape != (classes, frames, bins):
        raise RecipeError(
            f"spatial clustering needs two channels or more and a guide (classes, {frames}, {bins}), "
            f"not {channels} channels and {guide.shape}"
        )
    result = np.empty((classes, frames, bins), np.float32)
    for first in range(0, bins, _BINS_AT_ONCE):
        some = slice(first, first + _BINS_AT_ONCE)
        posterior = _Mixture(spectra[:, :, some]).fit(_to_bins(guide[:, :, some]), iterations)
        result[:, :, some] = posterior.transpose(1, 2, 0)
    return result


def _to_bins(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return (classes, frames, bins) as (bins, classes, frames)."""
    return np.ascontiguousarray(values.transpose(2, 0, 1), np.float32)


class _Mixture:
    """The model of a few bins."""

    def __init__(self, spectra: NDArray[np.complex64]) -> None:
        z = np.ascontiguousarray(spectra.transpose(2, 1, 0))
        z /= np.maximum(np.linalg.norm(z, axis=-1, keepdims=True), 1e-20)
        self._channels = z.shape[-1]
        self._upper = np.triu_indices(self._channels, 1)
        self._features = self._of_directions(z)

    def fit(self, guide: NDArray[np.float32], iterations: int) -> NDArray[np.float32]:
        """Return the posterior, (bins, classes, frames)."""
        posterior = weights = guide / np.maximum(guide.sum(axis=1, keepdims=True), _LEAST)
        share = np.clip(posterior, _DOUBT, 1 - _DOUBT)
        prior = np.log(share / share.sum(axis=1, keepdims=True))
        for _ in range(iterations):
            shape = self._shape(weights)
            quadratic = np.maximum(np.matmul(self._of_inverse(shape), self._features.swapaxes(1, 2)), _LEAST)
            volume = np.linalg.slogdet(shape)[1].astype(np.float32)[:, :, None]
            score = prior - volume - self._channels * np.log(quadratic)
            score -= score.max(axis=1, keepdims=True)
            posterior = np.exp(score)
            posterior /= posterior.sum(axis=1, keepdims=True)
            weights = posterior / quadratic
        return posterior

    def _of_directions(self, z: NDArray[np.complex64]) -> NDArray[np.float32]:
        cross = z[..., self._upper[0]].conj() * z[..., self._upper[1]]
        return np.concatenate([z.real**2 + z.imag**2, cross.real, cross.imag], axis=-1)

    def _of_inverse(self, shape: NDArray[np.complex128]) -> NDArray[np.float32]:
        inverse = np.linalg.inv(shape)
        diagonal = np.diagonal(inverse, axis1=-2, axis2=-1).real
        upper = inverse[..., self._upper[0], self._upper[1]]
        return np.concatenate([diagonal, 2 * upper.real, -2 * upper.imag], axis=-1).astype(np.float32)

    def _shape(self, weights: NDArray[np.float32]) -> NDArray[np.complex128]:
        sums = np.matmul(weights, self._features).astype(np.float64)
        pairs = len(self._upper[0])
        shape: NDArray[np.complex128] = np.zeros((*sums.shape[:2], self._channels, self._channels), np.complex128)
        upper = sums[..., self._channels : self._channels + pairs] - 1j * sums[..., self._channels + pairs :]
        shape[..., self._upper[0], self._upper[1]] = upper
        shape[..., self._upper[1], self._upper[0]] = upper.conj()
        every = np.arange(self._channels)
        shape[..., every, every] = sums[..., : self._channels]
        mean = sums[..., : self._channels].mean(axis=-1)
        shape /= np.maximum(mean, _LEAST)[..., None, None]
        shape[..., every, every] += _LOADING
        return shape
