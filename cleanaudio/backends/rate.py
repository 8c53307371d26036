"""A processor at another rate than the recording's: resampled to it and back, at the exact length."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.processor import Processor, through
from cleanaudio.audio.queue import Queue
from cleanaudio.audio.resample import Resampler
from cleanaudio.backends.band import BandAbove

Audio = NDArray[np.float32]


class AtRate:
    """Serves a recording of one rate with a processor of another.

    The recording is split: the processor gets the band that survives the way to its rate, and the difference, the band
    above, goes its own way (:class:`~cleanaudio.backends.band.BandAbove`). A processor that changes nothing gives the
    recording back.

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
    live : bool
        Be quick: short filters, and a band above that does not wait.
    """

    def __init__(
        self,
        processor: Processor,
        rate: int,
        native_rate: int,
        channels: int,
        linked: bool = True,
        live: bool = False,
    ) -> None:
        self._processor, self._channels = processor, channels
        self._down = Resampler(rate, native_rate, channels, live)
        self._up = Resampler(native_rate, rate, channels, live)
        self._above = _Above(rate, native_rate, channels, linked, live)
        own, back = (-(-frames * rate // native_rate) for frames in (processor.latency, self._up.latency))
        above = max(back + self._above.band.window, own + self._above.band.wait)
        self.latency = self._down.latency + max(own + back, above)
        self._clear()

    def _clear(self) -> None:
        self._taken = self._given = 0
        self._low, self._high = (Queue(np.zeros((self._channels, 0), np.float32)) for _ in range(2))

    def reset(self) -> None:
        """Forget the signal."""
        for part in (self._down, self._processor, self._up, self._above):
            part.reset()
        self._clear()

    def process(self, block: Audio) -> Audio:
        """Take (channels, n), return (channels, m)."""
        self._taken += block.shape[1]
        low = self._down.process(block)
        return self._give(block, low, self._processor.process(low))

    def flush(self) -> Audio:
        """Return the frames that are still owed."""
        low = self._down.flush()
        clean = through(self._processor, low)
        parts = [self._give(np.zeros((self._channels, 0), np.float32), low, clean)]
        # Two roundings may leave the way back short of the input by a frame of the lower rate: silence behind the end.
        tail = np.zeros((self._channels, 2), np.float32)
        self._low.push(through(self._up, tail))
        self._high.push(self._above.flush())
        parts.append(self._sum())
        return np.concatenate(parts, axis=1)

    def _give(self, block: Audio, low: Audio, clean: Audio) -> Audio:
        self._low.push(self._up.process(clean))
        self._high.push(self._above.push(block, low, clean))
        return self._sum()

    def _sum(self) -> Audio:
        ready = min(self._taken - self._given, len(self._low), len(self._high))
        self._given += ready
        return self._low.pop(ready) + self._high.pop(ready)


class _Above:
    """What another rate leaves of a recording, cut out and cleaned.

    Parameters
    ----------
    rate, native_rate : int
        Hz.
    channels : int
    linked, live : bool
    """

    def __init__(self, rate: int, native_rate: int, channels: int, linked: bool, live: bool) -> None:
        self._channels = channels
        self._up = Resampler(native_rate, rate, channels, live)
        self.band = BandAbove(channels, rate, native_rate, linked, live)
        self._native_window = 2 * -(-self.band.window * native_rate // rate)
        self._original = Queue(np.zeros((channels, 0), np.float32))

    def reset(self) -> None:
        """Forget the signal."""
        self._up.reset()
        self.band.reset()
        self._original = Queue(np.zeros((self._channels, 0), np.float32))

    def push(self, block: Audio, low: Audio, clean: Audio) -> Audio:
        """Take the recording's samples and, at the other rate, what went into and came out of the processor."""
        self._original.push(block)
        return self.band.push(self._difference(self._up.process(low)), low, clean)

    def flush(self) -> Audio:
        """Return the rest; a window more than was owed."""
        tail = np.zeros((self._channels, 2), np.float32)
        known = through(self._up, tail)
        silence = np.zeros((self._channels, self._native_window), np.float32)
        rest = np.pad(self._difference(known), ((0, 0), (0, 2 * self.band.window)))
        return self.band.push(rest, silence, silence)

    def _difference(self, known: Audio) -> Audio:
        count = min(known.shape[1], len(self._original))
        return self._original.pop(count) - known[:, :count]
