"""Jobs over worker processes: in order of completion, bounded in flight, and alive when a worker is killed.

A worker that dies (out of memory, SIGKILL, a crash inside a codec) costs its file one retry and then one failed
outcome; the others go on. When the run is stopped the workers are told to end, which removes their temporaries;
what a killed one left is removed here.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import contextmanager
from glob import escape
from multiprocessing import get_context

from cleanaudio.batch.outcome import Failed, Job, Outcome
from cleanaudio.batch.stop import Stop, Stopped
from cleanaudio.errors import CleanAudioError

Work = Callable[[Job], Outcome]

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
        Taken lazily, a few ahead of the workers.
    work : callable
        Picklable; runs in the workers.
    workers : int
        Number of processes.
    stop : Stop
        Once it has a signal the jobs in flight come out as failed, and nothing more is begun.
    """
    import pebble

    jobs, ended = iter(jobs), False
    flying: dict = {}  # future → (job, tries)
    with _one_thread_each():
        pool = pebble.ProcessPool(max_workers=workers, context=get_context("spawn"), initializer=_start_worker)
        try:
            while not stop.signal:
                while not ended and len(flying) < 2 * workers:
                    job = next(jobs, None)
                    ended = job is None
                    if job is not None:
                        flying[pool.schedule(work, args=[job])] = job, 1
                if not flying:
                    break
                for future in wait(flying, timeout=_LISTEN_S, return_when=FIRST_COMPLETED).done:
                    job, tries = flying.pop(future)
                    outcome = _outcome(future, job)
                    if outcome is None and tries < _TRIES:
                        flying[pool.schedule(work, args=[job])] = job, tries + 1
                    else:
                        yield outcome or Failed(job, _lost(job))
            if not stop.signal:
                pool.close()
        finally:
            if pool.active:
                pool.stop()
            pool.join()
    for job, _ in flying.values():
        _remove_leftovers(job)
        yield Failed(job, _interrupted(job))


def run_here(jobs: Iterable[Job], work: Work, stop: Stop) -> Iterator[Outcome]:
    """Run the jobs one after the other in this process: no start-up to pay for, all cores for one file."""
    for job in jobs:
        try:
            with stop.breaking():
                outcome = work(job)
        except Stopped:
            yield Failed(job, _interrupted(job))
            return
        except Exception as error:
            outcome = Failed(job, _unexpected(job, error))
        yield outcome


def _outcome(future, job: Job) -> Outcome | None:
    """Return what became of a job, or None where its worker was lost."""
    import pebble

    try:
        return future.result()
    except pebble.ProcessExpired:
        _remove_leftovers(job)
        return None
    except Exception as error:
        return Failed(job, error if isinstance(error, CleanAudioError) else _unexpected(job, error))


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


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to all; the parent decides
    signal.signal(signal.SIGTERM, _end)


def _end(*_: object) -> None:
    raise SystemExit(143)  # unwinds the writers, which remove their temporaries


def _lost(job: Job) -> WorkerLost:
    return WorkerLost(
        "the process that worked on it was killed, twice",
        path=job.label,
        remedy="it may have run out of memory; try fewer --jobs",
    )


def _interrupted(job: Job) -> Interrupted:
    return Interrupted("the run was stopped before this file was done", path=job.label)


def _unexpected(job: Job, error: Exception) -> CleanAudioError:
    failure = CleanAudioError(
        f"{type(error).__name__}: {error}", path=job.label, remedy="this is a bug; --debug shows where"
    )
    failure.__cause__ = error
    return failure


def _remove_leftovers(job: Job) -> None:
    """Remove the temporaries that a killed worker left beside its targets."""
    for target in filter(None, (job.output, job.residual)):
        for left in target.parent.glob(f".{escape(target.name)}.*.part"):
            left.unlink(missing_ok=True)
