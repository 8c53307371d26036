"""What earlier runs made, from their log."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path, PurePath

from cleanaudio.batch.csvfile import columns_of, open_text, rows
from cleanaudio.batch.names import Numbers, RealNames, fingerprint
from cleanaudio.batch.outcome import BESIDE, state_columns
from cleanaudio.errors import OutputError

_SECOND_NS = 1_000_000_000
LOG_NAME = "metrics.csv"
"""What the log of a run is called in its output folder."""

_CLOCKS_DIFFER_S = 10.0
"""Clocks of file servers differ a little: where the log has no exact time, an output counts as changed if it is this
much newer than its row."""
_UNKNOWN = -1
_BYTES, _MTIME = state_columns("output")
_Written = tuple[str | Path, str | None, str | None]
"""A file that was made: path, size and modification time, by the log."""
_BESIDE = [(*state_columns(what), place) for what, place in BESIDE.items()]


@dataclass(frozen=True)
class Made:
    """What the log records about an output, or what was written beside it.

    Parameters
    ----------
    size : int
        Bytes of the input.
    mtime_ns : int
        Modification time of the input.
    recipe : int
        Fingerprint of the recipe's hash.
    source : int
        Fingerprint of the input's path, 0 where the log does not say it.
    time_s : int
        When the row was written, seconds since the epoch.
    output_bytes, output_mtime_ns : int or None
        Its own size and modification time, if the log says.
    rejected : bool
        Whether it failed a gate.
    gain_db : float
        With which it was written, 0 where none was asked for.
    """

    size: int
    mtime_ns: int
    recipe: int
    source: int
    time_s: int
    output_bytes: int | None = None
    output_mtime_ns: int | None = None
    rejected: bool = False
    gain_db: float = 0.0

    def made_from(self, size: int, mtime_ns: int, recipe_hash: str) -> bool:
        """Whether the output was made from such an input with such a recipe."""
        return (self.size, self.mtime_ns, self.recipe) == (size, mtime_ns, _recipe(recipe_hash))

    def is_of(self, name: str) -> bool:
        """Whether the output was made of the recording of this name, as :meth:`RealNames.real` gives it."""
        return self.source == _place(name)

    def is_there(self, output: Path) -> bool:
        """Whether the output is there as it was made."""
        try:
            status = output.stat()
        except OSError:
            return False
        return status.st_size == self.output_bytes and not self.is_changed(status.st_mtime_ns)

    def is_changed(self, mtime_ns: int) -> bool:
        """Whether someone has changed an output since it was made, by its modification time now."""
        known = self.output_mtime_ns
        if known is None:
            return mtime_ns / 1e9 > self.time_s + _CLOCKS_DIFFER_S
        # Archives and some file systems keep whole or even seconds only.
        coarse = mtime_ns % _SECOND_NS == 0 and 0 <= known - mtime_ns < 2 * _SECOND_NS
        return mtime_ns != known and not coarse


class RowIndex:
    """The outputs that a log knows and what was written beside them, at 83 to 101 bytes each.

    For each it keeps the last row that says ``done``: a later failure or skip wrote nothing, so the file is
    still what that row says.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._names = RealNames()
        self._numbers = Numbers()
        self._sizes, self._mtimes, self._recipes, self._times = array("q"), array("q"), array("Q"), array("q")
        self._sources = array("Q")
        self._bytes, self._changed, self._rejected = array("q"), array("q"), array("b")
        self._gains = array("d")

    def __len__(self) -> int:
        return len(self._numbers)

    @classmethod
    def read(cls, path: Path) -> RowIndex:
        """Read a log; where there is no file it is empty, and rows that a killed run left unfinished are left out.

        Raises
        ------
        OutputError
            If the file is not a log or cannot be read.
        """
        if not os.path.isfile(path):  # /dev/null, a pipe
            return cls()
        index = cls(path)
        check_log(path)
        for row in index._rows():
            index._take(row)
        return index

    def _rows(self) -> Iterator[Mapping[str, str]]:
        if self._path is None:
            return
        try:
            with open_text(self._path) as file:
                yield from rows(file)
        except OSError as error:
            raise OutputError(f"the log cannot be read: {error.strerror}", path=self._path) from error

    def find(self, output: Path) -> Made | None:
        """Return what is known of an output, however its path is written, and also where its folder has been moved."""
        number = self._number(output)
        if number is None:
            return None
        known, changed = self._bytes[number], self._changed[number]
        return Made(
            self._sizes[number],
            self._mtimes[number],
            self._recipes[number],
            self._sources[number],
            self._times[number],
            None if known == _UNKNOWN else known,
            None if changed == _UNKNOWN else changed,
            bool(self._rejected[number]),
            self._gains[number],
        )

    def input_of(self, output: Path) -> str:
        """Return of which recording a known output was made, empty where the log does not say it."""
        number = self._number(output)
        return "" if number is None else self._inputs.get(number, "")

    def _number(self, output: Path) -> int | None:
        number = self._numbers.find(self._names.key(output))
        if number is not None:
            return number
        try:
            status = output.stat()
        except OSError:
            return None
        return self._by_state.get(_state(output.name, status.st_size, status.st_mtime_ns))

    @cached_property  # these two are seldom needed, and large
    def _inputs(self) -> dict[int, str]:
        return {number: row.get("input_path") or "" for number, row, _ in self._numbered()}

    @cached_property
    def _by_state(self) -> dict[int, int]:
        """Outputs by name, size and time, which stay what they are where a folder is moved."""
        return {_state(PurePath(path).name, size, mtime): number for number, _, (path, size, mtime) in self._numbered()}

    def _numbered(self) -> Iterator[tuple[int, Mapping[str, str], _Written]]:
        """Read the log again: the number of each file that was made, with its row."""
        for row in self._rows():
            with suppress(ValueError):  # no name that a file can have
                for file in _files(row):
                    number = self._numbers.find(self._names.key(file[0]))
                    if number is not None:
                        yield number, row, file

    def _take(self, row: Mapping[str, str]) -> None:
        if row["status"] != "done":
            return
        try:
            made = int(row["input_bytes"]), int(row["input_mtime_ns"]), _seconds(row["time"])
            found = [
                (self._names.key(path), array("q", (*made, int(size or _UNKNOWN), int(mtime or _UNKNOWN))))
                for path, size, mtime in _files(row)
            ]
            gain_db = float(row.get("gain_db") or 0.0)
            source = _place(self._names.real(row["input_path"]) if row.get("input_path") else None)
        except (ValueError, OverflowError):  # the header, or a row that someone has edited
            return
        rest = _recipe(row["recipe"]), source, row.get("gate") == "fail", gain_db
        columns: tuple[array, ...] = (
            self._sizes, self._mtimes, self._times, self._bytes, self._changed,
            self._recipes, self._sources, self._rejected, self._gains,
        )  # fmt: skip
        for key, numbers in found:
            number = self._numbers.add(key)
            for column, value in zip(columns, (*numbers, *rest), strict=True):
                if number == len(column):
                    column.append(value)
                else:
                    column[number] = value


def _files(row: Mapping[str, str]) -> list[_Written]:
    """Return what was made, by a row: the output, and what is beside it."""
    if row["status"] != "done" or not row["output"]:
        return []
    output = row["output"]
    files: list[_Written] = [(output, row.get(_BYTES), row.get(_MTIME))]
    for size, mtime, place in _BESIDE:
        if row.get(mtime):
            files.append((place(Path(output)), row.get(size), row[mtime]))
    return files


def check_log(path: Path) -> None:
    """Check that a file, if there is one, can be a log of earlier runs.

    Raises
    ------
    OutputError
    """
    try:
        if os.path.isfile(path):
            _check_columns(path)
    except OSError as error:
        raise OutputError(f"the log cannot be read: {error.strerror}", path=path) from error


def _check_columns(path: Path) -> None:
    columns = columns_of(path)
    needed = {"output", "status", "time", "input_bytes", "input_mtime_ns", "recipe"}
    if os.path.getsize(path) and not needed <= set(columns):
        raise OutputError(
            "this file is not a log of earlier runs", path=path, remedy="choose another file with --metrics"
        )


def _recipe(recipe_hash: str) -> int:
    return fingerprint(recipe_hash.encode())


def _state(name: str, size: int | str | None, mtime_ns: int | str | None) -> int:
    return fingerprint(os.fsencode(f"{name}\0{size}\0{mtime_ns}"))


def _place(path: str | None) -> int:
    return fingerprint(os.fsencode(path)) if path else 0


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())
