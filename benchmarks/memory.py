"""Peak memory of a short and a long recording of 48 kHz stereo; at most 400 MB and 5 % more for the long one.

Two figures: the peak of the largest process, and the highest sum over all processes of the run.

    python -m benchmarks.memory [--hours 3] [--backend spectral-subtraction] [--quick]
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.common import PROGRAM, markdown, write_wav


def _memory(pid: int) -> tuple[int, int]:
    """Return kB that a process and its descendants hold now, and the highest peak that one of them had so far."""
    held = peak = 0
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        try:
            fields = dict(line.split(":", 1) for line in Path(f"/proc/{one}/status").read_text().splitlines())
            held += int(fields["VmRSS"].split()[0])
            peak = max(peak, int(fields["VmHWM"].split()[0]))
            for task in Path(f"/proc/{one}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
        except (FileNotFoundError, ProcessLookupError, KeyError):
            continue  # it ended meanwhile
    return held, peak


def peak_of(command: list[str]) -> tuple[float, float, float]:
    """Run a command; return seconds, peak MB of its largest process, and peak MB of all together.

    The peaks are read from /proc twenty times a second: what the kernel hands over when a process ends would count
    this program's own memory too, which the new process had before it became another program.
    """
    largest = together = 0
    started = time.perf_counter()
    process = subprocess.Popen(command)
    while process.poll() is None:
        held, peak = _memory(process.pid)
        largest, together = max(largest, peak), max(together, held)
        time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return time.perf_counter() - started, largest / 1000, together / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=3)
    parser.add_argument("--backend", action="append", help="repeatable; default: spectral-subtraction, log-mmse, auto")
    parser.add_argument("--quick", action="store_true", help="1 min against 5 min")
    asked = parser.parse_args()
    lengths = (1.0, 5.0) if asked.quick else (10.0, 60 * asked.hours)

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.wav", Path(folder) / "out.wav"
        for backend in asked.backend or ("spectral-subtraction", "log-mmse", "auto"):
            peaks = []
            for minutes in lengths:
                write_wav(source, 60 * minutes, 48000, 2)
                command = [*PROGRAM, "denoise", str(source), "-o", str(target), "--overwrite", "-q", "-b", backend]
                seconds, largest, together = peak_of(command)
                peaks.append(largest)
                growth = 100 * (largest / peaks[0] - 1)
                rows.append((backend, minutes, seconds, 60 * minutes / seconds, largest, together, growth))
    header = ("backend", "minutes", "s", "× real time", "peak MB", "all processes MB", "growth %")
    markdown("Memory: one file of 48 kHz stereo", header, rows)


if __name__ == "__main__":
    main()
