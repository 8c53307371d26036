"""How a run is stopped: a signal is noted, and heard at the next safe place."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


class Stopped(BaseException):
    """Unwinds work that is done in this very process; never leaves :mod:`cleanaudio.batch`."""


class Stop:
    """Catches SIGINT and SIGTERM while a run is on.

    Attributes
    ----------
    signal : int or None
        The signal that came first, if one came.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._breaking = False

    def _note(self, number: int, _frame: object) -> None:
        self.signal = self.signal or number
        if self._breaking:
            self._breaking = False
            raise Stopped

    @contextmanager
    def listening(self) -> Iterator[Stop]:
        """Replace the signals' handlers inside the block."""
        before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def breaking(self) -> Iterator[None]:
        """Let a signal break into the block with :class:`Stopped`."""
        self._breaking = True
        try:
            if self.signal:
                raise Stopped
            yield
        finally:
            self._breaking = False
