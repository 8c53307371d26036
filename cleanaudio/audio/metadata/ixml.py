"""The iXML chunk of a WAV, edited for a part of the recording or for other samples.

Source: Gallery Software, iXML specification 3.01.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_HALF = 32
_TIMES = (
    (b"TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI", b"TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO", b"TIMESTAMP_SAMPLE_RATE"),
    (b"BWF_TIME_REFERENCE_HIGH", b"BWF_TIME_REFERENCE_LOW", b""),
)
"""Halves of a time of day in samples, and the rate that it counts in, where it has one of its own."""

_SYNC_POINTS = (b"SYNC_POINT_LIST",)
_LOUDNESS = (
    b"LOUDNESS",
    b"BWF_LOUDNESS_VALUE",
    b"BWF_LOUDNESS_RANGE",
    b"BWF_MAX_TRUE_PEAK_LEVEL",
    b"BWF_MAX_MOMENTARY_LOUDNESS",
    b"BWF_MAX_SHORT_TERM_LOUDNESS",
)


def later(ixml: bytes, frames: int, rate: int) -> bytes:
    """Return the chunk of a part that begins so many frames of ``rate`` Hz later in the day."""
    for high, low, own_rate in _TIMES:
        found = _number(ixml, low)
        if found is None:
            continue
        above = _number(ixml, high)
        counted = _number(ixml, own_rate) if own_rate else None
        shift = round(frames * int(counted[2]) / rate) if counted else frames
        time = (int(above[2]) << _HALF if above else 0) + int(found[2]) + shift
        fits = time >> (2 * _HALF if above else _HALF) == 0
        if fits:
            ixml = _replaced(ixml, low, time & ((1 << _HALF) - 1))
            ixml = _replaced(ixml, high, time >> _HALF)
    return ixml


def without_sync_points(ixml: bytes) -> bytes:
    """Return the chunk without the points that it tells by the samples of the whole recording."""
    return _without(ixml, _SYNC_POINTS)


def without_loudness(ixml: bytes) -> bytes:
    """Return the chunk without the loudness that version 2 has places for."""
    return _without(ixml, _LOUDNESS)


def _without(ixml: bytes, names: Iterable[bytes]) -> bytes:
    """Return the chunk without the elements of these names, and without the space before them."""
    for name in names:
        begin, end = b"<%s>" % name, b"</%s>" % name
        pieces, at = [], 0
        while 0 <= (start := ixml.find(begin, at)) < (stop := ixml.find(end, start)):
            pieces.append(ixml[at:start].rstrip())
            at = stop + len(end)
        ixml = b"".join([*pieces, ixml[at:]])
    return ixml


def _number(ixml: bytes, name: bytes) -> re.Match[bytes] | None:
    return re.search(rb"(<%s>\s*)(\d{1,20})(\s*</%s>)" % (name, name), ixml)


def _replaced(ixml: bytes, name: bytes, number: int) -> bytes:
    match = _number(ixml, name)
    return ixml if match is None else ixml[: match.start(2)] + b"%d" % number + ixml[match.end(2) :]
