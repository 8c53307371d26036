"""The progress bar: files, × real time, time left; on a terminal only."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from cleanaudio.cli.console import stderr

if TYPE_CHECKING:
    from cleanaudio.batch.run import Summary


class Progress:
    """A bar for a run whose number of files is counted while it is under way.

    Parameters
    ----------
    count : callable or None
        Counts the files; called in a thread of its own. None where they cannot be counted ahead.
    shown : bool
        Whether a bar is wanted, if there is a terminal.
    """

    def __init__(self, count: Callable[[], int] | None, shown: bool) -> None:
        self._count = count
        self._bar = None
        if shown and stderr().is_terminal:
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                MofNCompleteColumn(),
                BarColumn(),
                TextColumn("{task.fields[speed]}"),
                TimeRemainingColumn(),
                console=stderr(),
                transient=True,
            )
            self._task = self._bar.add_task("", total=None, speed="")

    def __enter__(self) -> Progress:
        if self._bar is not None:
            self._bar.start()
            if self._count is not None:
                threading.Thread(target=self._find_total, args=[self._count], daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _find_total(self, count: Callable[[], int]) -> None:
        assert self._bar is not None
        self._bar.update(self._task, total=count())

    def advance(self, summary: Summary) -> None:
        """Show the sums after one more file."""
        if self._bar is None:
            return
        speed = summary.seconds / max(summary.elapsed_s, 1e-9)
        self._bar.update(self._task, completed=summary.total, speed=f"{speed:.0f} × real time")


def counter(
    inputs: tuple[str, ...], found: Callable[[], Iterable[object]], manifest: Path | None = None
) -> Callable[[], int] | None:
    """Return what counts recordings ahead; None where something comes through a pipe, which can be read only once."""
    lists = [text[1:] for text in inputs if text.startswith("@")] + ([] if manifest is None else [str(manifest)])
    if "-" in inputs or not all(map(os.path.isfile, lists)):
        return None
    return lambda: sum(1 for _ in found())
