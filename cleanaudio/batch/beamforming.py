"""What one worker does with one recording of an array: open, judge the microphones, form the beam, write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import cleanaudio
from cleanaudio.audio.processor import Processor
from cleanaudio.batch.array_path import ArrayPath, Open
from cleanaudio.batch.array_recording import ArrayRecording, open_array
from cleanaudio.batch.array_request import ArrayRequest
from cleanaudio.batch.outcome import Done, Fields, Job, Outcome, attempt
from cleanaudio.batch.result import Result
from cleanaudio.batch.sidecar import Sidecar
from cleanaudio.batch.take import Take

if TYPE_CHECKING:
    from cleanaudio.batch.watched import Watched

COLUMNS = ("method", "postfilter", "reference", "microphones", "bad_microphones", "fallback", "condition")
"""Columns that a beamforming run adds to the log.

``fallback`` is the share of the time in which a blind beam was no better than the reference microphone, which came
out instead; ``condition`` the median condition of the noise covariance.
"""

_SELDOM = 0.05


def beamform(request: ArrayRequest, overwrite: bool, threads: int, job: Job) -> Outcome:
    """Form the beam of one recording; what is wrong with it is an outcome, not an exception.

    Parameters
    ----------
    request : ArrayRequest
    overwrite : bool
        Whether the output may replace a file.
    threads : int
        Threads that a model may use.
    job : Job
        Its inputs are one file, or a mono file for each microphone in the order that is wanted.
    """
    return attempt(job, partial(_opened, request, overwrite, threads, job))


def _opened(request: ArrayRequest, overwrite: bool, threads: int, job: Job) -> Done:
    with open_array(job.inputs, request.geometry, request.mics) as array:
        return _Beamforming(request, overwrite, threads, job, array).run()


@dataclass
class _Beamforming:
    """One recording on its way to its beam."""

    request: ArrayRequest
    overwrite: bool
    threads: int
    job: Job
    array: ArrayRecording

    def __post_init__(self) -> None:
        reader = self.array.reader
        take = self.take = Take(reader)
        path = self.path = ArrayPath(
            self.request,
            reader.info.rate,
            reader.info.channels,
            take.frames,
            take.blocks,
            geometry=self.array.geometry,
            numbers=self.array.names,
            threads=self.threads,
        )
        self.watched: Watched | None = None
        beside = None if self.job.sidecar is None else self._open_sidecar
        self.sidecar: Sidecar | None = None
        self.result = Result(
            self.request.output, self.job, take, path.original, path.outputs, self.overwrite, self.threads, beside
        )

    def run(self) -> Done:
        """Form the beam, into its file."""
        request, path, notes = self.request, self.path, self.result.notes
        health = path.report.describe()
        notes += health
        fields = self.result.make(path.open(self._noted, self._guarded if request.guard and self.take.frames else None))
        if self.watched is not None and not self.result.original_kept:
            notes += self.watched.notes("the postfilter", "no --postfilter")
        reference = path.numbers[path.reference]
        if (path.fallen_back or 0.0) > _SELDOM:
            notes.append(
                f"for {path.fallen_back:.0%} of the time the beam was no better than microphone {reference}, "
                "which came out instead"
            )
        of_arrays: Fields = {
            "method": self.method,
            "reference": reference,
            "microphones": " ".join(map(str, path.numbers)),
            "bad_microphones": "; ".join(health) or None,
        }
        if not self.result.original_kept:
            of_arrays = {
                "backend": request.masking.spec if request.masking else None,
                **of_arrays,
                "postfilter": request.postfilter,
                **self._outcome(),
            }
        return Done(self.job, {**of_arrays, **fields}, tuple(notes))

    def _guarded(self, open_beam: Open, open_postfilter: Open) -> Processor | None:
        """Return the postfilter, watched over; None where it would do harm."""
        from cleanaudio.batch.guard import guarded

        outputs = self.path.outputs
        decision, self.watched = guarded(self.take, outputs, self.threads, open_postfilter, open_beam)
        self.result.notes += decision.notes("the postfilter", "no postfilter")
        return self.watched

    @property
    def method(self) -> str:
        """The beamformer, or ``none`` where a gate put the reference microphone in its place."""
        return "none" if self.result.original_kept else self.request.method

    def _outcome(self) -> dict[str, float | None]:
        if self.result.original_kept:
            return {"fallback": None, "condition": None}
        return {"fallback": self.path.fallen_back, "condition": self.path.condition}

    def _noted(self, entry: Mapping[str, Any]) -> None:
        if self.sidecar is not None:
            self.sidecar.window(entry)

    def _open_sidecar(self) -> Sidecar:
        assert self.job.sidecar is not None
        request, path = self.request, self.path
        head = {
            "cleanaudio": cleanaudio.__version__,
            "input": self.job.label,
            "method": self.method,
            "rate": self.array.reader.info.rate,
            "microphones": path.numbers,
            "reference": path.numbers[path.reference],
            "reference_chosen_by": "signal-to-noise ratio" if request.reference is None else "--ref",
            "health": [
                {"microphone": self.array.names[one.channel], "kind": one.kind, "detail": one.detail}
                for one in path.report.findings
            ],
            **path.known,
        }
        self.sidecar = Sidecar(self.job.sidecar, head, self._outcome)
        return self.sidecar
