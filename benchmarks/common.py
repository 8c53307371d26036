"""What the benchmarks share: signals, timing, processes and Markdown tables."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
PROGRAM = [sys.executable, "-m", "cleanaudio"]


def backends_here() -> list[str]:
    """Return the backends that can be used without naming a model file."""
    from cleanaudio.backends import registry

    return [name for name in registry.names() if registry.available(name) and not registry.get(name).takes_argument]


def fixture_maker():
    """Return fixtures/make.py as a module."""
    spec = importlib.util.spec_from_file_location("fixtures_make", ROOT / "fixtures" / "make.py")
    make = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = make  # where its named tuples look for their module
    spec.loader.exec_module(make)
    return make


def noisy_voice(seconds: float, rate: int, channels: int = 1):
    """Return the synthetic voice of the fixtures over pink noise, 10 dB, repeated to length; (channels, frames)."""
    import numpy as np

    make, length = fixture_maker(), min(seconds, 20.0)
    rows = [make.at_snr(make.speech(3 + c, length, rate), make.noise(5 + c, length, rate), 10) for c in range(channels)]
    return np.resize(np.stack(rows).T, (round(seconds * rate), channels)).T.copy()


def write_wav(path: Path, seconds: float, rate: int, channels: int = 1) -> Path:
    """Write the noisy voice as 16-bit WAV (RF64 where it must be), a piece at a time."""
    import soundfile as sf

    piece, left = noisy_voice(min(seconds, 60.0), rate, channels).T, round(seconds * rate)
    container = "RF64" if left * channels * 2 > 4e9 else "WAV"
    with sf.SoundFile(path, "w", rate, channels, "PCM_16", format=container) as file:
        while left:
            file.write(piece[:left])
            left -= min(left, len(piece))
    return path


def seconds_of(work: Callable[[], object]) -> float:
    """Return the wall time of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def best_of(rounds: int, jobs: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Run every job in turn, so many rounds, and return each one's shortest wall time in seconds."""
    best = dict.fromkeys(jobs, float("inf"))
    for _ in range(rounds):
        for name, work in jobs.items():
            best[name] = min(best[name], seconds_of(work))
    return best


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process and its children on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def markdown(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a Markdown table; numbers with what digits they need."""
    print(f"\n**{title}**\n")
    print("| " + " | ".join(header) + " |")
    print("|" + "|".join(" --- " if k == 0 else " ---: " for k in range(len(header))) + "|")
    for row in rows:
        print("| " + " | ".join(_cell(value) for value in row) + " |", flush=True)
    print()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3g}"
    return str(value)
