"""A constant delay between two signals, found by cross-correlation, and taken out."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cleanaudio.metrics.interface import Vector

LIMIT_S = 0.1

Array = TypeVar("Array", bound=NDArray)


def find_lag(reference: Vector, signal: Vector, rate: int, limit_s: float = LIMIT_S) -> int:
    """Return by how many frames a signal comes after the reference.

    The lag where the magnitude of the cross-correlation is largest (so an inverted signal is found too), of those
    within the limit; 0 where one of them is silent.

    Parameters
    ----------
    reference, signal : ndarray, shape (frames,)
        Finite.
    rate : int
    limit_s : float
        Longest delay looked for, to either side.
    """
    size = 1 << (len(reference) + len(signal) - 1).bit_length()
    spectrum = np.fft.rfft(signal, size) * np.conj(np.fft.rfft(reference, size))
    correlation = np.abs(np.fft.irfft(spectrum, size))
    limit = min(int(limit_s * rate), min(len(reference), len(signal)) - 1)
    lags = np.r_[0 : limit + 1, -limit:0]
    return int(lags[np.argmax(correlation[lags])])


def shift(signal: Array, lag: int) -> Array:
    """Return a signal, shape (..., frames), moved ``lag`` frames earlier, zeros where nothing comes in."""
    out = np.roll(signal, -lag, axis=-1)
    if lag > 0:
        out[..., -lag:] = 0
    elif lag < 0:
        out[..., :-lag] = 0
    return out
