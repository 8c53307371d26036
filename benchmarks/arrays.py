"""Arrays: what beamforming and dereverberation are worth, and how fast they are.

    [CLEANAUDIO_DATA=...] python -m benchmarks.arrays [--only measured|rooms|dereverb|speed|jumps ...] [--rooms 20]

``measured``: dev/multichannel-16k below CLEANAUDIO_DATA, eight microphones in a measured room, the clean file being
the reverberant speech at microphone 1; means. ``rooms``: seeded simulated rooms (pyroomacoustics), T60 0.2–0.6 s, SNR
0–10 dB, a synthetic voice and two noises, three arrays in turn; medians, against the reverberant voice at microphone 1
and against its direct sound. ``dereverb``: the same rooms without the noise, ESTOI and direct-to-reverberant ratio by
projection. ``speed``: eight channels, seconds of audio per second of processor time on one core; WPE against
nara_wpe. ``jumps``: dev/real-multichannel through every method, the largest step of level at a border of two blocks.

Masks are of deepfilternet where it is installed, otherwise of log-mmse; of four microphones spread over the array.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import Any

from benchmarks.common import ONE_THREAD, markdown

os.environ.update(ONE_THREAD)

RATE = 16000
PARTS = ("measured", "rooms", "dereverb", "speed", "jumps")


def spread(channels: int) -> list[int]:
    """Return up to four microphones spread over an array."""
    return sorted({round(k * (channels - 1) / 3) for k in range(4)})


def cleaner(channels: int, strength: float = 1.0):
    """Return a single-channel backend as a stream for so many independent channels."""
    import cleanaudio
    from cleanaudio.backends import registry

    name = "deepfilternet" if registry.available("deepfilternet") else "log-mmse"
    return cleanaudio.open_chain(name, rate=RATE, channels=channels, strength=strength, mode="independent", live=False)


def mask(channels: int, sizes: tuple[int, int], exponent: float = 1.0):
    """Return the mask estimator of the product for an STFT."""
    from cleanaudio.spatial.masks import EnhancerMask

    heard = spread(channels)
    return EnhancerMask(cleaner(len(heard)), *sizes, heard, exponent)


def learning(channels: int, **options):
    """Return a mask-based beamformer."""
    from cleanaudio.spatial.adaptive import MaskBeamformer, beamforming_stft

    return MaskBeamformer(RATE, channels, mask(channels, beamforming_stft(RATE)), **options)


def blind(channels: int, masked: bool):
    """Return delay-and-sum that finds its delays."""
    from cleanaudio.spatial.blind import BlindDelayAndSum, delay_stft

    return BlindDelayAndSum(RATE, channels, 0, mask(channels, delay_stft(RATE), 2.0) if masked else None)


BLIND = {
    "delay-and-sum, blind": lambda m: blind(m, False),
    "delay-and-sum, blind, mask": lambda m: blind(m, True),
    "mvdr": learning,
    "mvdr, no clustering": lambda m: learning(m, clustering=0),
    "mvdr, blocks of 2 s": lambda m: learning(m, block_s=2.0),
    "mvdr, rank 1": lambda m: learning(m, rank1=True),
    "gev": lambda m: learning(m, method="gev"),
    "mwf, μ = 1": lambda m: learning(m, method="mwf"),
    "mwf, μ = 5": lambda m: learning(m, method="mwf", mu=5.0),
}


def drive(stream, signal, block: int = 4096):
    """Feed a stream to the end."""
    import numpy as np

    parts = [stream.process(signal[:, k : k + block]) for k in range(0, signal.shape[1], block)]
    return np.concatenate([*parts, stream.flush()], axis=1)


def si_sdr(reference, estimate) -> float:
    """Return the scale-invariant signal-to-distortion ratio, dB."""
    import numpy as np

    reference, estimate = (np.asarray(v, np.float64) - np.mean(v) for v in (reference, estimate))
    target = (reference @ estimate) / (reference @ reference) * reference
    return float(10 * np.log10((target @ target) / np.sum((estimate - target) ** 2)))


def wide_band_pesq(reference, estimate) -> float:
    """Return PESQ (wide band)."""
    from pesq import pesq

    return float(pesq(RATE, reference, estimate, "wb"))


def oracle_mvdr(noisy, voice):
    """Return Souden's MVDR with the ideal ratio mask of microphone 1, one static filter: the ceiling."""
    import numpy as np

    from cleanaudio.audio.stft import Istft, Stft, synthesis_window, window
    from cleanaudio.spatial.beamformers import apply, souden
    from cleanaudio.spatial.covariance import weighted_sum

    size, hop = 1024, 256
    analysis = window("sqrt-hann", size)
    padded = np.pad(np.concatenate([noisy, voice[None]]), ((0, 0), (0, size)))
    spectra = Stft(len(padded), analysis, hop).push(padded.astype(np.float32))
    heard, clean = spectra[:-1], np.abs(spectra[-1]) ** 2
    rest = np.abs(spectra[0] - spectra[-1]) ** 2
    ideal = (clean / np.maximum(clean + rest, 1e-12)).astype(np.float32)
    means = [weighted_sum(heard, m) / np.maximum(m.sum(axis=0), 1e-6)[:, None, None] for m in (ideal, 1 - ideal)]
    out = apply(souden(means[0], means[1], 0, 1e-6), heard)[None]
    return Istft(1, synthesis_window(analysis, hop), hop).push(out)[:, : noisy.shape[1]]


def measured(data: Path) -> None:
    """Print the table of the measured room."""
    import numpy as np
    import soundfile as sf
    from speechmos import dnsmos as judge

    cases = []
    for path in sorted((data / "dev/multichannel-16k").glob("*_noisy8ch.flac")):
        noisy = sf.read(path, dtype="float32")[0].T
        cases.append((noisy, sf.read(str(path).replace("noisy8ch", "clean_ch1"), dtype="float32")[0]))
    systems = {
        "microphone 1": lambda x, c: x[:1],
        "mean of the channels": lambda x, c: x.mean(axis=0, keepdims=True),
        "single channel backend": lambda x, c: drive(cleaner(1), x[:1]),
        **{name: (lambda x, c, make=make: drive(make(len(x)), x)) for name, make in BLIND.items()},
        "mvdr + post-filter": lambda x, c: drive(cleaner(1), drive(learning(len(x)), x)),
        "mvdr + post-filter, strength 0.7": lambda x, c: drive(cleaner(1, 0.7), drive(learning(len(x)), x)),
        "mwf, μ = 5 + post-filter": lambda x, c: drive(cleaner(1), drive(learning(len(x), method="mwf", mu=5.0), x)),
        "mvdr, ideal mask": oracle_mvdr,
    }
    rows = []
    for name, system in systems.items():
        scores = []
        started = time.process_time()
        outputs = [system(noisy, clean)[0] for noisy, clean in cases]
        took = time.process_time() - started
        for (_, clean), out in zip(cases, outputs, strict=True):
            ovrl = judge.run(np.clip(out, -1, 1), RATE)["ovrl_mos"]
            scores.append((si_sdr(clean, out), wide_band_pesq(clean, out), float(ovrl)))
        speed = sum(c.shape[0] for _, c in cases) / RATE / max(took, 1e-9)
        rows.append([name, *map(fmean, zip(*scores, strict=True)), speed if took > 0.05 else None])
    markdown("Measured room, 8 microphones", ("method", "SI-SDR", "PESQ", "OVRL", "× real time"), rows)


@dataclass(frozen=True)
class Scene:
    """A simulated recording: signals (channels, frames), azimuth in degrees, places (sources, 3) in metres."""

    array: Any
    mixture: Any
    voice: Any
    direct: Any
    azimuth: float
    places: Any
    microphones: Any


def simulated(count: int, with_noise: bool = True):
    """Yield the scenes of seeded rooms."""
    import importlib.util

    import numpy as np
    import pyroomacoustics as pra

    from benchmarks.common import ROOT
    from cleanaudio.spatial.geometry import parse_array

    spec = importlib.util.spec_from_file_location("fixtures_make", ROOT / "fixtures" / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    rng = np.random.default_rng(2026)
    for k in range(count):
        array = parse_array(("linear:4:0.05", "circular:6:0.0463", "linear:8:0.08")[k % 3])
        size = rng.uniform([4.5, 4.5, 2.6], [7, 6, 3.2])
        absorption, order = pra.inverse_sabine(rng.uniform(0.2, 0.6), size)
        centre = size / 2 + rng.uniform(-0.4, 0.4, 3) * [1, 1, 0.2]
        azimuth = rng.uniform(0, np.pi)
        angles = [azimuth, *(azimuth + side * rng.uniform(np.pi / 5, np.pi * 0.9) for side in (1, -1))]
        distances = rng.uniform([1.0, 1.3, 1.3], [1.6, 2.0, 2.0])
        places = [
            np.clip(centre + d * np.array([np.cos(a), np.sin(a), 0.1]), 0.2, size - 0.2)
            for a, d in zip(angles, distances, strict=True)
        ]
        length = 7.0
        sources = [make.speech(100 + k, length, RATE, 100 + 110 * (k % 2), 1 + 0.15 * (k % 2))]
        sources += [
            make.noise(200 + k, length, RATE, "pink"),
            make.noise(300 + k, length, RATE, ("fan", "white")[k % 2]),
        ]

        def heard(place, signal, reach, size=size, absorption=absorption, array=array, centre=centre):
            box = pra.ShoeBox(size, fs=RATE, materials=pra.Material(absorption), max_order=reach)
            box.add_source(place, signal=signal)
            box.add_microphone_array((centre + array.positions).T)
            box.simulate()
            return box.mic_array.signals[:, : len(signal)].astype(np.float32)

        voice, direct = (heard(places[0], sources[0], reach) for reach in (order, 0))
        mixture = voice.copy()
        if with_noise:
            parts = [heard(place, signal, order) for place, signal in zip(places[1:], sources[1:], strict=True)]
            noise = sum(part / np.std(part[0]) for part in parts)
            active = np.std(voice[0][np.abs(voice[0]) > 0.02 * np.abs(voice[0]).max()])
            noise *= active * 10 ** (-rng.uniform(0, 10) / 20) / np.std(noise[0])
            own = rng.standard_normal(voice.shape) * active * 10 ** (-35 / 20)
            mixture = (voice + noise + own).astype(np.float32)
        scale = np.float32(0.3 / np.abs(mixture).max())
        seen = np.degrees(np.arctan2(*(places[0] - centre)[1::-1]))
        microphones = centre + array.positions
        yield Scene(array, scale * mixture, scale * voice, scale * direct, float(seen), np.array(places), microphones)


def rooms(count: int) -> None:
    """Print the table of the simulated rooms."""
    import numpy as np

    from cleanaudio.spatial.fixed import fixed_beamformer
    from cleanaudio.spatial.geometry import Direction

    scenes = list(simulated(count))
    plain = {"generators": np.zeros(2), "walls": np.zeros(2)}

    def fixed(method):
        return lambda scene: drive(
            fixed_beamformer(method, RATE, len(scene.mixture), scene.array, Direction(scene.azimuth), 343.0),
            scene.mixture,
        )

    def theirs(kind):
        def system(scene):
            """They know where voice and noises are, to the centimetre; any lag of theirs is taken out."""
            import pyroomacoustics as pra

            taps = 1024 if kind == "delay-and-sum" else 400  # theirs is a matrix of microphones × taps
            beam = pra.Beamformer(scene.microphones.T, RATE, N=1024, Lg=taps)
            beam.signals = scene.mixture.astype(np.float64)
            voice = pra.SoundSource(scene.places[0])
            if kind == "delay-and-sum":
                beam.rake_delay_and_sum_weights(voice)
                beam.weights /= beam.M
                beam.filters_from_weights()
            else:
                noises = pra.SoundSource(scene.places[1], images=scene.places[1:].T, orders=np.zeros(2), **plain)
                beam.rake_mvdr_filters(voice, noises, 1e-4 * np.eye(beam.M * beam.Lg), delay=0.02)
            out = beam.process(FD=False)
            lags = np.arange(-1600, 1600)
            both = [np.fft.rfft(v, 1 << 18) for v in (out, scene.direct[0])]
            likeness = np.fft.irfft(both[0] * both[1].conj())
            return np.roll(out, -lags[np.argmax(np.abs(likeness[lags]))])[None, : scene.mixture.shape[1]]

        return system

    systems = {
        "microphone 1": lambda scene: scene.mixture[:1],
        "single channel backend": lambda scene: drive(cleaner(1), scene.mixture[:1]),
        "delay-and-sum, known": fixed("delay-and-sum"),
        "pyroomacoustics, delay-and-sum": theirs("delay-and-sum"),
        "superdirective, known": fixed("superdirective"),
        "pyroomacoustics, MVDR": theirs("mvdr"),
        **{
            name: (lambda scene, make=make: drive(make(len(scene.mixture)), scene.mixture))
            for name, make in BLIND.items()
        },
        "mvdr, ideal mask": lambda scene: oracle_mvdr(scene.mixture, scene.voice[0]),
    }
    rows = []
    for name, system in systems.items():
        scores = []
        for scene in scenes:
            out, heard, direct = system(scene)[0], scene.voice[0], scene.direct[0]
            scores.append((si_sdr(heard, out), wide_band_pesq(heard, out), si_sdr(direct, out)))
        rows.append([name, *map(median, zip(*scores, strict=True))])
    markdown(f"{count} simulated rooms", ("method", "SI-SDR", "PESQ", "SI-SDR to direct sound"), rows)


def dereverberation(count: int) -> None:
    """Print the table of dereverberation."""
    from pystoi import stoi

    from cleanaudio.spatial.dereverb import dereverb

    scenes = list(simulated(count, with_noise=False))
    rows = []
    for channels in (1, 2, 4):
        for method in ("none", "wpe", "online", "suppress", "auto"):
            scores = []
            for scene in scenes:
                signal, direct = scene.mixture[:channels], scene.direct[0]
                out = signal if method == "none" else drive(dereverb(RATE, channels, method=method), signal)
                scores.append((float(stoi(direct, out[0], RATE, extended=True)), si_sdr(direct, out[0])))
            rows.append([f"{channels}, {method}", *map(fmean, zip(*scores, strict=True))])
    markdown("Dereverberation", ("channels, method", "ESTOI", "direct to rest, dB"), rows)


def speed() -> None:
    """Print the speeds."""
    import numpy as np
    from nara_wpe.wpe import wpe as reference

    from cleanaudio.audio.stft import Stft, window
    from cleanaudio.spatial.dereverb import dereverb
    from cleanaudio.spatial.wpe import wpe

    rng = np.random.default_rng(0)
    signal = 0.1 * rng.standard_normal((8, 30 * RATE)).astype(np.float32)
    rows = []
    for name, make in {**BLIND, "wpe": lambda m: dereverb(RATE, m, method="wpe")}.items():
        stream = make(8)
        started = time.process_time()
        drive(stream, signal)
        rows.append([name, 30 / (time.process_time() - started)])
    markdown("Eight channels at 16 kHz, one core, masks included", ("method", "× real time"), rows)
    rows = []
    for channels, taps in ((1, 10), (2, 10), (4, 10), (8, 10)):
        spectra = Stft(channels, window("sqrt-hann", 512), 128).push(signal[:channels, : 4 * RATE])
        theirs = spectra.transpose(2, 0, 1).astype(complex)
        jobs = (partial(wpe, spectra, taps, 3, 3), partial(reference, theirs, taps=taps, delay=3, iterations=3))
        took = []
        for work in jobs:
            started = time.process_time()
            work()
            took.append(time.process_time() - started)
        rows.append([f"{channels} channels, {taps} taps", *took])
    markdown("WPE of 4 s, seconds of processor time", ("", "cleanaudio", "nara_wpe"), rows)


class Recorded:
    """A mask that was estimated before."""

    def __init__(self, masks) -> None:
        self.masks = masks

    def process(self, block):
        """Return nothing."""
        return self.masks[:0]

    def flush(self):
        """Return all of it."""
        return self.masks

    def reset(self) -> None:
        """Stay as it is."""


def jumps(data: Path) -> None:
    """Print the steps of level that the borders of blocks make on the real arrays.

    Level over 25 ms before and after a border, less the same of a run whose filter stays what it was before that
    border: so what speech itself does is not counted.
    """
    import numpy as np
    import soundfile as sf

    from cleanaudio.spatial.adaptive import MaskBeamformer, beamforming_stft

    sizes, span = beamforming_stft(RATE), RATE // 40

    def run(signal, masks, options, frozen=10**9):
        stream = MaskBeamformer(RATE, len(signal), Recorded(masks), block_s=1.0, **options)
        solve, solved = stream._blocks._solve, []

        def until_frozen(speech, noise):
            solved.append(solve(speech, noise) if len(solved) < frozen else solved[-1])
            return solved[-1]

        stream._blocks._solve = until_frozen
        return drive(stream, signal)[0]

    rows = []
    for name, options in {"mvdr": {}, "gev": {"method": "gev"}, "mwf, μ = 5": {"method": "mwf", "mu": 5.0}}.items():
        found = []
        for path in sorted((data / "dev/real-multichannel").glob("*.flac")):
            signal = sf.read(path, dtype="float32", always_2d=True)[0].T
            estimator = mask(len(signal), sizes)
            masks = np.concatenate([estimator.process(signal), estimator.flush()])
            whole = run(signal, masks, options)
            for k in range(1, signal.shape[1] // RATE - 1):
                edge = k * round(RATE / sizes[1]) * sizes[1] - (sizes[0] - sizes[1]) // 2
                levels = []
                for out in (whole, run(signal, masks, options, k)):
                    parts = (slice(edge - span, edge), slice(edge, edge + span))
                    levels.append([np.mean(out[part] ** 2) for part in parts])
                (before, after), (elsewhere, then) = levels
                found.append(abs(10 * np.log10(after / before * elsewhere / then)))
        rows.append([name, float(np.median(found)), float(max(found)), len(found)])
    markdown(
        "Real arrays: steps of level at the borders of 1 s blocks",
        ("method", "median, dB", "largest, dB", "borders"),
        rows,
    )


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS, nargs="*", default=PARTS)
    parser.add_argument("--rooms", type=int, default=20)
    arguments = parser.parse_args()
    data = os.environ.get("CLEANAUDIO_DATA")
    if "measured" in arguments.only and data:
        measured(Path(data))
    if "rooms" in arguments.only:
        rooms(arguments.rooms)
    if "dereverb" in arguments.only:
        dereverberation(min(arguments.rooms, 8))
    if "speed" in arguments.only:
        speed()
    if "jumps" in arguments.only and data:
        jumps(Path(data))


if __name__ == "__main__":
    main()
