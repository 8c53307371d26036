"""A run of ``locate``: recordings to the pool, directions to table, CSV, JSON and pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from cleanaudio.batch.csvfile import CsvFile
from cleanaudio.batch.groups import Grouping, grouped
from cleanaudio.batch.locating import Located, LocateJob, LocateRequest, locate_file
from cleanaudio.batch.outcome import Failed, Outcome, Step
from cleanaudio.batch.pictures import Pictures
from cleanaudio.batch.run import run
from cleanaudio.batch.source import Problem, Source
from cleanaudio.cli.batching import exit_code, say_summary, tell, workers
from cleanaudio.cli.console import plain, print_table, say, stdout
from cleanaudio.cli.pictures import check_picture
from cleanaudio.cli.progress import Progress, counter
from cleanaudio.cli.recordings import recordings
from cleanaudio.errors import RecipeError
from cleanaudio.spatial.doa import mirror_axis, mirrored

_COLUMNS = ("input", "status", "reason", "time_s", "azimuth_deg", "elevation_deg", "score", "level_db", "notes")
_PICTURE = "_directions.png"
_SILENT = "no direction: silence"


class Locating:
    """One run of ``locate``.

    Parameters
    ----------
    request : LocateRequest
    inputs : tuple of str
        As on the command line.
    recursive : bool
    grouping : Grouping
        Which files are one recording.
    csv : Path or None
    json : bool
    plot : Path or None
        A folder for the pictures, or the one picture.
    quiet : bool

    Raises
    ------
    RecipeError
        Nothing to locate in.
    BackendUnavailable
        A picture is asked for and matplotlib is not there.
    """

    def __init__(
        self,
        request: LocateRequest,
        inputs: tuple[str, ...],
        *,
        recursive: bool,
        grouping: Grouping,
        csv: Path | None,
        json: bool,
        plot: Path | None,
        quiet: bool,
    ) -> None:
        if not inputs:
            raise RecipeError("nothing to locate in", remedy="name files or folders, or - for stdin")
        self._single = plot is not None and _is_picture(plot)
        self._request, self._inputs, self._recursive, self._grouping = request, inputs, recursive, grouping
        self._csv, self._json, self._plot, self._quiet = csv, json, plot, quiet
        self._done: list[Located] = []

    def run(self, jobs: int | None, allow_empty: bool) -> int:
        """Locate in everything; return the exit code."""
        with ExitStack() as stack:
            files = recordings(self._inputs, self._recursive, stack, allow_empty)

            def sources() -> Iterator[Source | Problem]:
                return grouped(files(), self._grouping)

            table = None if self._csv is None else stack.enter_context(CsvFile(self._csv, _COLUMNS))
            steps = self._steps(sources())
            if self._single:
                steps = iter(_one(list(steps)))
            shown = not self._quiet and not self._json
            progress = stack.enter_context(Progress(counter(self._inputs, sources), shown=shown))

            def on_outcome(outcome: Outcome) -> None:
                if isinstance(outcome, Located):
                    self._done.append(outcome)
                self._tell(outcome)
                if table is not None:
                    for cells in _rows(outcome):
                        table.write(cells)

            work = partial(partial, locate_file, self._request)
            summary = run(steps, work, workers(jobs), None, on_outcome, progress.advance, in_order=True)
        code = exit_code(summary, allow_empty)
        if self._done and not self._json:
            self._show()
        if not self._quiet and summary.total > 1:
            say_summary(summary)
        return code

    def _steps(self, sources: Iterator[Source | Problem]) -> Iterator[Step]:
        pictures = None if self._plot is None else Pictures(self._plot)
        for number, item in enumerate(sources):
            if isinstance(item, Problem):
                yield Failed.of(number, item)
                continue
            picture = self._plot
            if pictures is not None and not self._single:
                picture = Path(pictures.of(item) + _PICTURE)
            yield LocateJob(number, item.files, Path(), item.label, picture=picture)

    def _tell(self, outcome: Outcome) -> None:
        if self._json:
            print(json.dumps(_json_of(outcome), ensure_ascii=True), flush=True)
        tell(outcome, self._quiet)

    def _show(self) -> None:
        """Print the table: the directions of one recording, or a row for each of several; then the ambiguity."""
        from rich.table import Table

        digits = 0 if self._request.step_deg >= 1 else 1
        if len(self._done) == 1:
            (one,) = self._done
            table = Table("direction", "share of the time", box=None, header_style="bold", pad_edge=False)
            for column in table.columns:
                column.justify = "right"
            for heading in one.headings:
                table.add_row(_angle(heading, digits, "°"), f"{heading.share:.0%}")
            if one.headings:
                print_table(table)
                stdout().print(f"\n--direction {_angle(one.headings[0], digits)}", markup=False)
            else:
                stdout().print(_SILENT)
        else:
            table = Table("recording", "--direction", "share", "others", box=None, header_style="bold")
            for one in self._done:
                best = _angle(one.headings[0], digits) if one.headings else _SILENT
                share = f"{one.headings[0].share:.0%}" if one.headings else ""
                others = ", ".join(f"{_angle(other, digits)} ({other.share:.0%})" for other in one.headings[1:])
                table.add_row(*map(plain, (one.job.label, best, share, others)))
            print_table(table)
        self._show_ambiguity(digits)

    def _show_ambiguity(self, digits: int) -> None:
        axis = mirror_axis(self._request.geometry)
        found = next((one.headings[0] for one in self._done if one.headings), None)
        if axis is None or found is None or self._quiet:
            return
        azimuth, other = found.azimuth_deg, mirrored(found.azimuth_deg, axis)
        what = "a line" if self._request.geometry.dimensions == 1 else "an upright plane"
        say(
            f"cleanaudio: note: microphones in {what} hear front and back alike: {azimuth:.{digits}f}° may as well be "
            f"{other:.{digits}f}°, which makes no difference to beamform"
        )


def _is_picture(path: Path) -> bool:
    """Return whether a name is that of a picture rather than of a folder."""
    if not path.suffix or path.is_dir():
        check_picture("--plot")
        return False
    check_picture("--plot", path, makes_folder=True)
    return True


def _one(steps: list[Step]) -> list[Step]:
    if len(steps) > 1:
        raise RecipeError(f"--plot names one picture for {len(steps)} recordings", remedy="name a folder")
    return steps


def _angle(heading: Any, digits: int, unit: str = "") -> str:
    """Write a direction as ``--direction`` reads it: azimuth, and elevation unless it is 0."""
    texts = [f"{round(angle, digits) + 0.0:.{digits}f}{unit}" for angle in (heading.azimuth_deg, heading.elevation_deg)]
    return texts[0] if heading.elevation_deg == 0 else ",".join(texts)


def _rows(outcome: Outcome) -> Iterator[list[str]]:
    """Return the rows of a recording: one a window, one at least."""
    label, empty = outcome.job.label, [""] * 5
    if isinstance(outcome, Failed):
        yield [label, "failed", outcome.error.describe(), *empty, ""]
    elif isinstance(outcome, Located):
        notes = "; ".join(outcome.notes)
        if not outcome.bearings:
            yield [label, "done", _SILENT, *empty, notes]
        for one in outcome.bearings:
            angles = (f"{one.azimuth_deg:g}", f"{one.elevation_deg:g}")
            yield [label, "done", "", f"{one.time_s:.3f}", *angles, f"{one.score:.3f}", f"{one.level_db:.1f}", notes]


def _json_of(outcome: Outcome) -> dict[str, Any]:
    if not isinstance(outcome, Located):
        error = outcome.error.describe() if isinstance(outcome, Failed) else None
        return {"input": outcome.job.label, "status": "failed", "reason": error}
    headings = [asdict(one) for one in outcome.headings]
    return {
        "input": outcome.job.label,
        "status": "done",
        "direction": headings[0] if headings else None,
        "reason": None if headings else _SILENT,
        "directions": headings,
        "bearings": [asdict(one) for one in outcome.bearings],
        "notes": list(outcome.notes),
    }
