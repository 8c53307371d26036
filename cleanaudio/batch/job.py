"""What one worker does with one recording: open, clean, write, measure."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.files import AudioInfo, Reader, open_reader
from cleanaudio.audio.level import LevelMeter
from cleanaudio.audio.tags import read_tags
from cleanaudio.audio.writer import AtomicWriter, OutputFormat, output_format
from cleanaudio.backends import chain
from cleanaudio.backends.interface import Processor, Setup
from cleanaudio.batch.outcome import Done, Failed, Fields, Job, Outcome
from cleanaudio.batch.recipe import Request, Stretch
from cleanaudio.errors import BackendUnavailable, CleanAudioError, InputError, ModelError

if TYPE_CHECKING:
    from cleanaudio.backends.profile import NoiseProfile

Audio = NDArray[np.float32]

BLOCK_S = 2.0
_FINGERPRINT_BYTES = 1 << 20


def denoise(request: Request, overwrite: bool, threads: int, job: Job) -> Outcome:
    """Clean one recording; what is wrong with it is an outcome, not an exception.

    Parameters
    ----------
    request : Request
    overwrite : bool
        Whether the output may replace a file.
    threads : int
        Threads that a model may use.
    job : Job
    """
    started = time.perf_counter()
    try:
        fields, notes = _with_fallback(request, overwrite, threads, job)
    except CleanAudioError as error:
        if error.path is None:
            error.path = job.label
        return Failed(job, error, {"elapsed_s": _rounded(time.perf_counter() - started)})
    elapsed = time.perf_counter() - started
    seconds = float(fields["seconds"] or 0.0)
    timing = {"elapsed_s": _rounded(elapsed), "rtf": _rounded(elapsed / seconds, 5) if seconds else None}
    return Done(job, {**fields, **timing}, notes)


def _with_fallback(request: Request, overwrite: bool, threads: int, job: Job) -> tuple[Fields, tuple[str, ...]]:
    """Try the backend, then the fallbacks, as long as it is the backend that fails."""
    specs: list[str | None] = [None, *request.fallback]
    notes: list[str] = []
    for position, spec in enumerate(specs):
        try:
            fields, more = _clean(request, spec, overwrite, threads, job)
            return fields, (*notes, *more)
        except (BackendUnavailable, ModelError) as error:
            if position == len(specs) - 1:
                raise
            notes.append(f"{spec or request.backend} failed, {specs[position + 1]} used instead: {error.describe()}")
    raise AssertionError("unreachable")


def _clean(
    request: Request, spec: str | None, overwrite: bool, threads: int, job: Job
) -> tuple[Fields, tuple[str, ...]]:
    path = job.inputs[0]
    with open_reader(path) as reader:
        info = reader.info
        take = Take(reader, request.excerpt)
        setup = Setup(
            info.rate,
            info.channels,
            threads=threads,
            device=request.device,
            profile=request.profile or _profile_of(reader, request.noise_from),
        )
        path_of_signal = chain.resolve(request.settings(spec), setup)
        analyses = path_of_signal.analyse(take.blocks) if path_of_signal.needs_analysis else None
        processor = path_of_signal.open(analyses)
        target = output_format(info, request.format, request.subtype)
        scale = 1.0
        if request.clip_mode == "rescale" and target.is_integer:
            scale = _rescaling(take, processor)
            processor.reset()
        before, after = LevelMeter(info.rate, info.channels), LevelMeter(info.rate, info.channels)
        clipped = _write(request, overwrite, job, info, target, take, processor, scale, before, after)
        fields = {
            "backend": spec or request.backend,
            "rate": info.rate,
            "channels": info.channels,
            "frames": take.frames,
            "seconds": _rounded(take.frames / info.rate),
            "latency_ms": _rounded(1000 * processor.latency / info.rate, 2),
            **_levels(before, "in"),
            **_levels(after, "out"),
            "clipped_out": clipped,
        }
        return fields, (*info.warnings, *_notes(reader, take, scale))


@dataclass
class Take:
    """The stretch of a recording that is being cleaned; can be walked more than once.

    Parameters
    ----------
    reader : Reader
    excerpt : (float, float or None), optional
        Seconds.
    """

    reader: Reader
    excerpt: Stretch | None

    def __post_init__(self) -> None:
        rate, frames = self.reader.info.rate, self.reader.info.frames
        start, end = self.excerpt or (0.0, None)
        self.start = min(round(start * rate), frames)
        self.frames = (frames if end is None else min(round(end * rate), frames)) - self.start
        if self.excerpt is not None and self.frames <= 0:
            raise InputError(
                f"the stretch from {start:g} s lies outside the recording of {frames / rate:.3f} s",
                remedy="choose a stretch inside it",
            )

    def blocks(self) -> Iterator[Audio]:
        """Walk the stretch from its beginning, in blocks of (channels, n)."""
        self.reader.seek(self.start)
        left = self.frames
        while left > 0:
            block = self.reader.read(min(left, math.ceil(BLOCK_S * self.reader.info.rate)))
            if not block.shape[1]:
                raise InputError(f"the recording ends {left} frames before its header says", path=self.reader.info.path)
            left -= block.shape[1]
            yield block


def _profile_of(reader: Reader, stretch: Stretch | None) -> NoiseProfile | None:
    if stretch is None:
        return None
    from cleanaudio.backends.profile import measure

    noise = Take(reader, stretch)
    return measure(noise.blocks(), reader.info.rate, source=str(reader.info.path))


def walk(take: Take, processor: Processor) -> Iterator[tuple[Audio, Audio]]:
    """Run a recording through a processor: pairs of what went in and what came out, not of equal length."""
    for block in take.blocks():
        yield block, processor.process(block)
    rest = processor.flush()
    yield rest[:, :0], rest


def _rescaling(take: Take, processor: Processor) -> float:
    peak = max((float(np.max(np.abs(out), initial=0.0)) for _, out in walk(take, processor)), default=0.0)
    return 1.0 / peak if peak > 1.0 else 1.0


def _write(
    request: Request,
    overwrite: bool,
    job: Job,
    info: AudioInfo,
    target: OutputFormat,
    take: Take,
    processor: Processor,
    scale: float,
    before: LevelMeter,
    after: LevelMeter,
) -> int:
    """Walk the recording into its output, and into the residual where one is wanted; return the limited samples."""
    tags = read_tags(info.path)
    seed = _fingerprint(Path(info.path))
    waiting = chain.Queue(info.channels)

    def writer(path: Path) -> AtomicWriter:
        return AtomicWriter(
            path,
            info.rate,
            info.channels,
            target,
            tags=tags,
            frames=take.frames,
            dither_seed=seed,
            clip_mode="clamp" if request.clip_mode == "rescale" else request.clip_mode,
            overwrite=overwrite,
        )

    with ExitStack() as stack:
        output = stack.enter_context(writer(job.output))
        removed = stack.enter_context(writer(job.residual)) if job.residual else None
        for block, cleaned in walk(take, processor):
            before.add(block)
            if scale != 1.0:
                cleaned = cleaned * np.float32(scale)
            after.add(cleaned)
            output.write(cleaned)
            if removed is not None:
                waiting.push(block)
                removed.write(waiting.pop(cleaned.shape[1]) - cleaned)
    return output.clipped


def _fingerprint(path: Path) -> int:
    """Return a number made from the recording's size and beginning: the same file is dithered the same way."""
    with open(path, "rb") as file:
        head = file.read(_FINGERPRINT_BYTES)
    return int.from_bytes(hashlib.blake2b(head, digest_size=8, key=str(path.stat().st_size).encode()).digest())


def _levels(meter: LevelMeter, side: str) -> dict[str, float | int | None]:
    levels = meter.result()
    return {
        f"peak_{side}_dbfs": levels.peak_dbfs,
        f"rms_{side}_dbfs": levels.rms_dbfs,
        f"noise_floor_{side}_dbfs": levels.noise_floor_dbfs,
        f"snr_{side}_db": levels.snr_db,
        f"clipped_{side}": levels.clipped_samples,
    }


def _notes(reader: Reader, take: Take, scale: float) -> list[str]:
    notes = []
    if reader.repaired:
        notes.append(f"{reader.repaired} samples were not numbers and became silence")
    if not take.frames:
        notes.append("the recording holds no samples")
    if scale != 1.0:
        notes.append(f"scaled by {20 * math.log10(scale):.2f} dB to fit below full scale")
    return notes


def _rounded(value: float | None, digits: int = 3) -> float | None:
    return None if value is None else round(value, digits)
