"""A constant delay between two signals, found by cross-correlation, and taken out."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cleanaudio.metrics.interface import Vector

LIMIT_S = 0.1
CLEAR = 0.3
"""Correlation coefficient above which a peak is no coincidence: that of speech with itself in noise 10 dB louder."""
BESIDE_S, TIMES_ABOVE = 0.003, 2.0
"""A lower peak counts where it is so many times as high as all that lies farther from it than this: of recordings that
have nothing in common the highest is at most 1.7 times the next."""
_BLOCK_LIMITS = 16
"""Frames of a block, in limits: few enough for flat memory, many enough for little overlap."""

Array = TypeVar("Array", bound=NDArray)


def find_lag(reference: Vector, signal: Vector, rate: int, limit_s: float = LIMIT_S) -> int | None:
    """Return by how many frames a signal comes after the reference.

    The lag where the magnitude of the cross-correlation is largest (so an inverted signal is found too), of those
    within the limit.

    Parameters
    ----------
    reference, signal : ndarray, shape (frames,)
        Finite.
    rate : int
    limit_s : float
        Longest delay looked for, to either side.

    Returns
    -------
    int or None
        0 where one of them is silent; None where no lag stands out, other than 0.
    """
    limit = min(int(limit_s * rate), min(len(reference), len(signal)) - 1)
    norm = float(np.linalg.norm(reference)) * float(np.linalg.norm(signal))
    if not norm:
        return 0
    heights = np.abs(cross_correlation(reference, signal, limit)) / norm
    best = int(np.argmax(heights))
    beside = round(BESIDE_S * rate)
    others = np.concatenate([heights[: max(0, best - beside)], heights[best + beside + 1 :]])
    clear = heights[best] >= CLEAR or heights[best] >= TIMES_ABOVE * others.max(initial=0.0)
    return best - limit if clear or best == limit else None


def cross_correlation(reference: Vector, signal: Vector, limit: int) -> NDArray[np.float64]:
    """Return the sums over n of ``reference[n] * signal[n + lag]``, block by block (overlap-save): memory is flat.

    Parameters
    ----------
    reference, signal : ndarray, shape (frames,)
        Zero outside.
    limit : int
        Longest lag, in frames.

    Returns
    -------
    ndarray, shape (2 * limit + 1,)
        Lags from ``-limit`` to ``limit``.
    """
    block = max(1, min(len(reference), _BLOCK_LIMITS * limit))
    size = 1 << (block + 2 * limit - 1).bit_length()
    block = size - 2 * limit
    spectrum = np.zeros(size // 2 + 1, np.complex128)
    for start in range(0, len(reference), block):
        around = signal[max(0, start - limit) : start + block + limit].astype(np.float64)
        around = np.pad(around, (max(0, limit - start), 0))
        piece = reference[start : start + block].astype(np.float64)
        spectrum += np.fft.rfft(around, size) * np.conj(np.fft.rfft(piece, size))
    return np.fft.irfft(spectrum, size)[: 2 * limit + 1]


def shift(signal: Array, lag: int) -> Array:
    """Return a signal, shape (..., frames), moved ``lag`` frames earlier, zeros where nothing comes in."""
    out = np.roll(signal, -lag, axis=-1)
    if lag > 0:
        out[..., -lag:] = 0
    elif lag < 0:
        out[..., :-lag] = 0
    return out
