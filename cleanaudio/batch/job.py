"""What one worker does with one recording: open, clean, write, measure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from cleanaudio.audio.files import Reader, open_reader
from cleanaudio.audio.processor import Processor, Series
from cleanaudio.backends import chain
from cleanaudio.backends.interface import Setup
from cleanaudio.backends.none import Untouched
from cleanaudio.batch.outcome import Done, Job, Outcome, attempt
from cleanaudio.batch.recipe import Request
from cleanaudio.batch.result import Result
from cleanaudio.batch.take import Stretch, Take
from cleanaudio.errors import BackendUnavailable, ModelError

if TYPE_CHECKING:
    from cleanaudio.backends.profile import NoiseProfile
    from cleanaudio.batch.watched import Watched


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
    return attempt(job, partial(_with_fallback, request, overwrite, threads, job))


def _with_fallback(request: Request, overwrite: bool, threads: int, job: Job) -> Done:
    """Try the backend, then the fallbacks, as long as it is the backend that fails."""
    notes: list[str] = []
    for spec, following in zip((request.backend, *request.fallback), (*request.fallback, None), strict=True):
        try:
            with open_reader(job.inputs[0]) as reader:
                done = _Cleaning(request, spec, overwrite, threads, job, reader).run()
            return replace(done, notes=(*notes, *done.notes))
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
        self.info = self.reader.info
        self.watched: Watched | None = None
        self.take = Take(self.reader, self.request.excerpt, "--excerpt")
        original = Untouched(self.info.channels)
        self.result = Result(
            self.request.output, self.job, self.take, original, self.info.channels, self.overwrite, self.threads
        )

    def run(self) -> Done:
        """Clean it, into its file."""
        fields = self.result.make(self._processor())
        if self.watched is not None and not self.result.original_kept:
            self.result.notes += self.watched.notes("the cleaning", "--limit-db 12 or -b omlsa")
        used = "none" if self.result.original_kept else self.spec
        return Done(self.job, {"backend": used, **fields}, tuple(self.result.notes))

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
        if setup.profile is not None and not any(link.backend.takes_profile for link in path.stages[0]):
            self.result.notes.append(f"the noise profile was ignored: {self.spec} takes none")
        if path.leaves_untouched:
            return Untouched(info.channels)
        analyses = path.analyse(self.take.blocks) if path.needs_analysis else None
        if not request.guard or not self.take.frames or not path.cleans:
            return path.open(analyses)
        return self._guarded(path, partial(path.cleaning, analyses, beside=True))

    def _guarded(self, path: chain.Chain, open_cleaning: Callable[[], Processor]) -> Processor:
        """Return what cleans as much as the recording bears; dereverberation is what the user wants, and stays."""
        from cleanaudio.batch.guard import guarded

        channels, open_before = self.info.channels, path.dereverberation if path.dereverb else None
        decision, self.watched = guarded(self.take, channels, self.threads, open_cleaning, open_before)
        self.result.notes += decision.notes("the cleaning", "dereverberation alone" if open_before else "the original")
        cleaning = self.watched or Untouched(channels)
        return Series([decision.before or open_before(), cleaning]) if open_before else cleaning


def _profile_of(reader: Reader, stretch: Stretch | None) -> NoiseProfile | None:
    if stretch is None:
        return None
    from cleanaudio.backends.measuring import measure

    return measure(Take(reader, stretch).blocks(), reader.info.rate, source=str(reader.info.path))
