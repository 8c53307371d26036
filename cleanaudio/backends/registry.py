"""Which backends there are: the entry points of the group ``cleanaudio.backends``."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from cleanaudio.backends.interface import Backend
from cleanaudio.errors import BackendUnavailable, RecipeError

GROUP = "cleanaudio.backends"

AUTO_ORDER = ("deepfilternet", "fullband", "rnnoise", "omlsa")
"""Best first, by quality measured on the development pairs (the README's table)."""


@cache
def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def names() -> list[str]:
    """Return the names of all backends, installed extras or not, in alphabetical order."""
    return sorted(_entries())


@cache
def get(name: str) -> Backend:
    """Return the backend of this name.

    Raises
    ------
    RecipeError
        There is none.
    """
    entry = _entries().get(name)
    if entry is None:
        close = get_close_matches(name, names(), n=1)
        remedy = f"did you mean {close[0]}?" if close else f"there are: {', '.join(names())}"
        raise RecipeError(f"there is no backend {name!r}", remedy=remedy)
    return entry.load()


def available(name: str) -> bool:
    """Return whether the backend exists and what it needs is installed."""
    if name not in _entries():
        return False
    try:
        get(name).require()
    except BackendUnavailable:
        return False
    return True


def auto() -> tuple[str, str]:
    """Return the backend that ``auto`` means here, and why."""
    missing = []
    for name in AUTO_ORDER:
        if available(name):
            why = "the best by measured quality"
            if missing:
                why += f" of those installed ({', '.join(missing)} would come first)"
            return name, why
        if name in _entries():
            missing.append(name)
    raise BackendUnavailable("auto", "all", "no backend is installed")
