"""Arrays: what beamforming and dereverberation are worth, and what they cost.

    [CLEANAUDIO_DATA=...] [CLEANAUDIO_PEERS=...] python -m benchmarks.arrays [--only PART ...] [--rooms 20] [--hour]

``measured``: dev/multichannel-16k below CLEANAUDIO_DATA, eight microphones in a measured room, the clean file being
the reverberant speech at microphone 1; means. ``rooms``: seeded simulated rooms, T60 0.2–0.6 s, SNR 0–10 dB, three
arrays in turn; medians and means, against the reverberant voice at microphone 1 and against its direct sound.
``dereverb``: the same rooms without the noise, ESTOI and direct-to-reverberant ratio by projection. ``speed``: eight
channels, seconds of audio per second of processor time on one core; WPE against nara_wpe. ``memory``: the program on
3 and 6 minutes of eight channels, or on 6 minutes and an hour (--hour). ``jumps``: dev/real-multichannel through every
method, the largest step of level at a border of two blocks.

Masks are of deepfilternet where it is installed, otherwise of log-mmse. CLEANAUDIO_PEERS may name a folder that holds
models/ulunas/ulunas.onnx.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from statistics import fmean, median

from benchmarks.common import ONE_THREAD, markdown

os.environ.update(ONE_THREAD)

PARTS = ("measured", "rooms", "dereverb", "speed", "memory", "jumps")


def si_sdr(reference, estimate) -> float:
    """Return the scale-invariant signal-to-distortion ratio, dB."""
    import numpy as np

    reference, estimate = (np.asarray(v, np.float64) - np.mean(v) for v in (reference, estimate))
    target = (reference @ estimate) / (reference @ reference) * reference
    return float(10 * np.log10((target @ target) / np.sum((estimate - target) ** 2)))


def scores(reference, estimate) -> tuple[float, float, float]:
    """Return SI-SDR, PESQ (wide band) and OVRL of DNSMOS."""
    import numpy as np
    from pesq import pesq
    from speechmos import dnsmos

    from benchmarks.array_rooms import RATE

    overall = dnsmos.run(np.clip(estimate, -1, 1), RATE)["ovrl_mos"]
    return si_sdr(reference, estimate), float(pesq(RATE, reference, estimate, "wb")), float(overall)


def measured(data: Path) -> None:
    """Print the table of the measured room."""
    import soundfile as sf

    from benchmarks.array_rooms import RATE
    from benchmarks.array_systems import ideal_mvdr, systems

    cases = []
    for path in sorted((data / "dev/multichannel-16k").glob("*_noisy8ch.flac")):
        noisy = sf.read(path, dtype="float32")[0].T
        cases.append((noisy, sf.read(str(path).replace("noisy8ch", "clean_ch1"), dtype="float32")[0]))
    rows = []
    for name, system in {**systems(), "mvdr, ideal mask": None}.items():
        started = time.process_time()
        outputs = [system(noisy) if system else ideal_mvdr(noisy, clean) for noisy, clean in cases]
        took = time.process_time() - started
        values = [scores(clean, out[0]) for (_, clean), out in zip(cases, outputs, strict=True)]
        speed = sum(len(clean) for _, clean in cases) / RATE / max(took, 1e-9)
        rows.append([name, *map(fmean, zip(*values, strict=True)), speed if took > 0.05 else None])
    markdown("Measured room, 8 microphones, means", ("method", "SI-SDR", "PESQ", "OVRL", "× real time"), rows)


def rooms(count: int) -> None:
    """Print the table of the simulated rooms."""
    from benchmarks.array_rooms import simulated
    from benchmarks.array_systems import ceiling_of_delay_and_sum, ideal_mvdr, pyroomacoustics, steered, systems

    every = {name: (lambda scene, system=system: system(scene.mixture)) for name, system in systems().items()}
    every |= {
        "delay-and-sum, known direction": steered("delay-and-sum"),
        "pyroomacoustics, delay-and-sum": pyroomacoustics("delay-and-sum"),
        "superdirective, known direction": steered("superdirective"),
        "pyroomacoustics, MVDR": pyroomacoustics("mvdr"),
        "delay-and-sum, best weights in hindsight": ceiling_of_delay_and_sum,
        "mvdr, ideal mask": lambda scene: ideal_mvdr(scene.mixture, scene.voice[0]),
    }
    scenes, rows, before = list(simulated(count)), [], []
    for name, system in every.items():
        outputs = [system(scene)[0] for scene in scenes]
        values = [
            (*scores(scene.voice[0], out), si_sdr(scene.direct[0], out))
            for scene, out in zip(scenes, outputs, strict=True)
        ]
        before = before or values  # the first is the microphone
        columns = list(zip(*values, strict=True))
        worst = min(one[0] - other[0] for one, other in zip(values, before, strict=True))
        rows.append([name, *map(median, columns), *map(fmean, columns[:3]), worst])
    medians, means = ("SI-SDR", "PESQ", "OVRL", "SI-SDR to direct sound"), ("mean SI-SDR", "mean PESQ", "mean OVRL")
    markdown(f"{count} simulated rooms, medians and means", ("method", *medians, *means, "worst gain"), rows)


def dereverberation(count: int) -> None:
    """Print the table of dereverberation."""
    from pystoi import stoi

    from benchmarks.array_rooms import RATE, simulated
    from benchmarks.array_systems import drive
    from cleanaudio.spatial.dereverb import dereverb

    scenes = list(simulated(count, with_noise=False))
    rows = []
    for channels in (1, 2, 4):
        for method in ("none", "wpe", "suppress", "auto"):
            values = []
            for scene in scenes:
                signal, direct = scene.mixture[:channels], scene.direct[0]
                out = signal if method == "none" else drive(dereverb(RATE, channels, method=method), signal)
                values.append((float(stoi(direct, out[0], RATE, extended=True)), si_sdr(direct, out[0])))
            rows.append([f"{channels}, {method}", *map(fmean, zip(*values, strict=True))])
    markdown("Dereverberation", ("channels, method", "ESTOI", "direct to rest, dB"), rows)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS, nargs="*", default=PARTS)
    parser.add_argument("--rooms", type=int, default=20)
    parser.add_argument("--hour", action="store_true", help="memory on an hour instead of minutes")
    arguments = parser.parse_args()
    data = os.environ.get("CLEANAUDIO_DATA")
    from benchmarks.array_cost import jumps, memory, speed

    parts = {
        "measured": data and (lambda: measured(Path(data))),
        "rooms": lambda: rooms(arguments.rooms),
        "dereverb": lambda: dereverberation(min(arguments.rooms, 8)),
        "speed": speed,
        "memory": lambda: memory((6.0, 60.0) if arguments.hour else (3.0, 6.0)),
        "jumps": data and (lambda: jumps(Path(data))),
    }
    for name, work in parts.items():
        if name in arguments.only and work:
            work()


if __name__ == "__main__":
    main()
