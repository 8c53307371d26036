"""Small things that processors share: outputs that lag, and values that are not finite."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.array import as_block, repaired
from cleanaudio.audio.processor import Processor
from cleanaudio.errors import ModelError

Audio = NDArray[np.float32]


class Finite:
    """A processor that is only given finite samples, which nobody else will change: what comes in may be used again.

    Parameters
    ----------
    processor : Processor
    """

    def __init__(self, processor: Processor) -> None:
        self._processor = processor
        self.latency = processor.latency

    def reset(self) -> None:
        """Forget the signal."""
        self._processor.reset()

    def process(self, block: Audio) -> Audio:
        """Take (channels, n), return (channels, m)."""
        return self._processor.process(repaired(block))

    def flush(self) -> Audio:
        """Return the frames that are still owed."""
        return self._processor.flush()


class Checked:
    """A processor that is given blocks from outside, which are looked at first.

    Parameters
    ----------
    processor : Processor
    channels : int
        That go in.
    """

    def __init__(self, processor: Processor, channels: int) -> None:
        self._processor, self._channels = processor, channels
        self.latency = processor.latency

    def reset(self) -> None:
        """Forget the signal."""
        self._processor.reset()

    def process(self, block: Audio) -> Audio:
        """Take (channels, n), return (channels, m).

        Raises
        ------
        InputError
            Another shape, or integers.
        """
        return self._processor.process(as_block(block, self._channels))

    def flush(self) -> Audio:
        """Return the frames that are still owed."""
        return self._processor.flush()


class Undelayed:
    """A processor whose output lags, moved back in time: its first frames are dropped, silence is fed behind the end.

    Parameters
    ----------
    processor : Processor
        Gives ``delay`` frames of lead-in before the output that belongs to the first frame of the input; its
        ``latency`` leaves that out.
    delay : int
        Frames.
    channels : int
    """

    def __init__(self, processor: Processor, delay: int, channels: int) -> None:
        self._processor, self._delay, self._channels = processor, delay, channels
        self.latency = processor.latency + delay
        self._skip = delay

    def reset(self) -> None:
        """Forget the signal."""
        self._processor.reset()
        self._skip = self._delay

    def process(self, block: Audio) -> Audio:
        """Take (channels, n), return (channels, m)."""
        out = self._processor.process(block)
        skip = min(self._skip, out.shape[1])
        self._skip -= skip
        return out[:, skip:]

    def flush(self) -> Audio:
        """Return the frames that are still owed."""
        tail = self.process(np.zeros((self._channels, self._delay), np.float32))
        rest = self._processor.flush()
        return np.concatenate([tail, rest[:, self._skip :]], axis=1)


class Sane:
    """Takes what a model gives: now and then nonsense becomes silence, nothing but nonsense an error.

    Parameters
    ----------
    origin : str
        The model's file, for the message.
    patience : int
        Values that may be nonsense from the start before it is an error.
    """

    def __init__(self, origin: str, patience: int) -> None:
        self._origin, self._patience = origin, patience
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._good = False
        self._bad = 0

    def __call__(self, values: NDArray) -> NDArray:
        """Return values with zeros in place of NaN and infinity.

        Raises
        ------
        ModelError
            More than the patience, and never a number.
        """
        known = np.isfinite(values)
        if known.all():
            self._good = self._good or values.size > 0
            return values
        self._good = self._good or bool(known.any())
        self._bad += values.size
        if self._bad > self._patience:
            self.check()
        return np.where(known, values, values.dtype.type(0))

    def check(self) -> None:
        """Raise ModelError if there was something, and all of it nonsense."""
        if self._bad and not self._good:
            raise ModelError("gives no numbers (NaN) for this recording", path=self._origin)
