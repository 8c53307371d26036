"""What one worker does with one recording: open, clean, write, measure."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.files import Reader, open_reader
from cleanaudio.audio.level import LevelMeter
from cleanaudio.audio.tags import read_tags
from cleanaudio.audio.writer import AtomicWriter, OutputFormat, output_format
from cleanaudio.backends import chain
from cleanaudio.backends.interface import Processor, Setup
from cleanaudio.backends.none import Untouched
from cleanaudio.batch.outcome import Done, Failed, Fields, Job, Outcome
from cleanaudio.batch.recipe import Request
from cleanaudio.batch.take import Stretch, Take
from cleanaudio.errors import BackendUnavailable, CleanAudioError, ModelError

if TYPE_CHECKING:
    from cleanaudio.backends.profile import NoiseProfile

Audio = NDArray[np.float32]

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
        if error.path in (None, str(job.inputs[0])):
            error.path = job.label  # as the user wrote it: a pipe's is "-", not the file that keeps it
        return Failed(job, error, {"elapsed_s": round(time.perf_counter() - started, 3)})
    elapsed = time.perf_counter() - started
    seconds = float(fields["seconds"] or 0.0)
    timing = {"elapsed_s": round(elapsed, 3), "rtf": round(elapsed / seconds, 5) if seconds else None}
    return Done(job, {**fields, **timing}, notes)


def _with_fallback(request: Request, overwrite: bool, threads: int, job: Job) -> tuple[Fields, tuple[str, ...]]:
    """Try the backend, then the fallbacks, as long as it is the backend that fails."""
    notes: list[str] = []
    for spec, following in zip((request.backend, *request.fallback), (*request.fallback, None), strict=True):
        try:
            with open_reader(job.inputs[0]) as reader:
                fields, more = _Cleaning(request, spec, overwrite, threads, job, reader).run()
            return fields, (*notes, *more)
        except (BackendUnavailable, ModelError) as error:
            if following is None:
                raise
            notes.append(f"{spec} failed, {following} used instead: {error.describe()}")
    raise AssertionError("the last one returns or raises")


@dataclass
class _Cleaning:
    """One recording on its way through one backend."""

    request: Request
    spec: str
    overwrite: bool
    threads: int
    job: Job
    reader: Reader

    def __post_init__(self) -> None:
        info = self.info = self.reader.info
        self.take = Take(self.reader, self.request.excerpt)
        self.target = output_format(info, self.request.format, self.request.subtype)
        self.notes = list(info.warnings)
        self.before, self.after = (LevelMeter(info.rate, info.channels) for _ in range(2))

    def run(self) -> tuple[Fields, tuple[str, ...]]:
        """Return the columns of the row, and what the user should know."""
        started = time.perf_counter()
        processor = self._processor()
        scale = self._scale(processor)
        info, take = self.info, self.take
        fields: dict[str, str | int | float | None] = {
            "backend": self.spec,
            "rate": info.rate,
            "channels": info.channels,
            "frames": take.frames,
            "seconds": round(take.frames / info.rate, 3),
            "latency_ms": round(1000 * processor.latency / info.rate, 2),
        }
        if self.request.judging is None:
            clipped = self._write(processor, scale)
        else:
            clipped = self._judged(processor, scale, fields, started)
        fields |= {**_levels(self.before, "in"), **_levels(self.after, "out"), "clipped_out": clipped}
        if self.reader.repaired:
            self.notes.append(f"{self.reader.repaired} samples were not numbers and became silence")
        if not take.frames:
            self.notes.append("the recording holds no samples")
        return fields, tuple(self.notes)

    def _processor(self) -> Processor:
        info, request = self.info, self.request
        setup = Setup(
            info.rate,
            info.channels,
            threads=self.threads,
            device=request.device,
            profile=request.profile or _profile_of(self.reader, request.noise_from),
        )
        path = chain.resolve(request.settings(self.spec), setup)
        analyses = path.analyse(self.take.blocks) if path.needs_analysis else None
        if not request.guard or not self.take.frames:
            return path.open(analyses)
        from cleanaudio.batch import guard
        from cleanaudio.metrics import dnsmos

        dnsmos.use_threads(self.threads)
        decision = guard.decide(self.take.read, self.take.frames, info.rate, lambda: path.open(analyses))
        if decision.reason is not None:
            self.notes.append(f"guarded: {decision.share:.0%} of the cleaning: {decision.reason}")
        if decision.share == 0:
            return Untouched(info.channels)
        processor = path.open(analyses)
        return processor if decision.share == 1 else chain.DryMix(processor, 1 - decision.share, info.channels)

    def _scale(self, processor: Processor) -> float:
        """Return the gain that ``--clip-mode rescale`` wants, found by a first pass."""
        if self.request.clip_mode != "rescale" or not self.target.is_integer:
            return 1.0
        peak = max((float(np.max(np.abs(out), initial=0.0)) for _, out in walk(self.take, processor)), default=0.0)
        processor.reset()
        if peak <= 1.0:
            return 1.0
        self.notes.append(f"scaled by {-20 * math.log10(peak):.2f} dB to fit below full scale")
        return 1.0 / peak

    def _judged(self, processor: Processor, scale: float, fields: dict, started: float) -> int:
        """Write the output and have it judged before it gets its name."""
        from cleanaudio.batch.judge import Judge, Rejected
        from cleanaudio.metrics import dnsmos

        dnsmos.use_threads(self.threads)
        assert self.request.judging is not None
        seconds = max(self.take.frames / self.info.rate, 1e-9)
        judge = Judge(self.request.judging, self.take, self.job.output, {"latency_ms": float(fields["latency_ms"])})

        def settle(finished: Path) -> Path:
            judge.figures["rtf"] = (time.perf_counter() - started) / seconds
            return judge(finished)

        try:
            clipped = self._write(processor, scale, settle)
        except Rejected:
            self.after = LevelMeter(self.info.rate, self.info.channels)
            clipped = self._write(Untouched(self.info.channels), 1.0)
        fields |= judge.fields
        self.notes += judge.notes
        return clipped

    def _write(self, processor: Processor, scale: float, settle: Callable[[Path], Path] | None = None) -> int:
        """Walk the recording into its output, and into the residual where wanted; return the limited samples."""
        info, take = self.info, self.take
        self.before = LevelMeter(info.rate, info.channels)
        waiting = chain.Queue(info.channels)
        with ExitStack() as stack:
            output = stack.enter_context(self._writer(self.job.output, self.target, scale, settle))
            removed = stack.enter_context(self._writer(self.job.residual, self.target)) if self.job.residual else None
            for block, cleaned in walk(take, processor):
                self.before.add(block)
                self.after.add(cleaned if scale == 1.0 else cleaned * np.float32(scale))
                output.write(cleaned)
                if removed is not None:
                    waiting.push(block)
                    removed.write(waiting.pop(cleaned.shape[1]) - cleaned)
        return output.clipped

    def _writer(
        self, path: Path, target: OutputFormat, scale: float = 1.0, settle: Callable[[Path], Path] | None = None
    ) -> AtomicWriter:
        source = Path(self.info.path)
        tags = read_tags(source)
        return AtomicWriter(
            path,
            self.info.rate,
            self.info.channels,
            target,
            tags=tags if self.request.excerpt is None else tags.without_positions(),
            frames=self.take.frames,
            clip_mode=self.request.clip_mode,
            scale=scale,
            dither_seed=_fingerprint(source),
            overwrite=self.overwrite,
            settle=settle,
        )


def walk(take: Take, processor: Processor) -> Iterator[tuple[Audio, Audio]]:
    """Run a recording through a processor: pairs of what went in and what came out, not of equal length."""
    for block in take.blocks():
        yield block, processor.process(block)
    rest = processor.flush()
    yield rest[:, :0], rest


def _profile_of(reader: Reader, stretch: Stretch | None) -> NoiseProfile | None:
    if stretch is None:
        return None
    from cleanaudio.backends.profile import measure

    return measure(Take(reader, stretch).blocks(), reader.info.rate, source=str(reader.info.path))


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
