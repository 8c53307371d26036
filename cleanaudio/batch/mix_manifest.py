"""The manifest of mixes: a CSV row for every noisy recording that was planned."""

from __future__ import annotations

import csv
import os
from contextlib import suppress
from pathlib import Path

from cleanaudio.batch.mixing import MixJob
from cleanaudio.batch.outcome import Done, Failed, Job, Outcome

COLUMNS = (
    *("clean", "noisy", "noise", "snr_db", "offset_s", "looped", "speech_dbfs", "noise_gain_db", "scale_db"),
    *("rate", "channels", "frames", "seconds", "status", "reason", "notes"),
)
"""``clean`` and ``noise`` are as the user wrote them, ``noisy`` is an absolute path; ``offset_s`` is where in the noise
the piece begins, ``scale_db`` what speech and noise were taken down by."""


def names_no_mix(path: Path) -> bool:
    """Whether a manifest is there in which nothing was mixed: the next one may take its place."""
    with suppress(OSError, ValueError, csv.Error), open(path, encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        return tuple(rows.fieldnames or ()) == COLUMNS and all(row["status"] != "done" for row in rows)
    return False


Row = dict[str, str | int | float | None]


def planned(job: Job) -> Row:
    """Return what is known of a mix before it is made, by column."""
    if not isinstance(job, MixJob):
        return {"clean": job.label}
    noisy = None if job.output == Path() else os.path.abspath(job.output)
    return {"clean": job.label, "noisy": noisy, "noise": job.variant.noise.label, "snr_db": job.variant.snr_db}


def row_of(outcome: Outcome) -> Row:
    """Return what is known of a mix, by column."""
    row = planned(outcome.job)
    if isinstance(outcome, Done):
        row |= {name: value for name, value in outcome.fields.items() if name in COLUMNS}
        return row | {"status": "done", "notes": "; ".join(outcome.notes) or None}
    if isinstance(outcome, Failed):
        return row | {"status": "failed", "reason": outcome.error.describe()}
    return row | {"status": "skipped", "reason": outcome.reason}
