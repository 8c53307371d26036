"""With which gain outputs were written (``--loudness``), as the logs of the runs say that made them."""

from __future__ import annotations

from pathlib import Path

from cleanaudio.batch.history import LOG_NAME, RowIndex
from cleanaudio.batch.names import RealNames
from cleanaudio.errors import OutputError


class Gains:
    """Looks outputs up in the logs that lie in their folder and in those above it; each log is read once."""

    def __init__(self) -> None:
        self._names = RealNames()
        self._logs: dict[Path, RowIndex] = {}

    def of(self, output: Path) -> float | None:
        """Return the gain of an output in dB, 0 where none was asked for; None where no log knows it as it is now."""
        for folder in Path(self._names.real(output)).parents:
            if folder not in self._logs:
                self._logs[folder] = _read(folder / LOG_NAME)
            made = self._logs[folder].find(output)
            if made is not None:
                return made.gain_db if made.is_there(output) else None
        return None


def _read(log: Path) -> RowIndex:
    try:
        return RowIndex.read(log)
    except OutputError:  # another table of this name
        return RowIndex()
