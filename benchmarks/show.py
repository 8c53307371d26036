"""Show the last run of a metrics CSV as a table: levels before → after.

python -m benchmarks.show out/metrics.csv
"""

from __future__ import annotations

import csv
import sys


def main(path: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = list(csv.DictReader(file))
    table = Table(box=None, header_style="bold", title=f"{path}, run {rows[-1]['run_id']}")
    for title in ("input", "status", "backend"):
        table.add_column(title, overflow="fold")
    for title in ("rate", "ch", "seconds", "rtf", "noise dBFS", "SNR dB"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in sorted((row for row in rows if row["run_id"] == rows[-1]["run_id"]), key=lambda row: row["input"]):
        cells = [row[name] for name in ("input", "status", "backend", "rate", "channels", "seconds", "rtf")]
        cells += [
            f"{row[f'{what}_in_{unit}']} → {row[f'{what}_out_{unit}']}"
            for what, unit in (("noise_floor", "dbfs"), ("snr", "db"))
        ]
        table.add_row(*map(Text, cells))
    console = Console()
    (console if console.is_terminal else Console(width=132)).print(table)


if __name__ == "__main__":
    main(*sys.argv[1:])
