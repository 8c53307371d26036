"""The manifest of mixes: a CSV row for every noisy recording that was planned, written as it happens."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

from cleanaudio.batch.csvfile import check_place, line_of
from cleanaudio.batch.mixing import MixJob
from cleanaudio.batch.outcome import Done, Failed, Outcome
from cleanaudio.errors import OutputError

COLUMNS = (
    *("clean", "noisy", "noise", "snr_db", "offset_s", "looped", "speech_dbfs", "noise_gain_db", "scale_db"),
    *("rate", "channels", "frames", "seconds", "status", "reason", "notes"),
)
"""``clean`` and ``noise`` are as the user wrote them, ``noisy`` is an absolute path; ``offset_s`` is where in the noise
the piece begins, ``scale_db`` what speech and noise were taken down by."""


class MixManifest:
    """Writes the rows; a context manager.

    Parameters
    ----------
    path : Path
        The folders that it needs are made.
    overwrite : bool

    Raises
    ------
    OutputError
        The file exists, or cannot be written.
    """

    def __init__(self, path: Path, overwrite: bool) -> None:
        if overwrite:
            check_place(path, COLUMNS)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(path, "wb" if overwrite else "xb", buffering=0)  # noqa: SIM115
        except FileExistsError:
            raise OutputError("the manifest exists", path=path, remedy="--overwrite, or --manifest FILE.csv") from None
        except OSError as error:
            raise OutputError(f"the manifest cannot be written: {error.strerror}", path=path) from error
        self.path = path
        self._write(COLUMNS)

    def add(self, outcome: Outcome) -> None:
        """Append the row of an outcome."""
        row = row_of(outcome)
        self._write([_cell(row.get(name)) for name in COLUMNS])

    def _write(self, cells) -> None:
        try:
            self._file.write(line_of(cells))
        except OSError as error:
            raise OutputError(f"the manifest cannot be written: {error.strerror}", path=self.path) from error

    def __enter__(self) -> MixManifest:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def row_of(outcome: Outcome) -> dict[str, str | int | float | None]:
    """Return what is known of a mix, by column."""
    job = outcome.job
    row: dict[str, str | int | float | None] = {"clean": job.label}
    if isinstance(job, MixJob):
        noise, snr_db = job.variant.noise.label, job.variant.snr_db
        noisy = None if job.output == Path() else os.path.abspath(job.output)
        row |= {"noisy": noisy, "noise": noise, "snr_db": snr_db}
    if isinstance(outcome, Done):
        row |= {name: value for name, value in outcome.fields.items() if name in COLUMNS}
        return row | {"status": "done", "notes": "; ".join(outcome.notes) or None}
    if isinstance(outcome, Failed):
        return row | {"status": "failed", "reason": outcome.error.describe()}
    return row | {"status": "skipped", "reason": outcome.reason}


def _cell(value: str | int | float | None) -> str:
    if value is None:
        return ""
    return f"{value:.6f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
