"""The recordings that the user named: files, folders, lists, or the one on stdin."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import filterfalse
from pathlib import Path

from cleanaudio.audio.formats import AUDIO_SUFFIXES
from cleanaudio.batch.inputs import expand
from cleanaudio.batch.source import Problem, Source, says_nothing_found
from cleanaudio.errors import CleanAudioError, InputError

Recordings = Callable[[], Iterator[Source | Problem]]
"""Returns an iterator over the recordings, from the first one."""


def find(
    inputs: Sequence[str],
    recursive: bool = False,
    *,
    exclude: tuple[Path, ...] = (),
    manifest: Path | None = None,
    again: bool = False,
) -> Iterator[Source | Problem]:
    """Find what the user named, on stdin too; see :func:`cleanaudio.batch.inputs.expand`."""
    return expand(
        inputs,
        recursive=recursive,
        suffixes=AUDIO_SUFFIXES,
        exclude=exclude,
        manifest=None if manifest is None else str(manifest),
        stdin=None if sys.stdin is None else sys.stdin.buffer,
        again=again,
    )


def temporary_folder(stack: ExitStack) -> Path:
    """Return a folder that goes when the command ends."""
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cleanaudio-")))


def spooled(room: Path) -> Iterator[Source | Problem]:
    """Keep the recording on stdin in a file in a folder, so that it can be read twice."""
    from cleanaudio.audio.spool import spool

    try:
        if sys.stdin is None:
            raise InputError("stdin is closed", path="-", remedy="pipe a recording into it")
        path = spool(sys.stdin.buffer, room)
    except CleanAudioError as error:
        yield Problem("-", error)
    else:
        path = path.rename(room / f"stdin{path.suffix}")
        yield Source(path, Path(path.name), "-")


def recordings(inputs: tuple[str, ...], recursive: bool, stack: ExitStack, allow_empty: bool = False) -> Recordings:
    """Return what finds the recordings of a command that only listens.

    Parameters
    ----------
    inputs : tuple of str
        As on the command line.
    recursive : bool
    stack : ExitStack
        Outlives their reading: what came on stdin is kept in a folder that goes with it.
    allow_empty : bool
        Whether nothing is said where nothing is found.
    """
    if inputs == ("-",):
        room = temporary_folder(stack)
        return lambda: spooled(room)
    found = partial(find, inputs, recursive)
    return (lambda: filterfalse(says_nothing_found, found())) if allow_empty else found
