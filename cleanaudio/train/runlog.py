"""The log of a training run, log.csv, and its picture, loss.png."""

from __future__ import annotations

import csv
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
)


class RunLog:
    """The log in a run's folder.

    Parameters
    ----------
    run_dir : Path
    """

    def __init__(self, run_dir: Path) -> None:
        self._table, self._picture = run_dir / "log.csv", run_dir / "loss.png"

    def add(self, row: Mapping[str, float]) -> None:
        """Add a row of some of the columns."""
        fresh = not self._table.exists()
        with self._table.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            if fresh:
                writer.writeheader()
            writer.writerow(row)

    def end_at(self, step: int) -> None:
        """Take out what came after a step, since a run that is resumed comes there again, and a row broken off.

        Raises
        ------
        OutputError
            It cannot be written.
        """
        if not self._table.exists():
            return
        with self._table.open(newline="", encoding="utf-8") as file:
            header, *rows = file.readlines() or [""]
        kept = [row for row in rows if row.endswith("\n") and int(row.partition(",")[0]) <= step]
        if kept != rows:
            write_text(self._table, "".join([header, *kept]), "free some space")

    def plot(self) -> None:
        """Draw the picture; needs matplotlib, does without it."""
        try:
            from matplotlib.figure import Figure
        except ImportError:
            return
        with self._table.open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        figure = Figure(figsize=(8, 8), layout="constrained")
        for place, name in enumerate(("loss", "si_snr_db", "pesq", "si_sdr_db")):
            axes = figure.add_subplot(2, 2, place + 1, title=name, xlabel="hours heard")
            points = [(float(row["hours_heard"]), float(row[name])) for row in rows if row[name]]
            axes.plot(*zip(*points, strict=True)) if points else None
            axes.grid(alpha=0.3)
        figure.savefig(self._picture, dpi=80)
