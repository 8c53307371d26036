"""Writing results: under a temporary name beside the target, moved in place when they are whole."""

from __future__ import annotations

import os
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

import soundfile

from cleanaudio.audio.formats import OutputFormat, output_format
from cleanaudio.errors import OutputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Audio = NDArray[np.float32]

__all__ = ["AtomicWriter", "ClipMode", "OutputFormat", "output_format"]

ClipMode = Literal["limit", "rescale", "clamp"]


class AtomicWriter:
    """A result on its way to its final name, a context manager.

    Leaving the block without an exception moves the file in place; any exception, KeyboardInterrupt too, removes it.

    Parameters
    ----------
    path : str or PathLike
        Final name; its folder is made.
    rate, channels : int
    output_format : OutputFormat
    tags : Tags, optional
        Carried over, see :func:`cleanaudio.audio.tags.read_tags`.
    frames : int, optional
        How many are going to be written, if known; decides between WAV and RF64.
    clip_mode : {"limit", "rescale", "clamp"}
        What happens to peaks above full scale in a format that has no room for them.
    scale : float
        Gain of ``rescale``, found by a first pass.
    dither_seed : int, optional
        Seed of the TPDF dither of integer formats; None rounds without dither.
    overwrite : bool
        Whether an existing file may be replaced.
    fsync : bool
        Whether the data are forced to the disk before the file gets its name.

    Attributes
    ----------
    frames : int
        Frames taken so far.
    clipped : int
        Samples above full scale that were limited or clamped so far.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        rate: int,
        channels: int,
        output_format: OutputFormat,
        *,
        tags: Any = None,
        frames: int | None = None,
        clip_mode: ClipMode = "limit",
        scale: float = 1.0,
        dither_seed: int | None = None,
        overwrite: bool = False,
        fsync: bool = False,
    ) -> None:
        self.path = Path(path)
        self.frames = 0
        self.clipped = 0
        self._rate, self._channels, self._format = rate, channels, output_format
        self._overwrite = overwrite
        self._temporary = self.path.with_name(f".{self.path.name}.{os.urandom(4).hex()}.part")

    def __enter__(self) -> AtomicWriter:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = soundfile.SoundFile(
            os.fsencode(self._temporary),
            "x",
            self._rate,
            self._channels,
            subtype=self._format.subtype,
            format=self._format.format,
        )
        return self

    def write(self, block: Audio) -> None:
        """Take the next frames, (channels, n)."""
        self.frames += block.shape[1]
        self._file.write(block.T)

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()
        if kind is not None:
            self._temporary.unlink(missing_ok=True)
            return
        if not self._overwrite and self.path.exists():
            self._temporary.unlink()
            raise OutputError("exists already", path=self.path, remedy="use --overwrite or another folder")
        os.replace(self._temporary, self.path)
