"""Recordings with a constant offset, as cheap converters add it: networks hear them without.

An offset is unknown to them, and louder than much that is: they take its edges for noise and the whole for a loud
recording. It is the mean of what has been heard, of the last seconds once there are so many, as far as that is beyond
chance: a recording without one is heard as it is. What comes back lacks it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.processor import Processor, Wrapper

Audio = NDArray[np.float32]

STEP_S = 0.01
MEMORY = 200
"""Steps that count."""
SETTLE = 5
"""Steps after which the first offset is found."""
BEYOND = 6.0
"""Standard errors of the mean by which an offset exceeds what has none, were the steps independent of each other."""


class WithoutOffset(Wrapper):
    """A processor that is given signals without an offset.

    Parameters
    ----------
    processor : Processor
    channels : int
    rate : int
        Of the samples, Hz.
    """

    def __init__(self, processor: Processor, channels: int, rate: int) -> None:
        super().__init__(processor)
        self._channels, self._step = channels, max(1, round(STEP_S * rate))
        self._forget()

    def _forget(self) -> None:
        self._offsets = [_Offset() for _ in range(self._channels)]
        self._known = np.zeros((self._channels, 2))  # where the last step began, and where it ended
        self._begun = np.zeros(self._channels)  # sum of the samples in the present step,
        self._position = 0  # and their number

    def reset(self) -> None:
        """Forget the signal."""
        super().reset()
        self._forget()

    def _before(self, block: Audio) -> Audio:
        if not block.shape[1]:
            return block
        step, position = self._step, self._position
        frames = position + np.arange(block.shape[1])
        sums = np.add.reduceat(block, np.arange(-position, block.shape[1], step).clip(0), axis=1, dtype=np.float64)
        sums[:, 0] += self._begun
        whole, self._position = divmod(position + block.shape[1], step)
        self._begun = sums[:, whole] if self._position else np.zeros(len(block))
        means = sums[:, :whole] / step
        later = [[offset.after(mean) for mean in row] for offset, row in zip(self._offsets, means, strict=True)]
        known = np.concatenate([self._known, np.reshape(later, means.shape)], axis=1)
        self._known = known[:, -2:]
        if not known.any():
            return block
        # Each step is centred by what was known before it, reached without a jump.
        return block - np.stack([np.interp(frames / step, np.arange(len(row)), row) for row in known]).astype(
            np.float32
        )


class _Offset:
    """The offset of one channel, from the means of its steps."""

    def __init__(self) -> None:
        self._mean = self._square = 0.0
        self._heard = 0

    def after(self, mean: float) -> float:
        """Take the mean of the next step, return the offset as it is known by now."""
        self._heard = min(self._heard + 1, MEMORY)
        self._mean += (mean - self._mean) / self._heard
        self._square += (mean * mean - self._square) / self._heard
        power = self._mean * self._mean
        if self._heard <= SETTLE or not power:
            return 0.0
        chance = BEYOND * BEYOND * max(self._square - power, 0.0) / (self._heard - SETTLE)
        return self._mean * max(1 - chance / power, 0.0)
