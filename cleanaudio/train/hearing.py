"""What a network hears of a noisy signal: the signal itself, or what its front leaves of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.processor import through
from cleanaudio.backends import front
from cleanaudio.backends.interface import Setup

Signals = NDArray[np.float32]


def apply_front(spec: str, rate: int, noisy: Signals) -> Signals:
    """Return what a network behind a front hears.

    Parameters
    ----------
    spec : str
        Of the front; empty: there is none.
    rate : int
        Hz.
    noisy : ndarray, shape (count, samples)
        Signals that have nothing to do with each other.
    """
    if not spec or not len(noisy):
        return noisy
    processor = front.resolve(spec, Setup(rate, len(noisy), linked=False)).open()
    return through(processor, noisy)
