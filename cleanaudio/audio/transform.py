"""From a rule on spectra to a processor: analysis, the rule, synthesis, and the bookkeeping of samples."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.array import check_block
from cleanaudio.audio.stft import Istft, Stft, synthesis_window

Spectra = NDArray[np.complex64]


class Transform(Protocol):
    """What turns spectra into others, frame by frame, with a state.

    Attributes
    ----------
    look_ahead : int
        Frames that it wants to see before it decides on one.
    """

    look_ahead: int

    def __call__(self, spectra: Spectra) -> Spectra:
        """Take (channels, frames, bins), return (outputs, frames that are decided, bins), in order."""
        ...

    def flush(self) -> Spectra:
        """Return the frames that still waited for their look-ahead."""
        ...

    def reset(self) -> None:
        """Forget the signal."""
        ...


class SpectralProcessor:
    """A processor around a :class:`Transform`: what went in comes out, frame k for frame k, once it is flushed.

    Parameters
    ----------
    transform : Transform
    channels : int
        That go in.
    analysis : ndarray, shape (window,)
        Analysis window; the synthesis window is its least-squares counterpart unless one is given.
    hop : int
    synthesis : ndarray, shape (window,), optional
    at_once : int, optional
        Frames that are worked on together at most, so that what they need stays in the processor's cache; default: as
        many as come, which suits what takes its time to begin.
    outputs : int, optional
        Channels that come out; default: as many as go in.

    Attributes
    ----------
    latency : int
        Delay in frames when used live.
    """

    def __init__(
        self,
        transform: Transform,
        channels: int,
        analysis: NDArray[np.float32],
        hop: int,
        synthesis: NDArray[np.float32] | None = None,
        at_once: int | None = None,
        outputs: int | None = None,
    ) -> None:
        self._transform = transform
        self._stft = Stft(channels, analysis, hop)
        synthesis = synthesis_window(analysis, hop) if synthesis is None else synthesis
        self._istft = Istft(channels if outputs is None else outputs, synthesis, hop)
        self._channels, self._hop, self._window = channels, hop, len(analysis)
        self.latency = len(analysis) + transform.look_ahead * hop
        self._at_once = at_once
        self._taken = self._given = 0

    def reset(self) -> None:
        """Forget the signal."""
        for part in (self._transform, self._stft, self._istft):
            part.reset()
        self._taken = self._given = 0

    def process(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take (channels, n), return (outputs, m).

        Raises
        ------
        InputError
            Another shape.
        """
        check_block(block, self._channels)
        self._taken += block.shape[1]
        step = max(1, block.shape[1]) if self._at_once is None else self._at_once * self._hop
        pieces = (block[:, at : at + step] for at in range(0, max(1, block.shape[1]), step))
        done = [self._istft.push(self._transform(self._stft.push(piece))) for piece in pieces]
        return self._give(done[0] if len(done) == 1 else np.concatenate(done, axis=1))

    def flush(self) -> NDArray[np.float32]:
        """Return the frames that are still owed."""
        tail = np.zeros((self._channels, self._window - self._hop + -self._taken % self._hop), np.float32)
        last = self._istft.push(self._transform(self._stft.push(tail)))
        rest = self._istft.push(self._transform.flush())
        return self._give(np.concatenate([last, rest], axis=1))

    def _give(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        samples = samples[:, : self._taken - self._given]
        self._given += samples.shape[1]
        return samples
