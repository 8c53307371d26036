"""Beamformer weights from covariances and steering vectors.

The output of a beamformer is y = wᴴ x. Every function returns weights of the shape (bins, channels) that keep the
source as the reference microphone hears it; :func:`multichannel_wiener` trades that for less noise. Where nothing was
heard, the weights are those that pass the reference microphone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.errors import RecipeError
from cleanaudio.spatial.covariance import TINY, Covariance, generalised_eigen, loaded, power
from cleanaudio.spatial.geometry import Geometry

Weights = NDArray[np.complex128]


def apply(weights: NDArray[np.complexfloating], spectra: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """Return wᴴ x, shape (frames, bins), of weights (bins, channels) and spectra (channels, frames, bins)."""
    by_bin = spectra.transpose(2, 1, 0)
    return np.matmul(by_bin, weights.conj().astype(np.complex64)[:, :, None])[..., 0].T


def pick(bins: int, channels: int, reference: int) -> Weights:
    """Return the weights that pass one microphone."""
    weights = np.zeros((bins, channels), np.complex128)
    weights[:, reference] = 1.0
    return weights


def capon(noise: Covariance, steering: Weights, loading: float = 1e-3) -> Weights:
    """Return the minimum-variance distortionless-response beamformer, w = Φ_n⁻¹ a / (aᴴ Φ_n⁻¹ a).

    Capon, Proc. IEEE 57(8), 1969; diagonal loading after Cox, Zeskind & Owen, TASSP 35(10), 1987.

    Parameters
    ----------
    noise : ndarray, shape (bins, channels, channels)
        Covariance of the noise, or of everything (then the loading has to forgive a steering error).
    steering : ndarray, shape (bins, channels)
        1 at the reference microphone.
    loading : float
    """
    solved = np.linalg.solve(loaded(noise, loading), steering[..., None])[..., 0]
    return solved / np.sum(steering.conj() * solved, axis=-1, keepdims=True)


def souden(speech: Covariance, noise: Covariance, reference: int = 0, loading: float = 1e-3) -> Weights:
    """Return the MVDR beamformer without a steering vector, w = Φ_n⁻¹ Φ_s u / tr(Φ_n⁻¹ Φ_s).

    Souden, Benesty & Affes, TASLP 18(2), 2010; u picks the reference microphone.

    Parameters
    ----------
    speech, noise : ndarray, shape (bins, channels, channels)
    reference : int
        Counted from 0.
    loading : float
        Of the noise covariance, relative to its mean power.
    """
    ratio = np.linalg.solve(_invertible(speech, noise, loading), speech)
    scale = np.trace(ratio, axis1=-2, axis2=-1)
    return _where_heard(speech, ratio[..., reference] / np.where(np.abs(scale) > 0, scale, 1.0)[:, None], reference)


def gev(speech: Covariance, noise: Covariance, reference: int = 0, loading: float = 1e-3) -> Weights:
    """Return the maximum-SNR beamformer, normalised and projected onto the reference microphone.

    The principal vector w of Φ_s w = λ Φ_n w (Warsitz & Haeb-Umbach, TASLP 15(5), 2007) has neither scale nor
    phase. Their blind analytic normalisation multiplies by √(wᴴ Φ_n Φ_n w / M) / (wᴴ Φ_n w): since Φ_n w is
    the transfer function of a single source, that sets the mean level over the microphones. Here the reference
    microphone's element of Φ_n w takes the place of that mean, which also sets the phase.
    """
    noise = _invertible(speech, noise, loading)
    vector = generalised_eigen(speech, noise)[1][..., -1]
    transfer = np.einsum("fcd,fd->fc", noise, vector)
    through = np.sum(vector.conj() * transfer, axis=-1).real
    scale = transfer[:, reference].conj() / np.maximum(through, TINY)
    return _where_heard(speech, vector * scale[:, None], reference)


def multichannel_wiener(
    speech: Covariance, noise: Covariance, reference: int = 0, mu: float = 1.0, loading: float = 1e-3
) -> Weights:
    """Return the speech-distortion-weighted multichannel Wiener filter, w = (Φ_s + μ Φ_n)⁻¹ Φ_s u.

    Spriet, Moonen & Wouters, Signal Processing 84(12), 2004.

    Parameters
    ----------
    speech, noise : ndarray, shape (bins, channels, channels)
    reference : int
    mu : float
        ≥ 0: 1 is the Wiener filter, more takes away more noise and more speech, 0 leaves the microphone as it is.
    loading : float

    Raises
    ------
    RecipeError
        A negative μ.
    """
    if not mu >= 0:
        raise RecipeError(f"μ = {mu:g} is negative")
    noise = _invertible(speech, noise, loading)
    column = speech[..., reference, None]
    return _where_heard(speech, np.linalg.solve(loaded(speech + mu * noise, 1e-9), column)[..., 0], reference)


def diffuse_coherence(geometry: Geometry, frequencies_hz: NDArray[np.float64], speed: float) -> NDArray[np.float64]:
    """Return the coherence of a spherically diffuse field, sin(kd) / kd, shape (bins, channels, channels).

    Cook et al., JASA 27(6), 1955.
    """
    apart = np.linalg.norm(geometry.positions[:, None] - geometry.positions[None], axis=-1)
    return np.sinc(2 * frequencies_hz[:, None, None] * apart / speed)


def superdirective(
    geometry: Geometry,
    steering: NDArray[np.complex128],
    frequencies_hz: NDArray[np.float64],
    speed: float,
    loading: float = 1e-2,
) -> Weights:
    """Return the beamformer of the highest directivity: MVDR against a diffuse field.

    Bitzer & Simmer, in Brandstein & Ward (eds.), Microphone Arrays, 2001, chapter 2.

    Parameters
    ----------
    geometry : Geometry
    steering : ndarray, shape (bins, channels)
    frequencies_hz : ndarray, shape (bins,)
    speed : float
        m/s.
    loading : float
        Power of each microphone's own noise relative to the field: bounds the amplification of white noise, which
        grows without limit towards low frequencies otherwise.
    """
    coherence = diffuse_coherence(geometry, frequencies_hz, speed).astype(np.complex128)
    return capon(coherence, steering, loading)


def _invertible(speech: Covariance, noise: Covariance, loading: float) -> Covariance:
    # Without any noise in a bin the load comes from the speech, far below it, so that any filter stays finite.
    return loaded(noise, loading, 1e-8 * power(speech))


def _where_heard(speech: Covariance, weights: NDArray[np.complexfloating], reference: int) -> Weights:
    silent = power(speech) <= TINY
    return np.where(silent[:, None], pick(1, weights.shape[1], reference), weights)
