"""From the findings to the table: each system at each SNR, summed over the recordings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from cleanaudio.impact.study import CLEAN, METRICS, SIMILARITY, Finding
from cleanaudio.metrics.aggregate import finite, summarise
from cleanaudio.report.scores import text

COLUMNS = (
    *("audio", "system", "snr_db", "noise", "status", "reason", "words", "errors", "wer", SIMILARITY, *METRICS),
    *("said", "heard", "notes"),
)


@dataclass(frozen=True)
class Cell:
    """A system at an SNR.

    Parameters
    ----------
    system : str
    snr_db : float or None
        None for ``clean``.
    recordings, words : int
        That it is about.
    wer : float
        All errors over all words.
    degradation : float
        Word error rate less that of the same recordings when clean.
    relative : float or None
        Relative performance: words right (1 − WER, not below 0) as a share of those right in the clean recordings, so
        that 1 is as good as clean; None where in those no words are right.
    similarity, snr, pesq_wb, stoi : float or None
        Means over the recordings where they are measurable.
    """

    system: str
    snr_db: float | None
    recordings: int
    words: int
    wer: float
    degradation: float
    relative: float | None
    similarity: float | None
    snr: float | None
    pesq_wb: float | None
    stoi: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"kind": "aggregate", **asdict(self)}


def tabulate(findings: Iterable[Finding]) -> list[Cell]:
    """Sum up findings: ``clean`` first, then by SNR in the order in which systems were found."""
    clean: dict[str, Finding] = {}
    groups: dict[tuple[float | None, str], list[Finding]] = {}
    for finding in findings:
        if finding.words is None:
            continue
        if finding.system == CLEAN:
            clean[finding.audio] = finding
        groups.setdefault((finding.snr_db, finding.system), []).append(finding)
    first = sorted({snr_db for snr_db, _ in groups if snr_db is not None})
    order: list[float | None] = [None, *first]
    return [
        _cell(system, snr_db, members, [clean[one.audio] for one in members])
        for snr_db, system, members in sorted(
            ((snr_db, system, members) for (snr_db, system), members in groups.items()),
            key=lambda group: order.index(group[0]),
        )
    ]


def _cell(system: str, snr_db: float | None, members: Sequence[Finding], clean: Sequence[Finding]) -> Cell:
    wer, base = _rate(members), _rate(clean)
    right = max(0.0, 1 - base)
    means = {key: summarise(one.measured.get(key) for one in members).mean for key in (SIMILARITY, *METRICS)}
    return Cell(
        system,
        snr_db,
        len(members),
        sum(one.words.words for one in members if one.words),
        wer,
        wer - base,
        max(0.0, 1 - wer) / right if right else None,
        **means,
    )


def _rate(findings: Sequence[Finding]) -> float:
    found = [one.words for one in findings if one.words is not None]
    return sum(one.errors for one in found) / sum(one.words for one in found)


def as_dict(finding: Finding) -> dict[str, Any]:
    """Return a finding for JSON: no infinity, no NaN; why a number is missing stands under ``reasons``."""
    out: dict[str, Any] = {"kind": "version", "audio": finding.audio, "system": finding.system}
    out |= {"snr_db": finding.snr_db, "noise": finding.noise, "said": finding.said, "heard": finding.heard}
    out |= {"status": finding.status, "reason": finding.error, "words": None, "errors": None, "wer": None}
    if finding.words is not None:
        out |= {"words": finding.words.words, "errors": finding.words.errors, "wer": finding.words.rate}
    out["metrics"] = {key: finite(value) for key, value in finding.measured.items()}
    out["reasons"] = {key: text(value) for key, value in finding.measured.items() if finite(value) is None}
    return out | {"notes": list(finding.notes)}


def row_of(finding: Finding) -> list[str]:
    """Return a finding's row of the CSV file, in the order of :data:`COLUMNS`."""
    row: dict[str, Any] = {name: getattr(finding, name) for name in ("audio", "system", "noise", "said", "heard")}
    row["snr_db"] = "" if finding.snr_db is None else f"{finding.snr_db:g}"
    row |= {"status": finding.status, "reason": finding.error, "notes": "; ".join(finding.notes)}
    if finding.words is not None:
        row |= {"words": finding.words.words, "errors": finding.words.errors, "wer": f"{finding.words.rate:.4f}"}
    row |= {key: text(finding.measured.get(key)) for key in (SIMILARITY, *METRICS)}
    return ["" if row.get(name) is None else str(row[name]) for name in COLUMNS]


CELL_COLUMNS = tuple(field.name for field in fields(Cell))
"""Columns of the table as a CSV file."""


def row_of_cell(cell: Cell) -> list[str]:
    """Return a line of the table as a CSV row."""
    values = (getattr(cell, name) for name in CELL_COLUMNS)
    return ["" if v is None else f"{v:.6g}" if isinstance(v, float) else str(v) for v in values]
