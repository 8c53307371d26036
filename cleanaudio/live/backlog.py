"""What a live source has given before anybody listened: it waits in the pipe, and stays as delay for the whole run.

A recording that is piped waits there too, but nobody waits for it. The two are told apart by how fast they come: a live
source gives no more than has passed of time.
"""

from __future__ import annotations

from cleanaudio.live.pipes import PcmSource

HEARD_S = 0.05
"""Delays below this one need no mention."""

_LOOK_S = 0.03
_PERIOD_S = 0.15
"""Longer than what a sound card gives at once, which is 125 ms with arecord."""
_BEFORE_S = 5.0
"""A live source has been on for no longer before this program looked at the clock."""


def backlog(source: PcmSource, since_s: float) -> float | None:
    """Take in what a live source has given so far, also what it still held while the pipe was full.

    Parameters
    ----------
    source : PcmSource
        Whose blocks have not been asked for; what is taken in is what they begin with.
    since_s : float
        Seconds since the program began.

    Returns
    -------
    float or None
        Seconds of audio; None where it comes from a file, or faster than from a live source.
    """
    waiting = source.waiting_s
    if waiting is None or waiting <= HEARD_S:
        return waiting
    most = since_s + _BEFORE_S
    while True:
        came = source.take_in(_LOOK_S, most)
        if source.ended or source.pending_s >= most:
            return None
        if came <= _LOOK_S + _PERIOD_S:
            return source.pending_s
