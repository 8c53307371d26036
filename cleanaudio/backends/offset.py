"""Takes a constant offset, as cheap converters add it, out of the input of networks.

Networks are not trained with offsets, which may be louder than the voice: they take the edges of an offset for noise,
and the recording for a loud one. The offset is estimated by the mean of the last seconds, as far as that exceeds
chance, so that recordings without one stay unchanged. The output has no offset either.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.processor import Processor, Wrapper

Audio = NDArray[np.float32]

STEP_S = 0.01
MEMORY = 200
"""Steps in the mean."""
SETTLE = 5
"""Steps before the first estimate."""
BEYOND = 6.0
"""How many standard errors of the mean are taken for chance, the steps counted as independent."""


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
        self._known = np.zeros((self._channels, 2))  # offsets at the beginning and at the end of the last step
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
        # Each step is centred by the estimate before it, which is approached without a jump.
        return block - np.stack([np.interp(frames / step, np.arange(len(row)), row) for row in known]).astype(
            np.float32
        )


class _Offset:
    """The offset of one channel, from the means of its steps."""

    def __init__(self) -> None:
        self._mean = self._square = 0.0
        self._heard = 0

    def after(self, mean: float) -> float:
        """Take the mean of the next step, return the estimate of the offset."""
        self._heard = min(self._heard + 1, MEMORY)
        self._mean += (mean - self._mean) / self._heard
        self._square += (mean * mean - self._square) / self._heard
        power = self._mean * self._mean
        if self._heard <= SETTLE or not power:
            return 0.0
        chance = BEYOND * BEYOND * max(self._square - power, 0.0) / (self._heard - SETTLE)
        return self._mean * max(1 - chance / power, 0.0)
