"""An inspection run: inputs to the pool, what was found to table, CSV, JSON and pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from cleanaudio.audio.wording import clock
from cleanaudio.batch.csvfile import CsvFile
from cleanaudio.batch.inspecting import Inspected, InspectJob, inspect_file
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
from cleanaudio.report.inspection import ITEMS, exchanged_against
from cleanaudio.report.scores import text

_MOST_COMPARED = 12
_HEAD = ("input", "status", "reason", "format", "subtype", "rate", "channels", "frames", "seconds")
_TAIL = ("hum_hz", "wiring", "not_numbers", "excerpts_s", "recommendations", "notes")
_SHORT = ("bandwidth_hz", "loudness", "true_peak", "noise_floor", "snr", "dnsmos_ovrl", "speech_ratio")
"""What the table of several recordings shows."""


class Inspecting:
    """One run of ``inspect``.

    Parameters
    ----------
    inputs : tuple of str
        As on the command line.
    recursive : bool
    csv : Path or None
    json : bool
    plot, compare : Path or None
        Folder of the pictures; picture of all spectra.
    quiet : bool

    Raises
    ------
    RecipeError
        Nothing to inspect.
    BackendUnavailable
        Pictures are asked for and matplotlib is not there.
    FormatError, OutputError
        ``compare`` cannot be a picture.
    """

    def __init__(
        self,
        inputs: tuple[str, ...],
        *,
        recursive: bool,
        csv: Path | None,
        json: bool,
        plot: Path | None,
        compare: Path | None,
        quiet: bool,
    ) -> None:
        if not inputs:
            raise RecipeError("nothing to inspect", remedy="name files or folders, or - for stdin")
        if plot is not None:
            check_picture("--plot")
        if compare is not None:
            check_picture("--compare", compare)
        self._inputs, self._recursive, self._csv, self._json = inputs, recursive, csv, json
        self._plot, self._compare, self._quiet = plot, compare, quiet
        self._done: list[Inspected] = []

    def run(self, jobs: int | None, allow_empty: bool) -> int:
        """Inspect everything; return the exit code."""
        with ExitStack() as stack:
            sources = recordings(self._inputs, self._recursive, stack, allow_empty)
            header = [*_HEAD, *(item.key for item in ITEMS), *_TAIL]
            table = None if self._csv is None else stack.enter_context(CsvFile(self._csv, header))
            steps = self._steps(sources())
            if self._compare is not None:
                steps = iter(_comparable(list(steps)))
            shown = not self._quiet and not self._json
            progress = stack.enter_context(Progress(counter(self._inputs, sources), shown=shown))

            def on_outcome(outcome: Outcome) -> None:
                if isinstance(outcome, Inspected):
                    self._done.append(outcome)
                self._tell(outcome)
                if table is not None:
                    table.write(_cells(outcome))

            work = partial(partial, inspect_file)
            summary = run(steps, work, workers(jobs), None, on_outcome, progress.advance, in_order=True)
            code = exit_code(summary, allow_empty)
        if self._done and not self._json:
            _show(self._done)
        if self._compare is not None and self._done:
            self._draw_comparison(self._compare)
        if not self._quiet and summary.total > 1:
            say_summary(summary)
        return code

    def _steps(self, sources: Iterator[Source | Problem]) -> Iterator[Step]:
        pictures = None if self._plot is None else Pictures(self._plot)
        for number, item in enumerate(sources):
            if isinstance(item, Problem):
                yield Failed.of(number, item)
            else:
                yield InspectJob(
                    number,
                    (item.path,),
                    Path(),
                    item.label,
                    pictures=None if pictures is None else pictures.of(item),
                    spectrum=self._compare is not None,
                )

    def _tell(self, outcome: Outcome) -> None:
        if self._json:
            print(json.dumps(_json_of(outcome), ensure_ascii=True), flush=True)
        tell(outcome, self._quiet)

    def _draw_comparison(self, path: Path) -> None:
        from cleanaudio.report.spectra import plot_comparison

        shown = [one for one in self._done if one.spectrum is not None]
        titles = _titles([one.job.label for one in shown])
        plot_comparison([(title, one.spectrum) for title, one in zip(titles, shown, strict=True) if one.spectrum], path)
        first, *others = self._done
        for one in others:
            if exchanged_against(one.found.info.path, first.found.info.path) and not self._quiet:
                say(f"cleanaudio: {one.job.label}: note: left and right are exchanged against {first.job.label}")


def _comparable(steps: list[Step]) -> list[Step]:
    if not 2 <= len(steps) <= _MOST_COMPARED:
        raise RecipeError(
            f"--compare takes 2 to {_MOST_COMPARED} recordings, not {len(steps)}", remedy="name those to compare"
        )
    return steps


def _titles(labels: list[str]) -> list[str]:
    """Return the ends of paths, as short as tells them apart."""
    parts = [Path(label).parts for label in labels]
    for count in range(1, max(map(len, parts)) + 1):
        titles = [str(Path(*one[-count:])) for one in parts]
        if len(set(titles)) == len(titles):
            return titles
    return labels


def _cells(outcome: Outcome) -> list[str]:
    if not isinstance(outcome, Inspected):
        error = outcome.error.describe() if isinstance(outcome, Failed) else ""
        return [outcome.job.label, "failed", error, *[""] * (len(_HEAD) - 3 + len(ITEMS) + len(_TAIL))]
    found, info = outcome.found, outcome.found.info
    return [
        *(outcome.job.label, "done", "", info.format, info.subtype),
        *(str(info.rate), str(info.channels), str(info.frames), f"{info.seconds:.6f}"),
        *(text(found.measured[item.key], 6) for item in ITEMS),
        "" if found.hum is None else str(found.hum.base_hz),
        "; ".join(map(str, found.wiring)),
        str(found.not_numbers),
        f"{found.excerpts_s:.3f}",
        "; ".join(map(str, outcome.advice)),
        "; ".join(outcome.notes),
    ]


def _json_of(outcome: Outcome) -> dict[str, Any]:
    if not isinstance(outcome, Inspected):
        error = outcome.error.describe() if isinstance(outcome, Failed) else None
        return {"input": outcome.job.label, "status": "failed", "reason": error}
    advice = [{"kind": one.kind, "finding": one.finding, "advice": one.advice} for one in outcome.advice]
    return {
        "input": outcome.job.label,
        "status": "done",
        "reason": None,
        **outcome.found.as_dict(),
        "recommendations": advice,
        "notes": list(outcome.notes),
    }


def _show(done: list[Inspected]) -> None:
    """Print the table: one recording from top to bottom, or a row for each of several."""
    from rich.table import Table
    from rich.text import Text

    if len(done) == 1:
        table = Table(box=None, show_header=False, pad_edge=False)
        for label, value in _rows(done[0]):
            table.add_row(Text(label, style="bold"), plain(value))
        print_table(table)
        stdout().print()
        for advice in done[0].advice:
            stdout().print(Text.assemble("• ", (advice.finding, "bold"), f": {advice.advice}"))
        return
    items = [item for item in ITEMS if item.key in _SHORT]
    table = Table("recording", "duration", "rate", "channels", box=None, header_style="bold")
    for item in items:
        table.add_column(Text(f"{item.label}\n{item.unit}"), justify="right")
    for one in done:
        found, info = one.found, one.found.info
        values = [(item, found.value(item.key)) for item in items]
        cells = ["–" if value is None else item.figure(value) for item, value in values]
        first = (one.job.label, clock(info.seconds, 3), str(info.rate), str(info.channels))
        table.add_row(*map(plain, (*first, *cells)))
    print_table(table)
    for one in done:
        for advice in one.advice:
            stdout().print(Text.assemble("• ", plain(one.job.label, "bold"), f": {advice.finding}"))


def _rows(one: Inspected) -> Iterator[tuple[str, str]]:
    found, info = one.found, one.found.info
    yield "recording", one.job.label
    kind = f"{info.format}, {info.subtype}"
    yield "format", kind if info.bit_rate is None else f"{kind}, {info.bit_rate / 1000:.0f} kbit/s"
    yield "duration", clock(info.seconds, 3)
    yield "rate", f"{info.rate} Hz"
    yield "channels", str(info.channels) + "".join(f"; {fault}" for fault in found.wiring)
    for item in ITEMS:
        shown = item.show(found.measured[item.key])
        if item.key == "hum" and found.hum is not None:
            lines = ", ".join(map(str, found.hum.lines_hz))
            shown += f", {found.hum.above_db:.0f} dB above the noise, at {lines} Hz"
        yield item.label, shown
    if found.excerpts_s < info.seconds:
        yield "listened to", f"all for levels and wiring, {found.excerpts_s:.0f} s spread over it for the rest"
