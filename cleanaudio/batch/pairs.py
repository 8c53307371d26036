"""Which enhanced file belongs to which clean and noisy one: by the same place in the tree, or by the name."""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from cleanaudio.audio.formats import AUDIO_SUFFIXES
from cleanaudio.batch.source import Problem, Source
from cleanaudio.errors import InputError, RecipeError


class Side:
    """The files of one side, to be found by the partner's place or name.

    Parameters
    ----------
    what : str
        How messages call it: ``reference`` or ``noisy``.
    sources : iterable of Source
    """

    def __init__(self, what: str, sources: Iterable[Source]) -> None:
        self.what = what
        self._by_place: dict[PurePath, list[Source]] = {}
        self._by_stem: dict[str, list[Source]] = {}
        self._all: list[Source] = []
        for source in sources:
            self._all.append(source)
            self._by_place.setdefault(source.relative.with_suffix(""), []).append(source)
            self._by_stem.setdefault(source.path.stem, []).append(source)
        self._used: set[Path] = set()

    def knows(self, place: PurePath, partner: Path) -> bool:
        """Whether a file other than the partner itself is in this place, or called so in another."""
        found = self._by_place.get(place) or self._by_stem.get(place.name) or ()
        return any(os.path.realpath(source.path) != os.path.realpath(partner) for source in found)

    def partner(self, place: PurePath, suffix: str, alone: bool, unique: bool) -> Path:
        """Return the partner of a file: the one in the same place of the tree, or else of the same name.

        Parameters
        ----------
        place : PurePath
            Relative path without suffix.
        suffix : str
            Of several that are called so, the one with the same suffix is meant.
        alone : bool
            There is one file on the other side: a lone file here is its partner, whatever it is called.
        unique : bool
            No other file over there has this name: it will do, though it lies in another folder.

        Raises
        ------
        InputError
            There is none, or more than one.
        """
        if alone and len(self._all) == 1:
            found = self._all
        else:
            found = self._by_place.get(place) or self._by_stem.get(place.name) or []
        if not found:
            raise InputError(f"no {self.what} file of the name {place.name}", remedy="see --match")
        if len(found) > 1:
            found = [source for source in found if source.path.suffix.lower() == suffix.lower()] or found
        if len(found) > 1:
            paths = f"{found[0].path}, {found[1].path}{' …' * (len(found) > 2)}"
            raise InputError(f"{len(found)} {self.what} files of the name {place.name}: {paths}")
        there = found[0].relative
        if not (alone or unique or there.with_suffix("") == place) and len(place.parts) > 1 and len(there.parts) > 1:
            raise InputError(
                f"no {self.what} file in the place of {place.as_posix()}, and {found[0].path} may be another's",
                remedy="give both sides the same folders",
            )
        self._used.add(found[0].path)
        return found[0].path

    def unused(self) -> list[Path]:
        """Return the files that have no partner."""
        return [source.path for source in self._all if source.path not in self._used]


@dataclass(frozen=True)
class Trial:
    """One enhanced file and what it is compared with.

    Parameters
    ----------
    system : str
        Who enhanced it.
    name : str
        Its place in the tree, without suffix, under which the partners and other systems' files are found.
    enhanced : Path
    reference, noisy : Path or None
    gain_db : float or None
        With which the enhanced file was written after cleaning, if that is known.
    """

    system: str
    name: str
    enhanced: Path
    reference: Path | None = None
    noisy: Path | None = None
    gain_db: float | None = None


@dataclass(frozen=True)
class Unpaired(Problem):
    """A file whose partners were not found.

    Parameters
    ----------
    name : str
        Its place in the tree, without suffix.
    """

    name: str


def pair(
    system: str, sources: Iterable[Source], reference: Side | None, noisy: Side | None, match: str = "{stem}"
) -> Iterator[Trial | Problem]:
    """Find the partners of the files of one system: on each side what is called as they are, else as ``match`` says.

    Parameters
    ----------
    system : str
    sources : iterable of Source
    reference, noisy : Side or None
    match : str
        How the enhanced files are called, from the partners' ``{stem}``: ``{stem}_clean``; ``*`` stands for anything,
        so that ``{stem}_snr*`` compares several with one, what was cleaned of mixtures with what they were made of.

    Raises
    ------
    RecipeError
        ``match`` has no ``{stem}``.
    """
    pattern = _pattern(match)
    sources = list(sources)
    places = [_places(source, pattern) for source in sources]
    names = Counter(place.name for place in {place for some in places for place in some})
    for source, some in zip(sources, places, strict=True):
        found: dict[str, Path] = {}
        try:
            for side in filter(None, (reference, noisy)):
                known = [place for place in some if side.knows(place, source.path)]
                place = known[0] if known else some[-1]
                if not known and not pattern.fullmatch(source.path.stem):
                    raise InputError(f"its name is not of the form {match}")
                alone, unique = len(sources) == 1, names[place.name] == 1
                found[side.what] = side.partner(place, source.path.suffix, alone, unique)
        except InputError as error:
            error.path = source.label
            yield Unpaired(source.label, error, some[0].as_posix())
            continue
        name = some[0] if "*" in match else some[-1]
        yield Trial(system, name.as_posix(), source.path, found.get("reference"), found.get("noisy"))


def _places(source: Source, pattern: re.Pattern[str]) -> list[PurePath]:
    """Return where a file's partner may be: in its own place, or in the one that the pattern gives, if it fits."""
    own = source.relative.with_suffix("")
    hit = pattern.fullmatch(own.name)
    return list(dict.fromkeys([own, own.parent / hit["stem"]])) if hit else [own]


def _pattern(match: str) -> re.Pattern[str]:
    before, stem, after = match.partition("{stem}")
    if not stem or "{stem}" in after:
        raise RecipeError(f"--match {match!r} must hold {{stem}} once", remedy='such as "{stem}_clean"')
    start, end = (re.escape(part).replace(r"\*", ".*") for part in (before, after))
    return re.compile(f"{start}(?P<stem>.+){end}", re.DOTALL)


class Groups:
    """Which group each recording belongs to, as a table says.

    Parameters
    ----------
    manifest : Path
        A CSV file with a header. A row is about the recordings that its cells name: by a path, of which the last
        folders may be left out, or by a bare name.
    column : str
        Where the group stands.

    Raises
    ------
    InputError
        It cannot be read.
    RecipeError
        It has no such column.
    """

    def __init__(self, manifest: Path, column: str) -> None:
        self._paths: dict[PurePath, set[str]] = {}
        self._bare: dict[PurePath, set[str]] = {}
        try:
            with open(manifest, newline="", encoding="utf-8-sig") as file:
                rows = csv.DictReader(file)
                if column not in (rows.fieldnames or ()):
                    columns = ", ".join(rows.fieldnames or ()) or "none"
                    raise RecipeError(f"{manifest} has no column {column!r}", remedy=f"its columns: {columns}")
                for row in rows:
                    group = row[column]
                    for name, cell in row.items() if group is not None else ():  # a row may be too short
                        if name != column and isinstance(cell, str) and cell:
                            self._add(cell, group)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"cannot be read: {error}", path=manifest) from None

    def _add(self, cell: str, group: str) -> None:
        path = PurePath(cell)
        audio = path.suffix.lower() in AUDIO_SUFFIXES
        if not audio and len(path.parts) == 1:
            self._bare.setdefault(path, set()).add(group)  # a number, a voice's name, or a recording's
            return
        parts = (path.with_suffix("") if audio else path).parts
        for start in range(len(parts)):
            self._paths.setdefault(PurePath(*parts[start:]), set()).add(group)

    def of(self, trial: Trial) -> str | None:
        """Return the group of a recording; None where no row is about it, or rows of more than one group are."""
        name = PurePath(trial.name)
        for place in (name.with_name(trial.enhanced.stem), name):
            for known in (self._paths, self._bare):
                for candidate in dict.fromkeys([place, PurePath(place.name)]):
                    found = known.get(candidate, set())
                    if len(found) == 1:
                        return next(iter(found))
        return None
