"""A few stretches that stand for a long recording."""

from __future__ import annotations


def spread(frames: int, length: int, count: int) -> list[tuple[int, int]]:
    """Return stretches spread evenly over a recording, the first at its beginning, the last at its end.

    Parameters
    ----------
    frames : int
        Of the recording, at least ``length``.
    length : int
        Of each stretch, in frames.
    count : int
        Two or more.

    Returns
    -------
    list of (int, int)
        Start and length of each, in frames.
    """
    return [(round(k * (frames - length) / (count - 1)), length) for k in range(count)]
