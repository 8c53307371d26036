"""Processors put together: with a share of their input, averaged, or around mid and side instead of left and right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.processor import Processor, Wrapper
from cleanaudio.audio.queue import Queue

Audio = NDArray[np.float32]


class DryMix(Wrapper):
    """Mixes a share of the input into the output, sample on sample.

    Parameters
    ----------
    processor : Processor
    dry : float
        Share of the input, 0 … 1.
    channels : int
    """

    def __init__(self, processor: Processor, dry: float, channels: int) -> None:
        super().__init__(processor)
        self._channels, self._dry, self._wet = channels, np.float32(dry), np.float32(1 - dry)
        self._waiting = Queue(np.zeros((channels, 0), np.float32))

    def reset(self) -> None:
        """Forget the signal."""
        super().reset()
        self._waiting = Queue(np.zeros((self._channels, 0), np.float32))

    def _before(self, block: Audio) -> Audio:
        self._waiting.push(block)
        return block

    def _after(self, out: Audio) -> Audio:
        return self._dry * self._waiting.pop(out.shape[1]) + self._wet * out


class Blend:
    """Weighted sums of several processors' outputs, sample on sample.

    Parameters
    ----------
    processors : sequence of Processor
    mixes : sequence of sequence of float
        The weights of each sum; the channels of the second one come below those of the first.
    channels : int
    """

    def __init__(self, processors: Sequence[Processor], mixes: Sequence[Sequence[float]], channels: int) -> None:
        self._processors, self._mixes, self._channels = processors, mixes, channels
        self.latency = max(processor.latency for processor in processors)
        self._queues = [Queue(np.zeros((channels, 0), np.float32)) for _ in processors]

    def reset(self) -> None:
        """Forget the signal."""
        for processor in self._processors:
            processor.reset()
        self._queues = [Queue(np.zeros((self._channels, 0), np.float32)) for _ in self._processors]

    def process(self, block: Audio) -> Audio:
        """Take (channels, n), return (channels, m)."""
        return self._sum(processor.process(block) for processor in self._processors)

    def flush(self) -> Audio:
        """Return the frames that are still owed."""
        return self._sum(processor.flush() for processor in self._processors)

    def _sum(self, outputs: Iterable[Audio]) -> Audio:
        for queue, output in zip(self._queues, outputs, strict=True):
            queue.push(output)
        ready = min(map(len, self._queues))
        totals = np.zeros((len(self._mixes), self._channels, ready), np.float32)
        for queue, *weights in zip(self._queues, *self._mixes, strict=True):
            output = queue.pop(ready)
            for total, weight in zip(totals, weights, strict=True):
                total += np.float32(weight) * output
        return totals.reshape(len(self._mixes) * self._channels, ready)


class MidSide(Wrapper):
    """Mid and side in place of left and right, around a processor for two channels, which gives any number of pairs."""

    def _before(self, block: Audio) -> Audio:
        return swap_mid_side(block)

    def _after(self, out: Audio) -> Audio:
        return swap_mid_side(out)


def swap_mid_side(block: Audio) -> Audio:
    """Left and right to mid and side, and back: the scaled matrix is its own inverse."""
    pairs = np.stack([block[::2] + block[1::2], block[::2] - block[1::2]], axis=1)
    return pairs.reshape(block.shape) * np.float32(np.sqrt(0.5))
