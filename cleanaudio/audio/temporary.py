"""Files that are there as a whole or not at all: the names of their unfinished forms, and texts written so."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cleanaudio.errors import ResultLost

_LONGEST_NAME = 255
_ENDING = len(".12345678.part")


def new_temporary(target: Path) -> Path:
    """Return a name beside a target for its unfinished form, which only a killed process leaves behind."""
    return target.with_name(f"{_beginning(target.name)}.{os.urandom(4).hex()}.part")


def temporaries(folder: Path) -> Callable[[str], list[Path]]:
    """Return what finds the unfinished forms of a target of this name among those that are in a folder now."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in folder.glob(".*.part"):
        found[path.name.rsplit(".", 2)[0]].append(path)
    return lambda name: found[_beginning(name)]


def _beginning(name: str) -> str:
    return "." + os.fsencode(name)[: _LONGEST_NAME - _ENDING - 1].decode(errors="ignore")


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a name beside a target: what is written there takes the target's place, unless the block breaks."""
    unfinished = new_temporary(target)
    try:
        yield unfinished
        os.replace(unfinished, target)
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str, remedy: str) -> None:
    """Write a text beside its name, then move it in place; into pipes and devices as it is.

    Parameters
    ----------
    path : path-like
    text : str
        Names in it that are no UTF-8 are written as the system has them.
    remedy : str
        What to do where it cannot be written.

    Raises
    ------
    ResultLost
        It cannot be written; an older file of this name is intact.
    """
    target = Path(path)
    try:
        if target.exists() and not target.is_file():
            target.write_text(text, encoding="utf-8", errors="surrogateescape")
        else:
            with replacing(target) as unfinished:
                unfinished.write_text(text, encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise ResultLost(f"cannot be written: {error.strerror or error}", path=path, remedy=remedy) from error
