"""Audio from a pipe, kept in a temporary file so that it can be read twice and sought in."""

from __future__ import annotations

import os
import shutil
import tempfile
from os import PathLike
from pathlib import Path
from typing import BinaryIO

from cleanaudio.errors import InputError, OutputError


def spool(stream: BinaryIO, folder: str | PathLike[str] | None = None) -> Path:
    """Copy a stream to a new temporary file and return its name; the caller removes it.

    Raises
    ------
    InputError
        The stream is empty or breaks off with an error.
    OutputError
        There is no space for it.
    """
    descriptor, name = tempfile.mkstemp(prefix="cleanaudio-", suffix=".spool", dir=folder)
    path = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as target:
            shutil.copyfileobj(stream, target, 1 << 20)
        if not path.stat().st_size:
            raise InputError("no data", path="-", remedy="pipe a recording into standard input")
    except OSError as error:
        path.unlink(missing_ok=True)
        reason = error.strerror or str(error)
        raise OutputError(f"cannot keep the input: {reason}", path=name, remedy="free space or set TMPDIR") from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path
