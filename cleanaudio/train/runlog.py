"""The log of a training run, log.csv, and its picture, loss.png."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path

from cleanaudio.audio.temporary import write_text

COLUMNS = (
    "step",
    "hours_heard",
    "minutes",
    "loss",
    "spectral",
    "si_snr_db",
    "gradient",
    "rate",
    "pesq",
    "si_sdr_db",
    "level_db",
    "disturbance",
    "intelligibility",
)


class RunLog:
    """The log in a run's folder.

    Parameters
    ----------
    run_dir : Path
    """

    def __init__(self, run_dir: Path) -> None:
        self._table, self._picture = run_dir / "log.csv", run_dir / "loss.png"

    def clear(self) -> None:
        """Remove what an earlier run left."""
        for path in (self._table, self._picture):
            path.unlink(missing_ok=True)

    def add(self, row: Mapping[str, float]) -> None:
        """Add a row of some of the columns."""
        fresh = not self._table.exists() or not self._table.stat().st_size
        with self._table.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            if fresh:
                writer.writeheader()
            writer.writerow(row)

    def end_at(self, step: int) -> None:
        """Take out what came after a step, since a run that is resumed comes there again, and what is no whole row.

        Raises
        ------
        OutputError
            It cannot be written.
        """
        if not self._table.exists():
            return
        with self._table.open(newline="", encoding="utf-8", errors="replace") as file:
            rows = file.readlines()
        kept = [row for row in rows if row.endswith("\n") and _step(row) <= step]
        whole = [",".join(COLUMNS) + "\r\n", *kept]
        if whole != rows:
            write_text(self._table, "".join(whole), "free some space")

    def plot(self) -> None:
        """Draw the picture, if there is something to draw; needs matplotlib, does without it."""
        if not self._table.exists():
            return
        try:
            from matplotlib.figure import Figure
        except ImportError:
            return
        with self._table.open(encoding="utf-8", errors="replace") as file:
            rows = list(csv.DictReader(file))
        figure = Figure(figsize=(8, 8), layout="constrained")
        for place, name in enumerate(("loss", "si_snr_db", "pesq", "si_sdr_db")):
            axes = figure.add_subplot(2, 2, place + 1, title=name, xlabel="hours heard")
            points = [point for row in rows if (point := _point(row, name))]
            axes.plot(*zip(*points, strict=True)) if points else None
            axes.grid(alpha=0.3)
        figure.savefig(self._picture, dpi=80)


def _step(row: str) -> float:
    """Return the step that a row of the table is of; infinite of what is none."""
    try:
        return int(row.partition(",")[0])
    except ValueError:
        return math.inf


def _point(row: Mapping[str, str], name: str) -> tuple[float, float] | None:
    """Return hours heard and the value of a column, None where there is none."""
    try:
        return float(row["hours_heard"]), float(row[name])
    except (KeyError, TypeError, ValueError):
        return None
