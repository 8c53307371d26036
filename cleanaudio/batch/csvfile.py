"""How a row of a table becomes bytes, and how rows are read back, also from a file that was cut off."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TextIO

from cleanaudio.errors import OutputError, ResultLost

_CHUNK = 1 << 16
_TELLING = 3
"""Columns at the beginning that tell one kind of table from another; later ones come and go with the metrics."""


def line_of(cells: Sequence[str]) -> bytes:
    """Return a row as RFC 4180 quotes it, with a newline at its end."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow(cells)  # so that cells with either character are quoted
    text = buffer.getvalue()[:-2] + "\n"
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a character, from a manifest's JSON
        return text.encode("utf-8", "backslashreplace")


def cell(value: str | int | float | None) -> str:
    """Return a value as a cell: numbers to six decimals at most, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, float):
        text = f"{value:.6f}".rstrip("0").rstrip(".")
        return "0" if text == "-0" else text
    return str(value).replace("\0", "\\0")


def check_place(path: Path, header: Sequence[str]) -> None:
    """Make sure that a table replaces nothing but an older one of its kind.

    Raises
    ------
    OutputError
        Something else is there.
    """
    try:
        taken = path.is_file() and path.stat().st_size > 0 and columns_of(path)[:_TELLING] != [*header[:_TELLING]]
    except OSError:
        return  # opening it will say what is wrong
    if taken:
        raise OutputError("exists, and is no table of this kind", path=path, remedy="choose another name, or move it")


class CsvFile:
    """A table that is written row by row, each of which is in the file at once; a context manager.

    What is there is replaced with the first row, or at a clean end: not by a run that finds out that it has nothing to
    do.

    Parameters
    ----------
    path : Path
    header : sequence of str
    replace : bool
        Whether it may take the place of an older table of its kind.

    Raises
    ------
    OutputError
        It cannot be written, or something is there that stays.
    """

    def __init__(self, path: Path, header: Sequence[str], replace: bool = True) -> None:
        self._path = path
        if replace:
            check_place(path, header)
        self._header, self._begun, self._is_new = header, False, not path.exists()
        try:
            self._file = open(path, "ab" if replace else "xb", buffering=0)  # noqa: SIM115 - closed by __exit__
        except FileExistsError:
            raise OutputError("exists", path=path, remedy="--overwrite, or choose another name") from None
        except OSError as error:
            raise OutputError(f"cannot be written: {error.strerror}", path=path) from None

    def write(self, cells: Sequence[str]) -> None:
        """Write a row.

        Raises
        ------
        ResultLost
        """
        self._begin()
        self._add(cells)

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            if os.path.isfile(self._path):  # no pipe
                os.ftruncate(self._file.fileno(), 0)
            self._add(self._header)

    def _add(self, cells: Sequence[str]) -> None:
        try:
            self._file.write(line_of(cells))
        except OSError as error:
            raise ResultLost(f"cannot be written: {error.strerror}", path=self._path) from None

    def __enter__(self) -> CsvFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            if error is None:
                self._begin()
            elif self._is_new and not self._begun:
                self._path.unlink(missing_ok=True)


def open_text(path: Path) -> TextIO:
    """Open a log for reading; bytes that are not UTF-8 become lone surrogates, as in Python's file names."""
    return open(path, encoding="utf-8-sig", errors="surrogateescape", newline="")


def columns_of(path: Path) -> list[str]:
    """Return the first row of a file."""
    with open_text(path) as file:
        return next(records(io.StringIO(file.read(_CHUNK), newline="")), [])


def records(file: TextIO) -> Iterator[list[str]]:
    """Yield the rows of a file."""
    reader = csv.reader(file)
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error:  # a cell of more than 128 KiB is not ours
            continue


def joined(file: TextIO) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the rows of a file, each after the columns that it has.

    A header comes first, and may come again where files were joined, with other columns; it is yielded too, as its own
    columns.
    """
    columns: list[str] = []
    for cells in records(file):
        if not columns or cells[:_TELLING] == columns[:_TELLING]:
            columns = cells
        yield columns, cells


def rows(file: TextIO) -> Iterator[dict[str, str]]:
    """Yield the rows of a file, or of several joined, by column; one that was cut off is left out."""
    for columns, cells in joined(file):
        if cells is not columns and len(cells) == len(columns):
            yield dict(zip(columns, cells, strict=True))


def missing_end(path: Path) -> bytes:
    """Return what a row lacks that was cut off: a closing quote, a newline."""
    inside, last = 0, b""
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            inside ^= chunk.count(b'"') & 1
            last = chunk[-1:]
    return b'"' * inside + b"\n" * bool(inside or last != b"\n")
