"""Two workers against one: files per second of a whole batch run; 1.8 times as many are wanted.

python -m benchmarks.workers [--files 24] [--seconds 60] [--backend log-mmse] [--quick]
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks.common import PROGRAM, markdown, seconds_of, write_wav


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--backend", default="log-mmse")
    parser.add_argument("--quick", action="store_true", help="8 files of 20 s")
    asked = parser.parse_args()
    files, seconds = (8, 20.0) if asked.quick else (asked.files, asked.seconds)

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in"
        source.mkdir()
        first = write_wav(source / "0.wav", seconds, 48000, 2)
        for number in range(1, files):
            shutil.copyfile(first, source / f"{number}.wav")
        walls = {}
        for workers in (1, 2):
            command = [*PROGRAM, "denoise", str(source), "-o", f"{folder}/out{workers}", "-q"]
            command += ["-j", str(workers), "-b", asked.backend]
            walls[workers] = seconds_of(lambda c=command: subprocess.run(c, check=True))
    rows = [(n, wall, files / wall, files * seconds / wall, walls[1] / wall) for n, wall in walls.items()]
    title = f"Workers: {files} files of {seconds:g} s, 48 kHz stereo, {asked.backend}, {os.cpu_count()} cores"
    markdown(title, ("workers", "s", "files per s", "× real time", "against one worker"), rows)


if __name__ == "__main__":
    main()
