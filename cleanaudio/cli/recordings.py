"""The recordings of a command that only listens: files, folders, lists, or the one on stdin."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from cleanaudio.audio.formats import AUDIO_SUFFIXES
from cleanaudio.batch.inputs import expand
from cleanaudio.batch.source import Problem, Source
from cleanaudio.cli.batching import spooled

Recordings = Callable[[], Iterator[Source | Problem]]
"""Walks them from the first one."""


def recordings(inputs: tuple[str, ...], recursive: bool, stack: ExitStack) -> Recordings:
    """Return what finds the recordings that the user named.

    Parameters
    ----------
    inputs : tuple of str
        As on the command line.
    recursive : bool
    stack : ExitStack
        Outlives their reading: what came on stdin is kept in a folder that goes with it.
    """
    if inputs == ("-",):
        room = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cleanaudio-")))
        return lambda: spooled(room)
    stdin = None if sys.stdin is None else sys.stdin.buffer
    return lambda: expand(inputs, recursive=recursive, suffixes=AUDIO_SUFFIXES, stdin=stdin)
