"""Where outputs go and what they are called."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath
from string import Formatter
from typing import ClassVar, Literal

from cleanaudio.audio.formats import AUDIO_SUFFIXES, says_another_format
from cleanaudio.batch.choices import DEFAULT_NAME
from cleanaudio.batch.outcome import Job
from cleanaudio.batch.source import Source
from cleanaudio.errors import OutputError, RecipeError

FIELDS = ("stem", "suffix", "ext", "name", "parent", "backend", "number")
"""What a name template may use; ``number`` counts the sources from 1, ``parent`` is the input's folder."""


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
    sidecar : bool
        How the output was made is written too, as ``STEM.EXT.json`` beside it.
    quarantines : bool
        Outputs that fail the gate are set apart.
    metrics : Path, optional
        The metrics CSV of the run, which no output may replace.

    Raises
    ------
    RecipeError
        If the template or the suffix makes no sense, or neither or both of `folder` and `file` are given.
    """

    apart: ClassVar[str] = 'set them apart with --name, for instance "{parent}-{name}{suffix}.{ext}"'
    """What to do about two inputs with one output."""
    piped: ClassVar[str] = "use -o - for a pipe"
    """What to do where the output is a pipe or a device."""

    folder: Path | None = None
    file: Path | None = None
    name: str = DEFAULT_NAME
    suffix: str = ""
    backend: str = ""
    extension: Callable[[Path], str] | str | None = None
    existing: Literal["refuse", "skip", "overwrite"] = "refuse"
    min_age_s: float = 0.0
    residual: bool = False
    sidecar: bool = False
    quarantines: bool = False
    metrics: Path | None = None

    def __post_init__(self) -> None:
        if (self.folder is None) == (self.file is None):
            raise RecipeError("an output folder or an output file is needed, not both", remedy="give -o")
        if os.sep in self.suffix or "\0" in self.suffix:
            raise RecipeError(f"a suffix is part of a file's name: {self.suffix!r} holds a slash")
        used = _check_template(self.name)
        if self.suffix and self.file is None and "suffix" not in used:
            raise RecipeError(
                f"--suffix {self.suffix!r} has no place in --name {self.name!r}", remedy="write {suffix} into the name"
            )

    @property
    def root(self) -> Path:
        """The folder that all outputs lie in."""
        if self.folder is not None:
            return self.folder
        assert self.file is not None
        return self.file.parent

    def job(self, number: int, source: Source) -> Job:
        """Return what is to be done with a source; where its outputs go comes later."""
        return Job(number, source.files, Path(), source.label)

    def target(self, source: Source, number: int) -> Path:
        """Return the output of a source.

        Raises
        ------
        CleanAudioError
            If its format cannot be told, or its name would lead out of the output folder.
        """
        if self.file is not None:
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
        if fields["ext"] and says_another_format(name, str(fields["ext"])):
            raise RecipeError(
                f"--name makes {name!r} of this input, whose format is {fields['ext']}",
                path=source.label,
                remedy="end the name with {ext}, or choose the format with --format",
            )
        if not _stays_inside(name):
            raise RecipeError(
                f"--name makes {name!r} of this input, which is no name in the output folder", path=source.label
            )
        return self.root / source.relative.parent / name


def check_targets(policy: OutputPolicy) -> None:
    """Check that outputs can be written at all, without writing anything.

    Raises
    ------
    OutputError
        If the output folder is not a folder or not writable, or the output file's folder is not, or the output is a
        pipe or a device.
    """
    target = policy.root if policy.file is None else policy.file
    if target.exists() and not target.is_dir() and not target.is_file():
        raise OutputError("is not a regular file", path=target, remedy=policy.piped)
    if policy.file is not None and policy.file.is_dir():
        raise OutputError("the output file is a folder", path=policy.file, remedy="choose another name with -o")
    there = policy.root
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


def _check_template(template: str) -> set[str]:
    """Return the fields that a name template uses."""
    known = "a name template knows " + ", ".join("{" + name + "}" for name in FIELDS)
    used: set[str] = set()
    try:
        for _, name, form, _ in Formatter().parse(template):
            if name is None:
                continue
            used.add(name)
            if name not in FIELDS:
                raise RecipeError(f"--name {template!r}: there is no {{{name}}}", remedy=known)
            if form and "{" in form:
                raise RecipeError(f"--name {template!r}: braces in braces", remedy=known)
        sample = template.format_map({name: 1 if name == "number" else "x" for name in FIELDS})
    except (ValueError, LookupError) as error:
        raise RecipeError(f"--name {template!r}: {error}", remedy=known) from error
    if not {"ext", "name"} & used and PurePath(sample).suffix.lower() not in AUDIO_SUFFIXES:
        raise RecipeError(f"--name {template!r} makes names without an extension", remedy="end it with .{ext}")
    if not _stays_inside(sample):
        raise RecipeError(
            f"--name {template!r} makes no name inside the output folder", remedy="leave out '..' and a leading slash"
        )
    return used


def _stays_inside(name: str) -> bool:
    """Whether a formatted name is a file's, at its folder or below."""
    return bool(name) and not ({"", ".", ".."} & set(name.split(os.sep))) and "\0" not in name
