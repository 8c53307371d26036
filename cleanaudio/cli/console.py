"""Where words go: data to stdout, everything else to stderr."""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from cleanaudio.errors import CleanAudioError, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_PIPED_WIDTH = 10_000
"""Columns of a table that goes into a pipe or file: nothing has to fit a window, and a path must stay in one piece."""


@cache
def stderr() -> Console:
    """Return the console for messages, tables and bars."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


@cache
def stdout() -> Console:
    """Return the console for tables that are the command's result."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else _PIPED_WIDTH)


def print_table(table: Table) -> None:
    """Print a table to stdout; in a pipe or file no line is padded to the widest cell."""
    console = stdout()
    if sys.stdout.isatty():
        console.print(table)
        return
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().rstrip("\n").split("\n"):
        print(line.rstrip())


def plain(text: str, style: str = "") -> Text:
    """Return a name or a figure for a table: on one line, and nothing in it is markup."""
    from rich.text import Text

    return Text(printable(text), style)


def say(text: str) -> None:
    """Write a line to stderr, whatever characters it holds; a closed stderr is no reason to fail."""
    text = printable(text)
    with suppress(OSError):
        print(text.encode(sys.stderr.encoding or "utf-8", "backslashreplace").decode(), file=sys.stderr, flush=True)


def complain(error: CleanAudioError) -> None:
    """Write an error to stderr, with ``--debug`` what caused it too."""
    say(f"cleanaudio: {error.describe()}")
    if _debug and error.__cause__ is not None:
        say_trace(error.__cause__)


def say_trace(error: BaseException) -> None:
    """Write the traceback of an error to stderr."""
    import traceback

    for line in "".join(traceback.format_exception(error)).splitlines():
        say(line)


_debug = False


def show_causes(wanted: bool) -> bool:
    """Say whether :func:`complain` shows tracebacks: the callback of ``--debug``."""
    global _debug
    _debug = wanted
    return wanted
