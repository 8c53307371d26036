"""A whole run: the plan's jobs through the pool, every outcome into the log, and the totals."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field

from cleanaudio.batch.leftovers import Leftovers
from cleanaudio.batch.lock import FolderLock
from cleanaudio.batch.outcome import Done, Job, Outcome, Skipped, Step
from cleanaudio.batch.pool import run_plan
from cleanaudio.batch.rows import RowWriter
from cleanaudio.batch.source import NothingFound
from cleanaudio.batch.stop import Stop
from cleanaudio.batch.worker import Work


@dataclass
class Summary:
    """What a run came to.

    Attributes
    ----------
    done, skipped, failed : int
        Files.
    rejected : int
        Of those done, how many failed the gate.
    anew : Counter of str
        Of those done, how many took the place of an earlier output, by reason.
    rejected_earlier : int
        Of those skipped, how many failed the gate in an earlier run.
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
    anew: Counter[str] = field(default_factory=Counter)
    rejected_earlier: int = 0
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
            self.anew.update([outcome.job.anew] * bool(outcome.job.anew))
            self.seconds += float(outcome.fields.get("seconds") or 0.0)
        elif isinstance(outcome, Skipped):
            self.skipped += 1
            self.rejected_earlier += outcome.rejected
        elif isinstance(outcome.error, NothingFound):
            self.empty += 1
        else:
            self.failed += 1


class _Ledger:
    """Where outcomes go: into the run's totals at once, and into the log, in the order of the plan if need be."""

    def __init__(
        self,
        rows: RowWriter | None,
        on_outcome: Callable[[Outcome], None],
        on_progress: Callable[[Summary], None] | None,
        in_order: bool,
        lock: FolderLock | None,
    ) -> None:
        self._summary = Summary()
        self._rows, self._on_outcome, self._on_progress, self._lock = rows, on_outcome, on_progress, lock
        self._in_order = in_order
        self._early: dict[int, Outcome] = {}
        self._due = 0
        self._leftovers = Leftovers()  # of killed runs
        self._started = time.monotonic()

    def begin(self, job: Job) -> None:
        """Note that a job is about to begin."""
        self._leftovers.remove(job)
        if self._lock is not None:
            self._lock.begin(job.output)

    def add(self, outcome: Outcome) -> None:
        """Count an outcome, and log it and those that waited for it."""
        self._summary.add(outcome)
        self._stop_the_clock()
        if self._on_progress is not None:
            self._on_progress(self._summary)
        if not self._in_order:
            self._log(outcome)
            return
        self._early[outcome.job.number] = outcome
        while self._due in self._early:
            self._log(self._early.pop(self._due))
            self._due += 1

    def end(self, signal: int | None) -> Summary:
        """Log what still waits for outcomes that do not come, since the run was stopped; return the totals."""
        for number in sorted(self._early):
            self._log(self._early[number])
        self._stop_the_clock()
        self._summary.signal = signal
        return self._summary

    def _log(self, outcome: Outcome) -> None:
        if self._rows is not None:
            self._rows.write(outcome)
        if self._lock is not None:
            (self._lock.end if isinstance(outcome, Done) else self._lock.give_up)(outcome.job.output)
        self._on_outcome(outcome)

    def _stop_the_clock(self) -> None:
        self._summary.elapsed_s = time.monotonic() - self._started


def run(
    plan: Iterable[Step],
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
        Processes. One file alone is done in this process, with as many threads: see
        :func:`cleanaudio.batch.pool.run_plan`.
    rows : RowWriter or None
        Where each outcome is logged as it comes.
    on_outcome : callable
        Called with each outcome after it is logged.
    on_progress : callable, optional
        Called with the totals after each outcome, as it comes.
    in_order : bool
        Log outcomes, and call `on_outcome`, in the order of the plan: one that comes early waits for those before it.
    lock : FolderLock, optional
        Of the output folder: notes which outputs are begun and not in the log yet.
    """
    ledger = _Ledger(rows, on_outcome, on_progress, in_order, lock)
    with Stop().listening() as stop, closing(run_plan(plan, work, workers, stop, ledger.begin)) as outcomes:
        for outcome in outcomes:
            ledger.add(outcome)
        return ledger.end(stop.signal)
