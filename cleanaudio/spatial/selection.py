"""Which channels of a recording are the microphones of an array, and in which order."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cleanaudio.errors import InputError, RecipeError
from cleanaudio.spatial.geometry import Geometry

_PART = re.compile(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?")
_MOST = 1024


def parse_mics(text: str) -> tuple[int, ...]:
    """Read a list of channels such as ``1,3,4-6``, counted from 1; ``6-4`` counts down.

    Returns
    -------
    tuple of int
        Counted from 0, in the order that was given.

    Raises
    ------
    RecipeError
        No such list, fewer than two channels, or one of them twice.

    Examples
    --------
    >>> parse_mics("1,3,4-6")
    (0, 2, 3, 4, 5)
    """
    mics: list[int] = []
    for part in text.split(","):
        match = _PART.fullmatch(part)
        first, last = (0, 0) if match is None else (int(match[1]), int(match[2] or match[1]))
        if not (1 <= first <= _MOST and 1 <= last <= _MOST):
            raise RecipeError(f"{text!r} is no list of channels", remedy="write 1,3,4-6, counted from 1")
        step = 1 if last >= first else -1
        mics.extend(range(first - 1, last - 1 + step, step))
    twice = next((mic for k, mic in enumerate(mics) if mic in mics[:k]), None)
    if twice is not None:
        raise RecipeError(f"{text!r} names channel {twice + 1} twice", remedy="name every channel once")
    if len(mics) < 2:
        raise RecipeError(f"{text!r} names one channel only", remedy="an array has at least two microphones")
    return tuple(mics)


def choose(channels: int, mics: Sequence[int] | None) -> tuple[int, ...]:
    """Return the channels to use of a recording that has so many: those that were asked for, or all.

    Raises
    ------
    InputError
        The recording has one channel only, or a channel that was asked for is not there.
    """
    if channels < 2:
        raise InputError(
            "is mono: an array has at least two microphones",
            remedy="give the recording of all microphones, one a channel",
        )
    missing = [mic + 1 for mic in mics or () if mic >= channels]
    if missing:
        raise InputError(
            f"has {channels} channels, and no channel {', '.join(map(str, missing))}",
            remedy="choose others with --mics",
        )
    return tuple(range(channels)) if mics is None else tuple(mics)


def geometry_of(geometry: Geometry, channels: int | None, mics: Sequence[int]) -> Geometry:
    """Return where the chosen channels' microphones are.

    Parameters
    ----------
    geometry : Geometry
        Of the chosen channels in their order or, where it has more microphones than were chosen, of all channels.
    channels : int, optional
        Of the recording; None where that is not known: then there are as many as the geometry has.
    mics : sequence of int
        The chosen ones, counted from 0.

    Raises
    ------
    InputError
        Neither fits.
    """
    if geometry.microphones == len(mics):
        return geometry
    if geometry.microphones == channels or (channels is None and geometry.microphones > max(mics)):
        return geometry.select(tuple(mics))
    geometry.check(len(mics))
    return geometry
