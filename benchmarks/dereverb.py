"""Dereverberation: what `--dereverb` is worth, alone and before a network.

    [CLEANAUDIO_DATA=...] python -m benchmarks.dereverb [--clips 12] [--quick]

Simulated rooms (pyroomacoustics, seeded) in the manner of the REVERB challenge: T60 of 0.25, 0.5 and 0.7 s, a speaker
0.5 and 2 m from a circle of microphones of 10 cm radius, noise 20 dB below. The voices are the clean ones without a
room of dev/pairs-16k below CLEANAUDIO_DATA, or else the synthetic ones of the fixtures. Means of ESTOI and of wide-band
PESQ against the direct sound with the reflections of its first 50 ms, and of the ratio of that sound to everything
else (by projection), at the first microphone. `live` is the method of `stream`.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

from benchmarks.common import ONE_THREAD, fixture_maker, markdown

os.environ.update(ONE_THREAD)

RATE = 16000
ROOMS = (((4.5, 3.6, 2.6), 0.25), ((5.5, 4.5, 2.8), 0.5), ((7.0, 5.5, 3.0), 0.7))
DISTANCES_M = (0.5, 2.0)
EARLY_S = 0.05
SNR_DB = 20.0
STRENGTHS = (0.0, 0.5, 1.0)


def voices(count: int, data: Path | None) -> Iterator:
    """Yield clean speech of 4 to 8 s, (frames,)."""
    import soundfile as sf

    if data is None:
        yield from (
            fixture_maker().speech(500 + k, 6.0, RATE, 105 + 35 * (k % 4), 1 + 0.05 * (k % 4)) for k in range(count)
        )
        return
    with open(data / "dev/pairs-16k/manifest.csv", newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["reverb"] == "0" and 4 <= float(row["seconds"]) <= 8]
    for k in range(count):
        row = rows[k * len(rows) // count]
        yield sf.read(data / "dev/pairs-16k" / row["clean"], dtype="float32")[0]


def clips(count: int, data: Path | None) -> Iterator:
    """Yield what four microphones hear, (4, frames), and the early sound at the first, (frames,)."""
    import numpy as np
    import pyroomacoustics as pra
    from scipy.signal import fftconvolve

    make, rng = fixture_maker(), np.random.default_rng(7)
    for k, voice in enumerate(voices(count, data)):
        (size, t60), distance = ROOMS[k % 3], DISTANCES_M[k // 3 % 2]
        absorption, order = pra.inverse_sabine(t60, size)
        box = pra.ShoeBox(size, fs=RATE, materials=pra.Material(absorption), max_order=min(order, 40))
        centre, angle = np.array(size) / 2 + rng.uniform(-0.3, 0.3, 3), rng.uniform(0, 2 * np.pi)
        box.add_microphone_array((centre + make.circle(4, 0.1)).T)
        reach = min(distance, 0.9 * min(size[:2]) / 2)
        box.add_source(centre + reach * np.array([np.cos(angle), np.sin(angle), 0.0]))
        box.compute_rir()
        echoes = [one[0] for one in box.rir]
        heard = np.stack([fftconvolve(voice, echo)[: len(voice)] for echo in echoes])
        direct = int(np.argmax(np.abs(echoes[0])))
        early = fftconvolve(voice, echoes[0][: direct + round(EARLY_S * RATE)])[: len(voice)]
        noise = np.stack([make.noise(1000 * k + m, len(voice) / RATE, RATE, "pink") for m in range(4)])
        heard += noise * np.std(heard[0]) * 10 ** (-SNR_DB / 20)
        yield heard.astype(np.float32), early.astype(np.float32)


def score(early, out) -> tuple[float, float | None, float]:
    """Return ESTOI, PESQ where it is installed, and the ratio of the early sound to the rest in dB."""
    import numpy as np
    from pystoi import stoi

    try:
        from pesq import pesq
    except ImportError:
        quality = None
    else:
        quality = float(pesq(RATE, early, out, "wb"))
    part = (out @ early) / (early @ early) * early
    ratio = 10 * np.log10((part @ part) / np.sum((out - part) ** 2))
    return float(stoi(early, out, RATE, extended=True)), quality, float(ratio)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--quick", action="store_true", help="six clips, four channels only")
    arguments = parser.parse_args()
    import numpy as np

    import cleanaudio
    from cleanaudio.backends import registry

    data = os.environ.get("CLEANAUDIO_DATA")
    scenes = list(clips(6 if arguments.quick else arguments.clips, Path(data) if data else None))
    neural = "deepfilternet" if registry.available("deepfilternet") else "omlsa"
    rows = []

    def row(backend: str, channels: int, what: str, outputs) -> None:
        scores = zip(*(score(early, out[0]) for (_, early), out in zip(scenes, outputs, strict=True)), strict=True)
        rows.append([backend, channels, what, *(None if None in column else fmean(column) for column in scores)])

    for backend in ("none", neural):
        for channels in (4,) if arguments.quick else (1, 2, 4):
            for strength in STRENGTHS:
                outputs = [cleanaudio.clean(heard[:channels], RATE, backend, dereverb=strength) for heard, _ in scenes]
                row(backend, channels, f"{strength:g}", outputs)
            outputs = []
            for heard, _ in scenes:
                chain = cleanaudio.open_chain(backend, rate=RATE, channels=channels, dereverb=1.0)
                outputs.append(np.concatenate([chain.process(heard[:channels]), chain.flush()], axis=1))
            row(backend, channels, "1, live", outputs)
    header = ("backend", "channels", "--dereverb", "ESTOI", "PESQ", "early to rest, dB")
    markdown(f"Dereverberation, {len(scenes)} recordings", header, rows)


if __name__ == "__main__":
    main()
