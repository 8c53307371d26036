"""What earlier runs made, from their log."""

from __future__ import annotations

import os
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cleanaudio.batch.csvfile import columns_of, open_text, records
from cleanaudio.batch.names import Numbers, RealNames, fingerprint
from cleanaudio.errors import OutputError


@dataclass(frozen=True)
class Made:
    """What the log says of an output.

    Parameters
    ----------
    size : int
        Bytes of the input.
    mtime_ns : int
        Modification time of the input.
    recipe : int
        Fingerprint of the recipe's hash.
    time_s : int
        When the row was written, seconds since the epoch.
    bytes : int or None
        Of the output, if the log says.
    """

    size: int
    mtime_ns: int
    recipe: int
    time_s: int
    bytes: int | None = None

    def made_from(self, size: int, mtime_ns: int, recipe_hash: str) -> bool:
        """Whether the output was made from such an input with such a recipe."""
        return (self.size, self.mtime_ns, self.recipe) == (size, mtime_ns, _recipe(recipe_hash))


class RowIndex:
    """The outputs that a log knows, at 58 to 78 bytes each.

    For each output it keeps the last row that says ``done``: a later failure or skip wrote nothing, so the file is
    still what that row says.
    """

    def __init__(self) -> None:
        self._names = RealNames()
        self._numbers = Numbers()
        self._sizes, self._mtimes, self._recipes, self._times = array("q"), array("q"), array("Q"), array("q")
        self._bytes = array("q")

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
        index = cls()
        try:
            if not os.path.isfile(path):  # /dev/null, a pipe
                return index
            columns = _columns(path)
            with open_text(path) as file:
                for cells in records(file):
                    if len(cells) == len(columns):
                        index._take(dict(zip(columns, cells, strict=True)))
        except OSError as error:
            raise OutputError(f"the log cannot be read: {error.strerror}", path=path) from error
        return index

    def find(self, output: Path) -> Made | None:
        """Return what is known of an output, however its path is written."""
        number = self._numbers.find(self._names.key(output))
        if number is None:
            return None
        known = self._bytes[number]
        return Made(
            self._sizes[number],
            self._mtimes[number],
            self._recipes[number],
            self._times[number],
            None if known < 0 else known,
        )

    def _take(self, row: Mapping[str, str]) -> None:
        if row["status"] != "done" or not row["output"]:
            return
        try:
            made = int(row["input_bytes"]), int(row["input_mtime_ns"]), _recipe(row["recipe"]), _seconds(row["time"])
            known = int(row.get("output_bytes") or -1)
            key = self._names.key(row["output"])
        except ValueError:  # the header, or a row that someone has edited
            return
        number = self._numbers.add(key)
        columns = (self._sizes, self._mtimes, self._recipes, self._times, self._bytes)
        for column, value in zip(columns, (*made, known), strict=True):
            if number == len(column):
                column.append(value)
            else:
                column[number] = value


def check_log(path: Path) -> None:
    """Look whether a file, if there is one, can be a log of earlier runs.

    Raises
    ------
    OutputError
    """
    try:
        if os.path.isfile(path):
            _columns(path)
    except OSError as error:
        raise OutputError(f"the log cannot be read: {error.strerror}", path=path) from error


def _columns(path: Path) -> list[str]:
    columns = columns_of(path)
    needed = {"output", "status", "time", "input_bytes", "input_mtime_ns", "recipe"}
    if os.path.getsize(path) and not needed <= set(columns):
        raise OutputError(
            "this file is not a log of earlier runs", path=path, remedy="choose another file with --metrics"
        )
    return columns


def _recipe(recipe_hash: str) -> int:
    return fingerprint(recipe_hash.encode())


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())
