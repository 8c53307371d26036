"""The a priori SNR of a bin, from what was left of the frame before and what is heard now."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Power = TypeVar("Power", NDArray[np.float32], NDArray[np.float64])


def decision_directed(clean: Power, power: Power, noise: Power, keep: float) -> Power:
    """Return ξ = α |Ŝ|² / N + (1 - α) max(|Y|² / N - 1, 0): Ephraim & Malah (TASSP 32(6), 1984), eq. 51.

    Parameters
    ----------
    clean : ndarray
        |Ŝ|², estimated in the frame before.
    power : ndarray
        |Y|² of this frame.
    noise : ndarray
        N, above 0.
    keep : float
        α, 0 … 1.
    """
    return keep * clean / noise + (1 - keep) * np.maximum(power / noise - 1, 0)
