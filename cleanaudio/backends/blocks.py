"""Small things that processors share: outputs that lag, and values that are not finite."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.array import as_block, repaired
from cleanaudio.audio.processor import Processor, Wrapper
from cleanaudio.errors import ModelError

Audio = NDArray[np.float32]


class Finite(Wrapper):
    """A processor that is given a copy of each block, with silence in place of samples that no recording can have."""

    def _before(self, block: Audio) -> Audio:
        return repaired(block)


class Checked(Wrapper):
    """A processor that is given blocks from outside; another shape and integers are an InputError.

    Parameters
    ----------
    processor : Processor
    channels : int
        That go in.
    """

    def __init__(self, processor: Processor, channels: int) -> None:
        super().__init__(processor)
        self._channels = channels

    def _before(self, block: Audio) -> Audio:
        return as_block(block, self._channels)


class Undelayed(Wrapper):
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
        super().__init__(processor)
        self._delay, self._channels = delay, channels
        self.latency += delay
        self._skip = delay

    def reset(self) -> None:
        """Forget the signal."""
        super().reset()
        self._skip = self._delay

    def flush(self) -> Audio:
        """Return the frames that are still owed."""
        tail = self.process(np.zeros((self._channels, self._delay), np.float32))
        return np.concatenate([tail, super().flush()], axis=1)

    def _after(self, out: Audio) -> Audio:
        skip = min(self._skip, out.shape[1])
        self._skip -= skip
        return out[:, skip:]


class FiniteOutput:
    """Replaces values of a model that are not finite by zeros; raises where a model gives nothing else.

    Parameters
    ----------
    origin : str
        The model's file, for the message.
    patience : int
        How many values from the start may be not finite before that is an error.
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
            More values than the patience, and none was finite.
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
        """Raise ModelError if there were values, and none was finite."""
        if self._bad and not self._good:
            raise ModelError("gives only NaN or infinity for this recording", path=self._origin)
