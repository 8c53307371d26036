"""The output of a processor, kept: what was cleaned for the guard or to find the level is not cleaned again."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.processor import Processor
from cleanaudio.errors import OutputError

Audio = NDArray[np.float32]


class Known:
    """A processor that gives an output that is known, in memory, for the blocks that it was made of.

    Parameters
    ----------
    output : ndarray, shape (channels, frames)
        What came out.
    latency : int
        Of what made it, in frames.
    """

    def __init__(self, output: Audio, latency: int) -> None:
        self._output, self.latency = output, latency
        self.reset()

    def reset(self) -> None:
        """Begin anew; the same blocks have to come again."""
        self._at = 0

    def process(self, block: Audio) -> Audio:
        """Take (channels, n), return (channels, n)."""
        begin, self._at = self._at, self._at + block.shape[1]
        return self._output[:, begin : self._at]

    def flush(self) -> Audio:
        """Return nothing: nothing is owed."""
        return self._output[:, :0]


class Replayed:
    """A processor whose output is kept on disk and, after a reset, comes from there; a context manager.

    Parameters
    ----------
    processor : Processor
    output : Path
        In its folder the file lies, nameless: four bytes a sample, for which the system's folder may have no room.

    Raises
    ------
    OutputError
        The file cannot be written.
    """

    def __init__(self, processor: Processor, output: Path) -> None:
        self._processor, self._output = processor, output
        self._whole = False
        self.latency = processor.latency

    def __enter__(self) -> Replayed:
        try:
            self._file = TemporaryFile(dir=self._output.parent)
        except OSError as error:
            raise self._failed(error) from error
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # what is still to be written has no room, and is not needed any more
            self._file.close()

    def reset(self) -> None:
        """Begin anew; the same blocks have to come again."""
        try:
            self._file.seek(0)
        except OSError as error:
            raise self._failed(error) from error
        if not self._whole:
            self._processor.reset()

    def process(self, block: Audio) -> Audio:
        """Take (channels, n), return (channels, m)."""
        return np.load(self._file) if self._whole else self._kept(self._processor.process(block))

    def flush(self) -> Audio:
        """Return the frames that are still owed."""
        if self._whole:
            return np.load(self._file)
        rest = self._kept(self._processor.flush())
        self._whole = True
        return rest

    def _kept(self, block: Audio) -> Audio:
        try:
            np.save(self._file, block)
        except OSError as error:
            raise self._failed(error) from error
        return block

    def _failed(self, error: OSError) -> OutputError:
        return OutputError(
            f"the copy from which its level is set cannot be written: {error.strerror}",
            path=self._output,
            remedy="check the folder and its disk: it takes four bytes a sample for a while",
        )
