"""A live run: blocks from a source, through a processor, to a sink, timed."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.processor import Processor
from cleanaudio.live.timing import Timing

Audio = NDArray[np.float32]


_WARM_S = 0.5


def warm_up(processor: Processor, rate: int, channels: int, block: int) -> None:
    """Run silence through a processor, so that the first real block does not take the time of what is done only once.

    Parameters
    ----------
    processor : Processor
        Reset afterwards.
    rate, channels, block : int
    """
    silence = np.zeros((channels, block), np.float32)
    for _ in range(max(1, round(_WARM_S * rate / block))):
        processor.process(silence)
    processor.reset()
    gc.collect()
    gc.freeze()  # what is there now stays: no need to look at it again while every millisecond counts


def pump(blocks: Iterable[Audio], processor: Processor, sink: Callable[[Audio], None], timing: Timing) -> None:
    """Run a stream to its end; every block's output is handed on at once.

    Parameters
    ----------
    blocks : iterable of ndarray, shape (channels, n)
    processor : Processor
    sink : callable
        Takes (channels, m).
    timing : Timing
    """
    for block in blocks:
        started = time.perf_counter()
        cleaned = processor.process(block)
        timing.add(time.perf_counter() - started, block.shape[1])
        sink(cleaned)
    sink(processor.flush())


def in_real_time(blocks: Iterable[Audio], rate: int, timing: Timing) -> Iterator[Audio]:
    """Give each block only when a microphone would have it, and count those for which the reader came too late.

    Block ``k`` is complete at the end of its own duration. It has run under when its output is not there by the time
    that the next block is complete.
    """
    started = time.perf_counter()
    heard = 0
    due = float("inf")
    for block in blocks:
        now = time.perf_counter() - started
        timing.watch(now > due)
        heard += block.shape[1]
        complete = heard / rate
        if complete > now:
            time.sleep(complete - now)
        due = complete + block.shape[1] / rate
        yield block
    timing.watch(time.perf_counter() - started > due)
