"""Where decoded sound belongs by its timestamps: how much silence keeps it in time with the picture."""

from __future__ import annotations

_JITTER_S = 0.015
"""Timestamps are rounded, or taken on arrival; a packet that is missing is longer than this."""
_LATEST_S = 3600.0
"""A longer gap is none: such timestamps count from elsewhere, midnight for instance."""
_BACK_S = 1.0
"""Timestamps that leap back further than this do not jitter: a new count begins."""


class Timeline:
    """Count frames against their timestamps.

    A recorder's clock may drift away from the timestamps, which is no gap. Only a leap is filled, and no further than
    the sound lags behind in all.

    Parameters
    ----------
    rate : int
    begin : float, optional
        Time in seconds at which the recording begins; None where its sound alone decides.
    longest_s : float, optional
        A longer gap is a new beginning of the timestamps; None where they tell of none.

    Attributes
    ----------
    late, filled : int
        Frames of silence before the sound, and within it.
    jumps : int
        New beginnings.
    """

    def __init__(self, rate: int, begin: float | None, longest_s: float | None) -> None:
        self._rate, self._begin, self._longest_s = rate, begin, longest_s
        self._next_s: float | None = None
        self._behind_s = 0.0
        self.late = self.filled = self.jumps = 0

    def silence_before(self, time_s: float | None, frames: int) -> int:
        """Take the next frames and the time that they claim; return how many frames of silence belong before them."""
        silence = 0
        if time_s is not None:
            if self._next_s is None:
                silence = self.late = 0 if self._begin is None else self._gap(time_s - self._begin)
            elif self._longest_s is not None:
                silence = self._after(time_s - self._next_s, self._longest_s)
                self.filled += silence
            self._next_s = time_s
        if self._next_s is not None:
            self._next_s += frames / self._rate
        return silence

    def _after(self, leap_s: float, longest_s: float) -> int:
        if not -_BACK_S < leap_s <= longest_s:
            self.jumps += 1
            self._behind_s = 0.0
            return 0
        self._behind_s += leap_s
        silence = self._gap(min(leap_s, self._behind_s))
        self._behind_s -= silence / self._rate
        return silence

    def _gap(self, seconds: float) -> int:
        return round(seconds * self._rate) if _JITTER_S < seconds <= _LATEST_S else 0
