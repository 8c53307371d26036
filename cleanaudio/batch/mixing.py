"""Speech and noise recordings to noisy ones: which noise goes under which speech, and what one worker does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from cleanaudio.audio.choices import Level
from cleanaudio.audio.files import Reader, open_reader
from cleanaudio.audio.formats import output_format
from cleanaudio.audio.metadata.tags import read_tags
from cleanaudio.audio.mixing import Balance, SilentNoiseError, balance, generator, side_by_side
from cleanaudio.audio.noise_bed import NoiseBed, Place, draw_place
from cleanaudio.audio.writer import AtomicWriter
from cleanaudio.batch.outcome import Done, Job, Outcome, attempt, extent
from cleanaudio.batch.policy import OutputPolicy
from cleanaudio.batch.source import Problem, Source
from cleanaudio.batch.stop import carry_through
from cleanaudio.batch.take import Take
from cleanaudio.errors import InputError

_DRAWS = 8
"""Places that are tried in a noise with gaps of digital silence."""


@dataclass(frozen=True)
class Variant:
    """One way in which a speech recording is made noisy.

    Parameters
    ----------
    noise : Source
    snr_db : float
    name : str
        Stem of the output.
    key : str
        Name of the speech, to which its random numbers belong.
    """

    noise: Source
    snr_db: float
    name: str
    key: str


@dataclass(frozen=True)
class MixJob(Job):
    """A noisy recording to make."""

    variant: Variant = field(kw_only=True)


@dataclass(frozen=True)
class MixRequest:
    """What a ``mix`` run does with every pair.

    Parameters
    ----------
    level : {"active", "power"}
        What counts as the level of the speech.
    seed : int
    format, subtype : str, optional
        Of the output; default: as the speech.
    overwrite : bool
    """

    level: Level = "active"
    seed: int = 0
    format: str | None = None
    subtype: str | None = None
    overwrite: bool = False


@dataclass(frozen=True)
class MixPolicy(OutputPolicy):
    """Sources are what :func:`variants` gives; outputs are called as their :class:`Variant` says."""

    apart = "rename one of the recordings or noises, or name the folder that they are in"
    piped = "choose a folder with -o"

    def job(self, number: int, source: Source) -> MixJob:
        """Return the mix to make of a source; where it goes comes later."""
        return MixJob(number, source.files, Path(), source.label, variant=_variant(source))

    def target(self, source: Source, number: int) -> Path:
        """Return the output of a source."""
        path = super().target(source, number)
        return path.with_name(_variant(source).name + path.suffix)


def _variant(source: Source) -> Variant:
    variant = source.meta["variant"]
    assert isinstance(variant, Variant)
    return variant


def variants(
    speech: Iterable[Source | Problem], noise: Sequence[Source], snrs_db: Sequence[float], seed: int, every: bool
) -> Iterator[Source | Problem]:
    """Yield each speech recording once for each way in which it is made noisy, which stands in its ``meta``.

    Parameters
    ----------
    speech : iterable of Source or Problem
    noise : sequence of Source
    snrs_db : sequence of float
    seed : int
        Decides which noise a recording gets; the same one at every SNR.
    every : bool
        Every noise under every recording instead.
    """
    for source in speech:
        if isinstance(source, Problem):
            yield source
            continue
        key = source.relative.as_posix()
        chosen = noise if every else [noise[int(generator(seed, key).integers(len(noise)))]]
        for one in chosen:
            stem = f"{source.path.stem}_{one.path.stem}" if every else source.path.stem
            for snr_db in snrs_db:
                yield replace(source, meta={"variant": Variant(one, snr_db, f"{stem}_snr{snr_db:g}", key)})


def mix_file(request: MixRequest, job: Job) -> Outcome:
    """Make one noisy recording; what is wrong with it is an outcome, not an exception.

    Parameters
    ----------
    request : MixRequest
    job : MixJob
    """
    assert isinstance(job, MixJob)
    return attempt(job, partial(_opened, request, job))


def _opened(request: MixRequest, job: MixJob) -> Done:
    with open_reader(job.inputs[0]) as speech, open_reader(job.variant.noise.path) as noise:
        return _mix(request, job, speech, noise)


def _mix(request: MixRequest, job: MixJob, speech: Reader, noise: Reader) -> Done:
    info, variant = speech.info, job.variant
    take = Take(speech)
    if not take.frames:
        raise InputError("holds no samples")
    target = output_format(info, request.format, request.subtype)
    random = generator(request.seed, variant.key, variant.noise.relative.as_posix())

    def pairs():
        return side_by_side(take.blocks(), NoiseBed(noise, place, info.rate, info.channels).read)

    for draw in range(_DRAWS):
        place: Place = draw_place(noise.info, info.seconds, random)
        try:
            found: Balance = balance(pairs, info.rate, info.channels, variant.snr_db, request.level)
            break
        except SilentNoiseError as error:
            if draw == _DRAWS - 1:
                error.path = variant.noise.label
                raise
    if speech.repaired:
        raise InputError(f"holds {speech.repaired} samples that are not numbers")
    tags = read_tags(info.path).without_measurements()
    with AtomicWriter(
        job.output,
        info.rate,
        info.channels,
        target,
        tags=tags,
        frames=take.frames,
        dither_seed=int(random.integers(2**62)),
        overwrite=request.overwrite,
    ) as writer:
        for voice, under in pairs():
            writer.write(found.mix(voice, under))
        writer.finish()
        carry_through()
    notes = [f"{job.label}: {warning}" for warning in info.warnings]
    notes += [f"{variant.noise.label}: {warning}" for warning in noise.info.warnings]
    notes += filter(None, [found.note, tags.left_out(target.format)])
    row: dict[str, str | int | float | None] = {
        **extent(info.rate, info.channels, take.frames),
        "offset_s": place.frame / noise.info.rate,
        "looped": int(place.looped),
        "speech_dbfs": found.speech_dbfs,
        "noise_gain_db": float(20 * np.log10(found.gain)),
        "scale_db": float(20 * np.log10(found.scale)),
    }
    return Done(job, row, tuple(notes))
