"""How a run is stopped: a signal is noted, and acted on at the next safe place."""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar


class Stopped(BaseException):
    """Unwinds the work of this process; caught around :meth:`Stop.breaking`, never raised to callers."""


class Stop:
    """Catches signals while a run, or a worker's part in it, is on.

    Parameters
    ----------
    signals : tuple of int
        By default SIGINT, SIGTERM and, unless it is ignored, SIGHUP.
    patience_s : float
        One that comes so many seconds after the first breaks in with :class:`Stopped`; by default none does.

    Attributes
    ----------
    signal : int or None
        The signal that came first, if one came.
    """

    _listening: ClassVar[Stop | None] = None  # signals are sent to a process, which has one listener at a time

    def __init__(self, signals: tuple[int, ...] | None = None, patience_s: float = math.inf) -> None:
        self.signal: int | None = None
        self._patience_s = patience_s
        self._noted_s = math.inf
        self._signals = _usual() if signals is None else signals
        self._breaking = False
        self._again = threading.Timer(0, lambda: None)

    def _note(self, number: int, _frame: object) -> None:
        now_s = time.monotonic()
        if self.signal is None:
            self.signal, self._noted_s = number, now_s
        if self._breaking or now_s - self._noted_s >= self._patience_s:
            self._breaking = False
            raise Stopped

    def _lost(self, lost: Any) -> None:
        """Let the signal come once more where it broke into a callback, out of which Python lets no exception."""
        if lost.exc_type is not Stopped or self.signal is None:
            self._hook(lost)
            return
        self._breaking = True
        self._again = send_again(self.signal)

    @contextmanager
    def listening(self) -> Iterator[Stop]:
        """Replace the signals' handlers inside the block."""
        outer, Stop._listening = Stop._listening, self
        self._hook, sys.unraisablehook = sys.unraisablehook, self._lost
        before = {number: signal.signal(number, self._note) for number in self._signals}
        try:
            yield self
        finally:
            self._again.cancel()  # a block that has ended meanwhile needs no breaking
            Stop._listening, sys.unraisablehook = outer, self._hook
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def breaking(self) -> Iterator[None]:
        """Let a signal break into the block with :class:`Stopped`, up to where it calls :func:`carry_through`."""
        self._breaking = True
        try:
            if self.signal:
                raise Stopped
            yield
        finally:
            self._breaking = False


def _usual() -> tuple[int, ...]:
    """Return the signals that end programs, but for those that whoever started this one has it ignore."""
    ending = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    return tuple(number for number in ending if signal.getsignal(number) is not signal.SIG_IGN)


def send_again(number: int) -> threading.Timer:
    """Send this process a signal that broke into a callback, and was lost there, when the callback is over."""
    timer = threading.Timer(0.02, os.kill, (os.getpid(), number))
    timer.daemon = True
    timer.start()
    return timer


def carry_through() -> None:
    """Let no signal break into the work of this process any more: its files are about to get their names.

    A file that has its name while its row says that the run was stopped is one that the next run refuses to touch.
    """
    if Stop._listening is not None:
        Stop._listening._breaking = False
