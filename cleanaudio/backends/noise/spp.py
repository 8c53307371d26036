"""Noise by speech presence probability: Gerkmann & Hendriks (2012), "Unbiased MMSE-based noise power estimation with
low complexity and low tracking delay", IEEE Trans. ASLP 20(4).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Power = NDArray[np.float32]


class SpeechPresence:
    """Tracks the noise PSD as the expected noise periodogram under a fixed a priori SNR of speech.

    Parameters
    ----------
    hop_s : float
        Seconds from frame to frame.
    tiny : float
        Power that counts as nothing.
    """

    TIME_S = 0.072
    """Time constant of the noise PSD: 0.8 a frame of 16 ms in the paper (eq. 8)."""
    GUARD_S = 0.152
    """Time constant of the guard against stagnation: 0.9 a frame of 16 ms (eq. 23)."""
    XI_DB = 15.0
    """A priori SNR of a bin that holds speech (section IV)."""
    look_ahead = 0

    def __init__(self, hop_s: float, tiny: float) -> None:
        self._keep = np.float32(np.exp(-hop_s / self.TIME_S))
        self._guard = np.float32(np.exp(-hop_s / self.GUARD_S))
        xi = 10 ** (self.XI_DB / 10)
        self._odds = np.float32(1 + xi)
        self._slope = np.float32(-xi / (1 + xi))
        self._tiny = np.float32(tiny)
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._noise: Power | None = None

    def __call__(self, powers: Power) -> Power:
        """Take |Y|² of shape (channels, frames, bins), return the noise PSD for each, same shape."""
        noise = np.empty_like(powers)
        if not powers.shape[1]:
            return noise
        if self._noise is None:
            self._noise = np.maximum(powers[:, 0], self._tiny)
            self._mean = np.zeros_like(self._noise)
        now, mean = self._noise, self._mean
        for t in range(powers.shape[1]):
            power = powers[:, t]
            p = np.exp(power / now * self._slope)
            p = 1 / (1 + self._odds * p)  # eq. 18, equal priors
            mean *= self._guard
            mean += (1 - self._guard) * p
            np.minimum(p, 0.99, out=p, where=mean > 0.99)
            expected = power + p * (now - power)  # eq. 22
            now += (1 - self._keep) * (expected - now)
            np.maximum(now, self._tiny, out=now)
            noise[:, t] = now
        return noise
