"""A result on its way to its file: written, measured and, where wanted, judged before it gets its name."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.channelmask import as_read, left_out
from cleanaudio.audio.encodings import FLOAT_SUBTYPES
from cleanaudio.audio.formats import output_format, replacing_format
from cleanaudio.audio.level import LevelMeter
from cleanaudio.audio.metadata.tags import read_tags
from cleanaudio.audio.processor import Processor
from cleanaudio.audio.queue import Queue
from cleanaudio.audio.writer import AtomicWriter
from cleanaudio.backends.none import Untouched
from cleanaudio.batch.levelling import Gained, Levelled, fitting
from cleanaudio.batch.outcome import Fields, Job, extent
from cleanaudio.batch.replay import Replayed
from cleanaudio.batch.stop import carry_through
from cleanaudio.batch.take import Take
from cleanaudio.errors import InputError, OutputError

if TYPE_CHECKING:
    from cleanaudio.batch.output import Output

Audio = NDArray[np.float32]

_FINGERPRINT_BYTES = 1 << 20
_OTHER_SCALE_DBFS = 40.0
"""A peak above this means integer samples stored as floating point, not a loud recording."""


def walk(take: Take, processor: Processor) -> Iterator[tuple[Audio, Audio]]:
    """Run a recording through a processor: pairs of what went in and what came out, not of equal length."""
    for block in take.blocks():
        yield block, processor.process(block)
    rest = processor.flush()
    yield np.zeros((take.reader.info.channels, 0), np.float32), rest


class Beside(AbstractContextManager, Protocol):
    """A file that is written with the result: gets its name after it, or not at all."""

    path: Path

    def finish(self) -> None:
        """Write everything; every error of writing is raised here."""


@dataclass
class Result:
    """What comes out for one recording.

    Parameters
    ----------
    wanted : Output
    job : Job
    take : Take
        What it is made from.
    original : Processor
        Gives the recording as it came: what the result is compared with, and what ``--if-fails original`` writes.
        Without state.
    channels : int
        Of the result.
    overwrite : bool
        Whether it may replace a file.
    threads : int
        Threads that a judge's model may use.
    beside : callable, optional
        Opens the file that is written beside it.

    Attributes
    ----------
    notes : list of str
        What the user should know.
    original_kept : bool
        Whether the gate put what was recorded in the place of what was made of it.
    """

    wanted: Output
    job: Job
    take: Take
    original: Processor
    channels: int
    overwrite: bool
    threads: int
    beside: Callable[[], Beside] | None = None
    notes: list[str] = field(default_factory=list)
    original_kept: bool = False

    def __post_init__(self) -> None:
        self._started = time.perf_counter()
        info = self._info = self.take.reader.info
        mask = info.channel_mask if self.channels == info.channels else 0
        like = replace(info, channels=self.channels, channel_mask=mask)
        # The name was chosen before it was opened.
        format = self.wanted.format or replacing_format(self.job.inputs[0], info.format)
        self._target = output_format(like, format, self.wanted.subtype)
        self.notes += info.warnings
        chosen = self.wanted.format or self.wanted.subtype
        if not chosen and info.subtype in FLOAT_SUBTYPES and self._target.is_bounded:
            self.notes.append(
                f"floating point became {self._target.subtype} in {self._target.format}, which has no room for peaks "
                "above full scale; --format wav keeps it"
            )
        self._stamps = [_stamp(path) for path in self.job.inputs]
        self._dither_seed = _fingerprint(Path(info.path))
        self._tags = read_tags(info.path)
        if self.take.stretch is not None:
            self._tags = self._tags.of_part(self.take.start, self.take.frames, info.rate)
        if self.channels != info.channels:
            self._tags = self._tags.of_other_channels()
        self.notes += filter(None, [self._tags.left_out(self._target.format), left_out(self._target, self.channels)])
        self._clear()

    def _clear(self) -> None:
        self._before, self._after = (LevelMeter(self._info.rate, self.channels) for _ in range(2))

    def make(self, processor: Processor) -> Fields:
        """Run the recording through a processor into the file; return the columns of the row."""
        info, frames = self._info, self.take.frames
        latency_ms = round(1000 * processor.latency / info.rate, 2)
        if self.wanted.judging is None:
            judged: Fields = {}
            level, clipped = self._write(processor)
        else:
            level, clipped, judged = self._judged(processor, latency_ms)
        self.notes += level.notes()
        if self.take.reader.repaired:
            self.notes.append(f"{self.take.reader.repaired} samples were not numbers and became silence")
        before = _levels(self._before, "in")
        if (before["peak_in_dbfs"] or 0.0) > _OTHER_SCALE_DBFS:
            self.notes.append(
                f"peaks {before['peak_in_dbfs']:.0f} dB over full scale: export it with samples up to ±1, for which "
                "networks are made"
            )
        if not frames:
            self.notes.append("the recording holds no samples")
        return {
            **extent(info.rate, info.channels, frames),
            "latency_ms": 0.0 if self.original_kept else latency_ms,
            **judged,
            **before,
            **_levels(self._after, "out"),
            "clipped_out": clipped + level.limited,
            **level.fields(),
        }

    def _levelled(self, processor: Processor, stack: ExitStack) -> Gained:
        """Return the processor at the level that is wanted, found by a first pass where one is needed."""
        loudness, limits = self.wanted.loudness, self.wanted.clip_mode == "limit"
        if loudness is None and not (self.wanted.clip_mode == "rescale" and self._target.is_bounded):
            return Gained(processor)
        replayed = stack.enter_context(Replayed(processor, self.job.output))

        def outputs(through: Processor) -> Iterator[Audio]:
            return (out for _, out in walk(self.take, through))

        if loudness is None:
            return fitting(replayed, outputs)
        mask = as_read(self._target, self.channels)
        return Levelled(replayed, outputs, self._info.rate, self.channels, loudness, limits, mask)

    def _judged(self, processor: Processor, latency_ms: float) -> tuple[Gained, int, Fields]:
        """Write the output and have it judged before it gets its name."""
        from cleanaudio.batch.judge import Judge, Rejected
        from cleanaudio.metrics import dnsmos

        dnsmos.use_threads(self.threads)
        assert self.wanted.judging is not None
        seconds = max(self.take.frames / self._info.rate, 1e-9)
        figures = {"latency_ms": latency_ms}
        judge = Judge(self.wanted.judging, self.take, self.original.process, self.job.output, figures)

        def settle(finished: Path, gain: float) -> Path:
            judge.figures["rtf"] = (time.perf_counter() - self._started) / seconds
            return judge(finished, gain)

        try:
            level, clipped = self._write(processor, settle)
        except Rejected:
            self._clear()
            self.original_kept = True
            level, clipped = self._keep_original()
        self.notes += judge.notes
        rtf = round(judge.figures["rtf"], 5) if self.take.frames else None
        return level, clipped, {**judge.fields, "rtf": rtf}

    def _keep_original(self) -> tuple[Gained, int]:
        """Put what was recorded in the output's place: a copy of the file where nothing about it is to change."""
        info, target = self._info, self._target
        changed = self.take.stretch is not None or self.wanted.loudness is not None or info.warnings
        alike = isinstance(self.original, Untouched) and (target.format, target.subtype) == (info.format, info.subtype)
        if changed or not alike:
            return self._write(self.original)

        def settle(finished: Path, gain: float) -> Path:
            if not self.take.reader.repaired:  # what is encoded with losses must not be so twice
                _copy(Path(info.path), finished)
            return self.job.output

        level, clipped = self._write(self.original, settle)
        if self.take.reader.repaired:
            return level, clipped
        self._after = self._before  # those of a copy, which nothing was limited or scaled for
        return Gained(self.original), 0

    def _write(self, processor: Processor, settle: Callable[[Path, float], Path] | None = None) -> tuple[Gained, int]:
        """Walk the recording into its output, and into the residual where wanted; return the limited samples too.

        All files are whole, and the output is judged, before the first of them gets its name.
        """
        self._before = LevelMeter(self._info.rate, self.channels)
        waiting = Queue(np.zeros((self.channels, 0), np.float32))
        with ExitStack() as stack:
            beside = stack.enter_context(self.beside()) if self.beside else None
            removed = stack.enter_context(self._writer(self.job.residual)) if self.job.residual else None
            # The last one in is the first to get its name.
            output = stack.enter_context(self._writer(self.job.output, self._keeps_samples(processor)))
            output.meter = self._after
            level = self._levelled(processor, stack)
            for block, cleaned in walk(self.take, level):
                before = self.original.process(block)
                self._before.add(before)
                output.write(cleaned)
                if removed is not None:
                    waiting.push(before * np.float32(level.gain))
                    removed.write(waiting.pop(cleaned.shape[1]) - cleaned)
            others = [file for file in (beside, removed) if file is not None]
            self._check_unchanged()
            for other in others:
                other.finish()
            finished = output.finish()
            if settle is not None:
                output.path = settle(finished, level.gain)
            for other in others:
                other.path = output.path.with_name(other.path.name)
            carry_through()
        return level, output.clipped

    def _check_unchanged(self) -> None:
        """Refuse a file that was written to while it was read: it may hold parts of two recordings."""
        for path, before in zip(self.job.inputs, self._stamps, strict=True):
            now = _stamp(path)
            if now is not None and now != before:
                raise InputError(
                    "was written to while it was read",
                    path=path if len(self.job.inputs) > 1 else self.job.label,
                    remedy="clean it once it is complete; --min-age leaves young files for a later run",
                )

    def _keeps_samples(self, processor: Processor) -> bool:
        """Whether what was measured of the recording, as its gain for players, holds for the output too."""
        levelled = self.wanted.loudness is not None or self.wanted.clip_mode == "rescale"
        return isinstance(processor, Untouched) and not levelled

    def _writer(self, path: Path, same_samples: bool = False) -> AtomicWriter:
        return AtomicWriter(
            path,
            self._info.rate,
            self.channels,
            self._target,
            tags=self._tags if same_samples else self._tags.without_measurements(),
            frames=self.take.frames,
            clip_mode=self.wanted.clip_mode,
            dither_seed=self._dither_seed,
            overwrite=self.overwrite,
        )


def _stamp(path: Path) -> tuple[int, int] | None:
    """Return size and time of a file; None where it is gone, which an open file survives."""
    with suppress(FileNotFoundError):
        status = path.stat()
        return status.st_size, status.st_mtime_ns
    return None


def _copy(source: Path, finished: Path) -> None:
    """Put a file in the place of a finished one, which stays where the file is gone by now."""
    try:
        shutil.copyfile(source, finished)
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(f"the original cannot be copied: {error.strerror}", path=source) from error


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
