"""Two workers against one in ``score``: 80 pairs with every metric against a reference and DNSMOS; 1.7 times is wanted.

The pairs are those of dev/pairs-16k below CLEANAUDIO_DATA, or else copies of those in fixtures. Whole processes are
timed, the start of the workers included.

    CLEANAUDIO_DATA=... python -m benchmarks.scoring [--quick]
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks.common import ONE_THREAD, PROGRAM, ROOT, markdown, seconds_of

PAIRS = 80


def pairs(folder: Path, count: int) -> tuple[list[Path], Path]:
    """Return noisy recordings and the folder of their clean partners."""
    root = os.environ.get("CLEANAUDIO_DATA")
    if root:
        dev = Path(root) / "dev" / "pairs-16k"
        return sorted((dev / "noisy").iterdir())[:count], dev / "clean"
    for side in ("noisy", "clean"):
        (folder / side).mkdir()
        recordings = sorted((ROOT / "fixtures" / "pairs" / side).iterdir())
        for number in range(count):
            recording = recordings[number % len(recordings)]
            shutil.copyfile(recording, folder / side / f"{number}{recording.suffix}")
    return sorted((folder / "noisy").iterdir()), folder / "clean"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="16 pairs")
    count = 16 if parser.parse_args().quick else PAIRS

    from cleanaudio.metrics import registry

    metrics = [name for name in registry.names() if "reference" in registry.get(name).needs] + ["dnsmos"]
    options = [word for name in metrics for word in ("--metric", name)]
    environment = {**os.environ, **ONE_THREAD}
    walls = {}
    with tempfile.TemporaryDirectory() as folder:
        noisy, clean = pairs(Path(folder), count)
        for workers in (1, 2):
            command = [*PROGRAM, "score", *map(str, noisy), "--reference", str(clean), "--json", "-q", *options]
            command += ["-j", str(workers)]
            walls[workers] = seconds_of(
                lambda c=command: subprocess.run(c, check=True, stdout=subprocess.DEVNULL, env=environment)
            )
    rows = [(n, wall, count / wall, walls[1] / wall) for n, wall in walls.items()]
    title = f"Scoring: {count} pairs, {len(metrics)} metrics, {os.cpu_count()} cores"
    markdown(title, ("workers", "s", "pairs per s", "against one worker"), rows)


if __name__ == "__main__":
    main()
