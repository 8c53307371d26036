"""Phrases that several notes share."""

from __future__ import annotations

from collections.abc import Sequence


def first_few(texts: Sequence[str], most: int = 5, more: str = "more") -> str:
    """Return the first of many texts and how many ``more`` there are: a damaged file may give thousands."""
    rest = len(texts) - most
    return ", ".join(texts[:most]) + (f" and {rest} {more}" if rest > 0 else "")


def kind(channels: int, rate: int) -> str:
    """Return channels and rate in words: ``2 channels at 48000 Hz``."""
    return f"{channels} channel{'s' * (channels > 1)} at {rate} Hz"
