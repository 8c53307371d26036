"""What one worker does to inspect one file: measure, advise, draw."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from cleanaudio.batch.outcome import Done, Job, Outcome, attempt, extent
from cleanaudio.batch.pictures import make_folder
from cleanaudio.metrics import dnsmos
from cleanaudio.report.advice import Advice, advise
from cleanaudio.report.inspection import Inspection, inspect_recording
from cleanaudio.report.spectra import Spectrum, plot_spectrogram, plot_spectrum, read_spectra

PICTURES = ("_spectrum.png", "_spectrogram.png")


@dataclass(frozen=True)
class InspectJob(Job):
    """A file to inspect.

    Parameters
    ----------
    pictures : str or None
        Where its pictures go, to which each adds its ending of :data:`PICTURES`; None: nowhere.
    spectrum : bool
        Whether its spectrum is wanted.
    """

    pictures: str | None = None
    spectrum: bool = False


@dataclass(frozen=True)
class Inspected(Done):
    """A file that was inspected."""

    found: Inspection = field(kw_only=True)
    advice: tuple[Advice, ...] = field(kw_only=True)
    spectrum: Spectrum | None = None


def inspect_file(threads: int, job: Job) -> Outcome:
    """Inspect one file; what is wrong with it is an outcome, not an exception.

    Parameters
    ----------
    threads : int
        Threads that a metric's network may use.
    job : InspectJob
    """
    assert isinstance(job, InspectJob)
    return attempt(job, partial(_inspect, threads, job))


def _inspect(threads: int, job: InspectJob) -> Inspected:
    dnsmos.use_threads(threads)
    found = inspect_recording(job.inputs[0])
    spectrum = None
    if job.pictures is not None or job.spectrum:
        spectrum, spectrogram = read_spectra(found)
        if job.pictures is not None:
            make_folder(Path(job.pictures).parent)
            title = Path(job.label).name if job.label != "-" else "stdin"
            plot_spectrum(spectrum, found, title, job.pictures + PICTURES[0])
            plot_spectrogram(spectrogram, title, job.pictures + PICTURES[1])
    info = found.info
    fields = extent(info.rate, info.channels, info.frames)
    return Inspected(job, fields, info.warnings, found=found, advice=advise(found), spectrum=spectrum)
