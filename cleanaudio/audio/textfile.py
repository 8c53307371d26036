"""Text files that are there as a whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from cleanaudio.errors import OutputError


def write_text(path: str | os.PathLike[str], text: str, remedy: str) -> None:
    """Write a text beside its name, then move it in place; into pipes and devices as it is.

    Parameters
    ----------
    path : path-like
    text : str
    remedy : str
        What to do where it cannot be written.

    Raises
    ------
    OutputError
        It cannot be written; an older file of this name is intact.
    """
    target = Path(path)
    beside = target.is_file() or not target.exists()
    written = target.with_name(f".{target.name[:100]}.{os.getpid()}.part") if beside else target
    try:
        written.write_text(text, encoding="utf-8")
        if beside:
            os.replace(written, target)
    except OSError as error:
        raise OutputError(f"cannot be written: {error.strerror or error}", path=path, remedy=remedy) from error
    finally:
        if beside:
            written.unlink(missing_ok=True)
