"""Show the last run of a metrics CSV as a table.

python -m benchmarks.show out/metrics.csv
"""

from __future__ import annotations

import csv
import sys

COLUMNS = {
    "input": "input",
    "status": "status",
    "backend": "backend",
    "rate": "rate Hz",
    "channels": "channels",
    "seconds": "seconds",
    "rtf": "rtf",
    "noise_floor_in_dbfs": "noise in dBFS",
    "noise_floor_out_dbfs": "noise out dBFS",
    "snr_in_db": "SNR in dB",
    "snr_out_db": "SNR out dB",
}


def main(path: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = list(csv.DictReader(file))
    table = Table(box=None, header_style="bold", title=f"{path}, run {rows[-1]['run_id']}")
    for name, title in COLUMNS.items():
        table.add_column(title, justify="left" if name in ("input", "status", "backend") else "right")
    for row in sorted((row for row in rows if row["run_id"] == rows[-1]["run_id"]), key=lambda row: row["input"]):
        table.add_row(*(Text(row[name]) for name in COLUMNS))
    console = Console()
    Console(width=max(console.width, 132) if not console.is_terminal else None).print(table)


if __name__ == "__main__":
    main(*sys.argv[1:])
