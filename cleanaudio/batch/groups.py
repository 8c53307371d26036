"""Files that are one recording: several mono files, one a microphone, become one source.

They are told by their names. Those of the CHiME corpora (``NAME.CH1.wav``) and of AMI (``NAME.Array1-01.wav``) are
known; other names are described by a template. The files of one recording lie in one folder. Those that are found there
are found together, so that only the files of one folder are held at a time; those that are named come in any order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from string import Formatter

from cleanaudio.batch.source import NothingFound, Problem, Source
from cleanaudio.errors import InputError, RecipeError

_KNOWN = (r"(?P<name>.+)\.CH(?P<ch>\d{1,2})", r"(?P<name>.+\.Array\d+)-(?P<ch>\d{1,2})")
_FIELDS = {"name": r"(?P<name>.+)", "ch": r"(?P<ch>\d{1,3})"}
_SUFFIX = r"(?P<suffix>\.[^.]+)"
_HELP = 'write it as "{name}.CH{ch}.wav" or "mic{ch}.wav"'


class Grouping:
    """How the files of a recording are named.

    Parameters
    ----------
    template : str, optional
        A file's name with ``{ch}`` for the number of the microphone and ``{name}`` for that of the recording; it may
        end in a suffix. ``none`` groups nothing. Default: the names of CHiME and AMI.
    mics : tuple of int, optional
        Which microphones of a group to use, and in which order, counted from 0.

    Raises
    ------
    RecipeError
        A template that makes no sense.
    """

    def __init__(self, template: str | None = None, mics: tuple[int, ...] | None = None) -> None:
        self.template, self.mics = template, mics
        self._patterns = [re.compile(text, re.IGNORECASE | re.DOTALL) for text in self._regexes()]

    def _regexes(self) -> list[str]:
        template = self.template
        if template == "none":
            return []
        if template is None:
            return [text + _SUFFIX for text in _KNOWN]
        if "/" in template:
            raise RecipeError(f"--group {template!r}: a template is of a file's name, without folders", remedy=_HELP)
        try:
            parts = list(Formatter().parse(template))
        except ValueError as error:
            raise RecipeError(f"--group {template!r}: {error}", remedy=_HELP) from None
        fields = [name for _, name, _, _ in parts if name is not None]
        if unknown := set(fields) - set(_FIELDS):
            raise RecipeError(f"--group {template!r}: there is no {{{min(unknown)}}}", remedy=_HELP)
        if fields.count("ch") != 1 or fields.count("name") > 1:
            raise RecipeError(f"--group {template!r} needs {{ch}} once, and {{name}} at most once", remedy=_HELP)
        text = "".join(re.escape(literal) + _FIELDS.get(name or "", "") for literal, name, _, _ in parts)
        suffix = Path(template).suffix
        if suffix and "{" not in suffix:
            return [text.removesuffix(re.escape(suffix)) + f"(?P<suffix>{re.escape(suffix)})"]
        return [text + _SUFFIX]

    def match(self, path: Path) -> tuple[str, int] | None:
        """Return the name of the recording, suffix included, and the number that a file's name gives its microphone."""
        for pattern in self._patterns:
            if found := pattern.fullmatch(path.name):
                parts = found.groupdict()
                name = parts.get("name") or found.string[: found.start("ch")].rstrip(" ._-") or "recording"
                return name + parts["suffix"], int(parts["ch"])
        return None


def grouped(sources: Iterable[Source | Problem], grouping: Grouping) -> Iterator[Source | Problem]:
    """Put the files of each recording together.

    Parameters
    ----------
    sources : iterable of Source or Problem
        Taken lazily: what was found, the files of one folder at a time; what was named, up to what is found next.
    grouping : Grouping

    Yields
    ------
    Source or Problem
        A group comes where its first file stood, once all its files must be known: those of another folder follow, or
        nothing more is named. What is not named as a known corpus does, or is the only file of its name, comes as it
        is. With a template, files of other names that were found in folders are left out, those that were named are
        problems. A group that lacks a microphone is a problem.
    """
    matched = False
    for _, items in groupby(sources, _found_in):
        waiting: list[Problem | Source | tuple[Path, str]] = []  # the last is a group: its folder and name
        groups: dict[tuple[Path, str], list[tuple[int, Source]]] = {}
        for item in items:
            if isinstance(item, Source) and (match := grouping.match(item.path)) is not None:
                matched, (name, number) = True, match
                group = item.path.parent, name
                if group not in groups:
                    waiting.append(group)
                groups.setdefault(group, []).append((number, item))
                continue
            if isinstance(item, Source) and grouping.template not in (None, "none"):
                if item.found:
                    continue
                error = InputError(f"is not named as --group {grouping.template!r} says", path=item.label)
                item = Problem(item.label, error)
            if waiting:
                waiting.append(item)
            else:
                yield item
        for one in waiting:
            yield _joined(one[1], groups[one], grouping) if isinstance(one, tuple) else one
    if not matched and grouping.template not in (None, "none"):
        text = str(grouping.template)
        yield Problem(text, NothingFound("no file has a name like this", path=text, remedy="choose another --group"))


def _found_in(item: Source | Problem) -> Path | None:
    """Return the folder in which a file was found; None of what was named."""
    return item.path.parent if isinstance(item, Source) and item.found else None


def _joined(name: str, files: list[tuple[int, Source]], grouping: Grouping) -> Source | Problem:
    """Return the recording of some files, given the numbers in their names."""
    if len(files) == 1:
        return files[0][1]
    files = sorted(files, key=lambda file: file[0])
    if grouping.template is None and files[0][0] == 0 and len(files) > 2:
        files = files[1:]  # the corpora number the microphones of an array from 1; 0 is one at the speaker's mouth
    first = min(files[0][0], 1)
    there = {number - first: source for number, source in files}
    label = _label([source.label for _, source in files])
    if len(there) < len(files):
        return Problem(label, InputError("two of these files are the same microphone", path=label))
    wanted = range(max(there) + 1) if grouping.mics is None else grouping.mics
    if missing := [number for number in wanted if number not in there]:
        remedy = "copy it to the others" if grouping.mics is None else "choose others with --mics"
        if grouping.mics is None and len(there) > 1:
            remedy += f", or do without it: --mics {_ranges(sorted(there))}"
        error = InputError(_missing(missing, first), path=label, remedy=remedy)
        return Problem(label, error)
    head = files[0][1]
    used = [there[number] for number in wanted]
    return replace(
        head,
        path=head.path.with_name(name),
        relative=head.relative.with_name(name),
        label=_label([source.label for source in used]),
        parts=tuple(source.path for source in used),
    )


def _missing(microphones: Sequence[int], first: int) -> str:
    """Say which microphones, counted from 0, are missing: counted from 1 as ``--mics`` does, and as files are."""
    one = len(microphones) == 1
    which = f"microphone{'' if one else 's'} {', '.join(str(number + 1) for number in microphones)}"
    if first == 0:
        numbers = ", ".join(map(str, microphones))
        which += f", number{'' if one else 's'} {numbers} in the names of the files,"
    return f"{which} {'is' if one else 'are'} missing"


def _label(texts: Sequence[str]) -> str:
    """Return a label for some files together: ``x.CH{1,2,3}.wav``, which a shell turns into their names."""
    start = len(_common(texts))
    end = len(_common([text[start:][::-1] for text in texts]))
    middles = [text[start : len(text) - end] for text in texts]
    return f"{texts[0][:start]}{{{','.join(middles)}}}{texts[0][len(texts[0]) - end :]}"


def _common(texts: Sequence[str]) -> str:
    """Return what all texts begin with."""
    first, last = min(texts), max(texts)
    length = next((k for k, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:length]


def _ranges(mics: Sequence[int]) -> str:
    """Write channels, counted from 0, as ``--mics`` takes them."""
    runs: list[list[int]] = []
    for mic in mics:
        if runs and runs[-1][1] == mic - 1:
            runs[-1][1] = mic
        else:
            runs.append([mic, mic])
    return ",".join(str(a + 1) if a == b else f"{a + 1}-{b + 1}" for a, b in runs)
