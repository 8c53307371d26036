"""A plan's jobs over worker processes: each outcome as it comes, one job in flight a worker, whoever is killed.

A worker that dies (out of memory, SIGKILL, a crash inside a codec) costs its file one retry and then one failed
outcome; the others go on. When the run is stopped the workers are told to end, which removes their temporaries;
what a killed one left is removed here.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from socket import socket

from cleanaudio.batch.leftovers import Leftovers
from cleanaudio.batch.outcome import Failed, Job, Outcome, Skipped, Step
from cleanaudio.batch.steps import Steps
from cleanaudio.batch.stop import Stop, Stopped
from cleanaudio.batch.worker import Work, Worker, unexpected
from cleanaudio.errors import CleanAudioError

Begin = Callable[[Job], None]

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_ATTEMPTS = 2
_LISTEN_S = 0.2
_PATIENCE_S = 0.5
"""So long a file waits for the plan to say whether it is alone; a plan that knows says so at once."""


class WorkerLost(CleanAudioError):
    """The process that worked on a file ended without a word, twice."""


class Interrupted(CleanAudioError):
    """The run was stopped while a file was being worked on."""


def run_plan(
    plan: Iterable[Step],
    work: Callable[[int], Work],
    workers: int,
    stop: Stop,
    begin: Begin = lambda job: None,
) -> Generator[Outcome, None, None]:
    """Run the jobs of a plan and yield each outcome as it comes, those that the plan knows already among them.

    Parameters
    ----------
    plan : iterable of Job, Skipped or Failed
        Taken lazily: a step at a time, when a worker has nothing to do.
    work : callable
        Given the threads that one job may use, returns what does it; the result must be picklable.
    workers : int
        Number of processes; they are started as jobs come. One file alone is done in this process, with as many
        threads, if the plan is quick to say that it is alone.
    stop : Stop
        Once it has a signal the jobs in flight come out as failed, and nothing more is begun.
    begin : callable
        Called with each job before it is begun.
    """
    with Steps(plan) as steps:
        while isinstance(step := steps.here(stop), Skipped | Failed):
            yield step
        if step is None:
            return
        first = [step]
        give_up_s = time.monotonic() + _PATIENCE_S
        while len(first) == 1 and not steps.ended and steps.within(max(0.0, give_up_s - time.monotonic())):
            step = steps.take()
            if isinstance(step, Job):
                first.append(step)
            elif step is not None:
                yield step
        if steps.ended and len(first) == 1:
            if workers > 1:
                _share_heap()
            yield from run_here(first, work(workers), stop, begin)
        else:
            yield from run_jobs(steps, work(1), workers, stop, begin, first)


def run_jobs(
    steps: Steps,
    work: Work,
    workers: int,
    stop: Stop,
    begin: Begin = lambda job: None,
    first: Iterable[Job] = (),
) -> Iterator[Outcome]:
    """Run jobs in worker processes, however few they are: `first` these, then those of the steps.

    The rest is as in :func:`run_plan`.
    """
    todo = deque((job, 1) for job in first)  # and the number of the attempt
    idle: list[Worker] = []
    busy: list[Worker] = []
    with _one_thread_each():
        try:
            while not stop.signal:
                while todo and len(busy) < workers:
                    job, attempt = todo.popleft()
                    if attempt == 1:
                        begin(job)
                    worker = idle.pop() if idle else Worker(work)
                    worker.give(job, attempt)
                    busy.append(worker)
                awaited: list[Connection | socket] = [worker.pipe for worker in busy]
                if len(busy) < workers and not steps.ended:
                    steps.ask()
                    awaited.append(steps.pipe)
                if not awaited:
                    break
                ready = wait(awaited, timeout=_LISTEN_S)
                if steps.pipe in ready:
                    step = steps.take()
                    if isinstance(step, Job):
                        todo.append((step, 1))
                    elif step is not None:
                        yield step
                for worker in [worker for worker in busy if worker.pipe in ready]:
                    done, attempt, outcome = worker.job, worker.attempt, worker.take()
                    assert done is not None
                    busy.remove(worker)
                    if outcome is not None:
                        idle.append(worker)
                    else:
                        worker.ended()
                        Leftovers().remove(done)
                        if attempt < _ATTEMPTS:
                            todo.append((done, attempt + 1))
                            continue
                    yield outcome or Failed(done, _lost(done))
        finally:
            stopped = _end(idle, busy)
    yield from stopped
    for job, _ in todo:
        yield Failed(job, _interrupted(job))


def run_here(jobs: Iterable[Job], work: Work, stop: Stop, begin: Begin = lambda job: None) -> Iterator[Outcome]:
    """Run jobs one after the other in this process: no start-up to pay for, all cores for one file."""
    for job in jobs:
        begin(job)
        try:
            with stop.breaking():
                outcome = work(job)
        except Stopped:
            Leftovers().remove(job)  # the signal may have come between a file's making and its being known
            yield Failed(job, _interrupted(job))
            return
        except Exception as error:
            outcome = Failed(job, unexpected(job, error))
        yield outcome


def _end(idle: list[Worker], busy: list[Worker]) -> list[Outcome]:
    """End all workers and return what became of the jobs that they were at."""
    for worker in (*idle, *busy):
        worker.tell_to_end()
    for worker in idle:
        worker.ended()
    outcomes: list[Outcome] = []
    for worker in busy:
        job = worker.job
        assert job is not None
        outcome = worker.ended()
        if outcome is None:
            Leftovers().remove(job)
            outcome = Failed(job, _interrupted(job))
        outcomes.append(outcome)
    return outcomes


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Have the processes that are started inside the block use one thread each in BLAS and its like."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _lost(job: Job) -> WorkerLost:
    return WorkerLost(
        "the process that worked on it was killed, twice",
        path=job.label,
        remedy="it may have run out of memory; try fewer --jobs",
    )


def _interrupted(job: Job) -> Interrupted:
    return Interrupted("the run was stopped before this file was done", path=job.label)


_M_ARENA_MAX = -8


def _share_heap() -> None:
    """Have the threads of this process share one heap, with glibc: each would keep what it freed in one of its own."""
    with suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
