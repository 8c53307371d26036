"""Noise by speech presence probability.

Gerkmann & Hendriks (2012), "Unbiased MMSE-based noise power estimation with low complexity and low tracking delay",
IEEE Trans. Audio, Speech, Language Process. 20(4).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Power = NDArray[np.float32]


class SpeechPresence:
    """The expected noise periodogram under a fixed a priori SNR of speech, recursively averaged.

    Parameters
    ----------
    hop_s : float
        Seconds from frame to frame.
    tiny : float
        Smallest PSD.
    """

    TIME_S = 0.072
    """Time constant of the average: 0.8 for a hop of 16 ms (eq. 8)."""
    GUARD_S = 0.152
    """Time constant of the watch over stagnation: 0.9 for a hop of 16 ms (eq. 23)."""
    CERTAIN = 0.99
    """Presence that, when it lasts, is stagnation (algorithm 1)."""
    XI_DB = 15.0
    """A priori SNR of a bin that holds speech (section IV)."""

    def __init__(self, hop_s: float, tiny: float) -> None:
        self._rate = np.float32(1 - np.exp(-hop_s / self.TIME_S))
        self._guard = np.float32(np.exp(-hop_s / self.GUARD_S))
        xi = 10 ** (self.XI_DB / 10)
        self._odds = np.float32(np.log(1 + xi))
        self._slope = np.float32(-xi / (1 + xi))
        self._tiny = np.float32(tiny)

    def start(self, psd: Power) -> None:
        """Forget the signal and begin with the PSD (bins,)."""
        self._now = psd.copy()
        self._mean_absence = np.ones_like(psd)

    def __call__(self, powers: Power) -> Power:
        """Take (frames, bins), return the noise PSD of the same shape."""
        noise = np.empty_like(powers)
        now, mean = self._now, self._mean_absence
        absence, work = np.empty_like(now), np.empty_like(now)
        doubt = np.float32(1 - self.CERTAIN)
        for power, out in zip(powers, noise, strict=True):
            np.divide(power, now, out=absence)  # 1 - P(H1|y), eq. 18 with equal priors, from its odds
            absence *= self._slope
            absence += self._odds
            np.exp(absence, out=absence)
            np.add(absence, 1, out=work)
            absence /= work
            mean -= absence  # eq. 23 for the absence
            mean *= self._guard
            mean += absence
            if mean.min() < doubt:
                np.maximum(absence, doubt, out=absence, where=mean < doubt)
            absence *= self._rate
            np.subtract(power, now, out=work)  # eqs. 22 and 8: now += rate * P(H0|y) * (power - now)
            work *= absence
            now += work
            np.maximum(now, self._tiny, out=now)
            out[:] = now
        return noise
