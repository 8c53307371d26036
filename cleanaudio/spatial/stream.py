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

from cleanaudio.audio.stft import Istft, Stft, synthesis_window, window
from cleanaudio.errors import InputError

Audio = NDArray[np.float32]
Spectra = NDArray[np.complex64]
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


def check_block(block: Audio, channels: int) -> None:
    """Raise InputError unless a block has the shape (channels, n)."""
    if block.ndim != 2 or block.shape[0] != channels:
        raise InputError(f"a block of shape {block.shape} where (channels, frames) has {channels} channels")


def frame_count(frames: int, size: int, hop: int) -> int:
    """Return how many STFT frames cover a signal of so many samples, tail included."""
    return -(-(frames + size - hop) // hop) if frames else 0


class Core(Protocol):
    """What turns the spectra of all microphones into those of the outputs, in order, with a state."""

    look_ahead: int

    def __call__(self, spectra: Spectra) -> Spectra:
        """Take (channels, frames, bins), return (outputs, decided frames, bins)."""
        ...

    def flush(self) -> Spectra:
        """Return the frames that are not decided yet."""
        ...

    def reset(self) -> None:
        """Forget the signal."""
        ...


class SpectralStream:
    """A stream around a core: analysis, the core, synthesis, and the bookkeeping of samples.

    Parameters
    ----------
    core : Core
    channels, outputs : int
        Microphones that go in, channels that come out.
    size, hop : int
        Of the STFT, samples; a square-root Hann window.
    """

    def __init__(self, core: Core, channels: int, outputs: int, size: int, hop: int) -> None:
        analysis = window("sqrt-hann", size)
        self._core, self._channels, self._size, self._hop = core, channels, size, hop
        self._stft = Stft(channels, analysis, hop)
        self._istft = Istft(outputs, synthesis_window(analysis, hop), hop)
        self.latency = size + core.look_ahead * hop
        self._taken = self._given = 0

    def reset(self) -> None:
        """Forget the signal."""
        for part in (self._core, self._stft, self._istft):
            part.reset()
        self._taken = self._given = 0

    def process(self, block: Audio) -> Audio:
        """Take (channels, n), return (outputs, m)."""
        check_block(block, self._channels)
        self._taken += block.shape[1]
        return self._give(self._istft.push(self._core(self._stft.push(block))))

    def flush(self) -> Audio:
        """Return the frames that are still owed."""
        missing = frame_count(self._taken, self._size, self._hop) * self._hop - self._taken
        tail = np.zeros((self._channels, max(missing, 0)), np.float32)
        last = self._istft.push(self._core(self._stft.push(tail)))
        return self._give(np.concatenate([last, self._istft.push(self._core.flush())], axis=1))

    def _give(self, samples: Audio) -> Audio:
        samples = samples[:, : self._taken - self._given]
        self._given += samples.shape[1]
        return samples


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
        self._waiting = [np.zeros((1, 0), np.float32) for _ in parts]

    def reset(self) -> None:
        """Forget the signal."""
        for part in self._parts:
            part.reset()
        self._waiting = [np.zeros((1, 0), np.float32) for _ in self._parts]

    def process(self, block: Audio) -> Audio:
        """Take (channels, n), return (parts, m)."""
        return self._join([part.process(block) for part in self._parts])

    def flush(self) -> Audio:
        """Return the frames that are still owed."""
        return self._join([part.flush() for part in self._parts])

    def _join(self, outputs: list[Audio]) -> Audio:
        together = [np.concatenate(pair, axis=1) for pair in zip(self._waiting, outputs, strict=True)]
        ready = min(one.shape[1] for one in together)
        self._waiting = [one[:, ready:] for one in together]
        return np.concatenate([one[:, :ready] for one in together])


def stft_sizes(rate: int, window_s: float, overlap: int = 4) -> tuple[int, int]:
    """Return window and hop in samples: the power of two nearest to ``window_s``, and that over ``overlap``."""
    size = max(64, 1 << round(np.log2(window_s * rate)))
    return size, size // overlap
