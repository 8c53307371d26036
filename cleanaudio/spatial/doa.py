"""Direction of arrival from covariances: steered response power with phase transform, and MUSIC.

Both score a grid of directions from spatial covariances (bins, channels, channels) and the steering vectors of a
known array.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.errors import RecipeError
from cleanaudio.spatial.covariance import Covariance
from cleanaudio.spatial.geometry import Geometry, unit_vectors
from cleanaudio.spatial.tdoa import phat

_FLAT = 1e-3  # of the array's extent
_MOST_DIRECTIONS = 20_000  # their steering vectors take some hundred megabytes


def mirror_axis(geometry: Geometry) -> float | None:
    """Return the azimuth of the line at which an array mirrors the horizon; None where it tells all azimuths apart.

    Microphones on a line, or in an upright plane, hear front and back alike: a source at azimuth α and one at 2 φ − α.

    Returns
    -------
    float or None
        φ, 0 ≤ φ < 180 degrees.

    Raises
    ------
    RecipeError
        The microphones stand one above the other: all azimuths sound alike.
    """
    axes = np.linalg.svd(geometry.positions)[2]
    if geometry.dimensions == 1:
        x, y, _ = axes[0]
    elif geometry.dimensions == 2 and abs(axes[2, 2]) < _FLAT:
        x, y = axes[2, 1], -axes[2, 0]
    else:
        return None
    if np.hypot(x, y) < _FLAT:
        raise RecipeError(
            f"{geometry.name}: microphones one above the other hear all azimuths alike",
            remedy="locate with microphones side by side",
        )
    return round(float(np.degrees(np.arctan2(y, x))), 6) % 180.0


def turned(azimuth_deg: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return azimuths in −180 < α ≤ 180 degrees."""
    return 180 - np.mod(180 - azimuth_deg, 360)


def mirrored(azimuth_deg: float, axis_deg: float) -> float:
    """Return the azimuth that sounds like another to an array with a :func:`mirror_axis`."""
    return float(turned(np.asarray(2 * axis_deg - azimuth_deg)))


class Grid:
    """Directions to search, without those that the array cannot tell apart.

    Where front and back sound alike (:func:`mirror_axis`) one side is searched: for an array on the x axis 0 … 180°.
    A level array hears above and below alike: elevations are searched from 0° upwards.

    Parameters
    ----------
    geometry : Geometry
    step_deg : float
    elevations : bool
        Search elevations too; otherwise 0° only.

    Raises
    ------
    RecipeError
        Elevations with microphones in a line, azimuths with microphones one above the other, or too fine a grid.
    """

    def __init__(self, geometry: Geometry, step_deg: float = 1.0, elevations: bool = False) -> None:
        axis = mirror_axis(geometry)
        azimuths = np.arange(-180.0, 180.0, step_deg)
        if axis is not None:
            azimuths = turned(axis + np.arange(0.0, 180.0 + step_deg / 2, step_deg))
        heights = np.zeros(1)
        if elevations:
            if geometry.dimensions == 1:
                raise RecipeError(
                    f"{geometry.name}: microphones in a line tell no elevation", remedy="leave --elevations away"
                )
            level = not np.any(np.abs(geometry.positions[:, 2]) > _FLAT * geometry.extent_m)
            heights = np.arange(0.0 if level else -90.0, 90.0 + step_deg / 2, step_deg)
        if len(azimuths) * len(heights) > _MOST_DIRECTIONS:
            raise RecipeError(
                f"{len(azimuths) * len(heights)} directions are too many to search", remedy="take a larger --step"
            )
        azimuth, elevation = np.meshgrid(azimuths, heights)
        self.azimuth_deg, self.elevation_deg = azimuth.ravel(), elevation.ravel()
        self.towards = unit_vectors(self.azimuth_deg, self.elevation_deg)


def srp_phat(
    covariance: Covariance, steering: NDArray[np.complexfloating], weights: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return the steered response power of each direction, 1 for a lone plane wave from there.

    DiBiase, Silverman & Brandstein, in Microphone Arrays, 2001, chapter 8: the sum of GCC-PHAT over all pairs.

    Parameters
    ----------
    covariance : ndarray, shape (bins, channels, channels)
        Only the bins to be used.
    steering : ndarray, shape (directions, bins, channels)
    weights : ndarray, shape (bins,), optional
        What each bin counts; at least one is above 0. Without a phase transform loud bins would count for more.

    Returns
    -------
    ndarray, shape (directions,)
    """
    channels = covariance.shape[-1]
    weights = np.ones(len(covariance)) if weights is None else weights
    whitened = phat(covariance * (1 - np.eye(channels))) * weights[:, None, None]
    # Each matrix acts on all directions at once: (bins, directions, channels).
    by_bin = steering.transpose(1, 0, 2)
    seen = np.matmul(by_bin.conj(), whitened.astype(steering.dtype))
    return np.sum(seen * by_bin, axis=(0, 2)).real / (np.sum(weights) * channels * (channels - 1))


def music(
    covariance: Covariance,
    steering: NDArray[np.complexfloating],
    weights: NDArray[np.float64] | None = None,
    sources: int = 1,
) -> NDArray[np.float64]:
    """Return the MUSIC pseudo-spectrum, the mean over the bins, each scaled to a peak of 1.

    Schmidt, IEEE TAP 34(3), 1986; normalised by bin after Salvati, Drioli & Foresti, IEEE SPL 21(5), 2014.

    Parameters
    ----------
    covariance : ndarray, shape (bins, channels, channels)
    steering : ndarray, shape (directions, bins, channels)
    weights : ndarray, shape (bins,), optional
        What each bin counts; at least one is above 0.
    sources : int
        1 … channels − 1.
    """
    noise = np.linalg.eigh(covariance)[1][..., : covariance.shape[-1] - sources]
    through = np.matmul(steering.transpose(1, 0, 2).conj(), noise.astype(steering.dtype))
    spectrum = 1.0 / np.maximum(np.sum(np.abs(through) ** 2, axis=-1), 1e-9)
    return np.average(spectrum / spectrum.max(axis=-1, keepdims=True), axis=0, weights=weights)
