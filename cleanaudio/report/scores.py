"""What a scoring run found: rows of files, and their sums by system and group."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cleanaudio.metrics.aggregate import Difference, Summary, finite, paired_difference, summarise
from cleanaudio.metrics.interface import Measured, NotMeasurable
from cleanaudio.report.gate import Result


@dataclass(frozen=True)
class Score:
    """One file of one system.

    Parameters
    ----------
    system : str
    name : str
        Its place in the tree, without suffix.
    enhanced : str
        Path.
    reference, noisy : str or None
        Paths.
    measured : mapping
        Empty where the file could not be scored.
    before : mapping
        What the noisy side had, where the difference was measured.
    gain_db : float or None
        With which the enhanced file was written after cleaning, if that is known.
    group : str, optional
    result : Result, optional
        Of the gate.
    notes : tuple of str
    error : str, optional
        Why it could not be scored.
    """

    system: str
    name: str
    enhanced: str
    reference: str | None = None
    noisy: str | None = None
    measured: Mapping[str, Measured] = field(default_factory=dict)
    before: Mapping[str, Measured] = field(default_factory=dict)
    gain_db: float | None = None
    group: str | None = None
    result: Result | None = None
    notes: tuple[str, ...] = ()
    error: str | None = None

    @property
    def status(self) -> str:
        """``done`` or ``failed``."""
        return "failed" if self.error else "done"

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON: no infinity, no NaN; why a number is missing stands under ``reasons``."""
        out: dict[str, Any] = {"kind": "file", "system": self.system, "name": self.name, "enhanced": self.enhanced}
        out |= {"reference": self.reference, "noisy": self.noisy, "group": self.group}
        out |= {"status": self.status, "reason": self.error}
        out["metrics"] = {key: finite(value) for key, value in self.measured.items()}
        out["reasons"] = {key: text(value) for key, value in self.measured.items() if finite(value) is None}
        if self.result is not None:
            out["gate"] = {str(verdict.criterion): verdict.passed for verdict in self.result.verdicts}
            out["passed"] = self.result.passed
            out["quality"] = finite(self.result.quality)
        out["notes"] = list(self.notes)
        return out


@dataclass(frozen=True)
class Aggregate:
    """One number over the files of one system, or of one group of them.

    Parameters
    ----------
    system, key : str
    group : str or None
    summary : Summary
    difference : Difference or None
        Against the first system, over the files that both have.
    """

    system: str
    key: str
    group: str | None
    summary: Summary
    difference: Difference | None

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        out: dict[str, Any] = {"kind": "aggregate", "system": self.system, "group": self.group, "metric": self.key}
        out |= vars(self.summary)
        if self.difference is not None:
            out["difference"] = {**vars(self.difference), "outside": self.difference.outside}
        return out


def text(value: Measured | None, digits: int = 4) -> str:
    """Return a number as text, ``inf`` where it is infinite, or why there is none."""
    if value is None:
        return ""
    if isinstance(value, NotMeasurable):
        return f"not measurable: {value.reason}"
    return fixed(value, digits) if math.isfinite(value) else ("inf" if value > 0 else "-inf")


def fixed(value: float, digits: int, signed: bool = False) -> str:
    """Return a finite number with so many digits behind the point, no minus before a zero."""
    return f"{round(value, digits) + 0.0:{'+' if signed else ''}.{digits}f}"


def keys_of(scores: Iterable[Score]) -> list[str]:
    """Return the numbers that were measured, in the order in which they first appear."""
    return list(dict.fromkeys(key for score in scores for key in score.measured))


def aggregate(scores: Sequence[Score], keys: Sequence[str], by_group: bool = False) -> list[Aggregate]:
    """Sum up scores by system, and by group where asked.

    Parameters
    ----------
    scores : sequence of Score
        The first one's system is the one that the others are compared with.
    keys : sequence of str
    by_group : bool
        Also for each group.
    """
    found = []
    groups: list[tuple[str | None, list[Score]]] = [(None, list(scores))]
    if by_group:
        names = dict.fromkeys(score.group or "" for score in scores)
        groups += [(name, [score for score in scores if (score.group or "") == name]) for name in names]
    systems = list(dict.fromkeys(score.system for score in scores))
    for group, members in groups:
        named = list(zip(recording_of(members), members, strict=True))
        for key in keys:
            values = {
                system: {one: score.measured.get(key) for one, score in named if score.system == system}
                for system in systems
            }
            for system in systems:
                difference = None if system == systems[0] else paired_difference(values[system], values[systems[0]])
                found.append(Aggregate(system, key, group, summarise(values[system].values()), difference))
    return found


def recording_of(scores: Iterable[Score]) -> list[tuple[str, int]]:
    """Return which recording each score is of: its name, and how many of that name its system had before it."""
    seen: Counter[tuple[str, str]] = Counter()
    found = []
    for score in scores:
        found.append((score.name, seen[score.system, score.name]))
        seen[score.system, score.name] += 1
    return found


def sizes(scores: Iterable[Score]) -> dict[str, int]:
    """Return of how many recordings each system has scores, in order of first appearance."""
    return dict(Counter(score.system for score in scores))


def lacking(scores: Iterable[Score]) -> list[str]:
    """Return in words what the first system and each other one lack of each other's recordings."""
    scores = list(scores)
    found: dict[str, set[tuple[str, int]]] = {}
    for recording, score in zip(recording_of(scores), scores, strict=True):
        found.setdefault(score.system, set()).add(recording)
    first, *others = found or [""]
    pairs = [pair for other in others for pair in ((other, first), (first, other))]
    return [
        f"{one} lacks {missing} of the {len(found[of])} recordings of {of}"
        for one, of in pairs
        if (missing := len(found[of] - found[one]))
    ]


def columns(keys: Sequence[str], gate: bool) -> list[str]:
    """Return the columns of the CSV file.

    Parameters
    ----------
    keys : sequence of str
        Numbers that get one.
    gate : bool
        Whether there are columns of a gate.
    """
    first = ["system", "name", "enhanced", "reference", "noisy", "group", "status", "reason"]
    return [*first, *keys, *(["gate", "quality"] if gate else []), "notes"]


def cells(score: Score, keys: Sequence[str], gate: bool) -> list[str]:
    """Return the row of a score, in the order of :func:`columns`."""
    first = (score.system, score.name, score.enhanced, score.reference, score.noisy, score.group)
    row = [value or "" for value in (*first, score.status, score.error)]
    row += [text(score.measured.get(key), 6) for key in keys]
    if gate:
        result = score.result
        row += ["", ""] if result is None else ["pass" if result.passed else "fail", text(result.quality)]
    return [*row, "; ".join(score.notes)]
