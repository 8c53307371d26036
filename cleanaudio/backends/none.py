"""No cleaning: for ``--dereverb`` alone, and as the zero of every comparison."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.processor import Processor
from cleanaudio.backends.interface import Analysis, Backend, Resolved, Setup, Value

Audio = NDArray[np.float32]


class Untouched:
    """A processor that gives back what it gets.

    Parameters
    ----------
    channels : int
    """

    latency = 0

    def __init__(self, channels: int) -> None:
        self._channels = channels

    def process(self, block: Audio) -> Audio:
        """Return the block."""
        return block

    def flush(self) -> Audio:
        """Return nothing: nothing is owed."""
        return np.zeros((self._channels, 0), np.float32)

    def reset(self) -> None:
        """Forget nothing: there is no state."""


class Nothing(Backend):
    """The backend ``none``."""

    name = "none"
    summary = "leaves the noise as it is: for --dereverb alone, or to compare with"
    kind = "classical"
    keeps_room = True

    def resolve(self, setup: Setup, options: Mapping[str, Value], argument: str | None = None) -> Resolved:
        """Return that it runs at any rate, without delay."""
        return Resolved(rate=setup.rate, latency=0, options=self.complete(options))

    def open(self, setup: Setup, resolved: Resolved, analysis: Analysis | None = None) -> Processor:
        """Return a fresh processor."""
        return Untouched(setup.channels)


NONE = Nothing()
