"""Where the sound comes from, over time: a table of directions for a known array."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.stft import Stft, window
from cleanaudio.errors import RecipeError
from cleanaudio.spatial.covariance import weighted_sum
from cleanaudio.spatial.doa import Grid, music, srp_phat, turned
from cleanaudio.spatial.geometry import Geometry, steering
from cleanaudio.spatial.masks import Mask, MaskEstimator
from cleanaudio.spatial.stream import Audio, check_block, stft_sizes
from cleanaudio.spatial.threads import one_thread

LocateMethod = Literal["srp-phat", "music"]

_LOWEST_HZ, _HIGHEST_HZ = 300.0, 4000.0  # where a voice is strong; small arrays cannot tell directions further down
_STFT_S = 0.032
_ACTIVE_DB = 10.0  # over the quietest tenth of the windows
_RANGE_DB = 25.0  # below the loudest: what a mask leaves of a pause has no say


@dataclass(frozen=True)
class Bearing:
    """The direction found in one window.

    Parameters
    ----------
    time_s : float
        Middle of the window.
    azimuth_deg, elevation_deg : float
    score : float
        Height of the peak: 1 for a lone plane wave. Comparable within a method.
    level_db : float
        Mean power in the band, relative to full scale.
    """

    time_s: float
    azimuth_deg: float
    elevation_deg: float
    score: float
    level_db: float


def locating_stft(rate: int) -> tuple[int, int]:
    """Return window and hop, in samples, of the STFT that :class:`Locator` works in."""
    return stft_sizes(rate, _STFT_S, 2)


class Locator:
    """Finds a direction for each window of a recording.

    Parameters
    ----------
    rate, channels : int
    geometry : Geometry
    speed : float
        m/s.
    method : {"srp-phat", "music"}
    masks : MaskEstimator, optional
        On the grid of :func:`locating_stft`: the voice is located, not whatever is loudest.
    window_s : float
        0.1 … 10; the step is half of it.
    step_deg : float
        Of the search, 0.1 … 30.
    elevations : bool
        Search elevations too.

    Raises
    ------
    InputError
        Another number of microphones.
    RecipeError
        Another method, or lengths out of range.
    """

    def __init__(
        self,
        rate: int,
        channels: int,
        geometry: Geometry,
        speed: float = 343.2,
        method: LocateMethod = "srp-phat",
        masks: MaskEstimator | None = None,
        *,
        window_s: float = 0.5,
        step_deg: float = 1.0,
        elevations: bool = False,
    ) -> None:
        geometry.check(channels)
        if method not in ("srp-phat", "music"):
            raise RecipeError(f"no localisation {method!r}", remedy="srp-phat or music")
        if not (0.1 <= window_s <= 10 and 0.1 <= step_deg <= 30):
            raise RecipeError("a window is 0.1 … 10 s, a step 0.1 … 30°")
        self._score = srp_phat if method == "srp-phat" else music
        self.grid = Grid(geometry, step_deg, elevations)
        size, hop = locating_stft(rate)
        hertz = np.arange(size // 2 + 1) * rate / size
        self._band = (hertz >= _LOWEST_HZ) & (hertz <= min(_HIGHEST_HZ, 0.45 * rate))
        self._steering = steering(geometry.delays(self.grid.towards, speed), hertz[self._band]).astype(np.complex64)
        self._channels, self._hop_s, self._size = channels, hop / rate, size
        self._stft = Stft(channels, window("hann", size), hop)
        self._masks = masks
        self._half = max(1, round(window_s * rate / hop / 2))
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._stft.reset()
        if self._masks is not None:
            self._masks.reset()
        self._unmasked: list[NDArray[np.complex64]] = []
        self._weights: list[Mask] = []
        self._pieces: list[NDArray[np.complex64]] = []
        self._count = self._windows = 0
        self._before: NDArray[np.complex128] | None = None
        self.mean_score = np.zeros(len(self.grid.azimuth_deg))

    def process(self, block: Audio) -> list[Bearing]:
        """Take (channels, n), return the directions of the windows that are complete."""
        check_block(block, self._channels)
        return self._take(self._stft.push(block), None if self._masks is None else self._masks.process(block))

    def _take(self, spectra: NDArray[np.complex64], mask: Mask | None) -> list[Bearing]:
        spectra = spectra[:, :, self._band]
        if mask is not None:
            spectra = self._masked(spectra, mask[:, self._band])
        self._pieces.append(spectra)
        self._count += spectra.shape[1]
        found: list[Bearing] = []
        while self._count >= self._half:
            spectra = np.concatenate(self._pieces, axis=1)
            found.extend(self._half_window(spectra[:, : self._half]))
            self._pieces = [spectra[:, self._half :]]
            self._count -= self._half
        return found

    def _masked(self, spectra: NDArray[np.complex64], mask: Mask) -> NDArray[np.complex64]:
        """Return the spectra whose masks are known, each multiplied with the root of its mask."""
        self._unmasked.append(spectra)
        self._weights.append(mask)
        spectra, mask = np.concatenate(self._unmasked, axis=1), np.concatenate(self._weights)
        count = min(spectra.shape[1], len(mask))
        self._unmasked, self._weights = [spectra[:, count:]], [mask[count:]]
        return spectra[:, :count] * np.sqrt(mask[:count])

    def flush(self) -> list[Bearing]:
        """Return the rest: a recording shorter than a window gives one direction."""
        found = []
        if self._masks is not None:
            nothing = np.zeros((self._channels, 0, len(self._band)), np.complex64)
            found = self._take(nothing, self._masks.flush())
        if self._windows or (self._before is None and not self._count):
            return found
        rest = np.concatenate(self._pieces, axis=1)
        covariance = weighted_sum(rest) + (0 if self._before is None else self._before)
        return self._judge(covariance, self._half if self._before is not None else 0)

    def _half_window(self, spectra: NDArray[np.complex64]) -> list[Bearing]:
        now, before = weighted_sum(spectra), self._before
        self._before = now
        return [] if before is None else self._judge(before + now, self._half)

    def _judge(self, covariance: NDArray[np.complex128], half: int) -> list[Bearing]:
        time_s = (self._windows + 1) * half * self._hop_s
        self._windows += 1
        power = float(np.trace(covariance, axis1=1, axis2=2).real.sum())
        if not power > 0:  # digital silence comes from nowhere
            return []
        with one_thread():
            score = self._score(covariance, self._steering)
        best = int(np.argmax(score))
        self.mean_score += power * score
        level = 10 * np.log10(power / (self._channels * max(2 * half, 1) * 0.375 * self._size**2))
        return [
            Bearing(
                time_s,
                float(self.grid.azimuth_deg[best]),
                float(self.grid.elevation_deg[best]),
                float(score[best]),
                float(level),
            )
        ]


@dataclass(frozen=True)
class Heading:
    """A direction from which sound came for some of the time.

    Parameters
    ----------
    azimuth_deg, elevation_deg : float
        Weighted means over its windows.
    share : float
        Of the windows in which somebody speaks, 0 … 1.
    """

    azimuth_deg: float
    elevation_deg: float
    share: float


def headings(bearings: Iterable[Bearing], tolerance_deg: float = 10.0, least_share: float = 0.1) -> list[Heading]:
    """Return the directions from which sound came, most of the time first: the first is what ``--direction`` wants.

    Parameters
    ----------
    bearings : iterable of Bearing
    tolerance_deg : float
        Windows that differ by so much at most vote together.
    least_share : float
        Of the loud windows; what has less is left out, but for the first.
    """
    table = np.array([(b.azimuth_deg, b.elevation_deg, b.score, b.level_db) for b in bearings])
    if not len(table):
        return []
    level = table[:, 3]
    enough = max(min(np.quantile(level, 0.1) + _ACTIVE_DB, np.median(level)), np.quantile(level, 0.95) - _RANGE_DB)
    loud = table[level >= enough]
    places, which = np.unique(loud[:, :2], axis=0, return_inverse=True)  # a grid's: far fewer than windows
    weight = np.bincount(which.ravel(), np.maximum(loud[:, 2], 1e-6))
    azimuth, elevation = places.astype(np.float32).T
    near = (np.abs(turned(azimuth[:, None] - azimuth)) <= tolerance_deg) & (
        np.abs(elevation[:, None] - elevation) <= tolerance_deg
    )
    found: list[Heading] = []
    left = weight.copy()
    while left.any():
        chosen = left * near[int(np.argmax(near @ left))]
        mean = np.sum(chosen * np.exp(1j * np.radians(places[:, 0])))
        height = np.sum(chosen * places[:, 1]) / chosen.sum()
        found.append(Heading(float(np.degrees(np.angle(mean))), float(height), float(chosen.sum() / weight.sum())))
        left[chosen > 0] = 0.0
    return [found[0], *(one for one in found[1:] if one.share >= least_share)]
