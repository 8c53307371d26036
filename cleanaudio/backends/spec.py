"""The grammar of ``--backend``: ``name``, ``name:argument``, weighted sums of them, and sums in series.

``0.6*deepfilternet+0.4*onnx:my model.onnx`` is two terms; without weights the terms count alike. ``omlsa,fullband`` is
two stages: the second is given what the first has cleaned.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby

from cleanaudio.errors import RecipeError

# A plus sign or a comma joins only before something that can be a term, so that a file name may hold one.
_BEFORE_A_TERM = r"\s*(?=(?:[\d.]+\s*\*\s*)?[a-z][a-z0-9-]*(?::|\s*[+,]|\s*$))"
_PLUS, _COMMA = re.compile(r"\s*\+" + _BEFORE_A_TERM), re.compile(r"\s*," + _BEFORE_A_TERM)
_TERM = re.compile(r"(?:(?P<weight>[\d.]+)\s*\*\s*)?(?P<name>[a-z][a-z0-9-]*)(?::(?P<argument>.+))?", re.DOTALL)


@dataclass(frozen=True)
class Term:
    """One backend of a spec.

    Parameters
    ----------
    name : str
    argument : str or None
        A model file or run folder.
    weight : float
        Share in the output of its stage; the weights of a stage add up to one.
    stage : int
        Its place in the series, from 0.
    """

    name: str
    argument: str | None = None
    weight: float = 1.0
    stage: int = 0

    def __str__(self) -> str:
        return self.name if self.argument is None else f"{self.name}:{self.argument}"


def parse(text: str) -> tuple[Term, ...]:
    """Read a backend spec.

    Parameters
    ----------
    text : str

    Returns
    -------
    tuple of Term
        Stage by stage, the weights of each scaled to add up to one.

    Raises
    ------
    RecipeError
        Not of this grammar.

    Examples
    --------
    >>> [str(term) for term in parse("rnnoise+onnx:a+b.onnx")]
    ['rnnoise', 'onnx:a+b.onnx']
    >>> [term.weight for term in parse("3*wiener+1*omlsa")]
    [0.75, 0.25]
    >>> [term.stage for term in parse("omlsa+wiener,rnnoise")]
    [0, 0, 1]
    """
    return in_series(_sum(stage) for stage in _COMMA.split(text.strip()))


def in_series(sums: Iterable[tuple[Term, ...]]) -> tuple[Term, ...]:
    """Return the terms of sums one after the other, each with the number of its stage."""
    return tuple(replace(term, stage=number) for number, terms in enumerate(sums) for term in terms)


def stages(terms: tuple[Term, ...]) -> list[tuple[Term, ...]]:
    """Return the sums that a spec is a series of."""
    return [tuple(sum_) for _, sum_ in groupby(terms, key=lambda term: term.stage)]


def _sum(text: str) -> tuple[Term, ...]:
    terms = []
    for piece in _PLUS.split(text):
        match = _TERM.fullmatch(piece.strip())
        if match is None:
            raise RecipeError(
                f"{piece!r} is not a backend",
                remedy="write name, name:argument, an average like 0.6*a+0.4*b, or a series like a,b",
            )
        terms.append((match["name"], match["argument"], _weight(match["weight"])))
    given = [weight for *_, weight in terms if weight is not None]
    if given and len(given) < len(terms):
        raise RecipeError(f"{text!r}: give every term a weight, or none")
    total = sum(given) or len(terms)
    return tuple(Term(name, argument, (1.0 if weight is None else weight) / total) for name, argument, weight in terms)


def _weight(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        weight = float(text)
    except ValueError:
        raise RecipeError(f"{text!r} is not a weight") from None
    if weight <= 0:
        raise RecipeError(f"a weight must be above zero, not {text}")
    return weight


def render(terms: tuple[Term, ...]) -> str:
    """Return the text of a spec, the inverse of :func:`parse`."""
    return ",".join(
        str(sum_[0]) if len(sum_) == 1 else "+".join(f"{_number(term.weight)}*{term}" for term in sum_)
        for sum_ in stages(terms)
    )


def _number(weight: float) -> str:
    text = f"{weight:g}"
    return f"{weight:.15f}".rstrip("0") if "e" in text else text
