"""A priori absence of speech, from the a priori SNR around a bin.

Cohen & Berdugo (2001), "Speech enhancement for non-stationary noise environments", Signal Processing 81, section 4.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cleanaudio.backends.noise.smoothing import neighbours, per_frame, recursive

Power = NDArray[np.float32]


class SpeechAbsence:
    """q̂ = 1 - P_local · P_global · P_frame, at most 0.95 (eqs. 22 to 28).

    Parameters
    ----------
    bin_hz, hop_s : float
        Hz from bin to bin, seconds from frame to frame.
    """

    SMOOTH = 0.7
    """β of the recursive average ζ of ξ (eq. 23), for a hop of 8 ms."""
    ZETA_MIN, ZETA_MAX = 10**-1.2, 10**-0.7
    """-12 and -7 dB: below, there is no speech, above, there is (eq. 25). The paper's -10 and -5 dB go with a causal
    prior; the noncausal one wavers less in noise, and lower marks keep more of weak speech (measured)."""
    PEAK_MIN, PEAK_MAX = 1.0, 10.0
    """0 and 10 dB: the confined peak of the frame's mean (eq. 27)."""
    GLOBAL_HZ = 470.0
    """Half the width of the global window: 15 bins of 31 Hz."""
    FRAME_HZ = (60.0, 4000.0)
    """Band of the frame's mean: a full-band recording has no speech in most of its bins."""
    ABSENCE_MAX = 0.95

    def __init__(self, bin_hz: float, hop_s: float) -> None:
        self._keep = per_frame(self.SMOOTH, hop_s)
        self._reach = max(1, round(self.GLOBAL_HZ / bin_hz))
        low, high = self.FRAME_HZ
        self._band = slice(max(1, round(low / bin_hz)), max(2, round(high / bin_hz)))
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._zeta: Power | None = None
        self._last_frame = 0.0
        self._peak = self.PEAK_MIN

    def __call__(self, xi: Power) -> Power:
        """Take ξ (frames, bins), return the a priori probability of absence, same shape."""
        if self._zeta is None:
            self._zeta = xi[0].copy()
        zeta = recursive(xi.copy(), self._keep, self._zeta)
        presence = self._likely(neighbours(zeta))
        presence *= self._likely(_box(zeta, self._reach))
        frames = zeta[:, self._band].mean(axis=1, dtype=np.float64).tolist()
        presence *= np.array([self._frame(mean) for mean in frames], np.float32)[:, None]
        np.subtract(1, presence, out=presence)
        return np.minimum(presence, self.ABSENCE_MAX, out=presence)

    def _likely(self, zeta: Power) -> Power:
        """Return eq. 25: 0 below ζ_min, 1 above ζ_max, logarithmic between them."""
        zeta /= np.float32(self.ZETA_MIN)
        np.maximum(zeta, 1, out=zeta)  # zero has no logarithm
        np.log(zeta, out=zeta)
        zeta *= np.float32(1 / math.log(self.ZETA_MAX / self.ZETA_MIN))
        return np.minimum(zeta, 1, out=zeta)

    def _frame(self, mean: float) -> float:
        """Return P_frame (eqs. 26 and 27, figure 4)."""
        rising, self._last_frame = mean > self._last_frame, mean
        if mean <= self.ZETA_MIN:
            return 0.0
        if rising:
            self._peak = min(max(mean, self.PEAK_MIN), self.PEAK_MAX)
            return 1.0
        low, high = self._peak * self.ZETA_MIN, self._peak * self.ZETA_MAX
        return min(1.0, max(0.0, math.log(mean / low) / math.log(high / low)))


def _box(values: Power, reach: int) -> Power:
    """Return the mean over ``reach`` bins to both sides, fewer at the edges, of (frames, bins)."""
    bins = values.shape[1]
    sums = np.zeros((len(values), bins + 1))
    np.cumsum(values, axis=1, dtype=np.float64, out=sums[:, 1:])
    low = np.maximum(np.arange(bins) - reach, 0)
    high = np.minimum(np.arange(bins) + reach + 1, bins)
    return ((sums[:, high] - sums[:, low]) / (high - low)).astype(np.float32)
