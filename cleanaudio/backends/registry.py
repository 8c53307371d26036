"""Which backends there are: the entry points of the group ``cleanaudio.backends``."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from cleanaudio.backends.interface import Backend
from cleanaudio.backends.spec import Term, parse
from cleanaudio.errors import BackendUnavailable, RecipeError

GROUP = "cleanaudio.backends"

AUTO_ORDER = ("deepfilternet", "0.6*fullband+0.4*omlsa", "rnnoise", "omlsa")
"""Specs, best first, by quality measured on the development pairs (the README's table)."""


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
    BackendUnavailable
        It comes from a package that cannot be imported.
    """
    entry = _entries().get(name)
    if entry is None:
        close = get_close_matches(name, names(), n=1)
        remedy = f"did you mean {close[0]}?" if close else f"there are: {', '.join(names())}"
        raise RecipeError(f"there is no backend {name!r}", remedy=remedy)
    try:
        return entry.load()
    except ImportError as error:
        raise BackendUnavailable(f"backend {name}", "all", str(error)) from error


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
    """Return the spec that ``auto`` means here, and why."""
    missing: list[str] = []
    for spec in AUTO_ORDER:
        if _usable(spec):
            why = "the best by measured quality"
            if missing:
                why += f" of those installed ({', '.join(missing)} would come first)"
            return spec, why
        if all(term.name in _entries() for term in parse(spec)):
            missing.append(spec)
    raise BackendUnavailable("auto", "all", "no backend is installed")


def decide(terms: tuple[Term, ...]) -> tuple[tuple[Term, ...], str | None]:
    """Put the best backend in the place of ``auto``, and check that the others exist.

    Returns
    -------
    (tuple of Term, str or None)
        The terms by their real names; why ``auto`` became what it is, or None where nobody said ``auto``.
    """
    why = None
    if any(term.name == "auto" for term in terms):
        best, why = auto()
        terms = tuple(
            replace(one, weight=one.weight * term.weight)
            for term in terms
            for one in (parse(best) if term.name == "auto" else (replace(term, weight=1.0),))
        )
    for term in terms:
        get(term.name)
    return terms, why


def after(spec: str) -> tuple[str, ...]:
    """Return what to fall back to, in order, when what ``auto`` chose fails on a file."""
    rest = AUTO_ORDER[AUTO_ORDER.index(spec) + 1 :] if spec in AUTO_ORDER else ()
    return tuple(other for other in rest if _usable(other))


def alive() -> tuple[str, ...]:
    """Return what of ``auto``'s choices can be had here and runs live, best first."""
    usable = [spec for spec in AUTO_ORDER if _usable(spec)]
    return tuple(spec for spec in usable if all(get(term.name).live for term in parse(spec)))


def _usable(spec: str) -> bool:
    return all(available(term.name) for term in parse(spec))
