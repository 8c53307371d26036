"""Direction of arrival from covariances: steered response power with phase transform, and MUSIC.

Both score a grid of directions from spatial covariances (bins, channels, channels) and the steering vectors of a
known array.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.spatial.covariance import Covariance
from cleanaudio.spatial.geometry import Geometry, unit_vectors


class Grid:
    """Directions to search, without those that the array cannot tell apart.

    An array on the x axis hears front and back alike: only 0 … 180° is searched. A plane array hears above and below
    alike: elevations are searched from 0° upwards.

    Parameters
    ----------
    geometry : Geometry
    step_deg : float
    elevations : bool
        Search elevations too; otherwise 0° only.
    """

    def __init__(self, geometry: Geometry, step_deg: float = 1.0, elevations: bool = False) -> None:
        on_x = geometry.dimensions == 1 and not np.any(np.abs(geometry.positions[:, 1:]) > 1e-3 * geometry.extent_m)
        azimuths = np.arange(0.0, 180.0 + step_deg / 2, step_deg) if on_x else np.arange(-180.0, 180.0, step_deg)
        lowest = -90.0 if geometry.dimensions == 3 else 0.0
        heights = np.arange(lowest, 90.0 + step_deg / 2, step_deg) if elevations else np.zeros(1)
        azimuth, elevation = np.meshgrid(azimuths, heights)
        self.azimuth_deg, self.elevation_deg = azimuth.ravel(), elevation.ravel()
        self.towards = unit_vectors(self.azimuth_deg, self.elevation_deg)


def srp_phat(covariance: Covariance, steering: NDArray[np.complexfloating]) -> NDArray[np.float64]:
    """Return the steered response power of each direction, 1 for a lone plane wave from there.

    DiBiase, Silverman & Brandstein, in Microphone Arrays, 2001, chapter 8: the sum of GCC-PHAT over all pairs.

    Parameters
    ----------
    covariance : ndarray, shape (bins, channels, channels)
        Only the bins to be used.
    steering : ndarray, shape (directions, bins, channels)

    Returns
    -------
    ndarray, shape (directions,)
    """
    channels = covariance.shape[-1]
    pairs = covariance * (1 - np.eye(channels))
    magnitude = np.abs(pairs)
    whitened = np.where(magnitude > 1e-20, pairs / np.maximum(magnitude, 1e-20), 0)
    # Each matrix acts on all directions at once: (bins, directions, channels).
    by_bin = steering.transpose(1, 0, 2)
    seen = np.matmul(by_bin.conj(), whitened.astype(steering.dtype))
    return np.sum(seen * by_bin, axis=(0, 2)).real / (len(covariance) * channels * (channels - 1))


def music(covariance: Covariance, steering: NDArray[np.complexfloating], sources: int = 1) -> NDArray[np.float64]:
    """Return the MUSIC pseudo-spectrum, the mean over the bins, each scaled to a peak of 1.

    Schmidt, IEEE TAP 34(3), 1986; normalised by bin after Salvati, Drioli & Foresti, IEEE SPL 21(5), 2014.

    Parameters
    ----------
    covariance : ndarray, shape (bins, channels, channels)
    steering : ndarray, shape (directions, bins, channels)
    sources : int
        1 … channels − 1.
    """
    noise = np.linalg.eigh(covariance)[1][..., : covariance.shape[-1] - sources]
    through = np.matmul(steering.transpose(1, 0, 2).conj(), noise.astype(steering.dtype))
    spectrum = 1.0 / np.maximum(np.sum(np.abs(through) ** 2, axis=-1), 1e-9)
    return np.mean(spectrum / spectrum.max(axis=-1, keepdims=True), axis=0)
