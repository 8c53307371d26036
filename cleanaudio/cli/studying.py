"""An impact run: a manifest to jobs, jobs to the pool, findings to table, CSV, JSON and picture."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from cleanaudio.batch.csvfile import CsvFile
from cleanaudio.batch.names import RealNames
from cleanaudio.batch.outcome import Failed, Outcome
from cleanaudio.batch.run import run
from cleanaudio.batch.source import Problem, Source
from cleanaudio.cli.batching import exit_code, say_summary, workers
from cleanaudio.cli.console import complain, plain, print_table, say
from cleanaudio.cli.progress import Progress
from cleanaudio.cli.recordings import find
from cleanaudio.errors import InputError
from cleanaudio.impact.study import Finding, Study, Utterance, stated_s, transcript
from cleanaudio.impact.studying import Studied, StudyJob, study_file
from cleanaudio.impact.table import CELL_COLUMNS, COLUMNS, Cell, as_dict, row_of, row_of_cell, tabulate
from cleanaudio.report.scores import fixed


class Studying:
    """One run of ``impact``.

    Parameters
    ----------
    study : Study
    manifest : Path
    csv, table, plot : Path or None
        Where findings, table and picture go.
    json, quiet : bool
    """

    def __init__(
        self,
        study: Study,
        manifest: Path,
        *,
        csv: Path | None,
        table: Path | None,
        plot: Path | None,
        json: bool,
        quiet: bool,
    ) -> None:
        self._study, self._manifest = study, manifest
        self._csv, self._table, self._plot = csv, table, plot
        self._json, self._quiet = json, quiet

    def run(self, jobs: int | None, allow_empty: bool) -> int:
        """Study everything; return the exit code."""
        steps = list(self._steps())
        findings: list[Finding] = []
        with ExitStack() as stack:
            rows = None if self._csv is None else stack.enter_context(CsvFile(self._csv, COLUMNS))
            table = None if self._table is None else stack.enter_context(CsvFile(self._table, CELL_COLUMNS))
            progress = stack.enter_context(Progress(lambda: len(steps), shown=not self._quiet and not self._json))

            def on_outcome(outcome: Outcome) -> None:
                found = _findings(outcome)
                if isinstance(outcome, Failed):
                    complain(outcome.error)
                for finding in found:
                    if rows is not None:
                        rows.write(row_of(finding))
                    self._tell(finding)
                findings.extend(found)

            work = partial(partial, study_file, self._study)
            summary = run(steps, work, workers(jobs), None, on_outcome, progress.advance, in_order=True)
            partly = {finding.audio for finding in findings if finding.error and finding.system}
            summary.done, summary.failed = summary.done - len(partly), summary.failed + len(partly)
            cells = tabulate(findings)
            if table is not None:
                for cell in cells:
                    table.write(row_of_cell(cell))
        self._show(cells)
        if self._plot is not None and cells:
            from cleanaudio.impact.plot import plot_table

            plot_table(cells, self._plot)
        if not self._quiet:
            say_summary(summary)
        return exit_code(summary, allow_empty)

    def _steps(self) -> Iterator[StudyJob | Failed]:
        names = RealNames()
        found: list[Source | Problem] = []
        lines: dict[bytes, list[Mapping[str, object]]] = {}  # that name a recording
        for item in find([], manifest=self._manifest, again=True):
            if isinstance(item, Problem):
                found.append(item)
                continue
            about = lines.setdefault(names.key(item.path), [])
            if not about:
                found.append(item)
            about.append(item.meta)
        for number, item in enumerate(found):
            if isinstance(item, Problem):
                yield Failed.of(number, item)
                continue
            try:
                about = lines[names.key(item.path)]
                text = transcript(about, item.label)
            except InputError as error:
                yield Failed.of(number, Problem(item.label, error))
                continue
            utterance = Utterance(item.path, item.label, item.relative.as_posix(), text, stated_s(about))
            yield StudyJob(number, (item.path,), Path(), item.label, utterance=utterance)

    def _tell(self, finding: Finding) -> None:
        if self._json:
            print(json.dumps(as_dict(finding), ensure_ascii=True), flush=True)
        if finding.error and finding.system:  # one without is of the recording as a whole, and has been told
            at = "" if finding.snr_db is None else f"{finding.audio}, {finding.system} at {finding.snr_db:g} dB: "
            say(f"cleanaudio: {at}{finding.error}")

    def _show(self, cells: list[Cell]) -> None:
        if self._json:
            for cell in cells:
                print(json.dumps(cell.as_dict(), ensure_ascii=True))
            return
        if not cells:
            return
        from rich.table import Table

        table = Table("SNR", "system", box=None, header_style="bold")
        for title in ("WER", "Δ clean", "relative", "similarity", "SNR after", "PESQ", "STOI", "recordings"):
            table.add_column(title, justify="right")
        before: float | None = None
        for cell in cells:
            if cell.snr_db != before:
                table.add_section()
            place = "" if cell.snr_db is None or cell.snr_db == before else f"{cell.snr_db:g} dB"
            before = cell.snr_db
            table.add_row(
                place,
                plain(cell.system),
                f"{100 * cell.wer:.1f} %",
                "" if cell.snr_db is None else fixed(100 * cell.degradation, 1, signed=True),
                "" if cell.relative is None else f"{100 * cell.relative:.0f} %",
                *(
                    "" if value is None else f"{value:.{digits}f}"
                    for value, digits in ((cell.similarity, 3), (cell.snr, 1), (cell.pesq_wb, 2), (cell.stoi, 3))
                ),
                str(cell.recordings),
            )
        print_table(table)


def _findings(outcome: Outcome) -> list[Finding]:
    if isinstance(outcome, Studied):
        return outcome.findings
    assert isinstance(outcome, Failed)
    said = outcome.job.utterance.text if isinstance(outcome.job, StudyJob) else ""
    return [Finding(outcome.job.label, "", None, None, said, error=outcome.error.describe())]


def look_ahead(study: Study) -> None:
    """Check that recogniser and speaker encoder are installed, before the first recording.

    Raises
    ------
    BackendUnavailable, RecipeError
        There is no recogniser. Without the encoder only the similarity is missing, which is said.
    """
    from cleanaudio.impact.asr import recogniser
    from cleanaudio.impact.speaker import EncoderUnavailable, weights_file
    from cleanaudio.impact.words import word_errors

    recogniser(study.asr_command)
    word_errors("one", "one")
    try:
        weights_file()
    except EncoderUnavailable as error:
        complain(error)
