"""Throughput on one core: every backend on 48 kHz mono, × real time, beside SoX, ffmpeg and the package noisereduce.

SoX and ffmpeg are timed as whole processes from WAV to WAV, in the same rounds as the backends. A backend is fed in
blocks of two seconds as the batch does; making the processor and a first pass are part of its time, reading files is
not, and so a last column gives the whole program too.

    python -m benchmarks.throughput [--seconds 120] [--quick]
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks.common import ONE_THREAD, PROGRAM, backends_here, best_of, markdown, noisy_voice, one_core, write_wav

os.environ.update(ONE_THREAD)

RATE = 48000
TARGETS = {"spectral-subtraction": 150, "wiener": 150, "log-mmse": 80, "omlsa": 40, "deepfilternet": 50}


def feeder(name: str, signal):
    """Return a call that cleans the signal with a backend."""
    from cleanaudio.backends import chain
    from cleanaudio.backends.interface import Setup
    from cleanaudio.backends.spec import parse

    step = 2 * RATE
    blocks = [signal[:, k : k + step] for k in range(0, signal.shape[1], step)]
    path = chain.resolve(chain.Settings(parse(name)), Setup(RATE, len(signal)))

    def work() -> None:
        processor = path.open(path.analyse(lambda: iter(blocks)) if path.needs_analysis else None)
        for block in blocks:
            processor.process(block)
        processor.flush()

    work()  # imports, model files, caches
    return work


def rivals(wav: Path, signal) -> dict:
    """Return the calls of the outside tools that are installed."""
    run = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    out, found = str(wav.with_name("rival.wav")), {}
    if shutil.which("sox"):
        profile = str(wav.with_name("noise.prof"))
        subprocess.run(["sox", str(wav), "-n", "trim", "0", "0.5", "noiseprof", profile], **run)
        found["SoX noisered"] = lambda: subprocess.run(["sox", str(wav), out, "noisered", profile, "0.21"], **run)
    if shutil.which("ffmpeg"):
        command = ["ffmpeg", "-y", "-threads", "1", "-i", str(wav), "-af", "afftdn=tn=1", out]
        found["ffmpeg afftdn"] = lambda: subprocess.run(command, **run)
    import noisereduce

    for stationary in (True, False):
        name = f"noisereduce package, {'' if stationary else 'non-'}stationary"
        found[name] = lambda s=stationary: noisereduce.reduce_noise(y=signal[0], sr=RATE, stationary=s)
        found[name]()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--quick", action="store_true", help="20 s of audio, one round")
    asked = parser.parse_args()
    seconds, rounds = (20.0, 1) if asked.quick else (asked.seconds, 3)

    with one_core(), tempfile.TemporaryDirectory() as folder:
        signal, wav = noisy_voice(seconds, RATE), write_wav(Path(folder) / "in.wav", seconds, RATE)
        jobs = rivals(wav, signal)
        outside = list(jobs)
        names = backends_here()
        jobs |= {name: feeder(name, signal) for name in names}
        for name in names:
            command = [*PROGRAM, "denoise", str(wav), "-o", folder + "/out", "--overwrite", "-q", "-j", "1", "-b", name]
            jobs[f"{name} program"] = lambda c=command: subprocess.run(c, check=True, stderr=subprocess.DEVNULL)
        best = best_of(rounds, jobs)
    sox = best.get("SoX noisered", float("nan"))
    rows = [(name, seconds / best[name], None, sox / best[name], None) for name in outside]
    rows += [(n, seconds / best[n], TARGETS.get(n), sox / best[n], seconds / best[f"{n} program"]) for n in names]
    header = ("what", "× real time", "target", "speed against SoX", "whole program × real time")
    markdown(f"Throughput: {seconds:g} s of 48 kHz mono on one core, best of {rounds}", header, rows)


if __name__ == "__main__":
    main()
