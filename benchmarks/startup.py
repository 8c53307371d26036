"""How long the program takes to start: ``--help``, what it imports, and one 10 s clip as a whole process.

Targets: ``--help`` in 0.30 s without numpy; a 10 s clip with a classical backend in 1.0 s, with deepfilternet in 1.5 s.

    python -m benchmarks.startup [--quick]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.common import PROGRAM, backends_here, best_of, markdown, write_wav


def _run(*arguments: str) -> None:
    subprocess.run([*PROGRAM, *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def imported_by_help() -> list[str]:
    """Return which heavy packages ``--help`` imports."""
    code = (
        "import sys\nfrom cleanaudio.cli.app import main\nmain(['denoise', '--help'])\n"
        "print(*(set(sys.modules) & {'numpy','scipy','librosa','noisereduce','torch','onnxruntime'}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return done.stderr.decode().split()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two rounds in place of five")
    rounds = 2 if parser.parse_args().quick else 5

    with tempfile.TemporaryDirectory() as folder:
        clip = {rate: write_wav(Path(folder) / f"{rate}.wav", 10, rate) for rate in (16000, 48000)}
        jobs = {"--help": lambda: _run("--help"), "denoise --help": lambda: _run("denoise", "--help")}
        targets = {"--help": 0.3, "denoise --help": 0.3}
        for name in backends_here():
            for rate in (16000, 48000):
                label = f"{name}, 10 s at {rate // 1000} kHz"
                arguments = ("denoise", str(clip[rate]), "-o", folder + "/out", "--overwrite", "-q", "-b", name)
                jobs[label] = lambda arguments=arguments: _run(*arguments)
                targets[label] = {"deepfilternet": 1.5, "rnnoise": None, "noisereduce": None}.get(name, 1.0)
        best = best_of(rounds, jobs)
    markdown(
        f"Start-up: wall seconds of a whole process, best of {rounds}",
        ("what", "s", "target"),
        [(name, best[name], targets[name]) for name in jobs],
    )
    print("heavy packages that --help imports:", ", ".join(imported_by_help()) or "none")


if __name__ == "__main__":
    main()
