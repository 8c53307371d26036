"""Phrases that notes, tables and charts share."""

from __future__ import annotations

import math
from collections.abc import Sequence


def first_few(texts: Sequence[str], most: int = 5, more: str = "more") -> str:
    """Return the first of many texts and how many ``more`` there are: a damaged file may give thousands."""
    rest = len(texts) - most
    return ", ".join(texts[:most]) + (f" and {rest} {more}" if rest > 0 else "")


def kind(channels: int, rate: int) -> str:
    """Return channels and rate in words: ``2 channels at 48000 Hz``."""
    return f"{channels} channel{'s' * (channels > 1)} at {rate} Hz"


def clock(seconds: float, digits: int = 0) -> str:
    """Return a time as ``1:02:03``, or ``2:03`` below an hour, with so many decimals."""
    minutes, second = divmod(math.floor(seconds * 10**digits + 0.5) / 10**digits, 60)
    hours, minute = divmod(int(minutes), 60)
    rest = f"{second:0{3 + digits if digits else 2}.{digits}f}"
    return f"{hours}:{minute:02d}:{rest}" if hours else f"{minute}:{rest}"
