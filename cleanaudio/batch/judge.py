"""Scoring and the gate in the same pass: the finished file is judged before it gets its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.files import open_reader
from cleanaudio.audio.spread import spread
from cleanaudio.batch.choices import IfFails
from cleanaudio.batch.outcome import quarantine
from cleanaudio.batch.take import Take
from cleanaudio.metrics.aggregate import finite
from cleanaudio.metrics.interface import Measured, NotMeasurable
from cleanaudio.metrics.score import score
from cleanaudio.report import gate as gates

Audio = NDArray[np.float32]

_LONG_S, _PIECES, _PIECE_S = 600.0, 10, 60.0


@dataclass(frozen=True)
class Judging:
    """What is measured of every output, and what becomes of those that fail.

    Parameters
    ----------
    keys : tuple of str
        Numbers that go into the row.
    gate : Gate or None
    if_fails : {"keep", "original", "quarantine"}
    """

    keys: tuple[str, ...]
    gate: gates.Gate | None = None
    if_fails: IfFails = "keep"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a row gets beside the usual ones."""
        return (*self.keys, *(("gate", "quality") if self.gate else ()))

    @property
    def decides(self) -> list[str] | None:
        """Its part of the recipe: None, unless a failure changes the output's samples."""
        if self.gate is None or self.if_fails == "keep":
            return None
        return [self.if_fails, self.gate.missing, *map(str, self.gate.criteria)]


class Rejected(Exception):
    """The output failed and the original is wanted in its place."""


@dataclass
class Judge:
    """Judges one output.

    Parameters
    ----------
    judging : Judging
    take : Take
        What was cleaned.
    heard : callable
        Turns a block of it into what the output is compared with: for an array, its reference microphone.
    target : Path
        Where the output belongs.
    figures : dict
        Numbers of the run that the gate may ask for: ``rtf``, ``latency_ms``.

    Attributes
    ----------
    fields : dict
        Columns of the row, once it has judged.
    notes : list of str
    """

    judging: Judging
    take: Take
    heard: Callable[[Audio], Audio]
    target: Path
    figures: dict[str, float]
    fields: dict[str, str | float | None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __call__(self, finished: Path, gain: float = 1.0) -> Path:
        """Judge a finished file; return the path that it is to get.

        Parameters
        ----------
        finished : Path
        gain : float
            With which it was written, linear; taken out where it is compared with the recording.

        Raises
        ------
        Rejected
        """
        measured = self._measure(finished, gain)
        self.fields = {key: finite(measured.get(key)) for key in self.judging.keys}
        gate = self.judging.gate
        if gate is None:
            return self.target
        result = gates.evaluate(gate, {**measured, **self.figures})
        self.fields |= {"gate": "pass" if result.passed else "fail", "quality": finite(result.quality)}
        if result.passed:
            if quarantine(self.target).exists():
                self.notes.append(f"an earlier one that failed the gate is still in {quarantine(self.target).parent}")
            return self.target
        self.notes += [str(verdict) for verdict in result.verdicts if not verdict.passed]
        if self.judging.if_fails == "original":
            self.notes.append("the original was kept in its place")
            raise Rejected
        if self.judging.if_fails == "quarantine":
            apart = quarantine(self.target)
            self.fields |= {"output": str(apart.absolute())}
            self.notes.append(f"put into {apart.parent}")
            if self.target.exists():
                self.notes.append(f"an earlier one is still at {self.target}")
            return apart
        return self.target

    def _measure(self, finished: Path, gain: float) -> dict[str, Measured]:
        if not self.take.frames:
            return dict.fromkeys(self.judging.keys, NotMeasurable("holds no samples"))
        with open_reader(finished) as reader:
            rate = reader.info.rate
            cleaned = Take(reader)
            if self.take.frames <= _LONG_S * rate:
                stretches = [(0, self.take.frames)]
            else:
                stretches = spread(self.take.frames, round(_PIECE_S * rate), _PIECES)
                self.notes.append(f"scored on {_PIECES} stretches of {_PIECE_S:.0f} s")
            noisy, enhanced = (
                np.concatenate(
                    [take.read(start, min(length, take.frames - start)) for start, length in stretches], axis=1
                )
                for take in (self.take, cleaned)
            )
        return score(enhanced, rate, noisy=self.heard(noisy), metrics=self.judging.keys, align=False, gain=gain)
