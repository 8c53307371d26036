"""Where the sound comes from, over time: a table of directions for a known array."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.array import check_block
from cleanaudio.audio.queue import Queue
from cleanaudio.audio.stft import Stft, sizes, window
from cleanaudio.errors import RecipeError
from cleanaudio.spatial.covariance import TINY, Covariance, weighted_sum
from cleanaudio.spatial.doa import Grid, music, srp_phat, turned
from cleanaudio.spatial.geometry import SPEED_OF_SOUND, Geometry, steering
from cleanaudio.spatial.masks import Mask, MaskEstimator
from cleanaudio.spatial.stream import Audio
from cleanaudio.spatial.threads import one_thread

LocateMethod = Literal["srp-phat", "music"]

_LOWEST_HZ, _HIGHEST_HZ = 300.0, 4000.0  # where a voice is strong; small arrays cannot tell directions further down
_WINDOW_S, _HOP_S = 0.032, 0.016  # of the STFT
_ACTIVE_DB = 10.0  # over the quietest tenth of the windows
_MEMORY_S = 2.5  # of the noise
_TAKEN = 0.9  # of it: what is left where all were taken has its phase by chance
_TOLERANCE_DEG = 10.0  # windows that differ by so much at most vote together
_LEAST_SHARE = 0.1  # of the loud windows; a direction that has less is left out, but for the first
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
    return sizes(rate, _WINDOW_S, _HOP_S)


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
        On the grid of :func:`locating_stft`: the voice is located, not whatever is loudest. Each bin counts by its
        mask (Pertilä & Cakir, ICASSP 2017), and what noise the masks let through is taken away: its covariance over
        some seconds, scaled to its power in the window.
    window_s : float
        0.1 … 10; the step is half of it, and the last window may be shorter.
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
        speed: float = SPEED_OF_SOUND,
        method: LocateMethod = "srp-phat",
        masks: MaskEstimator | None = None,
        *,
        window_s: float = 1.0,
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
        self._keep = math.exp(-self._half * hop / rate / _MEMORY_S)
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._stft.reset()
        if self._masks is not None:
            self._masks.reset()
        bins = np.count_nonzero(self._band)
        self._spectra = Queue(np.zeros((self._channels, 0, bins), np.complex64), axis=-2)
        self._masked = Queue(np.zeros((0, bins), np.float32), axis=-2)
        self._windows = 0
        self._before: _Sums | None = None
        self._noise: Covariance | None = None
        self.mean_score = np.zeros(len(self.grid.azimuth_deg))

    def process(self, block: Audio) -> list[Bearing]:
        """Take (channels, n), return the directions of the windows that are complete."""
        check_block(block, self._channels)
        return self._take(self._stft.push(block), None if self._masks is None else self._masks.process(block))

    def _take(self, spectra: NDArray[np.complex64], mask: Mask | None) -> list[Bearing]:
        self._spectra.push(spectra[:, :, self._band])
        if mask is not None:
            self._masked.push(mask[:, self._band])
        found: list[Bearing] = []
        while self._ready() >= self._half:
            found.extend(self._half_window(*self._next(self._half)))
        return found

    def _ready(self) -> int:
        """Return how many frames wait of which all is known."""
        return len(self._spectra) if self._masks is None else min(len(self._spectra), len(self._masked))

    def _next(self, count: int) -> tuple[NDArray[np.complex64], Mask | None]:
        """Take so many frames from the front."""
        return self._spectra.pop(count), None if self._masks is None else self._masked.pop(count)

    def flush(self) -> list[Bearing]:
        """Return the rest: what is left at the end is judged with the half window before it.

        A recording shorter than a window gives one direction, one shorter than a hop of the STFT none.
        """
        found = []
        if self._masks is not None:
            nothing = np.zeros((self._channels, 0, len(self._band)), np.complex64)
            found = self._take(nothing, self._masks.flush())
        rest = self._ready()
        if not rest and (self._windows or self._before is None):
            return found
        last = self._sum(*self._next(rest))
        return found + self._judge(last if self._before is None else self._before + last)

    def _sum(self, spectra: NDArray[np.complex64], mask: Mask | None) -> _Sums:
        """Sum the covariances of some frames; those of the noise go into its own, over the last seconds."""
        frames = spectra.shape[1]
        if mask is None:
            return _Sums(frames, weighted_sum(spectra), np.zeros(spectra.shape[2]), np.ones(spectra.shape[2]))
        noise = weighted_sum(spectra, (1 - mask) ** 2)
        self._noise = noise if self._noise is None else self._keep * self._noise + noise
        power = np.sum(np.abs(spectra) ** 2, axis=0)
        return _Sums(
            frames,
            weighted_sum(spectra, mask),
            np.sum(mask * (1 - mask**2) * power, axis=0),
            np.sum(mask, axis=0, dtype=np.float64),
        )

    def _half_window(self, spectra: NDArray[np.complex64], mask: Mask | None) -> list[Bearing]:
        now, before = self._sum(spectra, mask), self._before
        self._before = now
        return [] if before is None else self._judge(before + now)

    def _judge(self, window: _Sums) -> list[Bearing]:
        # Frame t is centred at sample t * hop: see Stft, with a window of two hops.
        time_s = (self._windows * self._half + (window.frames - 1) / 2) * self._hop_s
        self._windows += 1
        power = float(np.trace(window.covariance, axis1=1, axis2=2).real.sum())
        if not power > 0:  # digital silence comes from nowhere, and so does a voice that is silent
            return []
        covariance, weights = window.covariance, None
        if self._noise is not None:
            scale = _TAKEN * window.noise / np.maximum(np.trace(self._noise, axis1=1, axis2=2).real, TINY)
            covariance, weights = covariance - scale[:, None, None] * self._noise, window.weight
        with one_thread():
            score = self._score(covariance, self._steering, weights)
        best = int(np.argmax(score))
        self.mean_score += power * score
        # 0.375: mean square of the Hann window; 2: the other half of the spectrum
        level = 10 * np.log10(2 * power / (self._channels * window.frames * 0.375 * self._size**2))
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
class _Sums:
    """What is known of some frames, by bin.

    Parameters
    ----------
    frames : int
    covariance : ndarray, shape (bins, channels, channels)
        Of what the masks let through.
    noise : ndarray, shape (bins,)
        Power of the noise in it: a mask is a ratio of magnitudes, so that 1 − m² of what it lets through is none.
    weight : ndarray, shape (bins,)
        Sum of the masks.
    """

    frames: int
    covariance: Covariance
    noise: NDArray[np.floating]
    weight: NDArray[np.float64]

    def __add__(self, other: _Sums) -> _Sums:
        return _Sums(
            self.frames + other.frames,
            self.covariance + other.covariance,
            self.noise + other.noise,
            self.weight + other.weight,
        )


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


def headings(bearings: Iterable[Bearing]) -> list[Heading]:
    """Return the directions from which sound came, most of the time first: the first is what ``--direction`` wants.

    Parameters
    ----------
    bearings : iterable of Bearing
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
    near = (np.abs(turned(azimuth[:, None] - azimuth)) <= _TOLERANCE_DEG) & (
        np.abs(elevation[:, None] - elevation) <= _TOLERANCE_DEG
    )
    found: list[Heading] = []
    left = weight.copy()
    while left.any():
        chosen = left * near[int(np.argmax(near @ left))]
        mean = np.sum(chosen * np.exp(1j * np.radians(places[:, 0])))
        height = np.sum(chosen * places[:, 1]) / chosen.sum()
        found.append(Heading(float(np.degrees(np.angle(mean))), float(height), float(chosen.sum() / weight.sum())))
        left[chosen > 0] = 0.0
    return [found[0], *(one for one in found[1:] if one.share >= _LEAST_SHARE)]
