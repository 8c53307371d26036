"""Gain rules: from the power of a noisy bin and the noise under it to a real gain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Power = NDArray[np.float32]


class LogMmse:
    """Minimum mean-square error of the log spectrum, Ephraim & Malah (1985), with a decision-directed prior.

    Parameters
    ----------
    floor : float
        Smallest gain.
    """

    def __init__(self, floor: float) -> None:
        self._floor = np.float32(floor)
        v = np.geomspace(2**-20, 2**7, 1 << 14)
        small = -np.euler_gamma - np.log(v) + v - v**2 / 4 + v**3 / 18
        large = np.exp(-v) / v * (v**2 + 2.334733 * v + 0.250621) / (v**2 + 3.330657 * v + 1.681534)
        self._grid = np.log(v).astype(np.float32)
        self._table = np.exp(0.5 * np.where(v < 1, small, large)).astype(np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._last: Power | None = None

    def __call__(self, powers: Power, noise: Power) -> Power:
        """Take |Y|² and the noise PSD, (channels, frames, bins); return gains of the same shape."""
        gains = np.empty_like(powers)
        for t in range(powers.shape[1]):
            gamma = np.minimum(powers[:, t] / noise[:, t], 1000)
            prior = np.maximum(gamma - 1, 0)
            if self._last is not None:
                prior = 0.98 * self._last / noise[:, t] + 0.02 * prior
            prior = np.maximum(prior, np.float32(10**-2.5))
            wiener = prior / (1 + prior)
            v = np.clip(wiener * gamma, 2**-20, 2**7)
            gain = wiener * np.interp(np.log(v), self._grid, self._table)
            np.clip(gain, self._floor, 1, out=gains[:, t])
            self._last = gains[:, t] ** 2 * powers[:, t]
        return gains
