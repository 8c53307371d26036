"""A scoring run: sides to trials, trials to the pool, scores to table, CSV and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cleanaudio.audio.formats import AUDIO_SUFFIXES
from cleanaudio.batch.inputs import expand
from cleanaudio.batch.outcome import Failed, Job, Outcome, Skipped
from cleanaudio.batch.pairs import Side, Trial, groups, pair
from cleanaudio.batch.run import Summary, run
from cleanaudio.batch.scoring import Scored, ScoreJob, score_file
from cleanaudio.batch.source import Problem, Source
from cleanaudio.cli.batching import exit_code, say_summary, workers
from cleanaudio.cli.console import complain, say, stdout
from cleanaudio.cli.progress import Progress
from cleanaudio.errors import OutputError, RecipeError
from cleanaudio.metrics import registry
from cleanaudio.report import gate as gates
from cleanaudio.report.scores import Aggregate, Score, ScoreCsv, aggregate, keys_of, text

_SHOWN_FILES = 30


@dataclass(frozen=True)
class Sides:
    """What the user wants compared.

    Parameters
    ----------
    enhanced, systems, reference, noisy : tuple of str
        As on the command line; ``systems`` as ``NAME=DIR``.
    match : str
    recursive : bool
    """

    enhanced: tuple[str, ...]
    systems: tuple[str, ...]
    reference: tuple[str, ...]
    noisy: tuple[str, ...]
    match: str
    recursive: bool

    @property
    def given(self) -> frozenset[str]:
        """Which partners there are."""
        return frozenset(what for what in ("reference", "noisy") if getattr(self, what))

    def by_system(self) -> dict[str, tuple[str, ...]]:
        """Return the inputs of each system.

        Raises
        ------
        RecipeError
            Nothing to score, or two systems of one name.
        """
        found: dict[str, tuple[str, ...]] = {"enhanced": self.enhanced} if self.enhanced else {}
        for given in self.systems:
            name, equals, folder = given.partition("=")
            if not equals or not name or not folder:
                raise RecipeError(f"--system {given!r} is not of the form NAME=DIR")
            if name in found:
                raise RecipeError(f"there are two systems of the name {name!r}")
            found[name] = (folder,)
        if not found:
            raise RecipeError("nothing to score", remedy="name files or folders, or --system NAME=DIR")
        return found


class Scoring:
    """One run of ``score``.

    Parameters
    ----------
    sides : Sides
    metrics : tuple of str or None
    gate : Gate or None
    align : bool
    groups : (Path, str) or None
        A CSV file and its column.
    csv : Path or None
    json, quiet : bool

    Attributes
    ----------
    scores : list of Score
        In order of systems and names, once the run is over.
    sums : list of Aggregate
    """

    def __init__(
        self,
        sides: Sides,
        *,
        metrics: tuple[str, ...] | None,
        gate: gates.Gate | None,
        align: bool,
        groups: tuple[Path, str] | None,
        csv: Path | None,
        json: bool,
        quiet: bool,
    ) -> None:
        self._sides, self._align, self._csv, self._json, self._quiet = sides, align, csv, json, quiet
        self.gate = gate
        self._metrics = self._wanted(metrics)
        self._groups = groups
        self.scores: list[Score] = []
        self.sums: list[Aggregate] = []

    def _wanted(self, metrics: tuple[str, ...] | None) -> tuple[str, ...] | None:
        """Add the gate's numbers to those asked for; None is all that the sides allow."""
        if self.gate is None:
            return metrics
        usual = [metric.name for metric, _ in registry.select(None, self._sides.given)]
        return tuple(dict.fromkeys([*(usual if metrics is None else metrics), *self.gate.keys]))

    def run(self, jobs: int | None, allow_empty: bool) -> int:
        """Score everything; return the exit code."""
        group_of = {} if self._groups is None else groups(*self._groups)
        reference, noisy = self._side("reference"), self._side("noisy")
        steps = list(self._steps(reference, noisy))
        keys = [key for _, some in registry.select(self._metrics, self._sides.given) for key in some]
        with ExitStack() as stack:
            table = (
                None
                if self._csv is None
                else ScoreCsv(stack.enter_context(_open(self._csv)), ["lag_ms", *keys], bool(self.gate))
            )
            progress = stack.enter_context(Progress(lambda: len(steps), shown=not self._quiet and not self._json))

            def on_outcome(outcome: Outcome, summary: Summary) -> None:
                score = self._score(outcome, group_of)
                self.scores.append(score)
                progress.advance(summary)
                if table is not None:
                    table.write(score)
                self._tell(outcome, score)

            summary = run(
                steps, partial(partial, score_file, self._metrics, self._align), workers(jobs), None, on_outcome
            )
        self._sum_up()
        for side in filter(None, (reference, noisy)):
            for path in () if self._quiet else side.unused():
                say(f"cleanaudio: {path}: note: nothing was scored against this {side.what} file")
        if not self._quiet:
            say_summary(summary)
        summary.rejected = sum(score.result is not None and not score.result.passed for score in self.scores)
        return exit_code(summary, allow_empty)

    def _side(self, what: str) -> Side | None:
        inputs = getattr(self._sides, what)
        if not inputs:
            return None
        found, problems = _split(self._expand(inputs))
        for problem in problems:
            raise problem.error
        return Side(what, found)

    def _expand(self, inputs: Sequence[str]) -> Iterator[Source | Problem]:
        return expand(inputs, recursive=self._sides.recursive, suffixes=AUDIO_SUFFIXES)

    def _steps(self, reference: Side | None, noisy: Side | None) -> Iterator[Job | Skipped | Failed]:
        number = 0
        for system, inputs in self._sides.by_system().items():
            found, problems = _split(self._expand(inputs))
            for item in (*problems, *pair(system, found, reference, noisy, self._sides.match)):
                if isinstance(item, Trial):
                    yield ScoreJob.of(number, item)
                else:
                    yield Failed(Job(number, (), Path(), item.label), item.error)
                number += 1

    def _score(self, outcome: Outcome, group_of: Any) -> Score:
        if not isinstance(outcome, Scored):
            assert isinstance(outcome, Failed)
            return Score("", Path(outcome.job.label).stem, outcome.job.label, error=outcome.error.describe())
        assert isinstance(outcome.job, ScoreJob)
        trial = outcome.job.trial
        return Score(
            trial.system,
            trial.name,
            str(trial.enhanced),
            None if trial.reference is None else str(trial.reference),
            None if trial.noisy is None else str(trial.noisy),
            outcome.measured,
            group_of.get(trial.name),
            None if self.gate is None else gates.evaluate(self.gate, outcome.measured),
            outcome.notes,
        )

    def _tell(self, outcome: Outcome, score: Score) -> None:
        if self._json:
            print(json.dumps(score.as_dict(), ensure_ascii=True), flush=True)
        if isinstance(outcome, Failed):
            complain(outcome.error)
        for note in () if self._quiet else score.notes:
            say(f"cleanaudio: {score.enhanced}: note: {note}")

    def _sum_up(self) -> None:
        order = list(self._sides.by_system())
        self.scores.sort(
            key=lambda score: (order.index(score.system) if score.system in order else len(order), score.name)
        )
        good = [score for score in self.scores if not score.error]
        self.sums = aggregate(good, keys_of(good), self._groups is not None)
        if self._json:
            for one in self.sums:
                print(json.dumps(one.as_dict(), ensure_ascii=True))
        elif good:
            _show(good, self.sums, self.gate)


def _split(items: Iterable[Source | Problem]) -> tuple[list[Source], list[Problem]]:
    found: list[Source] = []
    problems: list[Problem] = []
    for item in items:
        if isinstance(item, Problem):
            problems.append(item)
        else:
            found.append(item)
    return found, problems


def _open(path: Path) -> Any:
    try:
        return open(path, "w", newline="", encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise OutputError(f"cannot be written: {error.strerror}", path=path) from None


def _show(scores: list[Score], sums: list[Aggregate], gate: gates.Gate | None) -> None:
    """Print the table: one file by itself, or the sums of systems side by side."""
    from rich.table import Table
    from rich.text import Text

    systems = list(dict.fromkeys(score.system for score in scores))
    table = Table("metric", box=None, header_style="bold")
    if len(scores) == 1:
        table.add_column(Text(scores[0].name), justify="right")
        for key, value in scores[0].measured.items():
            table.add_row(key, Text(text(value, 3)))
    else:
        for system in systems:
            table.add_column(Text(f"{system}: mean"), justify="right")
            for title in ("median", "p5", "95 % interval") if len(systems) == 1 else ("Δ",):
                table.add_column(title, justify="right")
        for group in dict.fromkeys(one.group for one in sums):
            if group is not None:
                table.add_section()
                table.add_row(Text(group or "no group", style="bold"))
            for key in dict.fromkeys(one.key for one in sums):
                cells = [one for one in sums if one.key == key and one.group == group]
                if any(one.summary.count for one in cells):
                    table.add_row(key, *(cell for one in cells for cell in _cells(one, len(systems) == 1)))
    stdout().print(table)
    if len(systems) > 1:
        stdout().print(f"\nΔ is against {systems[0]}; * lies outside its 95 % interval.", markup=False)
    if gate is not None:
        _show_gate(scores)


def _cells(one: Aggregate, alone: bool) -> list[str]:
    summary = one.summary
    mean = "" if summary.mean is None else f"{summary.mean:.3f}"
    if alone:
        interval = "" if summary.low is None else f"{summary.low:.3f} … {summary.high:.3f}"
        return [mean, *("" if value is None else f"{value:.3f}" for value in (summary.median, summary.p5)), interval]
    if one.difference is None or one.difference.mean is None:
        return [mean, ""]
    return [mean, f"{one.difference.mean:+.3f}{'*' if one.difference.outside else ' '}"]


def _show_gate(scores: list[Score]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("file", "gate", "quality", "criteria", box=None, header_style="bold")
    for score in sorted(scores, key=lambda one: bool(one.result and one.result.passed))[:_SHOWN_FILES]:
        assert score.result is not None
        verdicts = [str(verdict) for verdict in score.result.verdicts if len(scores) == 1 or not verdict.passed]
        word = Text("PASS", style="green") if score.result.passed else Text("FAIL", style="bold red")
        table.add_row(Text(score.name), word, text(score.result.quality, 2), Text("\n".join(verdicts)))
    stdout().print()
    stdout().print(table)
    left = len(scores) - _SHOWN_FILES
    if left > 0:
        stdout().print(f"… and {left} files more", markup=False)
