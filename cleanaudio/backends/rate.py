"""A processor at another rate than the recording's: resampled to it and back, at the exact length."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.resample import Resampler
from cleanaudio.backends.interface import Processor

Audio = NDArray[np.float32]


class AtRate:
    """Serves a recording of one rate with a processor of another.

    Parameters
    ----------
    processor : Processor
        Works at ``native_rate``.
    rate : int
        The recording's, Hz.
    native_rate : int
    channels : int
    linked : bool
        One gain for all channels in the band above the processor's.
    """

    def __init__(self, processor: Processor, rate: int, native_rate: int, channels: int, linked: bool = True) -> None:
        self._processor, self._channels = processor, channels
        self._down = Resampler(rate, native_rate, channels)
        self._up = Resampler(native_rate, rate, channels)
        own = processor.latency + self._up.latency
        self.latency = self._down.latency + -(-own * rate // native_rate)
        self._taken = self._given = 0

    def reset(self) -> None:
        """Forget the signal."""
        for part in (self._down, self._processor, self._up):
            part.reset()
        self._taken = self._given = 0

    def process(self, block: Audio) -> Audio:
        """Take (channels, n), return (channels, m)."""
        self._taken += block.shape[1]
        return self._give(self._up.process(self._processor.process(self._down.process(block))))

    def flush(self) -> Audio:
        """Return the frames that are still owed."""
        parts = [self._up.process(self._processor.process(self._down.flush()))]
        parts.append(self._up.process(self._processor.flush()))
        # Two roundings may leave the way back short of the input by a frame of the lower rate.
        parts.append(self._up.process(np.zeros((self._channels, 2), np.float32)))
        parts.append(self._up.flush())
        return self._give(np.concatenate(parts, axis=1))

    def _give(self, samples: Audio) -> Audio:
        samples = samples[:, : self._taken - self._given]
        self._given += samples.shape[1]
        return samples
