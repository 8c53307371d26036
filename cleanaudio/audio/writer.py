"""Writing results: under a temporary name beside the target, moved in place when they are whole."""

from __future__ import annotations

import contextlib
import os
import stat
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from cleanaudio.audio.choices import ClipMode
from cleanaudio.audio.encoder import Encoder
from cleanaudio.audio.formats import OutputFormat
from cleanaudio.audio.metadata.tags import Tags
from cleanaudio.audio.temporary import new_temporary
from cleanaudio.errors import OutputError


class AtomicWriter(Encoder):
    """A result on its way to its final name, a context manager.

    Leaving the block without an exception moves the file in place; any exception, KeyboardInterrupt too, removes it.
    Its permissions are those of the umask.

    Parameters
    ----------
    path : str or PathLike
        Final name; its folder is made.
    rate, channels : int
    output_format : OutputFormat
    tags : Tags, optional
        Carried over, see :func:`cleanaudio.audio.metadata.tags.read_tags`.
    frames : int, optional
        How many are going to be written, if known; decides between WAV and RF64.
    clip_mode : {"limit", "rescale", "clamp"}
        What happens to peaks above full scale in a format that has no room for them: a limiter with look-ahead, or
        clamping; ``rescale`` leaves it to the caller to scale everything so that there are none.
    dither_seed : int, optional
        Seed of the TPDF dither of integer formats; None rounds without dither.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        The target exists and may not be replaced, or cannot be written.

    Attributes
    ----------
    path : Path
        May be changed as long as the block is not left.
    frames : int
        Frames taken so far.
    clipped : int
        Samples above full scale that were limited or clamped so far; always 0 in floating point.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        rate: int,
        channels: int,
        output_format: OutputFormat,
        *,
        tags: Tags | None = None,
        frames: int | None = None,
        clip_mode: ClipMode = "limit",
        dither_seed: int | None = None,
        overwrite: bool = False,
    ) -> None:
        self.path = Path(path)
        super().__init__(str(self.path), rate, channels, output_format, tags, frames, clip_mode, dither_seed)
        self._overwrite, self._whole = overwrite, False
        self._temporaries: list[Path] = []
        self._file: BinaryIO

    def __enter__(self) -> AtomicWriter:
        try:
            self._check_target()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._create()
            self._sink = self._open_sink(self._file)
        except OSError as error:
            self._remove()
            raise self._failed(error) from error
        except BaseException:
            self._remove()
            raise
        return self

    def finish(self) -> Path:
        """Complete the file, unless that is done; only its name is still to come.

        Returns
        -------
        Path
            Where it is until then.

        Raises
        ------
        OutputError
        """
        if not self._whole:
            try:
                self._finish()
                self._file = self._describe(self._file, self._create)
                self._file.close()
            except OSError as error:
                raise self._failed(error) from error
            self._whole = True
        return self._temporaries[-1]

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self._commit(self.finish())
        except OSError as failure:
            raise self._failed(failure) from failure
        finally:
            self._remove()

    def _check_target(self) -> None:
        try:
            mode = os.stat(self.path).st_mode
        except FileNotFoundError:
            return
        if stat.S_ISDIR(mode):
            raise OutputError("is a folder", path=self.path, remedy="choose the name of a file")
        if not stat.S_ISREG(mode):
            raise OutputError("is not a regular file", path=self.path, remedy="use -o - for a pipe")
        if not self._overwrite:
            raise self._exists()

    def _exists(self) -> OutputError:
        return OutputError("exists already", path=self.path, remedy="use --overwrite or another folder")

    def _create(self) -> BinaryIO:
        """Open a new temporary file in the target's folder."""
        temporary = new_temporary(self.path)
        self._temporaries.append(temporary)  # before it is there, so that no signal finds it unknown
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        return os.fdopen(descriptor, "w+b", buffering=1 << 18)

    def _commit(self, temporary: Path) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self._overwrite:
            try:
                os.link(temporary, self.path)  # unlike a rename, fails if the name has been taken meanwhile
                return
            except FileExistsError:
                raise self._exists() from None
            except OSError:  # a file system without hard links
                if os.path.lexists(self.path):
                    raise self._exists() from None
        os.replace(temporary, self.path)

    def _remove(self) -> None:
        self._abort()
        if hasattr(self, "_file") and not self._file.closed:
            _discard(self._file)
        for temporary in self._temporaries:
            temporary.unlink(missing_ok=True)


def _discard(file: BinaryIO) -> None:
    """Close a file that is given up: that the rest of its buffer cannot be written is no news."""
    with contextlib.suppress(OSError):
        file.close()
