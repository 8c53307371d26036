"""How much louder a quiet recording is heard by DeepFilterNet than it is.

Its features are no pure ratios: band levels have a floor, and low bins are divided by the root of their mean only. So
speech some 20 dB below what the network was trained on is noise to it, and all of it goes. What comes out of the
network are ratios, though: right for a louder recording, they are right for the quiet one.

How loud a recording is says its loudest frame: of the seconds that come, where it is no live signal, and of those that
went, which are forgotten slowly. At common levels nothing is lifted, and the features are the published ones.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Levels = NDArray[np.float64]

COMMON_DB = -21.0
"""Level, in dBFS, of the loudest frames of 20 ms of speech that is loud enough: that of about -30 dBFS."""
MOST_DB = 40.0
LIVE_DB = 15.0
"""What a live signal is lifted by before it has been heard."""
AHEAD_S = 3.0
FORGOTTEN_DB = 2.0
"""By how much the level of what went sinks in a second."""


class Lift:
    """Lifts for frames in order.

    Parameters
    ----------
    hop_s : float
        Seconds from frame to frame.
    live : bool
        Nothing may be known ahead.
    """

    def __init__(self, hop_s: float, live: bool) -> None:
        self._sink = FORGOTTEN_DB * hop_s
        self._ahead = 0 if live else round(AHEAD_S / hop_s)
        self._start = COMMON_DB - LIVE_DB if live else -np.inf
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._loudest = self._start
        self._heard: Levels = np.zeros(0)

    def __call__(self, levels: Levels) -> Levels:
        """Take the levels (n,) of the next frames in dBFS, return lifts in dB (m,) of those that are decided."""
        tracked = np.empty(len(levels))
        for frame, level in enumerate(levels):
            tracked[frame] = self._loudest = max(level, self._loudest - self._sink)
        self._heard = np.concatenate([self._heard, tracked])
        decided = len(self._heard) - self._ahead
        if decided <= 0:
            return np.zeros(0)
        loudest = sliding_window_view(self._heard, self._ahead + 1).max(axis=1)
        self._heard = self._heard[decided:]
        return np.clip(COMMON_DB - loudest, 0.0, MOST_DB)

    def flush(self) -> Levels:
        """Return the lifts of the frames that still waited."""
        return self(np.full(self._ahead, -np.inf)) if len(self._heard) else np.zeros(0)
