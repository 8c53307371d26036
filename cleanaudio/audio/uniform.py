"""Blocks of changing rates and channel counts, brought to one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.resample import Resampler


class Uniform:
    """What a decoder gives, at one rate and with so many channels.

    Parameters
    ----------
    rate, channels : int
        Of what comes out.

    Attributes
    ----------
    kinds : list of (int, int, int)
        Rates and channel counts of what went in, and the frame that each of them begins with in what came out.
    """

    def __init__(self, rate: int, channels: int) -> None:
        self._rate, self._channels = rate, channels
        self._resampler: Resampler | None = None
        self._given = 0
        self.kinds: list[tuple[int, int, int]] = []

    def process(self, block: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
        """Take the next frames (n, any channels) at any rate; return frames (m, channels)."""
        own = block.shape[1]
        ended = None
        if not self.kinds or (rate, own) != self.kinds[-1][:2]:
            ended = self.flush()
            self._resampler = None if rate == self._rate else Resampler(rate, self._rate, own)
            self.kinds.append((rate, own, self._given))
        if self._resampler is not None:
            block = self._resampler.process(block.T).T
        block = widened(block, self._channels)
        self._given += len(block)
        return block if ended is None else np.concatenate([ended, block])

    def flush(self) -> NDArray[np.float32]:
        """Return the frames that are still owed."""
        if self._resampler is None:
            return np.zeros((0, self._channels), np.float32)
        rest = widened(self._resampler.flush().T, self._channels)
        self._given += len(rest)
        self._resampler = None
        return rest


def widened(samples: NDArray[np.float32], channels: int) -> NDArray[np.float32]:
    """Return frames with so many channels: one becomes the left and the right, others that are missing are silent."""
    if samples.shape[1] == 1 < channels:
        samples = np.repeat(samples, 2, axis=1)
    missing = max(0, channels - samples.shape[1])
    return np.pad(samples, ((0, 0), (0, missing))) if missing else samples[:, :channels]
