"""The recordings behind the scores, and which of them need a listener's ear first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cleanaudio.metrics.interface import Measured, NotMeasurable
from cleanaudio.report.labels import direction
from cleanaudio.report.quality import quality
from cleanaudio.report.scores import Score, recording_of

QUALITY = "quality"
_RANKED_BY = ("pesq_wb", "dnsmos_ovrl", "si_sdr", "stoi", "snr", "wada_snr", "lsd", "artifacts")


@dataclass(frozen=True)
class Recording:
    """What all systems made of one recording.

    Parameters
    ----------
    name : str
    scores : tuple of Score
        At most one a system.
    """

    name: str
    scores: tuple[Score, ...]

    @property
    def group(self) -> str | None:
        """The group that it belongs to."""
        return self.scores[0].group

    @property
    def passed(self) -> bool | None:
        """Whether all systems' results met the gate; None without a gate."""
        results = [score.result.passed for score in self.scores if score.result is not None]
        return all(results) if results else None


def recordings(scores: Sequence[Score]) -> list[Recording]:
    """Bring the scores of one recording together, by name; names that a system has twice are told apart by order."""
    found: dict[tuple[str, int], list[Score]] = {}
    for recording, score in zip(recording_of(scores), scores, strict=True):
        found.setdefault(recording, []).append(score)
    return [Recording(name, tuple(members)) for (name, _), members in found.items()]


def ranked_by(scores: Sequence[Score]) -> str | None:
    """Return the number that tells good from bad: the quality score of the gate, else the best that most scores have.

    None where there is nothing to go by.
    """
    for key in (QUALITY, *_RANKED_BY):
        known = sum(isinstance(value_of(score, key), float | int) for score in scores)
        if known and 2 * known >= len(scores):
            return key
    return None


def value_of(score: Score, key: str) -> Measured:
    """Return a number of a score, its quality included."""
    if key == QUALITY:
        found = quality(score.measured) if score.result is None else score.result.quality
    else:
        found = score.measured.get(key)
    return NotMeasurable("was not measured") if found is None else found


def worst_first(found: Sequence[Recording], key: str | None) -> list[Recording]:
    """Order recordings: those that fail the gate, those without the number, then from bad to good.

    The worst system's result counts; where that is the same, the next one's.
    """

    def badness(recording: Recording) -> tuple[bool, list[float]]:
        return recording.passed is not False, sorted(_rank(score, key) for score in recording.scores)

    return sorted(found, key=badness)


def _rank(score: Score, key: str | None) -> float:
    if key is None:
        return 0.0
    value = value_of(score, key)
    if isinstance(value, NotMeasurable) or math.isnan(value):
        return -math.inf
    return value if key == QUALITY or direction(key) else -value
