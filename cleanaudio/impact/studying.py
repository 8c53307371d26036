"""What one worker does to study one recording."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from cleanaudio.batch.outcome import Done, Job, Outcome, attempt
from cleanaudio.impact.study import Finding, Study, Utterance, run_study


@dataclass(frozen=True)
class StudyJob(Job):
    """A recording to study."""

    utterance: Utterance = field(kw_only=True)


@dataclass(frozen=True)
class Studied(Done):
    """A recording that was studied."""

    findings: list[Finding] = field(kw_only=True)


def study_file(study: Study, threads: int, job: Job) -> Outcome:
    """Study one recording; what is wrong with it is an outcome, not an exception.

    Parameters
    ----------
    study : Study
    threads : int
        Threads that a backend's model may use.
    job : StudyJob
    """
    assert isinstance(job, StudyJob)
    return attempt(job, partial(_study, study, threads, job))


def _study(study: Study, threads: int, job: StudyJob) -> Studied:
    return Studied(job, {}, findings=run_study(study, job.utterance, threads))
