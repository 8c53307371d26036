"""A scoring run: sides to trials, trials to the pool, scores to table, CSV and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from cleanaudio.batch.csvfile import CsvFile
from cleanaudio.batch.gains import Gains
from cleanaudio.batch.outcome import Failed, Outcome, Step, output_of
from cleanaudio.batch.pairs import Groups, Side, Trial, Unpaired, pair
from cleanaudio.batch.run import run
from cleanaudio.batch.scoring import Scored, ScoreJob, score_file
from cleanaudio.batch.source import Problem, Source
from cleanaudio.cli.batching import exit_code, say_summary, workers
from cleanaudio.cli.console import complain, say
from cleanaudio.cli.progress import Progress
from cleanaudio.cli.recordings import find
from cleanaudio.cli.score_tables import show
from cleanaudio.errors import RecipeError
from cleanaudio.metrics import registry
from cleanaudio.report import gate as gates
from cleanaudio.report.scores import Aggregate, Score, aggregate, cells, columns, keys_of, lacking

_SHOWN_UNUSED = 3


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
    stopped : bool
        Whether a signal ended the run before its end.
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
        self._unscored: dict[int, tuple[str, str]] = {}  # system and name of the files that are not even read
        self.scores: list[Score] = []
        self.sums: list[Aggregate] = []
        self.stopped = False

    def _wanted(self, metrics: tuple[str, ...] | None) -> tuple[str, ...] | None:
        """Add the gate's numbers to those asked for; None is all that the sides allow."""
        given = self._sides.given
        for metric, keys in registry.select(metrics or (), given):
            for what in sorted(metric.needs - given):
                raise RecipeError(f"{keys[0]} needs the {what} side", remedy=f"give --{what}")
        if self.gate is None:
            return metrics
        self.gate.check(given, of_runs=False)
        usual = [metric.name for metric, _ in registry.select(None, given)]
        return tuple(dict.fromkeys([*(usual if metrics is None else metrics), *self.gate.keys]))

    def run(self, jobs: int | None, allow_empty: bool) -> int:
        """Score everything; return the exit code."""
        known = None if self._groups is None else Groups(*self._groups)
        reference, noisy = self._side("reference"), self._side("noisy")
        steps = list(self._steps(reference, noisy))
        chosen = registry.select(self._metrics, self._sides.given)
        keys = list(dict.fromkeys(["lag_ms", *(key for _, some in chosen for key in some)]))
        with ExitStack() as stack:
            gated = self.gate is not None
            table = None if self._csv is None else stack.enter_context(CsvFile(self._csv, columns(keys, gated)))
            progress = stack.enter_context(Progress(lambda: len(steps), shown=not self._quiet and not self._json))

            def on_outcome(outcome: Outcome) -> None:
                score = self._score(outcome, known)
                self.scores.append(score)
                if table is not None:
                    table.write(cells(score, keys, gated))
                self._tell(outcome, score)

            work = partial(partial, score_file, self._metrics, self._align)
            summary = run(steps, work, workers(jobs), None, on_outcome, progress.advance, in_order=True)
        self.stopped = summary.signal is not None
        self._sum_up()
        for side in filter(None, (reference, noisy)):
            self._tell_unused(side)
        summary.rejected = sum(score.result is not None and not score.result.passed for score in self.scores)
        if not self._quiet:
            say_summary(summary)
        return exit_code(summary, allow_empty)

    def _side(self, what: str) -> Side | None:
        inputs = getattr(self._sides, what)
        if not inputs:
            return None
        found, problems = _split(find(inputs, self._sides.recursive))
        for problem in problems:
            raise problem.error
        return Side(what, found)

    def _steps(self, reference: Side | None, noisy: Side | None) -> Iterator[Step]:
        number, gains = 0, Gains()
        for system, inputs in self._sides.by_system().items():
            found, problems = _split(find(inputs, self._sides.recursive))
            for item in (*problems, *pair(system, found, reference, noisy, self._sides.match)):
                if isinstance(item, Trial):
                    gain_db = None if noisy is None else gains.of(item.enhanced)
                    yield ScoreJob.of(number, replace(item, gain_db=gain_db))
                else:
                    name = item.name if isinstance(item, Unpaired) else Path(item.label).stem
                    self._unscored[number] = system, name
                    yield Failed.of(number, item)
                number += 1

    def _score(self, outcome: Outcome, known: Groups | None) -> Score:
        job = outcome.job
        if not isinstance(outcome, Scored):
            assert isinstance(outcome, Failed)
            trial = job.trial if isinstance(job, ScoreJob) else None
            system, name = self._unscored[job.number] if trial is None else (trial.system, trial.name)
            return Score(system, name, job.label, error=outcome.error.describe())
        assert isinstance(job, ScoreJob)
        trial = job.trial
        return Score(
            trial.system,
            trial.name,
            str(trial.enhanced),
            None if trial.reference is None else str(trial.reference),
            None if trial.noisy is None else str(trial.noisy),
            outcome.measured,
            outcome.before,
            trial.gain_db,
            None if known is None else known.of(trial),
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

    def _tell_unused(self, side: Side) -> None:
        unused = side.unused()
        for path in () if self._quiet else unused[:_SHOWN_UNUSED]:
            say(f"cleanaudio: {path}: note: nothing was scored against this {side.what} file")
        left = len(unused) - _SHOWN_UNUSED
        if left > 0 and not self._quiet:
            say(f"cleanaudio: note: nor against {left} other {side.what} files")

    def _sum_up(self) -> None:
        order = list(self._sides.by_system())
        self.scores.sort(key=lambda score: (order.index(score.system), score.name, score.enhanced))
        good = [score for score in self.scores if not score.error]
        self.sums = aggregate(good, keys_of(good), self._groups is not None)
        if self._json:
            for one in self.sums:
                print(json.dumps(one.as_dict(), ensure_ascii=True))
        elif good:
            show(good, self.sums, self.gate)
        for note in () if self._quiet else lacking(good):
            say(f"cleanaudio: note: {note}; differences are over those that both have")


def _split(items: Iterable[Source | Problem]) -> tuple[list[Source], list[Problem]]:
    """Return recordings, without the residuals that lie beside them in a folder, and what is wrong with others."""
    found: list[Source] = []
    problems: list[Problem] = []
    for item in items:
        if isinstance(item, Problem):
            problems.append(item)
        else:
            found.append(item)
    there = {source.path for source in found}
    residuals = {path for path in there if path != output_of(path) and output_of(path) in there}
    return [source for source in found if not (source.found and source.path in residuals)], problems
