"""Peak memory of a short and a long recording of 48 kHz stereo; at most 400 MB and 5 % more for the long one.

Two figures: the largest process's peak (as the kernel keeps it), and the highest sum over all processes of the run.

    python -m benchmarks.memory [--hours 3] [--backend spectral-subtraction] [--quick]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.common import PROGRAM, markdown, write_wav


def _resident(pid: int) -> int:
    """Return the bytes that a process and its descendants hold now, shared pages counted once for each."""
    total, waiting = 0, [pid]
    while waiting:
        one = waiting.pop()
        try:
            with open(f"/proc/{one}/statm") as file:
                total += int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            for task in os.listdir(f"/proc/{one}/task"):
                with open(f"/proc/{one}/task/{task}/children") as file:
                    waiting += map(int, file.read().split())
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
    return total


def peak_of(command: list[str]) -> tuple[float, float, float]:
    """Run a command; return seconds, peak MB of its largest process, and peak MB of all together."""
    highest, started = 0, time.perf_counter()
    process = subprocess.Popen(command)
    ended = threading.Event()

    def watch() -> None:
        nonlocal highest
        while not ended.wait(0.05):
            highest = max(highest, _resident(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    ended.set()
    watcher.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return time.perf_counter() - started, usage.ru_maxrss / 1000, highest / 1e6


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
