"""Temporaries that killed processes left beside their targets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cleanaudio.audio.temporary import temporaries
from cleanaudio.batch.outcome import Job


class Leftovers:
    """What lies in the folders of a run's targets, each folder read when its first target comes up."""

    def __init__(self) -> None:
        self._folders: dict[Path, Callable[[str], list[Path]]] = {}

    def remove(self, job: Job) -> None:
        """Remove the temporaries of a job that no process works on."""
        for target in job.targets:
            if target.parent not in self._folders:
                self._folders[target.parent] = temporaries(target.parent)
            for left in self._folders[target.parent](target.name):
                left.unlink(missing_ok=True)
