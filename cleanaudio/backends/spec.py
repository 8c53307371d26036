"""The grammar of ``--backend``: ``name``, ``name:argument``, and weighted sums of them.

``0.6*deepfilternet+0.4*onnx:my model.onnx`` is two terms; without weights the terms count alike.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cleanaudio.errors import RecipeError

# A plus sign joins two terms only before something that can be a term, so that a file name may hold one.
_JOIN = re.compile(r"\s*\+\s*(?=(?:[\d.]+\s*\*\s*)?[a-z][a-z0-9-]*(?::|\s*\+|\s*$))")
_TERM = re.compile(r"(?:(?P<weight>[\d.]+)\s*\*\s*)?(?P<name>[a-z][a-z0-9-]*)(?::(?P<argument>.+))?", re.DOTALL)


@dataclass(frozen=True)
class Term:
    """One backend of a sum.

    Parameters
    ----------
    name : str
    argument : str or None
        A model file or run folder.
    weight : float
        Share in the output; the weights of a spec add up to one.
    """

    name: str
    argument: str | None = None
    weight: float = 1.0

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
        Weights scaled to add up to one.

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
    """
    terms = []
    for piece in _JOIN.split(text.strip()):
        match = _TERM.fullmatch(piece.strip())
        if match is None:
            raise RecipeError(
                f"{piece!r} is not a backend", remedy="write name, name:argument, or a sum like 0.6*a+0.4*b"
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
    if len(terms) == 1:
        return str(terms[0])
    return "+".join(f"{term.weight:g}*{term}" for term in terms)
