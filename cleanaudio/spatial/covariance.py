"""Spatial covariance matrices: weighted by masks, forgetting the past, made safe to invert, reduced to rank one.

Spectra have the shape (channels, frames, bins) as :class:`cleanaudio.audio.stft.Stft` gives them; covariances
(bins, channels, channels), Φ = Σ w x xᴴ.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.transform import Spectra

Covariance = NDArray[np.complex128]

TINY = 1e-20
"""Power below which there is nothing: −200 dB of full scale."""


def weighted_sum(spectra: Spectra, weights: NDArray[np.float32] | None = None) -> Covariance:
    """Return Σ_t w(t, f) x xᴴ, shape (bins, channels, channels).

    Parameters
    ----------
    spectra : ndarray, shape (channels, frames, bins)
    weights : ndarray, shape (frames, bins), optional
        A mask, 0 … 1; without it every frame counts once.
    """
    by_bin = np.ascontiguousarray(spectra.transpose(2, 0, 1))
    conjugate = by_bin.conj().transpose(0, 2, 1)
    left = by_bin if weights is None else by_bin * np.asarray(weights, np.float32).T[:, None]
    return np.matmul(left, conjugate).astype(np.complex128)


class Recursive:
    """A covariance that forgets: Φ ← λᵀ Φ + Σ w x xᴴ over the T frames of a block, and the same of the weights.

    Parameters
    ----------
    channels, bins : int
    memory_frames : float
        Time constant in frames, λ = exp(−1 / memory); ``inf`` never forgets.
    """

    def __init__(self, channels: int, bins: int, memory_frames: float = math.inf) -> None:
        self._shape = (bins, channels, channels)
        self._memory = memory_frames
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._sum = np.zeros(self._shape, np.complex128)
        self._weight = np.zeros(self._shape[0])

    def push(self, spectra: Spectra, weights: NDArray[np.float32]) -> Covariance:
        """Take a block (channels, frames, bins) and its mask (frames, bins), return the mean covariance so far."""
        keep = math.exp(-spectra.shape[1] / self._memory)
        self._sum = keep * self._sum + weighted_sum(spectra, weights)
        self._weight = keep * self._weight + np.sum(weights, axis=0, dtype=np.float64)
        return self.mean()

    def mean(self) -> Covariance:
        """Return the weighted mean, (bins, channels, channels); zero where nothing was heard."""
        return self._sum / np.maximum(self._weight, 1e-6)[:, None, None]


def power(covariance: Covariance) -> NDArray[np.float64]:
    """Return the mean power of the channels, shape (bins,): tr Φ / M."""
    return np.trace(covariance, axis1=-2, axis2=-1).real / covariance.shape[-1]


def loaded(covariance: Covariance, loading: float, floor: NDArray[np.float64] | float = 0.0) -> Covariance:
    """Return Φ + (δ tr Φ / M + floor) I, which can always be inverted.

    Parameters
    ----------
    covariance : ndarray, shape (bins, channels, channels)
    loading : float
        δ, relative to the mean power of the channels; 1e-6 … 1.
    floor : ndarray, shape (bins,), or float
        Power added to every microphone besides.
    """
    amount = loading * power(covariance) + floor + TINY
    return covariance + amount[..., None, None] * np.eye(covariance.shape[-1])


def condition(covariance: Covariance) -> NDArray[np.float64]:
    """Return the ratio of the largest to the smallest eigenvalue, shape (bins,)."""
    values = np.linalg.eigvalsh(covariance)
    return values[..., -1] / np.maximum(values[..., 0], np.maximum(values[..., -1], TINY) * 1e-15)


def generalised_eigen(first: Covariance, second: Covariance) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
    """Solve A v = λ B v for Hermitian A and positive definite B, for all bins at once.

    Returns
    -------
    values : ndarray, shape (bins, channels)
        Ascending.
    vectors : ndarray, shape (bins, channels, channels)
        In columns, vᴴ B v = 1.
    """
    inverse = np.linalg.inv(np.linalg.cholesky(second))
    whitened = inverse @ first @ inverse.conj().swapaxes(-1, -2)
    values, vectors = np.linalg.eigh((whitened + whitened.conj().swapaxes(-1, -2)) / 2)
    return values, inverse.conj().swapaxes(-1, -2) @ vectors


def rank_one(speech: Covariance, noise: Covariance) -> Covariance:
    """Return the rank-1 speech covariance of the generalised eigenvalue decomposition.

    The principal vector v of (Φ_s, Φ_n) gives the source's transfer function a = Φ_n v (covariance whitening:
    Markovich-Golan & Gannot, ICASSP 2015); the power of the speech covariance is kept.

    Parameters
    ----------
    speech : ndarray, shape (bins, channels, channels)
    noise : ndarray, shape (bins, channels, channels)
        Positive definite: :func:`loaded`.
    """
    vector = generalised_eigen(speech, noise)[1][..., -1]
    transfer = np.einsum("fcd,fd->fc", noise, vector)
    outer = transfer[:, :, None] * transfer[:, None].conj()
    return outer * (power(speech) / np.maximum(power(outer), TINY))[:, None, None]


def less_noise(noisy: Covariance, noise: Covariance) -> Covariance:
    """Return the speech covariance Φ_x − Φ_n with its negative part cut off in the whitened domain.

    Eigenvalues of (Φ_x, Φ_n) below 1 hold no speech (Serizel, Moonen, Van Dijk & Wouters, TASLP 22(4), 2014).

    Parameters
    ----------
    noisy : ndarray, shape (bins, channels, channels)
    noise : ndarray, shape (bins, channels, channels)
        Positive definite: :func:`loaded`.
    """
    values, vectors = generalised_eigen(noisy, noise)
    back = noise @ vectors
    return (back * np.maximum(values - 1, 0.0)[:, None]) @ back.conj().swapaxes(-1, -2)
