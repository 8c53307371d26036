"""What the streaming classes of this package share.

Each is fed like any processor: ``process(block)`` takes (channels, n) and returns what is ready, ``flush()`` returns
the rest, after which as many frames have come out as went in, frame k belonging to frame k; ``reset()`` starts anew;
``latency`` is the delay in frames when used live. The number of channels that come out may be another than went in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.queue import Queue

Audio = NDArray[np.float32]
Log = Callable[[Mapping[str, Any]], None]
"""Takes what a driver decided on one block, JSON-serialisable: for a sidecar file."""


class Stream(Protocol):
    """A signal path, as above."""

    latency: int

    def process(self, block: Audio) -> Audio:
        """Take (channels, n), return (outputs, m)."""
        ...

    def flush(self) -> Audio:
        """Return what is still owed."""
        ...

    def reset(self) -> None:
        """Forget the signal."""
        ...


def frame_count(frames: int, size: int, hop: int) -> int:
    """Return how many STFT frames cover a signal of so many samples, tail included."""
    return -(-(frames + size - hop) // hop) if frames else 0


class Series:
    """Streams one after another.

    Parameters
    ----------
    parts : sequence of Stream
        Each takes what the one before gives.
    """

    def __init__(self, parts: Sequence[Stream]) -> None:
        self._parts = parts
        self.latency = sum(part.latency for part in parts)

    def reset(self) -> None:
        """Forget the signal."""
        for part in self._parts:
            part.reset()

    def process(self, block: Audio) -> Audio:
        """Take (channels, n), return (outputs, m)."""
        for part in self._parts:
            block = part.process(block)
        return block

    def flush(self) -> Audio:
        """Return the frames that are still owed."""
        rest: Audio | None = None
        for part in self._parts:
            more = [] if rest is None else [part.process(rest)]
            rest = np.concatenate([*more, part.flush()], axis=1)
        assert rest is not None, "a series has at least one part"
        return rest


def driven(stream: Stream, blocks: Iterable[Audio]) -> Iterator[Audio]:
    """Feed a stream with a recording, block by block, to its end; yield what it gives."""
    for block in blocks:
        yield stream.process(block)
    yield stream.flush()


class SideBySide:
    """Streams that are all given the same; what they give are the channels of one output.

    Parameters
    ----------
    parts : sequence of Stream
        Each gives one channel.
    """

    def __init__(self, parts: Sequence[Stream]) -> None:
        self._parts = parts
        self.latency = max(part.latency for part in parts)
        self._waiting = [Queue(np.zeros((1, 0), np.float32)) for _ in parts]

    def reset(self) -> None:
        """Forget the signal."""
        for part in self._parts:
            part.reset()
        self._waiting = [Queue(np.zeros((1, 0), np.float32)) for _ in self._parts]

    def process(self, block: Audio) -> Audio:
        """Take (channels, n), return (parts, m)."""
        return self._join([part.process(block) for part in self._parts])

    def flush(self) -> Audio:
        """Return the frames that are still owed."""
        return self._join([part.flush() for part in self._parts])

    def _join(self, outputs: list[Audio]) -> Audio:
        for queue, output in zip(self._waiting, outputs, strict=True):
            queue.push(output)
        ready = min(map(len, self._waiting))
        return np.concatenate([queue.pop(ready) for queue in self._waiting])
