"""Signal paths: what each of them promises, how a recording goes through one, and how several become one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.queue import Queue

Audio = NDArray[np.float32]

_PIECE = 1 << 16  # spectra take many times the memory of what they are of


class Processor(Protocol):
    """A signal path for one recording, built for a rate and a channel count, then fed block by block.

    After :meth:`flush` as many frames have come out as went in, and frame ``k`` of the output belongs to frame ``k``
    of the input. The output does not depend on how the input was cut into blocks. The number of channels that come out
    may differ from the number that go in.
    """

    @property
    def latency(self) -> int:
        """Frames of algorithmic delay when used live: the window and look-ahead of the method, not computing time."""
        ...

    def process(self, block: Audio) -> Audio:
        """Take (channels, n) with any n ≥ 0, return (outputs, m); m may lag behind n."""
        ...

    def flush(self) -> Audio:
        """Return what is still owed, (outputs, rest). Only :meth:`reset` may follow."""
        ...

    def reset(self) -> None:
        """Forget the signal; the next block starts a new one."""
        ...


def driven(processor: Processor, blocks: Iterable[Audio]) -> Iterator[Audio]:
    """Feed a processor with a recording, block by block, to its end; yield what it gives."""
    for block in blocks:
        yield processor.process(block)
    yield processor.flush()


def through(processor: Processor, audio: Audio) -> Audio:
    """Return what becomes of a whole signal, (channels, frames), which is fed piece by piece."""
    pieces = (audio[:, at : at + _PIECE] for at in range(0, audio.shape[1], _PIECE))
    return np.concatenate(list(driven(processor, pieces)), axis=1)


class Wrapper:
    """A processor around another one: a subclass changes what goes into it, what comes out of it, or both.

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
        """Take (channels, n), return (outputs, m)."""
        return self._after(self._processor.process(self._before(block)))

    def flush(self) -> Audio:
        """Return the frames that are still owed."""
        return self._after(self._processor.flush())

    def _before(self, block: Audio) -> Audio:
        """Return what the processor is given in place of a block."""
        return block

    def _after(self, out: Audio) -> Audio:
        """Return what comes out in place of what the processor gave."""
        return out


class Series:
    """Processors one after another.

    Parameters
    ----------
    parts : sequence of Processor
        At least one; each takes what the one before gives.
    """

    def __init__(self, parts: Sequence[Processor]) -> None:
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


class SideBySide:
    """Processors that are all given the same; what they give are the channels of one output.

    Parameters
    ----------
    parts : sequence of Processor
        Each gives one channel.
    """

    def __init__(self, parts: Sequence[Processor]) -> None:
        self._parts = parts
        self.latency = max(part.latency for part in parts)
        self._clear()

    def _clear(self) -> None:
        self._waiting = [Queue(np.zeros((1, 0), np.float32)) for _ in self._parts]

    def reset(self) -> None:
        """Forget the signal."""
        for part in self._parts:
            part.reset()
        self._clear()

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
