"""From a command's options to a run: inputs to a plan, the plan to the pool, outcomes to CSV, JSON and the terminal."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import filterfalse, islice
from pathlib import Path

import typer

import cleanaudio
from cleanaudio.audio.formats import output_suffix
from cleanaudio.audio.wording import clock
from cleanaudio.batch.groups import grouped
from cleanaudio.batch.history import LOG_NAME, RowIndex, check_log
from cleanaudio.batch.lock import FolderLock
from cleanaudio.batch.outcome import Done, Failed, Job, Outcome, Skipped, Step
from cleanaudio.batch.plan import plan
from cleanaudio.batch.policy import OutputPolicy, check_targets
from cleanaudio.batch.rows import RowWriter, json_of
from cleanaudio.batch.run import Summary, run
from cleanaudio.batch.source import Problem, Source, says_nothing_found
from cleanaudio.batch.worker import Work
from cleanaudio.cli.batch import Batch
from cleanaudio.cli.console import complain, plain, print_table, say
from cleanaudio.cli.exits import Exit
from cleanaudio.cli.progress import Progress, counter
from cleanaudio.cli.recordings import find, spooled, temporary_folder
from cleanaudio.errors import OutputError, RecipeError


def execute(batch: Batch, recipe: str, work: Callable[[int], Work], *, backend: str, why: str | None = None) -> None:
    """Run a batch command to its exit code.

    Parameters
    ----------
    batch : Batch
    recipe : str
        Hash of what decides the samples.
    work : callable
        Given the threads of a job, returns what a worker does with it.
    backend : str
        For the messages.
    why : str, optional
        Why ``auto`` chose it.

    Raises
    ------
    typer.Exit
        With the exit code, where it is not 0.
    """
    _check(batch)
    if why is not None and not batch.shared.quiet:
        say(f"cleanaudio: auto is {backend}: {why}")
    with ExitStack() as stack:
        summary = (_to_stdout if batch.to_stdout else _to_files)(batch, work, recipe, backend, stack)
    if not batch.shared.quiet and not batch.shared.dry_run:
        say_summary(summary)
    code = exit_code(summary, batch.shared.allow_empty)
    if code:
        raise typer.Exit(code)


def _check(batch: Batch) -> None:
    if not batch.inputs and batch.shared.manifest is None:
        raise RecipeError("nothing to clean", remedy="name files or folders, a --manifest, or - for stdin")
    if "-" in batch.inputs and not batch.piped:
        raise RecipeError("audio on stdin (-) cannot be mixed with other inputs")
    if batch.to_stdout and batch.shared.json and not batch.shared.dry_run:
        raise RecipeError("audio and --json cannot share stdout", remedy="write to a file, or use --metrics FILE.csv")
    if batch.to_stdout and sys.__stdout__ is None:
        raise RecipeError("stdout is closed", remedy="pipe it on, redirect it, or give -o FILE")
    if batch.to_stdout and sys.stdout.isatty() and not batch.shared.dry_run:
        raise RecipeError("will not write audio to a terminal", remedy="redirect it, or give -o FILE")
    if not batch.to_stdout:
        batch.target()
        return
    if batch.quarantines:
        raise RecipeError("stdout has no quarantine", remedy="--if-fails original, or -o FOLDER")
    for option, given in {
        "--residual": batch.residual,
        "--sidecar": batch.sidecar,
        "--min-age": batch.min_age_s > 0 and not batch.piped,
    }.items():
        if given:
            raise RecipeError(f"stdout carries one signal: {option} needs -o FOLDER")


def _to_stdout(batch: Batch, work: Callable[[int], Work], recipe: str, backend: str, stack: ExitStack) -> Summary:
    """One recording whose result goes to stdout: it is made in a temporary folder."""
    room = temporary_folder(stack)
    policy = OutputPolicy(folder=room / "out", backend=backend, extension=_extension(batch))

    def steps() -> Iterator[Step]:
        sources = list(islice(_sources(batch, (), room), 2))
        if len(sources) > 1:
            raise RecipeError("stdout takes one recording, but there are several", remedy="give -o FOLDER")
        for step in plan(sources, policy, recipe_hash=recipe):
            if isinstance(step, Job):
                made.append(step.output)
                step = replace(step, called="-")
            yield step

    made: list[Path] = []
    if batch.shared.dry_run:
        return _show(steps(), batch)
    summary = _run(steps(), work, batch, _rows(batch, recipe, None, stack))
    if summary.done:
        _copy_to_stdout(made[0])
    return summary


def _copy_to_stdout(path: Path) -> None:
    try:
        with open(path, "rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer, 1 << 20)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise  # who listened has gone: the command ends without a word
    except OSError as error:
        complain(OutputError(f"cannot be written: {error.strerror}", path="-", remedy="write to a file with -o"))
        raise typer.Exit(Exit.SOME_FAILED) from error


def _extension(batch: Batch) -> Callable[[Path], str]:
    return lambda path: output_suffix(path, batch.written.format)


def _sources(batch: Batch, exclude: tuple[Path, ...], room: Path | None) -> Iterator[Source | Problem]:
    if batch.piped:
        assert room is not None
        return spooled(room)
    found = find(batch.inputs, batch.shared.recursive, exclude=exclude, manifest=batch.shared.manifest)
    if batch.shared.allow_empty:
        found = filterfalse(says_nothing_found, found)
    return found if batch.grouping is None else grouped(found, batch.grouping)


def _to_files(batch: Batch, work: Callable[[int], Work], recipe: str, backend: str, stack: ExitStack) -> Summary:
    folder, file = batch.target()
    metrics = batch.shared.metrics or (folder / LOG_NAME if folder else None)
    policy = OutputPolicy(
        folder=folder,
        file=file,
        name=batch.shared.name,
        suffix=batch.shared.suffix,
        backend=backend,
        extension=_extension(batch),
        existing=batch.existing,
        min_age_s=0.0 if batch.piped else batch.min_age_s,
        residual=batch.residual,
        sidecar=batch.sidecar,
        quarantines=batch.quarantines,
        metrics=metrics,
    )
    check_targets(policy)
    if batch.existing == "skip" and metrics is None:
        raise RecipeError("--skip-existing needs the log of earlier runs", remedy="give --metrics FILE.csv")
    if metrics is not None:
        check_log(metrics)
    lock = None if folder is None else FolderLock(folder)
    if lock is not None and not batch.shared.dry_run:
        stack.enter_context(lock)
    begun = (lambda output: False) if lock is None else lock.has_begun
    log = None if metrics is None else RowIndex.read(metrics)
    exclude = () if folder is None else (folder,)
    room = temporary_folder(stack) if batch.piped else None

    def steps() -> Iterator[Step]:
        return plan(_sources(batch, exclude, room), policy, recipe_hash=recipe, log=log, begun=begun)

    if batch.shared.dry_run:
        return _show(steps(), batch)
    rows = _rows(batch, recipe, metrics, stack)
    count = counter(batch.inputs, lambda: _sources(batch, exclude, room), batch.shared.manifest)
    progress = stack.enter_context(Progress(count, shown=not batch.shared.quiet and not batch.shared.json))
    return _run(steps(), work, batch, rows, progress.advance, lock)


def _run(
    steps: Iterable[Step],
    work: Callable[[int], Work],
    batch: Batch,
    rows: RowWriter | None,
    on_progress: Callable[[Summary], None] | None = None,
    lock: FolderLock | None = None,
) -> Summary:
    def on_outcome(outcome: Outcome) -> None:
        if batch.shared.json:
            print(json.dumps(json_of(outcome), ensure_ascii=True), flush=True)
        tell(outcome, batch.shared.quiet)

    try:
        return run(steps, work, workers(batch.shared.jobs), rows, on_outcome, on_progress, lock=lock)
    except OutputError as error:  # the log itself cannot be written: what is done is done, the rest must wait
        complain(error)
        raise typer.Exit(Exit.SOME_FAILED) from error


def _rows(batch: Batch, recipe: str, default: Path | None, stack: ExitStack) -> RowWriter | None:
    path = batch.shared.metrics or default
    if path is None:
        return None
    run_id = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{uuid.uuid4().hex[:6]}"
    return stack.enter_context(
        RowWriter(path, run_id=run_id, version=cleanaudio.__version__, recipe_hash=recipe, extra_columns=batch.columns)
    )


def tell(outcome: Outcome, quiet: bool) -> None:
    """Say on stderr what is wrong with a recording, and unless it is to be quiet what the user should know of it."""
    if isinstance(outcome, Failed):
        complain(outcome.error)
    elif isinstance(outcome, Done) and not quiet:
        for note in outcome.notes:
            say(f"cleanaudio: {outcome.job.label}: note: {note}")


def _show(steps: Iterator[Step], batch: Batch) -> Summary:
    """Print the plan: JSON lines or a table."""
    summary = Summary()
    table = None
    if not batch.shared.json:
        from rich.table import Table

        table = Table("input", "output", "what would happen", box=None, header_style="bold")
    for step in steps:
        job = step if isinstance(step, Job) else step.job
        target = job.called or ("" if job.output == Path() else str(job.output))
        what = "clean" if isinstance(step, Job) else "skip" if isinstance(step, Skipped) else "fail"
        beside = job.targets[1:] if isinstance(step, Job) else ()
        reason = _reason(step)
        if isinstance(step, Job):
            summary.done += 1
        else:
            summary.add(step)
        if table is None:
            entry = {
                "input": job.label,
                "output": job.called or (os.path.abspath(target) if target else None),
                "beside": [os.path.abspath(path) for path in beside],
                "status": {"clean": "planned", "skip": "skipped", "fail": "failed"}[what],
                "reason": reason or None,
            }
            print(json.dumps(entry, ensure_ascii=True))
        else:
            more = ", and write ".join([f"{what}: {reason}" if reason else what, *map(str, beside)])
            table.add_row(*map(plain, (job.label, target, more)))
    if table is not None:
        print_table(table)
    return summary


def _reason(step: Step) -> str:
    if isinstance(step, Failed):
        return step.error.describe()
    return step.reason if isinstance(step, Skipped) else step.anew


def workers(jobs: int | None) -> int:
    """Return the number of worker processes: as asked for, else one a core."""
    if jobs:
        return jobs
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1  # macOS has none


def exit_code(summary: Summary, allow_empty: bool) -> Exit:
    """Return the exit code of a run; where it had nothing to do, say so on stderr."""
    if summary.signal is not None:
        return Exit(128 + summary.signal)
    if summary.failed:
        return Exit.SOME_FAILED
    if not summary.done and not summary.skipped and not allow_empty:
        complain(RecipeError("nothing matched: no recording found", remedy="--allow-empty makes this a success"))
        return Exit.NOTHING_MATCHED
    if summary.empty and not allow_empty:
        return Exit.SOME_FAILED
    if summary.rejected:
        return Exit.GATE_FAILED
    return Exit.DONE


def say_summary(summary: Summary) -> None:
    """Say on stderr what a run came to."""
    parts = [f"{summary.done} done"]
    parts += [f"{count} of them anew, since {reason}" for reason, count in summary.anew.items()]
    parts += [f"{summary.rejected} of them rejected by the gate"] * bool(summary.rejected)
    parts += [f"{summary.skipped} skipped"] * bool(summary.skipped)
    parts += [f"{summary.rejected_earlier} of them rejected by the gate earlier"] * bool(summary.rejected_earlier)
    parts += [f"{summary.failed} failed"] * bool(summary.failed)
    text = f"cleanaudio: {', '.join(parts)}"
    if summary.seconds:
        speed = summary.seconds / max(summary.elapsed_s, 1e-9)
        times = f"{speed:.0f}" if speed >= 10 else f"{speed:.2g}"
        text += f"; {_span(summary.seconds)} of audio in {_span(summary.elapsed_s)} ({times} × real time)"
    say(text + ("; stopped" if summary.signal else ""))


def _span(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return clock(seconds) + " min" * (seconds < 3599.5)
