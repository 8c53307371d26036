"""The log of a batch: a CSV row for everything that was planned, written as it happens.

Rows are quoted as RFC 4180 says, so names may hold commas, quotes and newlines; bytes of a name that are not UTF-8
stand in the file as they are. Cells are written as they are, also where a spreadsheet would take a file name such as
``=1+1.wav`` for a formula: import the file as text if the names are not your own.
"""

from __future__ import annotations

import fcntl
import math
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from cleanaudio.audio.temporary import replacing
from cleanaudio.batch.csvfile import cell, joined, line_of, missing_end, open_text
from cleanaudio.batch.history import check_log
from cleanaudio.batch.lock import is_current
from cleanaudio.batch.outcome import BESIDE, Done, Failed, Outcome, state_columns
from cleanaudio.errors import OutputError

COLUMNS = (
    "run_id",
    "time",
    "input",
    "input_path",
    "output",
    "status",
    "reason",
    "backend",
    "rate",
    "channels",
    "frames",
    "seconds",
    "elapsed_s",
    "rtf",
    "peak_in_dbfs",
    "rms_in_dbfs",
    "peak_out_dbfs",
    "rms_out_dbfs",
    "noise_floor_in_dbfs",
    "noise_floor_out_dbfs",
    "snr_in_db",
    "snr_out_db",
    "clipped_in",
    "clipped_out",
    "latency_ms",
    "input_bytes",
    "input_mtime_ns",
    *state_columns("output"),
    "recipe",
    "version",
    "notes",
)
"""The columns of the log. ``time`` is UTC, ISO 8601; ``input`` is as the user wrote it; ``input_path`` and ``output``
are absolute, the first of an array's files and none of what came through a pipe.
"""

Value = str | int | float | None


def row_of(outcome: Outcome) -> dict[str, Value]:
    """Return the cells of an outcome by column: typed, None where there is nothing, never infinite or NaN.

    The columns that are the same for a whole run (run_id, time, recipe, version) are added by :class:`RowWriter`.
    """
    job = outcome.job
    seen = bool(job.size or job.mtime_ns)
    row: dict[str, Value] = {
        "input": job.label,
        "input_path": os.path.abspath(job.inputs[0]) if job.inputs and job.label != "-" else None,
        "output": job.called or (None if job.output == Path() else os.path.abspath(job.output)),
        "input_bytes": job.size if seen else None,
        "input_mtime_ns": job.mtime_ns if seen else None,
    }
    if isinstance(outcome, Done):
        row |= {"status": "done", "reason": job.anew or None, "notes": "; ".join(outcome.notes) or None} | dict(
            outcome.fields
        )
        if not job.called:
            output = Path(str(row["output"]))
            row |= _state("output", output)
            for what, place in BESIDE.items():
                row |= _state(what, place(output)) if getattr(job, what) else {}
    elif isinstance(outcome, Failed):
        row |= {"status": "failed", "reason": outcome.error.describe()} | dict(outcome.fields)
    else:
        row |= {"status": "skipped", "reason": outcome.reason}
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in row.items()
    }


def _state(what: str, path: Path) -> dict[str, Value]:
    """Return what tells later whether someone has changed a file."""
    try:
        status = os.stat(path)
    except OSError:
        return {}
    return dict(zip(state_columns(what), (status.st_size, status.st_mtime_ns), strict=True))


def json_of(outcome: Outcome) -> dict[str, object]:
    """Return an outcome as what ``json.dumps`` takes: typed, null where there is nothing, no infinity.

    Parameters
    ----------
    outcome : Done, Skipped or Failed

    Returns
    -------
    dict
        As :func:`row_of`, but ``notes`` is a list. Bytes of a name that are not UTF-8 are lone surrogates
        (U+DC80 to U+DCFF), which ``json.dumps`` escapes and Python reads back.
    """
    notes = list(outcome.notes) if isinstance(outcome, Done) else []
    return {**row_of(outcome), "notes": notes}


class RowWriter:
    """Appends rows to a log; a context manager.

    Each row is one ``write`` in append mode under a file lock, so the rows of several runs that share a log do not
    mix, and a run that is killed keeps every row that it has written. Should it be killed inside a row, the next
    writer ends that line and readers leave it out.

    A log that lacks columns of this run gets them, empty in the rows that it has: a wider copy takes its place, which
    other writers notice before their next row.

    Parameters
    ----------
    path : Path
        A new file, or an earlier log; the folders that it needs are made.
    run_id, version, recipe_hash : str
        What is the same in all rows.
    extra_columns : sequence of str
        Columns after the usual ones.

    Raises
    ------
    OutputError
        If the file is something else than a log, or cannot be written.
    """

    def __init__(
        self, path: Path, run_id: str, version: str, recipe_hash: str, extra_columns: Sequence[str] = ()
    ) -> None:
        self.path = path
        self.columns = (*COLUMNS, *extra_columns)
        self._stamp = {"run_id": run_id, "version": version, "recipe": recipe_hash}
        self._descriptor = -1
        self._header: list[str] = []
        try:
            with self._locked():
                pass
        except BaseException:
            self.close()
            raise

    def write(self, outcome: Outcome) -> None:
        """Append the row of an outcome.

        Raises
        ------
        OutputError
            If it cannot be written: the disk is full. What was written of the row is taken back.
        ValueError
            If the outcome has a field that is no column.
        """
        row = {**self._stamp, "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), **row_of(outcome)}
        if unknown := row.keys() - set(self.columns):
            raise ValueError(f"not columns of the log: {', '.join(sorted(unknown))}")
        with self._locked() as size:
            self._append(line_of([cell(row.get(name)) for name in self._header]), size)

    def close(self) -> None:
        """Close the file; without effect the second time."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> RowWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """Keep other writers out; gives the size of the file, 0 for what is none (``/dev/null``, a pipe)."""
        try:
            size = self._acquire()
            try:
                yield size
            finally:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        except OSError as error:
            raise self._explain(error) from error

    def _acquire(self) -> int:
        """Lock the file that has the log's name by now, with all our columns; returns its size."""
        while True:
            if self._descriptor < 0:
                os.makedirs(os.path.dirname(self.path) or ".", exist_ok=True)
                self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
                self._header = []
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            status = os.fstat(self._descriptor)
            ordinary = stat.S_ISREG(status.st_mode)
            if not ordinary or is_current(self._descriptor, self.path):
                if not self._header:
                    self._begin(status.st_size if ordinary else 0)
                if self._header:
                    return os.fstat(self._descriptor).st_size if ordinary else 0
            self.close()

    def _begin(self, size: int) -> None:
        """See that the file begins with our columns and ends with a whole line; one that lacks some is replaced."""
        header = line_of(self.columns)
        if size < len(header) and header.startswith(os.pread(self._descriptor, size, 0) if size else b""):
            if size:  # killed inside its first line
                os.ftruncate(self._descriptor, 0)
            self._append(header, 0)
            self._header = list(self.columns)
            return
        check_log(self.path)
        there: list[str] = []
        with open_text(self.path) as file:
            for columns, _ in joined(file):
                there = columns  # of logs that were joined, the last one's are those of the rows to come
        if set(self.columns) - set(there):
            self._widen()
        else:
            self._append(missing_end(self.path), size)
            self._header = there

    def _widen(self) -> None:
        target = Path(os.path.realpath(self.path))
        with replacing(target) as unfinished, open_text(self.path) as file, open(unfinished, "xb") as wider:
            os.fchmod(wider.fileno(), stat.S_IMODE(os.fstat(self._descriptor).st_mode))
            missing: list[str] = []
            for columns, cells in joined(file):
                if cells is columns:
                    missing = [name for name in self.columns if name not in columns]
                    more = missing
                elif len(cells) == len(columns):
                    more = [""] * len(missing)
                else:  # it was cut off; by its wrong number of cells readers know it
                    more = []
                wider.write(line_of(cells + more))

    def _append(self, data: bytes, size: int) -> None:
        written = 0
        try:
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
        except OSError:
            if written:
                os.ftruncate(self._descriptor, size)
            raise

    def _explain(self, error: OSError) -> OutputError:
        return OutputError(
            f"the log cannot be written: {error.strerror}", path=self.path, remedy="choose another file with --metrics"
        )
