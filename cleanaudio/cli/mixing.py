"""A mixing run: both sides to a plan, the plan to the pool, outcomes to manifest, JSON and the terminal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import chain
from pathlib import Path

from cleanaudio.audio.formats import output_suffix
from cleanaudio.batch.csvfile import CsvFile, cell
from cleanaudio.batch.lock import FolderLock
from cleanaudio.batch.mix_manifest import COLUMNS, names_no_mix, planned, row_of
from cleanaudio.batch.mixing import MixJob, MixPolicy, MixRequest, mix_file, variants
from cleanaudio.batch.outcome import Done, Failed, Job, Outcome, Step
from cleanaudio.batch.plan import plan
from cleanaudio.batch.policy import check_targets
from cleanaudio.batch.run import Summary, run
from cleanaudio.batch.source import NothingFound, Problem, Source
from cleanaudio.cli.batching import exit_code, say_summary, workers
from cleanaudio.cli.console import complain, plain, print_table, say
from cleanaudio.cli.exits import Exit
from cleanaudio.cli.progress import Progress, counter
from cleanaudio.cli.recordings import find
from cleanaudio.errors import OutputError


class Mixing:
    """One run of ``mix``.

    Parameters
    ----------
    request : MixRequest
    clean : sequence of str
        Where the speech is, as the user named it.
    folder : Path
        Where the noisy recordings go.
    manifest : Path
    json, quiet, allow_empty : bool
    """

    def __init__(
        self,
        request: MixRequest,
        *,
        clean: Sequence[str],
        folder: Path,
        manifest: Path,
        json: bool,
        quiet: bool,
        allow_empty: bool,
    ) -> None:
        self._request, self._clean, self._folder, self._manifest = request, clean, folder, manifest
        self._json, self._quiet, self._allow_empty = json, quiet, allow_empty

    def run(
        self,
        speech: Callable[[], Iterable[Source | Problem]],
        noise: Sequence[Source],
        snrs_db: Sequence[float],
        *,
        every: bool,
        jobs: int | None,
        dry_run: bool,
    ) -> int:
        """Mix everything; return the exit code."""
        request = self._request
        policy = MixPolicy(
            folder=self._folder,
            extension=lambda path: output_suffix(path, request.format),
            existing="overwrite" if request.overwrite else "refuse",
        )
        check_targets(policy)

        def steps() -> Iterator[Step]:
            return plan(variants(speech(), noise, snrs_db, request.seed, every), policy, recipe_hash="")

        if dry_run:
            return exit_code(self._show(steps()), self._allow_empty)
        planned_steps, found = _looked_ahead(steps())
        with ExitStack() as stack:
            stack.enter_context(FolderLock(self._folder))
            # One that would stay empty takes nothing's place.
            table = stack.enter_context(self._open_manifest(request.overwrite)) if found else None
            each = len(snrs_db) * (len(noise) if every else 1)
            count = counter(tuple(self._clean), lambda: _counted(speech(), each))
            progress = stack.enter_context(Progress(count, shown=not self._quiet and not self._json))

            def on_outcome(outcome: Outcome) -> None:
                row = row_of(outcome)
                if table is not None:
                    table.write([cell(row.get(name)) for name in COLUMNS])
                self._tell(outcome)

            work = partial(_work, request)
            try:
                summary = run(planned_steps, work, workers(jobs), None, on_outcome, progress.advance, in_order=True)
            except OutputError as error:  # the manifest itself cannot be written
                complain(error)
                return Exit.SOME_FAILED
        if not self._quiet:
            say_summary(summary)
        return exit_code(summary, self._allow_empty)

    def _open_manifest(self, overwrite: bool) -> CsvFile:
        try:
            self._manifest.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"the manifest cannot be written: {error.strerror}", path=self._manifest) from error
        return CsvFile(self._manifest, COLUMNS, replace=overwrite or names_no_mix(self._manifest))

    def _tell(self, outcome: Outcome) -> None:
        if self._json:
            print(json.dumps(row_of(outcome), ensure_ascii=True), flush=True)
        if isinstance(outcome, Failed):
            complain(outcome.error)
        elif isinstance(outcome, Done) and not self._quiet:
            for note in outcome.notes:
                say(f"cleanaudio: {outcome.job.output}: note: {note}")

    def _show(self, steps: Iterator[Step]) -> Summary:
        """Print the plan: JSON lines or a table."""
        from rich.table import Table

        summary = Summary()
        table = Table("clean", "noise", "SNR", "noisy", box=None, header_style="bold")
        for step in steps:
            if isinstance(step, Job):
                assert isinstance(step, MixJob)
                summary.done += 1
                row = planned(step) | {"status": "planned"}
                cells = [step.label, step.variant.noise.label, f"{step.variant.snr_db:g} dB", str(step.output)]
            else:
                summary.add(step)
                row = row_of(step)
                cells = [step.job.label, "", "", str(row["reason"])]
            if self._json:
                print(json.dumps(row, ensure_ascii=True))
            else:
                table.add_row(*map(plain, cells))
        if not self._json:
            print_table(table)
        return summary


def _looked_ahead(steps: Iterator[Step]) -> tuple[Iterator[Step], bool]:
    """Return the steps, and whether there is one beside folders and patterns in which there is nothing."""
    seen: list[Step] = []
    for step in steps:
        seen.append(step)
        if not (isinstance(step, Failed) and isinstance(step.error, NothingFound)):
            return chain(seen, steps), True
    return iter(seen), False


def _work(request: MixRequest, threads: int):
    return partial(mix_file, request)


def _counted(speech: Iterable[Source | Problem], each: int) -> Iterator[Source | Problem]:
    """Yield everything as often as it is mixed."""
    for item in speech:
        yield from [item] * (1 if isinstance(item, Problem) else each)


def all_noise(inputs: Sequence[str], recursive: bool, exclude: tuple[Path, ...] = ()) -> list[Source]:
    """Return the noise recordings, all of them: nothing can be drawn before they are known.

    Raises
    ------
    CleanAudioError
        There is none, or one that was named cannot be had.
    """
    found = []
    for item in find(inputs, recursive, exclude=exclude):
        if isinstance(item, Problem):
            item.error.message = f"noise: {item.error.message}"
            raise item.error
        found.append(item)
    return found
