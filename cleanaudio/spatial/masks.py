"""Where in time and frequency the voice is: what the covariances of a beamformer are weighted with.

A mask is the share of the voice in the power of a bin, 0 … 1, shape (frames, bins), on the grid of an STFT of a
given size and hop (:class:`cleanaudio.audio.stft.Stft` with a square-root Hann window).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.processor import Processor
from cleanaudio.audio.queue import Queue
from cleanaudio.audio.stft import Stft, window
from cleanaudio.spatial.stream import Audio, missing

Mask = NDArray[np.float32]


class MaskEstimator(Protocol):
    """Gives the mask of a recording, as it is fed.

    A beamformer that uses it feeds it the same blocks that it gets itself, all channels. ``latency`` is, in samples,
    how long after a sample the masks of all frames over it are there: the size of the STFT at least.
    """

    latency: int

    def process(self, block: Audio) -> Mask:
        """Take (channels, n), return the masks of the frames that are decided, (frames, bins), in order."""
        ...

    def flush(self) -> Mask:
        """Return the rest, so that there is one mask for each of ``frame_count(n, size, hop)`` frames."""
        ...

    def reset(self) -> None:
        """Forget the signal."""
        ...


class EnhancerMask:
    """The mask of a single-channel enhancer: the median over channels of |out| / |in|.

    Parameters
    ----------
    enhancer : Processor
        Cleans ``len(channels)`` channels independently, sample-aligned.
    size, hop : int
    channels : sequence of int
        Which channels of the recording it hears, counted from 0; four spread over an array of eight do as well as all.
    exponent : float
        1 for the ratio of magnitudes, 2 for that of powers, which is better where directions and delays are wanted.
    """

    def __init__(
        self, enhancer: Processor, size: int, hop: int, channels: Sequence[int], exponent: float = 1.0
    ) -> None:
        analysis = window("sqrt-hann", size)
        self._enhancer, self._channels, self._exponent = enhancer, list(channels), exponent
        self._size, self._hop = size, hop
        self.latency = size + enhancer.latency
        self._of_input = Stft(len(self._channels), analysis, hop)
        self._of_output = Stft(len(self._channels), analysis, hop)
        self._clear()

    def _clear(self) -> None:
        self._taken = 0
        nothing = np.zeros((len(self._channels), 0, self._size // 2 + 1), np.complex64)
        self._inputs, self._outputs = (Queue(nothing, axis=-2) for _ in range(2))

    def reset(self) -> None:
        """Forget the signal."""
        for part in (self._enhancer, self._of_input, self._of_output):
            part.reset()
        self._clear()

    def process(self, block: Audio) -> Mask:
        """Take (channels, n), return (frames, bins)."""
        heard = block[self._channels]
        self._taken += heard.shape[1]
        return self._compare(heard, self._enhancer.process(heard))

    def flush(self) -> Mask:
        """Return the masks that are still owed."""
        tail = np.zeros((len(self._channels), missing(self._taken, self._size, self._hop)), np.float32)
        return self._compare(tail, np.concatenate([self._enhancer.flush(), tail], axis=1))

    def _compare(self, heard: Audio, cleaned: Audio) -> Mask:
        self._inputs.push(self._of_input.push(heard))
        self._outputs.push(self._of_output.push(cleaned))
        count = min(len(self._inputs), len(self._outputs))
        ratio = np.abs(self._outputs.pop(count)) / np.maximum(np.abs(self._inputs.pop(count)), 1e-10)
        if self._exponent != 1.0:
            ratio **= self._exponent
        return np.median(np.minimum(ratio, 1.0), axis=0).astype(np.float32)


class ActivityMask:
    """Voice activity by level: the same mask for all bins of a frame.

    The floor is the quietest smoothed frame of the last ``memory_s``; a frame whose level stands ``threshold_db`` over
    it belongs to the voice. For steady noise without a neural network.

    Parameters
    ----------
    rate : int
    channels : int
    size, hop : int
    threshold_db : float
    memory_s : float
    """

    def __init__(
        self, rate: int, channels: int, size: int, hop: int, threshold_db: float = 6.0, memory_s: float = 3.0
    ) -> None:
        self._stft = Stft(channels, window("sqrt-hann", size), hop)
        self._size, self._hop, self._channels = size, hop, channels
        self.latency = size
        self._above = 10 ** (threshold_db / 10)
        self._memory = max(1, round(memory_s * rate / hop))
        hertz = np.arange(size // 2 + 1) * rate / size
        self._voiced = (hertz >= 200) & (hertz <= 4000)
        self._clear()

    def _clear(self) -> None:
        self._taken = 0
        self._smooth = -1.0
        self._warm_up = self._size // self._hop - 1  # frames that reach back before the signal
        self._past: list[float] = []

    def reset(self) -> None:
        """Forget the signal."""
        self._stft.reset()
        self._clear()

    def process(self, block: Audio) -> Mask:
        """Take (channels, n), return (frames, bins)."""
        self._taken += block.shape[1]
        return self._judge(block)

    def flush(self) -> Mask:
        """Return the masks that are still owed."""
        return self._judge(np.zeros((self._channels, missing(self._taken, self._size, self._hop)), np.float32))

    def _judge(self, block: Audio) -> Mask:
        spectra = self._stft.push(block)[:, :, self._voiced]
        masks = np.zeros((spectra.shape[1], len(self._voiced)), np.float32)
        levels: NDArray[np.float64] = np.asarray(np.mean(np.abs(spectra) ** 2, axis=(0, 2), dtype=np.float64))
        for t, level in enumerate(levels.tolist()):
            if self._warm_up:
                self._warm_up -= 1
                continue
            self._smooth = level if self._smooth < 0 else 0.7 * self._smooth + 0.3 * level
            if self._smooth > 0:  # digital silence is no floor
                self._past = [*self._past[-self._memory + 1 :], self._smooth]
                # 1.5: the smallest of many frames lies below their mean
                masks[t] = self._smooth > 1.5 * self._above * min(self._past)
        return masks


class MeanMask:
    """The geometric mean of several masks: high where all of them are.

    Parameters
    ----------
    parts : sequence of MaskEstimator
        On one grid.
    bins : int
    """

    def __init__(self, parts: Sequence[MaskEstimator], bins: int) -> None:
        self._parts, self._nothing = parts, np.zeros((0, bins), np.float32)
        self.latency = max(part.latency for part in parts)
        self._held = [Queue(self._nothing, axis=-2) for _ in parts]

    def reset(self) -> None:
        """Forget the signal."""
        for part in self._parts:
            part.reset()
        self._held = [Queue(self._nothing, axis=-2) for _ in self._parts]

    def process(self, block: Audio) -> Mask:
        """Take (channels, n), return (frames, bins)."""
        return self._mean([part.process(block) for part in self._parts])

    def flush(self) -> Mask:
        """Return the masks that are still owed."""
        return self._mean([part.flush() for part in self._parts])

    def _mean(self, new: list[Mask]) -> Mask:
        for queue, mask in zip(self._held, new, strict=True):
            queue.push(mask)
        count = min(map(len, self._held))
        product = np.prod([queue.pop(count) for queue in self._held], axis=0, dtype=np.float32)
        return product ** np.float32(1 / len(self._held))
