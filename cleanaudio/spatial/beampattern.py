"""The numbers of a beam pattern: how strongly a beamformer hears each direction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cleanaudio.spatial.beamformers import Weights, diffuse_coherence
from cleanaudio.spatial.geometry import Geometry, steering, unit_vectors


@dataclass(frozen=True, eq=False)
class BeamPattern:
    """A beam pattern.

    Parameters
    ----------
    azimuth_deg : ndarray, shape (directions,)
    frequencies_hz : ndarray, shape (bins,)
    gain_db : ndarray, shape (directions, bins)
        Level of a plane wave from there at the output, relative to the reference microphone; −80 at least.
    directivity_db : ndarray, shape (bins,)
        Noise of a diffuse field taken away, relative to one microphone.
    white_noise_gain_db : ndarray, shape (bins,)
        Microphones' own noise taken away: negative where the beamformer amplifies it.
    """

    azimuth_deg: NDArray[np.float64]
    frequencies_hz: NDArray[np.float64]
    gain_db: NDArray[np.float64]
    directivity_db: NDArray[np.float64]
    white_noise_gain_db: NDArray[np.float64]


def beam_pattern(
    weights: Weights,
    geometry: Geometry,
    frequencies_hz: NDArray[np.float64],
    speed: float,
    reference: int = 0,
    elevation_deg: float = 0.0,
    towards: NDArray[np.float64] | None = None,
) -> BeamPattern:
    """Return the pattern of weights over all azimuths, degree by degree.

    Parameters
    ----------
    weights : ndarray, shape (bins, channels)
        Of the output wᴴ x.
    geometry : Geometry
    frequencies_hz : ndarray, shape (bins,)
    speed : float
        m/s.
    reference : int
    elevation_deg : float
    towards : ndarray, shape (3,), optional
        Unit vector of the look direction, which directivity and white noise gain are relative to; the reference
        microphone's level without it.
    """
    azimuth = np.arange(-180.0, 181.0)
    waves = steering(
        geometry.delays(unit_vectors(azimuth, np.full(len(azimuth), elevation_deg)), speed, reference), frequencies_hz
    )
    gain = np.abs(np.einsum("fc,dfc->df", weights.conj(), waves))
    wanted = np.ones(len(frequencies_hz))
    if towards is not None:
        look = steering(geometry.delays(towards, speed, reference), frequencies_hz)
        wanted = np.abs(np.sum(weights.conj() * look, axis=-1)) ** 2
    coherence = diffuse_coherence(geometry, frequencies_hz, speed)
    diffuse = np.einsum("fc,fcd,fd->f", weights.conj(), coherence, weights).real
    white = np.sum(np.abs(weights) ** 2, axis=-1)
    return BeamPattern(azimuth, frequencies_hz, _db(gain**2), _db(wanted / diffuse), _db(wanted / white))


def weights_of(filters: NDArray[np.float32], frequencies_hz: NDArray[np.float64], rate: int) -> Weights:
    """Return the weights, shape (bins, channels), that filters (channels, 2 * centre + 1) amount to."""
    taps = np.arange(filters.shape[1]) - filters.shape[1] // 2
    return (np.exp(-2j * np.pi * frequencies_hz[:, None] * taps / rate) @ filters.T.astype(np.float64)).conj()


def _db(power: NDArray[np.float64]) -> NDArray[np.float64]:
    return 10 * np.log10(np.maximum(power, 1e-8))
