"""With which gain outputs were written (``--loudness``), as the logs of the runs say that made them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cleanaudio.batch.csvfile import open_text, rows
from cleanaudio.batch.history import LOG_NAME

_CLOCKS_DIFFER_NS = 2_000_000_000
"""Archives and some file systems keep whole or even seconds only."""


@dataclass(frozen=True)
class _Written:
    gain_db: float
    size: int
    mtime_ns: int

    def is_there(self, path: Path) -> bool:
        """Whether the file is still the one that the log speaks of."""
        try:
            status = path.stat()
        except OSError:
            return False
        return status.st_size == self.size and abs(status.st_mtime_ns - self.mtime_ns) < _CLOCKS_DIFFER_NS


class Gains:
    """Looks outputs up in the logs that lie in their folder and in those above it; each log is read once."""

    def __init__(self) -> None:
        self._logs: dict[Path, dict[str, _Written]] = {}

    def of(self, output: Path) -> float | None:
        """Return the gain of an output in dB, 0 where none was asked for; None where no log knows it as it is now."""
        path = os.path.abspath(output)
        for folder in Path(path).parents:
            if folder not in self._logs:
                self._logs[folder] = _read(folder / LOG_NAME)
            written = self._logs[folder].get(path)
            if written is not None:
                return written.gain_db if written.is_there(output) else None
        return None


def _read(log: Path) -> dict[str, _Written]:
    """Return what a log says of its outputs, nothing where it is none."""
    found: dict[str, _Written] = {}
    try:
        if not log.is_file():
            return found
        with open_text(log) as file:
            for row in rows(file):
                if row.get("status") != "done":
                    continue
                try:
                    gain_db = float(row.get("gain_db") or 0.0)
                    found[row["output"]] = _Written(gain_db, int(row["output_bytes"]), int(row["output_mtime_ns"]))
                except (KeyError, ValueError):  # another table, or a row that someone has edited
                    continue
    except OSError:
        return {}
    return found
