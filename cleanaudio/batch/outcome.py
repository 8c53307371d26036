"""A job and what may become of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from cleanaudio.batch.source import Problem
from cleanaudio.errors import CleanAudioError

Fields = Mapping[str, str | int | float | None]
"""Columns of a CSV row by name; None is an empty cell."""


_RESIDUAL = ".residual"
_SIDECAR = ".json"


def extent(rate: int, channels: int, frames: int) -> dict[str, int | float]:
    """Return the columns that say how large a recording is."""
    return {"rate": rate, "channels": channels, "frames": frames, "seconds": round(frames / rate, 3)}


@dataclass(frozen=True)
class Job:
    """What one worker does in one go.

    Parameters
    ----------
    number : int
        Position in the plan, from 0.
    inputs : tuple of Path
        One file, or the files of one recording.
    output : Path
        The file to write.
    label : str
        How the input is called in rows and messages: as the user wrote it, or ``-``.
    size : int
        Bytes of the inputs when planned.
    mtime_ns : int
        Newest modification time of the inputs when planned.
    residual : Path, optional
        Where what was removed goes, if asked for.
    called : str, optional
        How the output is called in rows, where that is not its path: ``-``.
    sidecar : Path, optional
        Where a JSON file goes that says how the output was made, if asked for.
    anew : str
        Why an output of an earlier run is made again, empty where it is not.
    """

    number: int
    inputs: tuple[Path, ...]
    output: Path
    label: str
    size: int = 0
    mtime_ns: int = 0
    residual: Path | None = None
    called: str | None = None
    sidecar: Path | None = None
    anew: str = ""

    @property
    def targets(self) -> tuple[Path, ...]:
        """The files that it writes."""
        return tuple(path for path in (self.output, self.residual, self.sidecar) if path is not None)

    @property
    def set_apart(self) -> tuple[Path, ...]:
        """Where they go instead if the output fails the gate and is to be set apart."""
        return tuple(map(quarantine, self.targets))


def residual_of(output: Path) -> Path:
    """Return where what was removed goes."""
    return output.with_name(f"{output.stem}{_RESIDUAL}{output.suffix}")


def sidecar_of(output: Path) -> Path:
    """Return where it is written how an output was made."""
    return output.with_name(output.name + _SIDECAR)


BESIDE: Mapping[str, Callable[[Path], Path]] = {"residual": residual_of, "sidecar": sidecar_of}
"""What may be written with an output, and where."""


def state_columns(what: str) -> tuple[str, str]:
    """Return the columns that tell later whether someone has changed a file: of the ``output`` or of what is beside."""
    return f"{what}_bytes", f"{what}_mtime_ns"


def output_of(path: Path) -> Path:
    """Return the output beside which a residual lies; what is called otherwise is taken for an output itself."""
    return path.with_name(path.stem.removesuffix(_RESIDUAL) + path.suffix)


def quarantine(output: Path) -> Path:
    """Return where an output goes that failed the gate and is to be set apart."""
    return output.parent / "quarantine" / output.name


@dataclass(frozen=True)
class Done:
    """The output is in place.

    Parameters
    ----------
    fields : mapping
        Columns of the row.
    notes : tuple of str
        What the user should know: a shortened file, a fallback, limited peaks.
    """

    job: Job
    fields: Fields
    notes: tuple[str, ...] = ()

    @property
    def rejected(self) -> bool:
        """Whether it failed the gate."""
        return self.fields.get("gate") == "fail"


@dataclass(frozen=True)
class Skipped:
    """Nothing was done, on purpose.

    Parameters
    ----------
    reason : str
    rejected : bool
        What an earlier run made failed the gate.
    """

    job: Job
    reason: str
    rejected: bool = False


@dataclass(frozen=True)
class Failed:
    """Nothing was written, because something is wrong with this file."""

    job: Job
    error: CleanAudioError
    fields: Fields = field(default_factory=dict)

    @classmethod
    def of(cls, number: int, problem: Problem) -> Failed:
        """Return the outcome of something in a plan that is no recording to work on."""
        return cls(Job(number, (), Path(), problem.label), problem.error)

    @classmethod
    def because(cls, error: CleanAudioError, job: Job, fields: Fields | None = None) -> Failed:
        """Return the outcome of an error; the job's own file is called in it as the user wrote it, or ``-``."""
        if error.path is None or error.path == str(job.inputs[0]):
            error.path = job.label
        return cls(job, error, fields or {})


Outcome = Done | Skipped | Failed
"""What became of a job."""

Step = Job | Skipped | Failed
"""What a plan decides about one recording: it is to be worked on, or its outcome is certain before."""


def attempt(job: Job, work: Callable[[], Done]) -> Outcome:
    """Do the work of a job; what is wrong with its recording is an outcome, not an exception.

    Parameters
    ----------
    job : Job
    work : callable
        Does it. To its fields are added the seconds that it took, and those of a second of audio if it says how many
        ``seconds`` there were.
    """
    started = time.perf_counter()
    try:
        done = work()
    except CleanAudioError as error:
        return Failed.because(error, job, {"elapsed_s": round(time.perf_counter() - started, 3)})
    elapsed = time.perf_counter() - started
    seconds = float(done.fields.get("seconds") or 0.0)
    timing = {"elapsed_s": round(elapsed, 3), "rtf": round(elapsed / seconds, 5) if seconds else None}
    return replace(done, fields={**timing, **done.fields})  # a gate has taken its own time, without the judging
