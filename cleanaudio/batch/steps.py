"""The steps of a plan, asked for one at a time: the next may wait for a name that is yet to come through a pipe."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable
from contextlib import suppress
from multiprocessing.connection import wait
from types import TracebackType

from cleanaudio.batch.outcome import Step
from cleanaudio.batch.stop import Stop, Stopped


class Steps:
    """The steps of a plan, each made when it is asked for; a context manager.

    A step that is asked for is made in a thread, so that one can wait for it and for other things at once. Nothing is
    made ahead of being asked for, because a plan looks at files when it makes a step, and the job should begin soon
    after that.

    A thread that waits for a pipe cannot be interrupted. At the end it is left behind, and ends with the process.

    Parameters
    ----------
    plan : iterable of Job, Skipped or Failed
        Taken lazily.

    Attributes
    ----------
    pipe : socket
        Readable once the step that was asked for is there.
    ended : bool
        Whether the plan is known to have no further step.
    """

    def __init__(self, plan: Iterable[Step]) -> None:
        self._plan = iter(plan)
        self.ended = False
        self._asked = False
        self._step: Step | None = None
        self._error: BaseException | None = None
        self.pipe, self._theirs = socket.socketpair()

    def __enter__(self) -> Steps:
        threading.Thread(target=self._serve, name="plan", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pipe.close()  # which ends the thread, once it has made the step that it is at

    def here(self, stop: Stop) -> Step | None:
        """Make a step in the calling thread, while there is nothing else to wait for; None where there is none.

        Parameters
        ----------
        stop : Stop
            A signal breaks into the making, and there is no further step.
        """
        assert not self._asked
        step = None
        with suppress(Stopped), stop.breaking():
            step = next(self._plan, None)
        self.ended = step is None
        return step

    def ask(self) -> None:
        """Have the next step made, unless one is being made already."""
        if not self._asked:
            self._asked = True
            self.pipe.send(b"?")

    def within(self, seconds: float) -> bool:
        """Ask for a step and wait so long for it; return whether it is there."""
        self.ask()
        return bool(wait([self.pipe], seconds))

    def take(self) -> Step | None:
        """Return the step that was asked for, None where there is none, or raise what the plan raised."""
        self.pipe.recv(1)
        self._asked = False
        if self._error is not None:
            raise self._error
        step, self._step = self._step, None
        self.ended = step is None
        return step

    def _serve(self) -> None:
        with self._theirs, suppress(OSError):  # nobody is left to take the step
            while self._theirs.recv(1):
                try:
                    self._step = next(self._plan, None)
                except BaseException as error:
                    self._error = error
                self._theirs.send(b"!")
