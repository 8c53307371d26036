"""Mains hum: lines at the multiples of 50 or 60 Hz that stand still while everything else moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cleanaudio.audio.resample import resampled
from cleanaudio.audio.stft import hann
from cleanaudio.metrics.interface import NotMeasurable, Vector

BASES_HZ = (50, 60)
HARMONICS = 10
PROMINENCE_DB = 10.0
FEWEST_LINES = 2
WINDOW_S = 0.5
QUANTILE = 0.2
RATE = 2000
"""Hum ends at 600 Hz; the search is made at this rate."""
SHORTEST_S = 2.0
_NOTHING = 1e-14
"""Power of a line that is no sound."""


@dataclass(frozen=True)
class Hum:
    """What was found.

    Parameters
    ----------
    base_hz : int
        50 or 60.
    level_dbfs : float
        Level of its lines together, 0 dBFS being a full-scale square wave.
    lines_hz : tuple of int
        Which of them stand out.
    above_db : float
        How far the one that stands out most does so, above what is beside it in bins of 2 Hz.
    """

    base_hz: int
    level_dbfs: float
    lines_hz: tuple[int, ...]
    above_db: float


def find_hum(signal: Vector, rate: int) -> Hum | NotMeasurable | None:
    """Return the mains hum of a recording, None without one.

    Of each bin of 2 Hz the 20th percentile over frames of half a second (a hop of a quarter) is taken: voices and
    music pause or move away, hum does not. A line counts where it stands 10 dB above the median of the bins 8 … 20 Hz
    beside it; hum has two lines or more, among them the first or the second. The base whose lines are stronger wins.

    Parameters
    ----------
    signal : ndarray, shape (frames,)
    rate : int
    """
    if len(signal) < SHORTEST_S * rate:
        return NotMeasurable(f"shorter than {SHORTEST_S:g} s")
    slow = resampled(signal, rate, RATE)
    size = round(WINDOW_S * RATE)
    window = hann(size)
    frames = np.lib.stride_tricks.sliding_window_view(slow, size)[:: size // 4]
    powers = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2
    powers = powers[powers.any(axis=1)]  # digital silence hides nothing
    if not len(powers):
        return None
    power = np.quantile(powers, QUANTILE, axis=0)
    # a sine of RMS r shows r² · (window sum)² / 2 at its bin
    found = [_lines(power * 2 / window.sum() ** 2, base) for base in BASES_HZ]
    return max((hum for hum in found if hum is not None), key=lambda hum: hum.level_dbfs, default=None)


def _lines(power: np.ndarray, base: int) -> Hum | None:
    lines, total, above = [], 0.0, 0.0
    for harmonic in range(1, HARMONICS + 1):
        centre = round(base * harmonic * WINDOW_S)
        peak = power[centre - 1 : centre + 2].max()
        around = np.concatenate([power[centre - 10 : centre - 3], power[centre + 4 : centre + 11]])
        beside = float(np.median(around))
        if peak > beside * 10 ** (PROMINENCE_DB / 10) and peak > _NOTHING:
            lines.append(base * harmonic)
            total += float(peak)
            above = max(above, float(peak) / max(beside, _NOTHING))
    if len(lines) < FEWEST_LINES or lines[0] > 2 * base:
        return None
    return Hum(base, float(10 * np.log10(total)), tuple(lines), float(10 * np.log10(above)))
