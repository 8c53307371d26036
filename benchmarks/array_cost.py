"""What beamforming costs, and whether it stays in one piece: speed, memory, steps of level."""

from __future__ import annotations

import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.array_rooms import RATE
from benchmarks.array_systems import LEARNING, blind, drive, mask
from benchmarks.common import PROGRAM, markdown, write_wav
from benchmarks.memory import peak_of

WPE_TAPS = ((1, 10), (1, 40), (2, 10), (4, 10), (8, 10))
"""Channels and taps."""


def speed(seconds: float = 30.0) -> None:
    """Print seconds of audio per second of processor time, and those of WPE beside nara_wpe's."""
    from nara_wpe.wpe import wpe as reference

    from cleanaudio.audio.stft import Stft, window
    from cleanaudio.spatial.dereverb import dereverb
    from cleanaudio.spatial.wpe import wpe

    signal = 0.1 * np.random.default_rng(0).standard_normal((8, round(seconds * RATE))).astype(np.float32)
    rows = []
    for name, make in {**LEARNING, "wpe": lambda m: dereverb(RATE, m, method="wpe")}.items():
        drive(make(8), signal[:, :RATE])  # imports, model files
        stream = make(8)
        started = time.process_time()
        drive(stream, signal)
        rows.append([name, seconds / (time.process_time() - started)])
    markdown("Eight channels at 16 kHz, one core, masks included", ("method", "× real time"), rows)
    rows = []
    for channels, taps in WPE_TAPS:
        spectra = Stft(channels, window("sqrt-hann", 512), 128).push(signal[:channels, : 8 * RATE])
        theirs = spectra.transpose(2, 0, 1).astype(complex)
        jobs = (partial(wpe, spectra, taps, 3, 3), partial(reference, theirs, taps=taps, delay=3, iterations=3))
        took = []
        for work in jobs:
            started = time.process_time()
            work()
            took.append(time.process_time() - started)
        rows.append([f"{channels} channels, {taps} taps", *took])
    markdown("WPE of 8 s, seconds of processor time", ("", "cleanaudio", "nara_wpe"), rows)


def memory(minutes: tuple[float, ...]) -> None:
    """Print the peak of ``cleanaudio beamform``, mvdr with masks and clustering, on eight channels of 16 kHz."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "array.wav", Path(folder) / "out.wav"
        for length in minutes:
            write_wav(source, 60 * length, RATE, 8)
            command = [*PROGRAM, "beamform", str(source), "-o", str(target), "--overwrite", "-q"]
            seconds, largest, together = peak_of([*command, "--bad-mics", "keep"])
            rows.append([f"{length:g} min", 60 * length / seconds, largest, together])
    header = ("recording", "× real time", "peak MB", "all processes MB")
    markdown("Memory: beamform of eight channels at 16 kHz", header, rows)


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


def _until_frozen(decide, frozen: int):
    """Return what decides as ``decide`` does so many times, and then gives its last answer for ever."""
    given = []

    def decided(*arguments):
        given.append(decide(*arguments) if len(given) < frozen else given[-1])
        return given[-1]

    return decided


def _learned(masks, options, signal, frozen: int = 10**9):
    """Run a mask-based beamformer in blocks of 1 s, whose weights stay what they are after so many."""
    from cleanaudio.spatial.adaptive import MaskBeamformer

    stream = MaskBeamformer(RATE, len(signal), Recorded(masks), block_s=1.0, **options)
    stream._blocks._solve = _until_frozen(stream._blocks._solve, frozen)
    return drive(stream, signal)[0]


def _summed(signal, frozen: int = 10**9):
    """Run blind delay-and-sum, whose delays and weights stay what they are after so many windows."""
    stream = blind(len(signal))
    form, delays = stream._form, _until_frozen(lambda found: found, frozen)
    stream._form = lambda found: form(delays(found))
    stream._weigh.solve = _until_frozen(stream._weigh.solve, frozen)
    return drive(stream, signal)[0]


def _step(edge: int, whole, other) -> float:
    """Return by how many dB a run steps at a border more than another does, over 25 ms on both sides."""
    span = RATE // 40
    parts = (slice(edge - span, edge), slice(edge, edge + span))
    (before, after), (elsewhere, then) = ([np.mean(out[part] ** 2) for part in parts] for out in (whole, other))
    return abs(10 * np.log10(after / before * elsewhere / then))


def jumps(data: Path) -> None:
    """Print the steps of level that the borders of blocks make on the real arrays, every method.

    What speech itself does is not counted: the level over 25 ms before and after a border, less the same of a run
    whose filter stays what it was before that border. A fixed filter is compared with itself in one piece.
    """
    import soundfile as sf

    from cleanaudio.spatial.adaptive import beamforming_stft
    from cleanaudio.spatial.dereverb import dereverb
    from cleanaudio.spatial.fixed import fixed_beamformer
    from cleanaudio.spatial.geometry import Direction, linear

    size, hop = beamforming_stft(RATE)
    signals = [
        sf.read(path, dtype="float32", always_2d=True)[0].T
        for path in sorted((data / "dev/real-multichannel").glob("*.flac"))
    ]
    masks = []
    for signal in signals:
        estimator = mask(len(signal), (size, hop))
        masks.append(np.concatenate([estimator.process(signal), estimator.flush()]))

    def of_learning(options):
        for signal, known in zip(signals, masks, strict=True):
            whole = _learned(known, options, signal)
            for k in range(1, signal.shape[1] // RATE - 1):
                edge = k * round(RATE / hop) * hop - (size - hop) // 2
                yield _step(edge, whole, _learned(known, options, signal, k))

    def of_blind():
        for signal in signals:
            whole = _summed(signal)
            for k in range(1, 2 * signal.shape[1] // RATE - 1):
                yield _step(k * RATE // 2, whole, _summed(signal, k))

    def in_one_piece(make):
        for signal in signals:
            cut, whole = drive(make(len(signal)), signal, RATE)[0], drive(make(len(signal)), signal, 10**9)[0]
            yield from (_step(k * RATE, cut, whole) for k in range(1, signal.shape[1] // RATE))

    def fixed(method):  # the spacing is a guess, and does not matter here
        return in_one_piece(lambda m: fixed_beamformer(method, RATE, m, linear(m, 0.05), Direction(60), 343.0))

    found = {
        "mvdr": of_learning({}),
        "mvdr, rank 1": of_learning({"rank1": True}),
        "gev": of_learning({"method": "gev"}),
        "mwf, μ = 1": of_learning({"method": "mwf", "mu": 1.0}),
        "mwf, μ = 5": of_learning({"method": "mwf"}),
        "delay-and-sum, blind": of_blind(),
        "delay-and-sum": fixed("delay-and-sum"),
        "superdirective": fixed("superdirective"),
        "dereverb": in_one_piece(lambda m: dereverb(RATE, m)),
    }
    rows = []
    for name, steps in found.items():
        steps = list(steps)
        rows.append([name, float(np.median(steps)), float(max(steps)), len(steps)])
    header = ("method", "median, dB", "largest, dB", "borders")
    markdown("Real arrays: steps of level at the borders of blocks", header, rows)
