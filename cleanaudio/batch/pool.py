"""Jobs over worker processes: in order of completion, one in flight a worker, and alive when a worker is killed.

A worker that dies (out of memory, SIGKILL, a crash inside a codec) costs its file one retry and then one failed
outcome; the others go on. When the run is stopped the workers are told to end, which removes their temporaries;
what a killed one left is removed here.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait

from cleanaudio.batch.leftovers import Leftovers
from cleanaudio.batch.outcome import Failed, Job, Outcome
from cleanaudio.batch.stop import Stop, Stopped
from cleanaudio.batch.worker import Work, Worker, unexpected
from cleanaudio.errors import CleanAudioError

__all__ = ["Interrupted", "Work", "WorkerLost", "run_here", "run_jobs"]

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_TRIES = 2
_LISTEN_S = 0.2


class WorkerLost(CleanAudioError):
    """The process that worked on a file ended without a word, twice."""


class Interrupted(CleanAudioError):
    """The run was stopped while a file was being worked on."""


def run_jobs(jobs: Iterable[Job], work: Work, workers: int, stop: Stop) -> Iterator[Outcome]:
    """Run every job in worker processes and yield its outcome as it comes.

    Parameters
    ----------
    jobs : iterable of Job
        Taken lazily, one for each idle worker.
    work : callable
        Picklable; runs in the workers.
    workers : int
        Number of processes; they are started as jobs come.
    stop : Stop
        Once it has a signal the jobs in flight come out as failed, and nothing more is begun.
    """
    jobs = iter(jobs)
    again: deque[tuple[Job, int]] = deque()
    idle: list[Worker] = []
    busy: list[Worker] = []
    with _one_thread_each():
        try:
            while not stop.signal:
                while len(busy) < workers:
                    job, tries = again.popleft() if again else (next(jobs, None), 1)
                    if job is None:
                        break
                    worker = idle.pop() if idle else Worker(work)
                    worker.give(job, tries)
                    busy.append(worker)
                if not busy:
                    break
                ready = wait([worker.pipe for worker in busy], timeout=_LISTEN_S)
                for worker in [worker for worker in busy if worker.pipe in ready]:
                    job, tries, outcome = worker.job, worker.tries, worker.take()
                    assert job is not None
                    busy.remove(worker)
                    if outcome is not None:
                        idle.append(worker)
                    else:
                        worker.ended()
                        Leftovers().remove(job)
                        if tries < _TRIES:
                            again.append((job, tries + 1))
                            continue
                    yield outcome or Failed(job, _lost(job))
        finally:
            stopped = _end(idle, busy)
    yield from stopped
    for job, _ in again:
        yield Failed(job, _interrupted(job))


def run_here(jobs: Iterable[Job], work: Work, stop: Stop) -> Iterator[Outcome]:
    """Run the jobs one after the other in this process: no start-up to pay for, all cores for one file."""
    for job in jobs:
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
