"""What users write on the command line, read: times, stretches, durations, ``key=value`` pairs."""

from __future__ import annotations

import math
import re

from cleanaudio.errors import RecipeError

_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>ms|s|m|min|h|d)?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}


def seconds(text: str) -> float:
    """Read a position: ``90``, ``1:30``, ``0:01:30.5``.

    Raises
    ------
    RecipeError

    Examples
    --------
    >>> seconds("1:02:03.5")
    3723.5
    """
    parts = text.strip().split(":")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if not 1 <= len(numbers) <= 3 or any(not math.isfinite(n) or n < 0 for n in numbers):
        raise RecipeError(f"{text!r} is not a time", remedy="write seconds, M:SS or H:MM:SS")
    if any(number >= 60 for number in numbers[1:]):
        raise RecipeError(f"{text!r} is not a time: minutes and seconds go to 59")
    total = 0.0
    for number in numbers:
        total = 60 * total + number
    return total


def stretch(text: str) -> tuple[float, float | None]:
    """Read ``START-END``, or ``START-`` to the end of the recording.

    Examples
    --------
    >>> stretch("0:30-1:00")
    (30.0, 60.0)
    """
    start, dash, end = text.partition("-")
    if not dash:
        raise RecipeError(f"{text!r} is not a stretch of time", remedy="write START-END, such as 0:30-1:00")
    first, last = seconds(start or "0"), seconds(end) if end.strip() else None
    if last is not None and last <= first:
        raise RecipeError(f"the stretch {text!r} ends before it begins")
    return first, last


def duration(text: str) -> float:
    """Read ``60s``, ``5m``, ``1.5h``, or a plain number of seconds.

    Examples
    --------
    >>> duration("5m")
    300.0
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise RecipeError(f"{text!r} is not a duration", remedy="write 60s, 5m or 1h")
    return float(match["number"]) * _UNITS[match["unit"]]


def pairs(texts: list[str]) -> dict[str, str]:
    """Read ``key=value`` pairs.

    Examples
    --------
    >>> pairs(["alpha=2.0", "wiener.prior=ml"])
    {'alpha': '2.0', 'wiener.prior': 'ml'}
    """
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise RecipeError(f"--set {text!r} is not of the form key=value")
        found[key.strip()] = value.strip()
    return found
