"""From sources to jobs: what is written where, and what is better left alone.

Pure but for looking at files, and lazy: for each source the plan keeps some tens of bytes.
"""

from __future__ import annotations

import os
import stat
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path, PurePath
from string import Formatter
from typing import Literal

from cleanaudio.batch.names import Numbers, RealNames
from cleanaudio.batch.outcome import Failed, Job, Skipped
from cleanaudio.batch.rows import RowIndex
from cleanaudio.batch.source import Problem, Source
from cleanaudio.errors import CleanAudioError, InputError, OutputError, RecipeError

FIELDS = ("stem", "suffix", "ext", "name", "parent", "backend", "number")
"""What a name template may use; ``number`` counts the sources from 1, ``parent`` is the input's folder."""

_RESIDUAL = ".residual"
_TOUCHED_S = 10.0
"""Clocks of file servers differ a little; an output that is this much newer than its row was changed by someone."""


@dataclass(frozen=True)
class OutputPolicy:
    """Where outputs go and what they are called.

    Parameters
    ----------
    folder : Path, optional
        The output folder, which mirrors the tree of the inputs.
    file : Path, optional
        The output of the only input; `folder` or `file` is given.
    name : str
        Template of a file's name, which may make folders below that of the mirrored tree; see `FIELDS`.
    suffix : str
        Text of ``{suffix}``.
    backend : str
        Text of ``{backend}``.
    extension : callable, str or None
        Suffix of the output, with or without its dot, or what tells it from the input's path (it may raise a
        CleanAudioError); None keeps the input's.
    existing : {"refuse", "skip", "overwrite"}
        What becomes of an input whose output is there already. With "skip" it is left alone if the log says that it
        was made from this input (size and time of modification) with this recipe, and made anew if the log says that
        it was made otherwise and nobody has changed it since; a file that the log does not know is refused.
    min_age_s : float
        Inputs modified less than so many seconds ago are left alone.
    residual : bool
        What was removed is written too, as ``STEM.residual.EXT`` beside the output.

    Raises
    ------
    RecipeError
        If the template or the suffix makes no sense, or neither or both of `folder` and `file` are given.
    """

    folder: Path | None = None
    file: Path | None = None
    name: str = "{stem}{suffix}.{ext}"
    suffix: str = ""
    backend: str = ""
    extension: Callable[[Path], str] | str | None = None
    existing: Literal["refuse", "skip", "overwrite"] = "refuse"
    min_age_s: float = 0.0
    residual: bool = False

    def __post_init__(self) -> None:
        if (self.folder is None) == (self.file is None):
            raise RecipeError("an output folder or an output file is needed, not both", remedy="give -o")
        if os.sep in self.suffix or "\0" in self.suffix:
            raise RecipeError(f"a suffix is part of a file's name: {self.suffix!r} holds a slash")
        _check_template(self.name)

    def target(self, source: Source, number: int) -> Path:
        """Return the output of a source.

        Raises
        ------
        CleanAudioError
            If its format cannot be told, or its name would lead out of the output folder.
        """
        if self.folder is None:
            assert self.file is not None
            return self.file
        path = source.path
        extension = self.extension(path) if callable(self.extension) else self.extension
        fields = {
            "stem": path.stem,
            "suffix": self.suffix,
            "ext": (path.suffix if extension is None else extension).removeprefix("."),
            "name": path.name,
            "parent": path.absolute().parent.name,
            "backend": self.backend.replace(os.sep, "-"),
            "number": number + 1,
        }
        name = self.name.format_map(fields)
        if not _stays_inside(name):
            raise RecipeError(
                f"--name makes {name!r} of this input, which is no name in the output folder", path=source.label
            )
        return self.folder / source.relative.parent / name


def check_targets(policy: OutputPolicy) -> None:
    """Look whether outputs can be written at all, without writing anything.

    Raises
    ------
    OutputError
        If the output folder is not a folder or not writable, or the output file's folder is not.
    """
    if policy.file is not None and policy.file.is_dir():
        raise OutputError("the output file is a folder", path=policy.file, remedy="choose another name with -o")
    folder = policy.folder if policy.folder is not None else policy.file.parent  # type: ignore[union-attr]
    there = folder
    while not os.path.lexists(there) and there != there.parent:
        there = there.parent
    if not there.is_dir():
        raise OutputError("not a folder", path=there, remedy="choose another folder with -o")
    if not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(
            "the folder cannot be written to",
            path=there,
            remedy="choose another folder with -o, or mend its permissions",
        )


def plan(
    sources: Iterable[Source | Problem],
    policy: OutputPolicy,
    *,
    recipe_hash: str,
    log: RowIndex | None = None,
    now: float | Callable[[], float],
) -> Iterator[Job | Skipped | Failed]:
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
    now : float or callable
        Seconds since the epoch; a callable (``time.time``) stays right while a long plan is being worked on.

    Yields
    ------
    Job, Skipped or Failed
        One for each item of `sources`, in their order.

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
    clock = now if callable(now) else lambda: now
    planner = _Planner(policy, recipe_hash, log)
    for number, item in enumerate(items):
        if isinstance(item, Problem):
            yield Failed(Job(number, (), Path(), item.label), item.error)
        else:
            yield planner.step(number, item, clock())


class _Planner:
    """What the plan knows of the sources so far."""

    def __init__(self, policy: OutputPolicy, recipe_hash: str, log: RowIndex | None) -> None:
        self._policy, self._recipe, self._log = policy, recipe_hash, log
        self._names = RealNames()
        self._outputs = Numbers()
        self._owners = array("Q")  # of each output, the number of its job
        self._inputs = Numbers()

    def step(self, number: int, source: Source, now: float) -> Job | Skipped | Failed:
        job = Job(number, (source.path,), Path(), source.label)
        try:
            status = os.stat(source.path)
            job = Job(number, (source.path,), Path(), source.label, status.st_size, status.st_mtime_ns)
            if not stat.S_ISREG(status.st_mode):
                raise InputError("not a regular file", path=source.label)
            if source.found and self._is_earlier_output(source.path):
                return Skipped(job, "an output of an earlier run")
            output = self._policy.target(source, number)
            residual = output.with_name(f"{output.stem}{_RESIDUAL}{output.suffix}") if self._policy.residual else None
            job = Job(number, job.inputs, output, source.label, job.size, job.mtime_ns, residual)
            self._claim(job, status)
            age = now - status.st_mtime
            if abs(age) < self._policy.min_age_s:
                return Skipped(job, f"still being written: modified {max(age, 0.0):.0f} s ago")
            return self._decide(job)
        except CleanAudioError as error:
            return Failed(job, error)
        except OSError as error:
            return Failed(job, InputError((error.strerror or str(error)).lower(), path=source.label))

    def _claim(self, job: Job, status: os.stat_result) -> None:
        """Take the outputs of a job for it, unless an input or another job's output is there.

        Only fingerprints are kept, so a message gives the other job's number, not its name.
        """
        self._inputs.add(b"%d:%d" % (status.st_dev, status.st_ino))
        key = self._names.key(job.inputs[0])
        if (owner := self._outputs.find(key)) is not None:
            raise OutputError(f"input {self._owners[owner] + 1} of this run is written to this file", path=job.label)
        for target in filter(None, (job.output, job.residual)):
            there = _status(target)
            if there is not None and os.path.samestat(there, status):
                raise OutputError(
                    "the output would replace the input itself", path=job.label, remedy="choose another -o or --suffix"
                )
            if there is not None and self._inputs.find(b"%d:%d" % (there.st_dev, there.st_ino)) is not None:
                raise OutputError(f"the output would replace another input of this run: {target}", path=job.label)
        for target in filter(None, (job.output, job.residual)):
            known = len(self._outputs)
            place = self._outputs.add(self._names.key(target))
            if place != known:
                raise OutputError(
                    f"input {self._owners[place] + 1} of this run has the same output {target}",
                    path=job.label,
                    remedy='set them apart with --name, for instance "{parent}-{stem}{suffix}.{ext}"',
                )
            self._owners.append(job.number)

    def _decide(self, job: Job) -> Job | Skipped:
        existing = [path for path in (job.output, job.residual) if path is not None and os.path.lexists(path)]
        for path in existing:
            if path.is_dir():
                raise OutputError("a folder has the name of the output", path=path, remedy="choose another --name")
        if not existing or self._policy.existing == "overwrite":
            return job
        if self._policy.existing == "refuse":
            raise OutputError("the output exists", path=existing[0], remedy="--overwrite or --skip-existing")
        entry = None if self._log is None else self._log.find(job.output)
        if entry is None:
            raise OutputError(
                "the output exists, and the log does not know it", path=existing[0], remedy="--overwrite, or move it"
            )
        complete = len(existing) == 1 + (job.residual is not None)
        if complete and entry.made_from(job.size, job.mtime_ns, self._recipe):
            return Skipped(job, "done in an earlier run")
        if max(path.stat().st_mtime for path in existing) > entry.time_s + _TOUCHED_S:
            raise OutputError(
                "the output exists, is out of date, and was changed since it was made",
                path=job.output,
                remedy="--overwrite, or move it",
            )
        return job

    def _is_earlier_output(self, path: Path) -> bool:
        """Whether a file that lies in the output folder was written by an earlier run."""
        folder = self._policy.folder
        if self._log is None or folder is None:
            return False
        if not PurePath(self._names.real(path)).is_relative_to(os.path.realpath(folder)):
            return False
        made = path.with_name(path.stem.removesuffix(_RESIDUAL) + path.suffix)
        return self._log.find(path) is not None or self._log.find(made) is not None


def _status(path: Path) -> os.stat_result | None:
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise OutputError(f"the output cannot be looked at: {error.strerror}", path=path) from error


def _check_template(template: str) -> None:
    known = "a name template knows " + ", ".join("{" + name + "}" for name in FIELDS)
    try:
        for _, name, form, _ in Formatter().parse(template):
            if name is not None and name not in FIELDS:
                raise RecipeError(f"--name {template!r}: there is no {{{name}}}", remedy=known)
            if form and "{" in form:
                raise RecipeError(f"--name {template!r}: braces in braces", remedy=known)
        sample = template.format_map({name: 1 if name == "number" else "x" for name in FIELDS})
    except (ValueError, LookupError) as error:
        raise RecipeError(f"--name {template!r}: {error}", remedy=known) from error
    if not _stays_inside(sample):
        raise RecipeError(
            f"--name {template!r} makes no name inside the output folder", remedy="leave out '..' and a leading slash"
        )


def _stays_inside(name: str) -> bool:
    """Whether a formatted name is a file's, at its folder or below."""
    return bool(name) and not ({"", ".", ".."} & set(name.split(os.sep))) and "\0" not in name
