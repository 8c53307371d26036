"""Audio from a pipe, kept in a temporary file so that it can be read twice and sought in."""

from __future__ import annotations

import os
import tempfile
from os import PathLike
from pathlib import Path
from typing import BinaryIO

from cleanaudio.audio.sniff import suffix_of
from cleanaudio.errors import InputError, OutputError

_PIECE = 1 << 20


def spool(stream: BinaryIO, folder: str | PathLike[str] | None = None) -> Path:
    """Copy a stream to a new temporary file and return its name; the caller removes it.

    The name gets the suffix that fits the first bytes, ``.mp3`` for bare MPEG frames, else ``.spool``. The header
    stays as it came: :func:`cleanaudio.audio.files.open_reader` knows those of pipes.

    Parameters
    ----------
    stream : binary file
        Read to its end.
    folder : str or PathLike, optional
        Where; default is the system's folder for temporary files.

    Raises
    ------
    InputError
        The stream is empty or breaks off with an error.
    OutputError
        There is no space for it.
    """
    first = _read(stream)
    if not first:
        raise InputError("no data", path="-", remedy="pipe a recording into standard input")
    name = ""
    try:
        suffix = suffix_of(first) or ".spool"
        descriptor, name = tempfile.mkstemp(prefix="cleanaudio-", suffix=suffix, dir=folder)
        with os.fdopen(descriptor, "wb") as target:
            piece = first
            while piece:
                target.write(piece)
                piece = _read(stream)
    except BaseException as error:
        if name:
            Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OutputError(
                f"cannot keep the input: {error.strerror or error}",
                path=folder or tempfile.gettempdir(),
                remedy="free some space or set TMPDIR to another folder",
            ) from error
        raise
    return Path(name)


def _read(stream: BinaryIO) -> bytes:
    try:
        return stream.read(_PIECE) or b""
    except OSError as error:
        raise InputError(f"breaks off: {error.strerror or error}", path="-", remedy="run the pipe again") from error
