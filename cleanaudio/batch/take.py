"""The stretch of a recording that is being cleaned."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.files import Reader
from cleanaudio.errors import DamagedError, InputError

Audio = NDArray[np.float32]

Stretch = tuple[float, float | None]
"""Start and end in seconds; None is the end of the recording."""

BLOCK_S = 2.0


@dataclass
class Take:
    """A stretch of an open recording, which can be walked more than once.

    Parameters
    ----------
    reader : Reader
    stretch : (float, float or None), optional
        Seconds; default: all of it.
    option : str
        That chooses the stretch, for hints in errors; empty where there is none.

    Attributes
    ----------
    start, frames : int
        Where it begins and how long it is.

    Raises
    ------
    InputError
        The stretch lies outside the recording.
    """

    reader: Reader
    stretch: Stretch | None = None
    option: str = ""

    def __post_init__(self) -> None:
        rate, frames = self.reader.info.rate, self.reader.info.frames
        start, end = self.stretch or (0.0, None)
        self.start = min(round(start * rate), frames)
        self.frames = (frames if end is None else min(round(end * rate), frames)) - self.start
        if self.stretch is not None and self.frames <= 0:
            raise InputError(
                f"the stretch from {start:g} s lies outside the recording of {frames / rate:.3f} s",
                remedy="choose a stretch inside it",
            )

    def blocks(self) -> Iterator[Audio]:
        """Walk the stretch from its beginning, in blocks of (channels, n); ``reader.repaired`` counts from 0 again."""
        self.reader.repaired = 0
        yield from self._blocks(0, self.frames)

    def read(self, start: int, frames: int) -> Audio:
        """Return a piece of it, (channels, frames); not counted in ``reader.repaired``."""
        counted = self.reader.repaired
        nothing = np.zeros((self.reader.info.channels, 0), np.float32)
        piece = np.concatenate([nothing, *self._blocks(start, frames)], axis=1)
        self.reader.repaired = counted
        return piece

    def _blocks(self, start: int, frames: int) -> Iterator[Audio]:
        at, end = self.start + start, self.start + start + frames
        self.reader.seek(at)
        while at < end:
            try:
                block = self.reader.read(min(end - at, math.ceil(BLOCK_S * self.reader.info.rate)))
            except DamagedError as error:
                if self.option and error.seconds >= 1:
                    error.remedy += f"; {self.option} 0-{int(error.seconds)} cleans what comes before"
                raise
            at += block.shape[1]
            yield block
