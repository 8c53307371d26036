"""A JSON file beside a result that says how it was made, written as it is made and named when the result is."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from cleanaudio.audio.temporary import new_temporary
from cleanaudio.errors import OutputError


class Sidecar:
    """A JSON object on its way to its file, a context manager: ``head``, then ``windows``, then what comes last.

    The windows are written as they come, one a line, so that memory stays flat. Strict JSON: numbers that are none are
    null. Leaving the block without an exception moves the file in place, anything else removes it.

    Parameters
    ----------
    path : Path
    head : mapping
        Members that are known before.
    tail : callable
        Gives the members that are known after, when :meth:`finish` is called.

    Raises
    ------
    OutputError
        It cannot be written.

    Attributes
    ----------
    path : Path
        May be changed as long as the block is not left.
    """

    def __init__(self, path: Path, head: Mapping[str, Any], tail: Callable[[], Mapping[str, Any]]) -> None:
        self.path, self._head, self._tail = path, head, tail
        self._temporary = new_temporary(path)
        self._empty = True
        self._file: TextIO

    def __enter__(self) -> Sidecar:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self._temporary, "x", encoding="utf-8")
            self._file.write("{" + _members(self._head) + '\n"windows": [')
        except OSError as error:
            self._remove()
            raise self._failed(error) from error
        return self

    def window(self, entry: Mapping[str, Any]) -> None:
        """Write what was decided on the next stretch."""
        try:
            self._file.write(("\n" if self._empty else ",\n") + _dump(entry))
        except OSError as error:
            raise self._failed(error) from error
        self._empty = False

    def finish(self) -> None:
        """Write the rest; every error of writing is raised here."""
        try:
            self._file.write("\n]," + _members(self._tail()).rstrip(",") + "\n}\n")
            self._file.close()
        except OSError as error:
            raise self._failed(error) from error

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                os.replace(self._temporary, self.path)
        except OSError as failure:
            raise self._failed(failure) from failure
        finally:
            self._remove()

    def _remove(self) -> None:
        if hasattr(self, "_file"):
            with suppress(OSError):  # that the rest of its buffer cannot be written is no news
                self._file.close()
        self._temporary.unlink(missing_ok=True)

    def _failed(self, error: OSError) -> OutputError:
        reason = error.strerror or str(error)
        return OutputError(f"cannot be written: {reason}", path=self.path, remedy="check the folder and its disk")


def _members(values: Mapping[str, Any]) -> str:
    return "".join(f"\n{_dump(name)}: {_dump(value)}," for name, value in values.items())


def _dump(value: Any) -> str:
    return json.dumps(_strict(value), ensure_ascii=True, allow_nan=False)


def _strict(value: Any) -> Any:
    """Return a value with null in place of what JSON has no number for, and no more digits than mean anything."""
    if isinstance(value, float):
        return float(f"{value:.7g}") if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _strict(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(one) for one in value]
    return value
