"""Levels of a recording, measured as it streams by: peak, RMS, clipping, noise floor and an SNR estimate.

The noise floor and the SNR are blind estimates from a histogram of short frame levels (the idea of NIST's STNR):
frames of 20 ms, their mean removed (an offset is not noise), the power averaged over the channels, counted in bins
of 0.1 dB. Digitally silent frames are left out: a gate or an edit says nothing about the room.

- Noise floor: the level that one frame in ten lies below. In speech with pauses these are frames of background; in
  steady noise it is the noise itself less a few tenths of a decibel.
- SNR: mean power of the frames at least 6 dB above the floor, less the floor's power, over the floor's power. None
  where fewer than 2 % of the frames rise so far, so that nothing stands out from the noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Audio = NDArray[np.float32]

FULL_SCALE = 1.0 - 2.0**-15
"""The highest positive 16-bit sample; what reaches it may have been clipped."""

_FRAME_S = 0.02
_LOWEST_DB, _HIGHEST_DB, _BIN_DB = -140.0, 200.0, 0.1  # 2³¹, the highest sample of 32-bit integers, is at +187 dB
_BINS = round((_HIGHEST_DB - _LOWEST_DB) / _BIN_DB)
_FLOOR_QUANTILE = 0.1
_ACTIVE_DB = 6.0
_ACTIVE_SHARE = 0.02


@dataclass(frozen=True)
class Levels:
    """What a :class:`LevelMeter` found.

    Parameters
    ----------
    peak_dbfs : float or None
        Highest sample; None where all are zero or there are none.
    rms_dbfs : float or None
        Over all samples of all channels, 0 dBFS being a full-scale square wave.
    clipped_samples : int
        Samples at full scale or above (see :data:`FULL_SCALE`) in runs of two or more: a lone sample at full scale
        is what normalising leaves behind, a run is a flattened peak.
    noise_floor_dbfs : float or None
        None in digital silence.
    snr_db : float or None
        None where there is no noise floor or nothing stands out from it.
    """

    peak_dbfs: float | None
    rms_dbfs: float | None
    clipped_samples: int
    noise_floor_dbfs: float | None
    snr_db: float | None


class LevelMeter:
    """Streaming meter with memory that does not grow.

    Parameters
    ----------
    rate, channels : int

    Attributes
    ----------
    frames : int
        Frames seen.
    peak : float
        Highest absolute sample seen, linear.
    """

    def __init__(self, rate: int, channels: int) -> None:
        self.frames = 0
        self.peak = 0.0
        self._channels = channels
        self._frame = max(1, round(rate * _FRAME_S))
        self._energy = 0.0
        self._clipped = 0
        self._at_full_scale = np.zeros((channels, 2), dtype=bool)
        self._rest = np.zeros((channels, 0), dtype=np.float32)
        self._histogram = np.zeros(_BINS, dtype=np.int64)

    def add(self, block: Audio) -> None:
        """Take the next frames, (channels, n)."""
        if not block.shape[1]:
            return
        self.frames += block.shape[1]
        peak = float(max(block.max(), -block.min()))
        self.peak = max(self.peak, peak)
        self._count_clipped(block, peak)
        for row in block:
            self._energy += _energy(row)
        joined = np.concatenate((self._rest, block), axis=1) if self._rest.shape[1] else block
        whole = joined.shape[1] // self._frame
        self._rest = joined[:, whole * self._frame :].copy()
        if whole:
            self._count_frames(joined[:, : whole * self._frame].reshape(self._channels, whole, self._frame))

    def result(self) -> Levels:
        """Return the levels of what was seen so far."""
        samples = self.frames * self._channels
        floor = self._floor_bin()
        return Levels(
            peak_dbfs=_db(self.peak * self.peak),
            rms_dbfs=_db(self._energy / samples) if samples else None,
            clipped_samples=self._clipped,
            noise_floor_dbfs=None if floor is None else round(float(_level(floor)), 2),
            snr_db=None if floor is None else self._snr(floor),
        )

    def _count_clipped(self, block: Audio, peak: float) -> None:
        if peak < FULL_SCALE:
            self._at_full_scale[:] = False
            return
        hit = np.concatenate((self._at_full_scale, np.abs(block) >= FULL_SCALE), axis=1)
        pair = hit[:, 2:] & hit[:, 1:-1]
        first = pair & ~hit[:, :-2]  # the pair that begins a run brings two samples, each further one brings one
        self._clipped += int(np.count_nonzero(pair) + np.count_nonzero(first))
        self._at_full_scale = hit[:, -2:].copy()

    def _count_frames(self, frames: NDArray[np.float32]) -> None:
        centred = frames - frames.mean(axis=2, keepdims=True)
        power = np.einsum("cfn,cfn->f", centred, centred) / (self._channels * self._frame)
        with np.errstate(divide="ignore"):
            bins = np.floor((10.0 * np.log10(power.astype(np.float64)) - _LOWEST_DB) / _BIN_DB)
        audible = bins[bins >= 0]
        self._histogram += np.bincount(np.minimum(audible, _BINS - 1).astype(np.int64), minlength=_BINS)

    def _floor_bin(self) -> int | None:
        cumulative = np.cumsum(self._histogram)
        if not cumulative[-1]:
            return None
        return int(np.searchsorted(cumulative, _FLOOR_QUANTILE * cumulative[-1]))

    def _snr(self, floor: int) -> float | None:
        active = self._histogram[floor + round(_ACTIVE_DB / _BIN_DB) :]
        count = int(active.sum())
        if count < _ACTIVE_SHARE * self._histogram.sum() or count == 0:
            return None
        levels = _level(np.arange(_BINS - len(active), _BINS))
        noise = 10.0 ** (_level(floor) / 10.0)
        power = float(np.dot(active, 10.0 ** (levels / 10.0))) / count
        return round(float(10.0 * np.log10((power - noise) / noise)), 2)


def _energy(row: NDArray[np.float32]) -> float:
    """Sum of squares, in single precision over pieces short enough for it."""
    return sum(float(np.dot(piece, piece)) for piece in np.split(row, range(8192, len(row), 8192)))


def _db(power: float) -> float | None:
    return round(float(10.0 * np.log10(power)), 2) if power > 0.0 else None


def _level(index):
    """Centre of a histogram bin in dBFS."""
    return _LOWEST_DB + (index + 0.5) * _BIN_DB
