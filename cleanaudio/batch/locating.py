"""What one worker does to locate in one recording: judge the microphones, listen window by window, draw."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.array import repaired
from cleanaudio.audio.processor import driven
from cleanaudio.backends.blocks import Finite
from cleanaudio.batch.array_recording import ArrayRecording, open_array
from cleanaudio.batch.masking import Masking
from cleanaudio.batch.outcome import Done, Job, Outcome, attempt, extent
from cleanaudio.batch.pictures import make_folder
from cleanaudio.batch.take import Take
from cleanaudio.spatial.geometry import Geometry
from cleanaudio.spatial.health import HealthCheck, Repair
from cleanaudio.spatial.locate import Bearing, Heading, LocateMethod, Locator, headings, locating_stft

Audio = NDArray[np.float32]


@dataclass(frozen=True)
class LocateRequest:
    """What a ``locate`` run does with every recording.

    Parameters
    ----------
    geometry : Geometry
        Of the microphones.
    speed : float
        Of sound, m/s.
    method : {"srp-phat", "music"}
    masking : Masking, optional
        What tells voice from noise; without it whatever is loudest is located.
    mics : tuple of int, optional
        Channels of the recording that are used, in this order, counted from 0.
    keep_bad : bool
        Use microphones that are broken as if they were not.
    window_s, step_deg, elevations
        As of :class:`cleanaudio.spatial.locate.Locator`.
    """

    geometry: Geometry
    speed: float
    method: LocateMethod = "srp-phat"
    masking: Masking | None = None
    mics: tuple[int, ...] | None = None
    keep_bad: bool = False
    window_s: float = 1.0
    step_deg: float = 1.0
    elevations: bool = False


@dataclass(frozen=True)
class LocateJob(Job):
    """A recording to locate in.

    Parameters
    ----------
    picture : Path, optional
        Where the polar plot goes.
    """

    picture: Path | None = None


@dataclass(frozen=True)
class Located(Done):
    """A recording that was listened to.

    Parameters
    ----------
    bearings : tuple of Bearing
        The direction of each window that is not silent.
    headings : tuple of Heading
        Most of the time first; none where all is silent.
    """

    bearings: tuple[Bearing, ...] = field(kw_only=True)
    headings: tuple[Heading, ...] = field(kw_only=True)


def locate_file(request: LocateRequest, threads: int, job: Job) -> Outcome:
    """Locate in one recording; what is wrong with it is an outcome, not an exception.

    Parameters
    ----------
    request : LocateRequest
    threads : int
        Threads that a mask's model may use.
    job : LocateJob
        Its inputs are one file, or a mono file for each microphone in the order that is wanted.
    """
    assert isinstance(job, LocateJob)
    return attempt(job, partial(_opened, request, threads, job))


def _opened(request: LocateRequest, threads: int, job: LocateJob) -> Located:
    with open_array(job.inputs, request.geometry, request.mics) as array:
        return _locate(request, threads, job, array)


def _locate(request: LocateRequest, threads: int, job: LocateJob, array: ArrayRecording) -> Located:
    info, take = array.reader.info, Take(array.reader)
    assert array.geometry is not None, "a request has one"
    check = HealthCheck(info.rate, info.channels, array.geometry, request.speed, numbers=array.names)
    for block in take.blocks():
        check.push(repaired(block))
    report = check.report(request.keep_bad)
    geometry, count = array.geometry.select(sorted(report.use)), len(report.use)

    def heard() -> Iterable[Audio]:
        return driven(Finite(Repair(report)), take.blocks())

    masks, masking = None, request.masking
    if masking is not None:
        masks = masking.open(info.rate, count, locating_stft(info.rate), heard, threads=threads)
    locator = Locator(
        info.rate,
        count,
        geometry,
        request.speed,
        request.method,
        masks,
        window_s=request.window_s,
        step_deg=request.step_deg,
        elevations=request.elevations,
    )
    bearings = [bearing for block in heard() for bearing in locator.process(block)]
    bearings += locator.flush()
    found = headings(bearings)
    if job.picture is not None and bearings:
        from cleanaudio.report.directions import plot_directions

        make_folder(job.picture.parent)
        title = "stdin" if job.label == "-" else Path(job.label).name
        plot_directions(bearings, found, locator, title, job.picture)
    fields = extent(info.rate, info.channels, info.frames)
    notes = (*info.warnings, *report.describe())
    return Located(job, fields, notes, bearings=tuple(bearings), headings=tuple(found))
