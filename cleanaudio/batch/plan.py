"""From sources to jobs: what is written where, and what is better left alone.

Pure but for looking at files, and lazy: for each source the plan keeps some tens of bytes.
"""

from __future__ import annotations

import filecmp
import os
import stat
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path, PurePath

from cleanaudio.batch.history import Made, RowIndex
from cleanaudio.batch.names import Numbers, RealNames
from cleanaudio.batch.outcome import Failed, Job, Skipped, Step, output_of, quarantine, residual_of, sidecar_of
from cleanaudio.batch.policy import OutputPolicy
from cleanaudio.batch.source import Problem, Source, unreachable
from cleanaudio.errors import CleanAudioError, InputError, OutputError, RecipeError

_LABELS_KEPT = 10_000


def plan(
    sources: Iterable[Source | Problem],
    policy: OutputPolicy,
    *,
    recipe_hash: str,
    log: RowIndex | None = None,
    begun: Callable[[Path], bool] = lambda output: False,
    now: Callable[[], float] = time.time,
) -> Iterator[Step]:
    """Decide what to do with each source.

    Parameters
    ----------
    sources : iterable of Source or Problem
        Taken lazily.
    policy : OutputPolicy
    recipe_hash : str
        Hash of the recipe, compared with the log's.
    log : RowIndex, optional
        What earlier runs wrote; without it nothing is known of an existing file.
    begun : callable
        Whether a run that was killed had begun an output, and could not log it any more.
    now : callable
        Gives seconds since the epoch; asked for each source, since hours may pass while a plan is worked on.

    Yields
    ------
    Job, Skipped or Failed
        One for each item of `sources`, in their order. No job replaces its own input, an input before it, or the
        output of another job. An input that comes after a job that was given its name fails; with ``overwrite`` that
        job may have replaced it by then, since the plan does not look ahead.

    Raises
    ------
    RecipeError
        Before the first item, if the policy names one output file and there are several sources.
    """
    items = iter(sources)
    if policy.file is not None:
        first = list(islice(items, 2))
        if len(first) > 1:
            raise RecipeError(
                f"-o {policy.file} is one file, but there are several inputs", remedy="give a folder with -o"
            )
        items = chain(first, items)
    planner = _Planner(policy, recipe_hash, log, begun)
    for number, item in enumerate(items):
        if isinstance(item, Problem):
            yield Failed.of(number, item)
        else:
            yield planner.step(number, item, now())


class _Planner:
    """What the plan knows of the sources so far."""

    def __init__(
        self, policy: OutputPolicy, recipe_hash: str, log: RowIndex | None, begun: Callable[[Path], bool]
    ) -> None:
        self._policy, self._recipe, self._log, self._begun = policy, recipe_hash, log, begun
        self._names = RealNames()
        self._log_name = None if policy.metrics is None else self._names.key(policy.metrics)
        self._outputs = Numbers()
        self._owners = array("Q")  # of each output, the number of its job
        self._labels: dict[int, str] = {}  # of the first jobs, what their inputs are called
        self._inputs = Numbers()

    def step(self, number: int, source: Source, now: float) -> Step:
        job = self._policy.job(number, source)
        try:
            statuses = [_status_of_input(path, source) for path in source.files]
            newest = max(status.st_mtime_ns for status in statuses)
            job = replace(job, size=sum(status.st_size for status in statuses), mtime_ns=newest)
            if source.found and self._is_earlier_output(source.files[0]):
                return Skipped(job, "an output of an earlier run")
            output = self._policy.target(source, number)
            residual = residual_of(output) if self._policy.residual else None
            sidecar = sidecar_of(output) if self._policy.sidecar else None
            job = replace(job, output=output, residual=residual, sidecar=sidecar)
            self._claim(job, statuses)
            age = now - newest / 1e9
            if abs(age) < self._policy.min_age_s:
                return Skipped(job, f"still being written: modified {max(age, 0.0):.0f} s ago")
            return self._decide(job)
        except CleanAudioError as error:
            return Failed(job, error)
        except OSError as error:
            return Failed(job, unreachable(source.path, error, source.label))

    def _claim(self, job: Job, statuses: Sequence[os.stat_result]) -> None:
        """Take the outputs of a job for it, unless an input or another job's output is there."""
        if len(self._labels) < _LABELS_KEPT:
            self._labels[job.number] = job.label
        for path, status in zip(job.inputs, statuses, strict=True):
            self._inputs.add(b"%d:%d" % (status.st_dev, status.st_ino))
            if (owner := self._outputs.find(self._names.key(path))) is not None:
                raise OutputError(f"the output of {self._owner(owner)} would replace this input", path=job.label)
        targets = self._places(job)
        for target in targets:
            if self._log_name == self._names.key(target):
                raise OutputError(
                    "the output would replace the log of this run", path=job.label, remedy="choose another --metrics"
                )
            there = _status(target)
            if there is not None and any(os.path.samestat(there, status) for status in statuses):
                raise OutputError(
                    "the output would replace the input itself", path=job.label, remedy="choose another -o or --suffix"
                )
            if there is not None and self._inputs.find(b"%d:%d" % (there.st_dev, there.st_ino)) is not None:
                raise OutputError(f"the output would replace another input of this run: {target}", path=job.label)
        for target in targets:
            known = len(self._outputs)
            place = self._outputs.add(self._names.key(target))
            if place != known:
                raise OutputError(
                    f"{self._owner(place)} has the same output {target}",
                    path=job.label,
                    remedy=self._policy.apart,
                )
            self._owners.append(job.number)

    def _owner(self, output: int) -> str:
        """Return what the job of an output is called: its label, or in a very long plan its number, from 1."""
        number = self._owners[output]
        return self._labels.get(number, f"input {number + 1} of this run")

    def _decide(self, job: Job) -> Job | Skipped:
        for path in self._places(job):
            if path.is_dir():
                raise OutputError("a folder has the name of the output", path=path, remedy="choose another --name")
        if self._policy.existing == "overwrite":
            return job
        if self._policy.existing == "refuse":
            if existing := [path for path in self._places(job) if os.path.lexists(path)]:
                remedy = "--overwrite" if self._policy.metrics is None else "--overwrite or --skip-existing"
                raise OutputError("the output exists", path=existing[0], remedy=remedy)
            return job
        if self._is_quarantined(job) and isinstance(self._made(job, job.set_apart), Made):
            still = f"; another is still at {job.output}" if os.path.lexists(job.output) else ""
            apart = replace(job, output=quarantine(job.output))
            return Skipped(apart, f"failed the gate in an earlier run{still}", rejected=True)
        found = self._made(job, job.targets)
        if isinstance(found, Made):
            failed = ", and failed the gate" if found.rejected else ""
            return Skipped(job, f"done in an earlier run{failed}", found.rejected)
        if self._policy.quarantines:
            self._made(job, job.set_apart)  # what is there may be replaced
        return replace(job, anew=found)

    def _places(self, job: Job) -> tuple[Path, ...]:
        """Return all that a job may write."""
        return job.targets + (job.set_apart if self._policy.quarantines else ())

    def _made(self, job: Job, targets: Sequence[Path]) -> Made | str:
        """Return what the log knows of targets that are there as they would be made now, else why they are made anew.

        There is no reason, an empty text, where nothing is there.

        Raises
        ------
        OutputError
            Something is there that stays.
        """
        existing = [path for path in targets if os.path.lexists(path)]
        if not existing:
            return ""
        if self._begun(job.output):
            return "an earlier run was killed while it made the output"
        whole = [path for path in existing if path == targets[0] or path.lstat().st_size]  # nobody misses an empty one
        entries = {path: self._entry(path) for path in whole}
        for path, entry in entries.items():
            if self._is_of_another(entry, path, job):
                raise OutputError(
                    f"the output {path} exists, and was made of another recording",
                    path=job.label,
                    remedy=f"{self._policy.apart}, or --overwrite",
                )
        is_complete = len(whole) == len(targets)
        if is_complete and all(one.made_from(job.size, job.mtime_ns, self._recipe) for one in entries.values()):
            return entries[targets[0]]
        for path, entry in entries.items():
            if entry.is_changed(path.lstat().st_mtime_ns):
                raise OutputError(
                    "the output exists, is out of date, and was changed since it was made",
                    path=path,
                    remedy="--overwrite, or move it",
                )
        if any((one.size, one.mtime_ns) != (job.size, job.mtime_ns) for one in entries.values()):
            return "the recording has changed"
        return "settings or versions differ" if is_complete else "a part of the output was missing"

    def _entry(self, path: Path) -> Made:
        """Return what the log knows of a file that is there."""
        entry = None if self._log is None else self._log.find(path)
        size = path.lstat().st_size
        if entry is None:
            raise OutputError("the output exists, and is not in the log", path=path, remedy="--overwrite, or move it")
        if entry.output_bytes not in (None, size):
            raise OutputError(
                f"the output exists, but is not as it was made: {size} bytes, not {entry.output_bytes}",
                path=path,
                remedy="--overwrite, or move it",
            )
        return entry

    def _is_of_another(self, made: Made, output: Path, job: Job) -> bool:
        """Whether an output was made of another recording than that of a job, which may only have been moved."""
        path = job.inputs[0]
        if made.is_of(self._names.real(path)):
            return False
        if (made.size, made.mtime_ns) != (job.size, job.mtime_ns):
            return True
        assert self._log is not None
        try:
            return not filecmp.cmp(self._log.input_of(output), path, shallow=False)
        except OSError:  # it is not there any more: it was moved here
            return False

    def _is_quarantined(self, job: Job) -> bool:
        """Whether the output was made like this before, and set apart."""
        apart = quarantine(job.output)
        entry = None if self._log is None else self._log.find(apart)
        return entry is not None and entry.made_from(job.size, job.mtime_ns, self._recipe) and apart.exists()

    def _is_earlier_output(self, path: Path) -> bool:
        """Whether a file that lies in the output folder was written by an earlier run."""
        folder = self._policy.folder
        if self._log is None or folder is None:
            return False
        ways = (self._names.real(path), os.path.realpath(folder)), (os.path.abspath(path), os.path.abspath(folder))
        if not any(PurePath(one).is_relative_to(other) for one, other in ways):
            return False
        return any(self._log.find(one) is not None for one in (path, output_of(path)))


def _status_of_input(path: Path, source: Source) -> os.stat_result:
    label = str(path) if source.parts else source.label
    try:
        status = os.stat(path)
    except OSError as error:
        raise unreachable(path, error, label) from error
    if not stat.S_ISREG(status.st_mode):
        raise InputError("not a regular file", path=label)
    return status


def _status(path: Path) -> os.stat_result | None:
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise OutputError(f"the output cannot be looked at: {error.strerror}", path=path) from error
