"""Minima controlled recursive averaging.

Cohen & Berdugo (2002), "Noise estimation by minima controlled recursive averaging for robust speech enhancement",
IEEE Signal Process. Lett. 9(1).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.backends.noise.smoothing import neighbours, per_frame

Power = NDArray[np.float32]


class Mcra:
    """Averages the powers of frames that hold no speech, by their ratio to the local minimum.

    The paper's factors hold for a hop of 8 ms and are converted to others.

    Parameters
    ----------
    hop_s : float
        Seconds from frame to frame.
    tiny : float
        Smallest PSD.
    """

    SMOOTH, PRESENCE, NOISE = 0.8, 0.2, 0.95
    """Factors of the local energy (eq. 7), the presence probability (eq. 10) and the noise (eq. 3)."""
    WINDOW_S = 1.0
    """Length of the search for a minimum: L = 125 frames."""
    RATIO = 5.0
    """Ratio of local energy to its minimum above which there is speech (eq. 9)."""

    def __init__(self, hop_s: float, tiny: float) -> None:
        self._smooth = per_frame(self.SMOOTH, hop_s)
        self._presence_keep = per_frame(self.PRESENCE, hop_s)
        self._rate = np.float32(1 - per_frame(self.NOISE, hop_s))
        self._length = max(2, round(self.WINDOW_S / hop_s))
        self._tiny = np.float32(tiny)

    def start(self, psd: Power) -> None:
        """Forget the signal and begin with the PSD (bins,)."""
        self._now, self._energy = psd.copy(), psd.copy()
        self._lowest, self._next_lowest = psd.copy(), psd.copy()
        self._presence = np.zeros_like(psd)
        self._age = 0

    def __call__(self, powers: Power) -> Power:
        """Take (frames, bins), return the noise PSD of the same shape."""
        noise = np.empty_like(powers)
        local = neighbours(powers)  # eq. 6
        local *= 1 - self._smooth
        now, energy, lowest, next_lowest = self._now, self._energy, self._lowest, self._next_lowest
        presence = self._presence
        work, speech = np.empty_like(now), np.empty(now.shape, np.bool_)
        for power, around, out in zip(powers, local, noise, strict=True):
            energy *= self._smooth  # eq. 7
            energy += around
            np.minimum(lowest, energy, out=lowest)  # eqs. 4 and 5
            np.minimum(next_lowest, energy, out=next_lowest)
            self._age += 1
            if self._age == self._length:
                self._age = 0
                lowest[:], next_lowest[:] = next_lowest, energy
            np.multiply(lowest, self.RATIO, out=work)  # eq. 9
            np.greater(energy, work, out=speech)
            presence *= self._presence_keep  # eq. 10
            np.add(presence, 1 - self._presence_keep, out=presence, where=speech)
            np.subtract(1, presence, out=work)  # eqs. 3 and 11: now += rate * (1 - presence) * (power - now)
            work *= self._rate
            np.subtract(power, now, out=out)
            out *= work
            now += out
            np.maximum(now, self._tiny, out=now)
            out[:] = now
        return noise
