"""Which enhanced file belongs to which clean and noisy one: by the same place in the tree, or by the name."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

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
        self._by_place: dict[PurePath, list[Path]] = {}
        self._by_stem: dict[str, list[Path]] = {}
        self._all: list[Path] = []
        for source in sources:
            self._all.append(source.path)
            self._by_place.setdefault(source.relative.with_suffix(""), []).append(source.path)
            self._by_stem.setdefault(source.path.stem, []).append(source.path)
        self._used: set[Path] = set()

    def __len__(self) -> int:
        return len(self._all)

    def partner(self, place: PurePath, alone: bool) -> Path:
        """Return the partner of a file.

        Parameters
        ----------
        place : PurePath
            Relative path without suffix.
        alone : bool
            There is one file on the other side: a lone file here is its partner, whatever it is called.

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
            raise InputError(f"{len(found)} {self.what} files of the name {place.name}: {found[0]}, {found[1]} …")
        self._used.add(found[0])
        return found[0]

    def unused(self) -> list[Path]:
        """Return the files that were nobody's partner."""
        return [path for path in self._all if path not in self._used]


@dataclass(frozen=True)
class Trial:
    """One enhanced file and what it is compared with.

    Parameters
    ----------
    system : str
        Who enhanced it.
    name : str
        The stem that its partners share.
    enhanced : Path
    reference, noisy : Path or None
    """

    system: str
    name: str
    enhanced: Path
    reference: Path | None = None
    noisy: Path | None = None


def pair(
    system: str, sources: Iterable[Source], reference: Side | None, noisy: Side | None, match: str = "{stem}"
) -> Iterator[Trial | Problem]:
    """Find the partners of the files of one system.

    Parameters
    ----------
    system : str
    sources : iterable of Source
    reference, noisy : Side or None
    match : str
        How the enhanced files are called, from the partners' ``{stem}``: ``{stem}_clean``.

    Raises
    ------
    RecipeError
        ``match`` has no ``{stem}``.
    """
    pattern = _pattern(match)
    sources = list(sources)
    for source in sources:
        hit = pattern.fullmatch(source.path.stem)
        if hit is None:
            yield Problem(source.label, InputError(f"its name is not of the form {match}", path=source.label))
            continue
        place = source.relative.parent / hit["stem"]
        try:
            partners = [None if side is None else side.partner(place, len(sources) == 1) for side in (reference, noisy)]
        except InputError as error:
            error.path = source.label
            yield Problem(source.label, error)
            continue
        yield Trial(system, hit["stem"], source.path, *partners)


def _pattern(match: str) -> re.Pattern[str]:
    before, stem, after = match.partition("{stem}")
    if not stem or "{stem}" in after:
        raise RecipeError(f"--match {match!r} must hold {{stem}} once", remedy='such as "{stem}_clean"')
    return re.compile(f"{re.escape(before)}(?P<stem>.+){re.escape(after)}", re.DOTALL)


def groups(manifest: Path, column: str) -> Mapping[str, str]:
    """Read which group each recording belongs to.

    Parameters
    ----------
    manifest : Path
        A CSV file with a header. A row speaks of the recordings whose stem stands in one of its cells, with or
        without folder and suffix.
    column : str

    Returns
    -------
    mapping
        Stem to group.

    Raises
    ------
    InputError
        It cannot be read.
    RecipeError
        It has no such column.
    """
    try:
        with open(manifest, newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            if column not in (rows.fieldnames or ()):
                columns = ", ".join(rows.fieldnames or ()) or "none"
                raise RecipeError(f"{manifest} has no column {column!r}", remedy=f"its columns: {columns}")
            found: dict[str, str] = {}
            for row in rows:
                for name, cell in row.items():
                    if name != column and isinstance(cell, str) and cell:
                        found.setdefault(PurePath(cell).stem, row[column])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot be read: {error}", path=manifest) from None
    return found
