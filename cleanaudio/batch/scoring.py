"""What one worker does to score one file: read the sides, measure, answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.files import probe
from cleanaudio.audio.resample import resampled
from cleanaudio.audio.whole import read_whole
from cleanaudio.batch.outcome import Done, Job, Outcome, attempt, extent
from cleanaudio.batch.pairs import Trial
from cleanaudio.metrics import dnsmos
from cleanaudio.metrics.gain import unknown_gain_db
from cleanaudio.metrics.interface import Measured, Signals
from cleanaudio.metrics.score import line_up, measure, measure_before

Audio = NDArray[np.float32]


@dataclass(frozen=True)
class ScoreJob(Job):
    """A file to score."""

    trial: Trial = field(kw_only=True)

    @classmethod
    def of(cls, number: int, trial: Trial) -> ScoreJob:
        """Return the job for a trial."""
        paths = tuple(path for path in (trial.enhanced, trial.reference, trial.noisy) if path is not None)
        return cls(number, paths, Path(), str(trial.enhanced), trial=trial)


@dataclass(frozen=True)
class Scored(Done):
    """A file that was scored.

    Parameters
    ----------
    measured : dict
        Each number, or why there is none.
    before : dict
        What the noisy side had, where the difference was measured.
    """

    measured: dict[str, Measured] = field(kw_only=True)
    before: dict[str, Measured] = field(kw_only=True)


def score_file(metrics: tuple[str, ...] | None, align: bool, threads: int, job: Job) -> Outcome:
    """Score one file; what is wrong with it is an outcome, not an exception.

    Parameters
    ----------
    metrics : tuple of str or None
        As :func:`cleanaudio.metrics.score.score` takes them.
    align : bool
        Take constant delays out.
    threads : int
        Threads that a metric's network may use.
    job : ScoreJob
    """
    assert isinstance(job, ScoreJob)
    return attempt(job, partial(_score, metrics, align, threads, job))


def _score(metrics: tuple[str, ...] | None, align: bool, threads: int, job: ScoreJob) -> Scored:
    dnsmos.use_threads(threads)
    trial = job.trial
    notes: list[str] = []
    enhanced, rate = read_whole(trial.enhanced, notes.append)
    others = {
        what: _at_rate(what, path, rate, notes)
        for what, path in (("reference", trial.reference), ("noisy", trial.noisy))
        if path is not None
    }
    gain = None if trial.gain_db is None else 10 ** (trial.gain_db / 20)
    lined_up = line_up(enhanced, rate, align=align, gain=gain, **others)
    if len(enhanced) > 2:
        mask = probe(trial.enhanced).channel_mask
        lined_up = replace(lined_up, signals=replace(lined_up.signals, channel_mask=mask))
    measured, before = measure(lined_up, metrics), measure_before(lined_up, metrics)
    notes += lined_up.notes
    if any(key.endswith("_delta") or key == "speech_level_change" for key in measured):
        notes += _of_gain(trial, lined_up.signals)
    return Scored(job, extent(rate, len(enhanced), enhanced.shape[1]), tuple(notes), measured=measured, before=before)


def _of_gain(trial: Trial, signals: Signals) -> Iterator[str]:
    """Tell of a gain that comparisons with the noisy side do without, or suffer from."""
    louder_db = unknown_gain_db(signals)
    if louder_db is not None:
        yield (
            f"at least {louder_db:.0f} dB louder than the noisy side, and no log beside it says with which gain: "
            "differences of level and of DNSMOS do not judge the cleaning"
        )
    elif trial.gain_db:
        yield f"its gain of {trial.gain_db:+.1f} dB is taken out where it is compared with the noisy side"


def _at_rate(what: str, path: Path, rate: int, notes: list[str]) -> Audio:
    audio, own = read_whole(path, lambda warning: notes.append(f"{what}: {warning}"))
    if own == rate:
        return audio
    notes.append(f"{what} resampled from {own} to {rate} Hz")
    return resampled(audio, own, rate)
