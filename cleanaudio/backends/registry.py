"""Which backends there are: the entry points of the group ``cleanaudio.backends``."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from cleanaudio.backends.interface import Backend
from cleanaudio.backends.spec import Term, in_series, parse, stages
from cleanaudio.errors import BackendUnavailable, RecipeError

GROUP = "cleanaudio.backends"

AUTO_ORDER = (
    "0.8*deepfilternet+0.2*fullband-offline",
    "deepfilternet",
    "fullband-offline",
    "0.7*fullband+0.3*omlsa",
    "rnnoise",
    "omlsa",
)
"""Specs, best first, by quality measured on the development pairs (the README's table). Live, where nothing can hear
seconds ahead, they are ``deepfilternet``, and ``fullband``, which has no front there, with ``omlsa``."""


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
        close = get_close_matches(name.lower(), names(), n=1)
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


def auto(series: bool = True, live: bool = False) -> tuple[str, str]:
    """Return the spec that ``auto`` means here, and why.

    Parameters
    ----------
    series : bool
        Whether it may be a series; else it is the best spec that can be part of a sum.
    live : bool
        Whether it must run live.

    Raises
    ------
    BackendUnavailable
        Nothing is installed.
    """
    missing: list[str] = []
    for spec in AUTO_ORDER:
        if (_is_series(spec) and not series) or (live and not _runs_live(spec)):
            continue
        if _usable(spec):
            why = "the best by measured quality"
            if missing:
                why += f" of those installed ({', '.join(missing)} would come first)"
            return spec, why
        if all(term.name in _entries() for term in parse(spec)):
            missing.append(spec)
    raise BackendUnavailable("auto", "all", "no backend is installed")


def decide(terms: tuple[Term, ...], live: bool = False) -> tuple[tuple[Term, ...], str | None]:
    """Put the best backend in the place of ``auto``, the best that runs live if it must, and check that others exist.

    Returns
    -------
    (tuple of Term, str or None)
        The terms by their real names; why ``auto`` became what it is, or None without ``auto``.

    Raises
    ------
    RecipeError
        ``auto`` with a model, or a backend that does not exist.
    """
    for term in terms:
        if term.name == "auto" and term.argument is not None:
            raise RecipeError(
                f"auto chooses its backend itself, and takes no model {term.argument}",
                remedy="name the backend of the model, as in -b onnx:FILE",
            )
    why = None
    decided: list[tuple[Term, ...]] = []
    for sum_ in stages(terms):
        if all(term.name != "auto" for term in sum_):
            decided.append(sum_)
            continue
        best, why = auto(series=len(sum_) == 1, live=live)
        if len(sum_) == 1:
            decided += stages(parse(best))
        else:
            decided.append(tuple(one for term in sum_ for one in _instead(term, best)))
    terms = in_series(decided)
    for term in terms:
        get(term.name)
    return terms, why


def _instead(term: Term, best: str) -> tuple[Term, ...]:
    """Return what stands in the place of a term of a sum."""
    if term.name != "auto":
        return (term,)
    return tuple(replace(one, weight=one.weight * term.weight) for one in parse(best))


def fallbacks(spec: str) -> tuple[str, ...]:
    """Return the specs to try in turn when the one that ``auto`` chose fails on a file."""
    rest = AUTO_ORDER[AUTO_ORDER.index(spec) + 1 :] if spec in AUTO_ORDER else ()
    return tuple(other for other in rest if _usable(other))


def live_specs() -> tuple[str, ...]:
    """Return those of ``auto``'s choices that are installed and run live, best first."""
    return tuple(spec for spec in AUTO_ORDER if _usable(spec) and _runs_live(spec))


def _is_series(spec: str) -> bool:
    return len(stages(parse(spec))) > 1


def _runs_live(spec: str) -> bool:
    """Return whether a spec runs live, as far as it is installed; a series does not, because its delays add up."""
    return not _is_series(spec) and all(get(term.name).live for term in parse(spec) if available(term.name))


def _usable(spec: str) -> bool:
    return all(available(term.name) for term in parse(spec))
