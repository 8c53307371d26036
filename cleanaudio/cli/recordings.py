"""The recordings of a command that only listens: files, folders, lists, or the one on stdin."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import filterfalse
from pathlib import Path

from cleanaudio.audio.formats import AUDIO_SUFFIXES
from cleanaudio.batch.inputs import expand
from cleanaudio.batch.source import Problem, Source, says_nothing_found
from cleanaudio.cli.batching import spooled

Recordings = Callable[[], Iterator[Source | Problem]]
"""Returns an iterator over the recordings, from the first one."""


def recordings(inputs: tuple[str, ...], recursive: bool, stack: ExitStack, allow_empty: bool = False) -> Recordings:
    """Return what finds the recordings that the user named.

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
        room = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cleanaudio-")))
        return lambda: spooled(room)
    stdin = None if sys.stdin is None else sys.stdin.buffer
    found = partial(expand, inputs, recursive=recursive, suffixes=AUDIO_SUFFIXES, stdin=stdin)
    return (lambda: filterfalse(says_nothing_found, found())) if allow_empty else found
