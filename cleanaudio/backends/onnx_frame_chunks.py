"""The contract ``stft-frames`` of a network without caches, which hears past and future: run on a fixed grid.

It is given a chunk of frames with some context on both sides, as far as the recording reaches; of its output only the
chunk is used. The overlapping windows of the synthesis fade one chunk into the next.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.backends.blocks import FiniteOutput
from cleanaudio.backends.onnx_waveform import Grid
from cleanaudio.backends.session import Session

Complex = NDArray[np.complex64]


def in_frames(grid: Grid, hop: int) -> tuple[int, int, int]:
    """Return the chunk, the frames heard before and those heard after it of a grid in samples."""
    chunk, before, after = (max(1, samples // hop) for samples in (grid.chunk, grid.before, grid.after))
    return chunk, before, after


def latency(grid: Grid, size: int, hop: int) -> int:
    """Return the delay in samples with windows of ``size``."""
    chunk, _, after = in_frames(grid, hop)
    return size + (chunk + after) * hop


class FrameChunks:
    """Spectra in, clean spectra out: a :class:`~cleanaudio.audio.transform.Transform` for one channel.

    Parameters
    ----------
    session : Session
        Takes (1, bins, any number of frames, 2) and gives the same.
    grid : Grid
        In samples.
    hop : int
        Samples from frame to frame.
    patience : int
        How many frames from the start may be not finite before that is an error.
    """

    def __init__(self, session: Session, grid: Grid, hop: int, patience: int = 0) -> None:
        self._session, self._source = session, session.inputs[0]
        self._bins = self._source.shape[1] or 0
        self._chunk, self._before, self._after = in_frames(grid, hop)
        self._finite = FiniteOutput(session.origin, 2 * max(patience, self._chunk) * self._bins)
        self.look_ahead = self._chunk + self._after
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._finite.reset()
        self._window = np.zeros((1, self._before + self._chunk + self._after, self._bins), np.complex64)
        self._filled = 0
        self._first = 0  # of the frames in the window, which is not decided yet

    def __call__(self, spectra: Complex) -> Complex:
        """Take (1, frames, bins), return the frames that are decided."""
        decided = [spectra[:, :0]]
        while spectra.shape[1]:
            wanted = self._first + self._chunk + self._after - self._filled
            more, spectra = spectra[:, :wanted], spectra[:, wanted:]
            self._window[:, self._filled : self._filled + more.shape[1]] = more
            self._filled += more.shape[1]
            if more.shape[1] == wanted:
                decided.append(self._decide(self._chunk))
        return np.concatenate(decided, axis=1)

    def flush(self) -> Complex:
        """Return the last frames: after the end there is nothing to be heard."""
        rest = self._filled - self._first
        last = self._decide(rest) if rest else self._window[:, :0]
        self._finite.check()
        return last

    def _decide(self, count: int) -> Complex:
        """Return the next ``count`` frames, clean, and keep the context of those that follow."""
        end = self._first + count
        heard = self._window[0, : self._filled]
        parts = np.ascontiguousarray(heard).view(np.float32).reshape(len(heard), self._bins, 2)
        clean = self._session.run(None, {self._source.name: parts.transpose(1, 0, 2)[None]})[0][0]
        clean = self._finite(np.ascontiguousarray(clean[:, self._first : end].transpose(1, 0, 2)))
        gone = max(0, end - self._before)
        self._window[:, : self._filled - gone] = self._window[:, gone : self._filled].copy()
        self._filled -= gone
        self._first = end - gone
        return clean.view(np.complex64)[None, :, :, 0]
