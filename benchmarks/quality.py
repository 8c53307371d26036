"""Quality of every backend on the development pairs: the table in the README.

Reads dev/pairs-16k and dev/pairs-48k below CLEANAUDIO_DATA (noisy/ and clean/ with the same names). Per system: PESQ
(wide band) and ESTOI at 16 kHz, SI-SDR at the file's rate, DNSMOS P.835 OVRL, seconds of computing per second of
audio on one core, and the latency of live use (blank where a method must hear the whole recording first). The output
is scored as it comes: a lag would cost it.

    CLEANAUDIO_DATA=... python -m benchmarks.quality [-b SPEC ...] [--limit N] [--jobs 2] [--csv FILE] [--quick]
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean

from benchmarks.common import ONE_THREAD, backends_here, markdown

os.environ.update(ONE_THREAD)

SETS = ("pairs-16k", "pairs-48k")
MEASURES = ("pesq", "estoi", "si_sdr", "ovrl", "rtf", "latency_ms")


def clean_with(spec: str, noisy, rate: int):
    """Return the cleaned signal (frames,), seconds of computing, and the live latency in ms."""
    from cleanaudio.backends import chain
    from cleanaudio.backends.interface import Setup
    from cleanaudio.backends.spec import parse
    from cleanaudio.errors import RecipeError

    if spec == "noisy":
        return noisy, 0.0, 0.0
    settings = chain.Settings(parse(spec))
    started = time.perf_counter()
    path = chain.resolve(settings, Setup(rate, 1))
    processor = path.open(path.analyse(lambda: [noisy[None]]) if path.needs_analysis else None)
    import numpy as np

    out = np.concatenate([processor.process(noisy[None]), processor.flush()], axis=1)[0]
    took = time.perf_counter() - started
    try:
        live = chain.resolve(settings, Setup(rate, 1, live=True)).open()
        return out, took, 1000 * live.latency / rate
    except RecipeError:
        return out, took, None


def si_sdr(clean, estimate) -> float:
    """Return the scale-invariant signal-to-distortion ratio in dB (Le Roux et al. 2019, eq. 1 to 5), means removed."""
    import numpy as np

    clean, estimate = clean - clean.mean(), estimate - estimate.mean()
    target = (estimate @ clean) / (clean @ clean + 1e-12) * clean
    return float(10 * np.log10((target @ target) / (np.sum((estimate - target) ** 2) + 1e-12)))


def score(clean, estimate, rate: int) -> dict[str, float | None]:
    """Return the measures of one output; None where a package is missing or PESQ finds no utterance."""
    import numpy as np
    import soxr

    at_16k = [x if rate == 16000 else soxr.resample(x, rate, 16000) for x in (clean, estimate)]
    out: dict[str, float | None] = dict.fromkeys(MEASURES) | {"si_sdr": si_sdr(clean, estimate)}
    try:
        from pesq import NoUtterancesError, pesq

        try:
            out["pesq"] = pesq(16000, *at_16k, "wb")
        except NoUtterancesError:
            out["pesq"] = None
    except ImportError:
        pass
    try:
        from pystoi import stoi

        out["estoi"] = stoi(*at_16k, 16000, extended=True)
    except ImportError:
        pass
    try:
        from speechmos import dnsmos

        out["ovrl"] = dnsmos.run(np.clip(at_16k[1], -1, 1), 16000)["ovrl_mos"]
    except ImportError:
        pass
    return out


def measure(task: tuple[str, Path]) -> dict:
    """Clean and score one file with one system."""
    import soundfile as sf

    spec, path = task
    noisy, rate = sf.read(path, dtype="float32", always_2d=True)
    clean, _ = sf.read(path.parents[1] / "clean" / path.name, dtype="float32", always_2d=True)
    clean_with(spec, noisy[:rate, 0], rate)  # model files and imports are not part of the real-time factor
    out, seconds, latency = clean_with(spec, noisy[:, 0], rate)
    measures = score(clean[:, 0], out, rate) | {"rtf": seconds / (len(out) / rate), "latency_ms": latency}
    return {"set": path.parents[1].name, "system": spec, "file": path.name} | measures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-b", "--backend", action="append", help="as of denoise, repeatable; default: all there are")
    parser.add_argument("--limit", type=int, help="so many files of each set")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--csv", type=Path, help="also write a row for each file")
    parser.add_argument("--quick", action="store_true", help="4 files of each set")
    asked = parser.parse_args()
    root = os.environ.get("CLEANAUDIO_DATA")
    if not root:
        print("quality: CLEANAUDIO_DATA names no recordings, left out")
        return
    systems = list(dict.fromkeys(["noisy", *(asked.backend or backends_here())]))
    limit = 4 if asked.quick else asked.limit
    files = [path for name in SETS for path in sorted((Path(root) / "dev" / name / "noisy").iterdir())[:limit]]
    with ProcessPoolExecutor(asked.jobs, mp_context=get_context("spawn")) as pool:
        rows = list(pool.map(measure, [(s, f) for f, s in product(files, systems)], chunksize=4))
    if asked.csv:
        with open(asked.csv, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    groups = defaultdict(list)
    for row in rows:
        groups[row["set"], row["system"]].append(row)
    for name in SETS:
        table = []
        for system in systems:
            values = [[row[m] for row in groups[name, system] if row[m] is not None] for m in MEASURES]
            table.append((system, *(fmean(found) if found else None for found in values)))
        count = len(groups[name, systems[0]])
        header = ("system", "PESQ", "ESTOI", "SI-SDR dB", "DNSMOS OVRL", "RTF", "latency ms")
        markdown(f"dev/{name}: means of {count} files", header, table)


if __name__ == "__main__":
    main()
