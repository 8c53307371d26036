"""One worker process and its pipe.

Each worker has a pipe of its own and shares no lock with the others, so whatever kills it, and whenever, the only job
that can be lost is the one it was given.
"""

from __future__ import annotations

import os
import signal
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection

from cleanaudio.batch.outcome import Failed, Job, Outcome
from cleanaudio.batch.stop import Stop, Stopped
from cleanaudio.errors import CleanAudioError, lack

Work = Callable[[Job], Outcome]

_SPAWN = get_context("spawn")  # a forked process would keep the folder's lock
_ENDS_WITHIN_S = 10.0


class Worker:
    """A process that does one job at a time.

    Parameters
    ----------
    work : callable
        Picklable; what is done with a job.

    Attributes
    ----------
    pipe : Connection
        Readable once the job is done or the process has died.
    job : Job or None
        What it is working on.
    attempt : int
        Which one at that job this is, from 1.
    """

    def __init__(self, work: Work) -> None:
        self.job: Job | None = None
        self.attempt = 0
        self.pipe, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_serve, args=(work, theirs), daemon=True)
        self._process.start()
        theirs.close()  # so that its death is the end of the pipe

    def give(self, job: Job, attempt: int) -> None:
        """Let it begin a job."""
        self.job, self.attempt = job, attempt
        with suppress(OSError):  # it has died: take() will tell
            self.pipe.send(job)

    def take(self) -> Outcome | None:
        """Wait for what became of the job; None where the process has died over it."""
        job, self.job = self.job, None
        assert job is not None
        try:
            outcome, trace = self.pipe.recv()
        except (EOFError, OSError):
            return None
        except Exception as error:  # an outcome that cannot be unpickled
            return Failed(job, unexpected(job, error))
        if trace is not None and isinstance(outcome, Failed):
            outcome.error.__cause__ = _ThereError(trace)
        return outcome

    def tell_to_end(self) -> None:
        """Tell it to end, in the middle of its job if it has one: temporaries are removed on the way out."""
        self._process.terminate()

    def ended(self) -> Outcome | None:
        """Wait until it has ended, with force if need be; return what it had already done."""
        self._process.join(_ENDS_WITHIN_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        outcome = self.take() if self.job is not None and self.pipe.poll() else None
        self.pipe.close()
        return outcome


class _ThereError(Exception):
    """The traceback of an error in another process, as text: tracebacks cannot be pickled."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def unexpected(job: Job, error: Exception) -> CleanAudioError:
    """Return an unforeseen exception as the error of a job."""
    failure = lack(error, job.label) or CleanAudioError(
        f"{type(error).__name__}: {error}", path=job.label, remedy="this is a bug; --debug shows where"
    )
    failure.__cause__ = error
    return failure


def _serve(work: Work, pipe: Connection) -> None:
    """Do jobs until the other side closes the pipe or tells this process to end."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the terminal sends it to all; the parent decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with Stop((signal.SIGTERM,)).listening() as stop, suppress(Stopped, EOFError, OSError):
        while True:
            with stop.breaking():
                job = pipe.recv()
            _reply(pipe, job, _outcome(work, job, stop))


def _end_with_parent() -> None:
    """End in the middle of a job if the parent is killed: nothing would be logged of it."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _outcome(work: Work, job: Job, stop: Stop) -> Outcome:
    try:
        with stop.breaking():  # unwinds the writers, which remove their temporaries
            return work(job)
    except Exception as error:
        return Failed(job, error if isinstance(error, CleanAudioError) else unexpected(job, error))


def _reply(pipe: Connection, job: Job, outcome: Outcome) -> None:
    cause = outcome.error.__cause__ if isinstance(outcome, Failed) else None
    trace = None if cause is None else "".join(traceback.format_exception(cause))
    try:
        pipe.send((outcome, trace))
    except OSError:  # the parent is gone
        raise
    except Exception as error:  # an outcome that cannot be pickled
        pipe.send((Failed(job, unexpected(job, error)), traceback.format_exc()))
