"""A whole run: the plan's jobs through the pool, every outcome into the log, and the sums of them."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice

from cleanaudio.batch.leftovers import Leftovers
from cleanaudio.batch.lock import FolderLock
from cleanaudio.batch.outcome import Done, Failed, Job, Outcome, Skipped
from cleanaudio.batch.pool import Work, run_here, run_jobs
from cleanaudio.batch.rows import RowWriter
from cleanaudio.batch.source import NothingFound
from cleanaudio.batch.stop import Stop, Stopped


@dataclass
class Summary:
    """What a run came to.

    Attributes
    ----------
    done, skipped, failed : int
        Files.
    rejected : int
        Of those done, how many failed the gate.
    empty : int
        Folders, patterns and lists in which there was nothing.
    seconds : float
        Audio that was cleaned.
    elapsed_s : float
        Wall time of the run.
    signal : int or None
        What stopped it.
    """

    done: int = 0
    skipped: int = 0
    failed: int = 0
    rejected: int = 0
    empty: int = 0
    seconds: float = 0.0
    elapsed_s: float = 0.0
    signal: int | None = None

    @property
    def total(self) -> int:
        """Files that were planned."""
        return self.done + self.skipped + self.failed

    def add(self, outcome: Outcome) -> None:
        """Count one outcome."""
        if isinstance(outcome, Done):
            self.done += 1
            self.rejected += outcome.rejected
            self.seconds += float(outcome.fields.get("seconds") or 0.0)
        elif isinstance(outcome, Skipped):
            self.skipped += 1
        elif isinstance(outcome.error, NothingFound):
            self.empty += 1
        else:
            self.failed += 1


def run(
    plan: Iterable[Job | Skipped | Failed],
    work: Callable[[int], Work],
    workers: int,
    rows: RowWriter | None,
    on_outcome: Callable[[Outcome], None],
    on_progress: Callable[[Summary], None] | None = None,
    in_order: bool = False,
    lock: FolderLock | None = None,
) -> Summary:
    """Run a plan.

    Parameters
    ----------
    plan : iterable of Job, Skipped or Failed
        Taken lazily.
    work : callable
        Given the threads that one job may use, returns what does it; the result must be picklable.
    workers : int
        Processes. One file alone is done in this process, with as many threads.
    rows : RowWriter or None
        Where each outcome is logged as it comes.
    on_outcome : callable
        Told of each outcome after it is logged.
    on_progress : callable, optional
        Told of the sums after each outcome, as it comes.
    in_order : bool
        Log and tell of outcomes in the order of the plan; what comes early waits.
    lock : FolderLock, optional
        Of the output folder: notes which outputs are begun and not in the log yet.
    """
    summary, started = Summary(), time.monotonic()
    early: dict[int, Outcome] = {}
    due = 0

    def tell(outcome: Outcome) -> None:
        if rows is not None:
            rows.write(outcome)
        if lock is not None:
            lock.end(outcome.job.output)
        on_outcome(outcome)

    def settle(outcome: Outcome) -> None:
        nonlocal due
        summary.add(outcome)
        summary.elapsed_s = time.monotonic() - started
        if on_progress is not None:
            on_progress(summary)
        if not in_order:
            tell(outcome)
            return
        early[outcome.job.number] = outcome
        while due in early:
            tell(early.pop(due))
            due += 1

    earlier = Leftovers()  # of killed runs

    def jobs(stop: Stop) -> Iterator[Job]:
        steps = iter(plan)
        while True:
            try:
                with stop.breaking():  # the next step may wait for a name on stdin
                    step = next(steps, None)
            except Stopped:
                return
            if step is None:
                return
            if isinstance(step, Job):
                earlier.remove(step)
                if lock is not None:
                    lock.begin(step.output)
                yield step
            else:
                settle(step)

    with Stop().listening() as stop:
        todo = jobs(stop)
        first = list(islice(todo, 2))
        if len(first) < 2:
            if workers > 1:
                _share_heap()
            outcomes = run_here(first, work(workers), stop)
        else:
            outcomes = run_jobs(chain(first, todo), work(1), workers, stop)
        for outcome in outcomes:
            settle(outcome)
        for number in sorted(early):  # the run was stopped before those that they waited for
            tell(early[number])
        summary.signal = stop.signal
    summary.elapsed_s = time.monotonic() - started
    return summary


_M_ARENA_MAX = -8


def _share_heap() -> None:
    """Have the threads of this process share one heap, with glibc: each would keep what it freed in one of its own."""
    with suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
