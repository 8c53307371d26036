"""Several cores for one recording: a processor that works in a thread of its own.

Its output comes up to :data:`AHEAD_S` seconds of audio later, so that several processors can work at once, those of a
sum as well as those of a series. What comes out, and with which block, depends only on the input, never on how fast the
threads are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.processor import Processor

Audio = NDArray[np.float32]

AHEAD_S = 8.0
"""How far a thread may lag behind its input. Networks that hear the future work in bursts of as many seconds, for which
other processors would have to wait with less."""


class Threaded:
    """A processor around another one, which works in a thread.

    Parameters
    ----------
    processor : Processor
    rate : int
        Hz.
    channels : int
    """

    def __init__(self, processor: Processor, rate: int, channels: int) -> None:
        self._processor, self._channels = processor, channels
        self._most = round(AHEAD_S * rate)
        self.latency = processor.latency
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="threaded")
        self._pending: deque[tuple[int, Future[Audio]]] = deque()
        self._ahead = 0

    def reset(self) -> None:
        """Forget the signal, and what went wrong with it."""
        wait(work for _, work in self._pending)
        self._pending.clear()
        self._ahead = 0
        self._processor.reset()

    def process(self, block: Audio) -> Audio:
        """Take (channels, n), return (channels, m)."""
        self._begin(lambda: self._processor.process(block), block.shape[1])
        return self._take(
            self._most, keep=1
        )  # the newest block at least is still in work while other processors get it

    def flush(self) -> Audio:
        """Return the frames that are still owed."""
        self._begin(self._processor.flush, 0)
        return self._take()

    def _begin(self, work: Callable[[], Audio], frames: int) -> None:
        self._pending.append((frames, self._thread.submit(work)))
        self._ahead += frames

    def _take(self, most: int = -1, keep: int = 0) -> Audio:
        """Wait until no more than so many frames or pieces of work are left, by default none; return what they gave."""
        done = [np.zeros((self._channels, 0), np.float32)]
        while self._ahead > most and len(self._pending) > keep:
            frames, work = self._pending.popleft()
            self._ahead -= frames
            done.append(work.result())
        return np.concatenate(done, axis=1)
