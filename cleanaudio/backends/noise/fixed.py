"""A noise profile: the PSD was measured before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Power = NDArray[np.float32]


class Fixed:
    """The same PSD for every frame.

    Parameters
    ----------
    psd : ndarray, shape (bins,)
        Expected |N|² of each bin.
    """

    look_ahead = 0

    def __init__(self, psd: Power) -> None:
        self._psd = np.asarray(psd, np.float32)

    def __call__(self, powers: Power) -> Power:
        """Take (frames, bins), return the profile for each frame."""
        return np.broadcast_to(self._psd, powers.shape)

    def flush(self) -> Power:
        """Return nothing: no frame waits."""
        return np.zeros((0, len(self._psd)), np.float32)

    def reset(self) -> None:
        """Do nothing: the profile stays."""
