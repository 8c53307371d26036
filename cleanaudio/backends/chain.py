"""The chain: from a spec and its options to one processor at the recording's own rate and channel count.

Order of the walk: dereverberation of all channels together → channel coding (mid-side) → stage by stage the backends,
each at its own rate, their outputs averaged → the share of the input that ``strength`` and ``limit_db`` leave in, its
reverberation taken away too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.array import repaired
from cleanaudio.audio.processor import Processor, Series, driven
from cleanaudio.audio.resample import Resampler
from cleanaudio.backends import registry
from cleanaudio.backends.blocks import Finite
from cleanaudio.backends.combining import Blend, DryMix, MidSide, swap_mid_side
from cleanaudio.backends.interface import Analysis, Backend, ChannelMode, Resolved, Setup, Value
from cleanaudio.backends.rate import AtRate
from cleanaudio.backends.spec import Term
from cleanaudio.backends.threaded import Threaded
from cleanaudio.errors import RecipeError
from cleanaudio.spatial.dereverb import check_strength, dereverb

Audio = NDArray[np.float32]


@dataclass(frozen=True)
class Settings:
    """What the user asked of the signal path, before a file is known.

    Parameters
    ----------
    terms : tuple of Term
        Backends by their real names (``auto`` is already decided).
    options : mapping
        ``{"key": value}``, or ``{"name.key": value}`` for one backend of a blend.
    strength : float
        0 (leave as it is) … 1 (all that the backend does).
    limit_db : float, optional
        At most so much is taken away.
    channels : {"linked", "independent", "mid-side"}, optional
        Default: linked for two channels, independent for more.
    dereverb : float
        0 (leave the reverberation as it is) … 1 (all that can be predicted from the past), before the backends.

    Raises
    ------
    RecipeError
        A value outside its range.
    """

    terms: tuple[Term, ...]
    options: Mapping[str, Value] = field(default_factory=dict)
    strength: float = 1.0
    limit_db: float | None = None
    channels: ChannelMode | None = None
    dereverb: float = 0.0

    def __post_init__(self) -> None:
        check_strength(self.dereverb)
        if not 0 <= self.strength <= 1:
            raise RecipeError(f"a strength of {self.strength:g} is outside 0 … 1")
        if self.limit_db is not None and not self.limit_db >= 0:
            raise RecipeError(f"a limit of {self.limit_db:g} dB is below 0")
        if self.channels is not None and self.channels not in get_args(ChannelMode):
            raise RecipeError(
                f"there is no channel mode {self.channels!r}", remedy=f"choose from {', '.join(get_args(ChannelMode))}"
            )

    def mode(self, channels: int) -> ChannelMode:
        """Return the channel mode for so many channels.

        Raises
        ------
        RecipeError
            Mid-side of three channels or more.
        """
        if channels == 1:
            return "linked"
        if self.channels == "mid-side" and channels != 2:
            raise RecipeError(f"mid-side needs two channels, not {channels}", remedy="take independent")
        return self.channels or ("linked" if channels == 2 else "independent")


@dataclass(frozen=True)
class Link:
    """One term of a chain, resolved for a recording."""

    term: Term
    backend: Backend
    setup: Setup
    resolved: Resolved
    dry: float
    """Share of the input mixed into this backend's output."""


@dataclass(frozen=True)
class Chain:
    """A resolved chain: what it is, and where its processors come from."""

    stages: tuple[tuple[Link, ...], ...]
    mode: ChannelMode
    rate: int
    channels: int
    dereverb: float = 0.0
    live: bool = False
    dry: float = 0.0
    """Share of the input mixed into the output of the last stage, besides that of each link."""

    @property
    def links(self) -> tuple[Link, ...]:
        """All terms, stage by stage."""
        return tuple(link for stage in self.stages for link in stage)

    @property
    def leaves_untouched(self) -> bool:
        """Whether what comes out is what goes in."""
        return not self.dereverb and not self.cleans

    @property
    def cleans(self) -> bool:
        """Whether a backend takes anything away."""
        return any(link.term.name != "none" for link in self.links)

    @property
    def has_gentler(self) -> bool:
        """Whether it is a blend of which some backends, but not all, leave a voice its room."""
        return len(self.stages) == 1 and len({link.backend.keeps_room for link in self.links}) == 2

    @property
    def needs_analysis(self) -> bool:
        """Whether a first pass over the recording must come before :meth:`open`."""
        return any(link.resolved.needs_analysis for link in self.links)

    def analyse(self, blocks: Callable[[], Iterable[Audio]]) -> list[Analysis | None]:
        """Run the first pass of those backends that want one.

        Parameters
        ----------
        blocks : callable
            Starts the recording from its beginning: blocks of (channels, n).
        """
        analyses: list[Analysis | None] = []
        for number, stage in enumerate(self.stages):
            for link in stage:
                if not link.resolved.needs_analysis:
                    analyses.append(None)
                    continue
                heard = self._heard(blocks(), self._opened(number, analyses))
                analyses.append(link.backend.analyse(self._at_rate_of(link, heard), link.setup, link.resolved))
        return analyses

    def dereverberation(self) -> Processor:
        """Return a fresh processor for what comes before the backends."""
        method: Literal["suppress", "auto"] = "suppress" if self.live else "auto"
        linked = self.mode != "independent"
        return Finite(dereverb(self.rate, self.channels, self.dereverb, method=method, linked=linked))

    def _heard(self, blocks: Iterable[Audio], before: Sequence[Processor]) -> Iterable[Audio]:
        """Return the input of a stage, given the processors of the stages before it."""
        blocks = map(repaired, blocks)
        if self.dereverb:
            blocks = driven(self.dereverberation(), blocks)
        if self.mode == "mid-side":
            blocks = map(swap_mid_side, blocks)
        return driven(Series(before), blocks) if before else blocks

    def _at_rate_of(self, link: Link, blocks: Iterable[Audio]) -> Iterable[Audio]:
        if link.resolved.rate == self.rate:
            return blocks
        return driven(Resampler(self.rate, link.resolved.rate, self.channels), blocks)

    def open(self, analyses: Sequence[Analysis | None] | None = None) -> Processor:
        """Return a fresh processor for the whole chain."""
        cleaning = self.cleaning(analyses)
        return Series([self.dereverberation(), cleaning]) if self.dereverb else cleaning

    def cleaning(self, analyses: Sequence[Analysis | None] | None = None, beside: bool = False) -> Processor:
        """Return a fresh processor for the backends, without the dereverberation before them.

        Parameters
        ----------
        analyses : sequence of Analysis or None, optional
        beside : bool
            Whether to give as many channels more, below those of a chain that :attr:`has_gentler`: the output of only
            those backends that leave a voice its room.
        """
        opened = self._opened(len(self.stages), analyses or [None] * len(self.links), beside and self.has_gentler)
        chain = opened[0] if len(opened) == 1 else Series(opened)
        if self.dry > 0:
            chain = DryMix(chain, self.dry, self.channels)
        return Finite(MidSide(chain) if self.mode == "mid-side" else chain)

    def threaded(self, processor: Processor) -> Processor:
        """Return a processor of this chain's rate and channels, in a thread of its own where it may use several."""
        several = self.links[0].setup.threads > 1 and not self.live
        return Threaded(processor, self.rate, self.channels) if several else processor

    def _opened(self, count: int, analyses: Sequence[Analysis | None], beside: bool = False) -> list[Processor]:
        """Return fresh processors for the first stages, each given its analyses in turn."""
        known = iter(analyses)
        return [self._stage([(link, next(known)) for link in stage], beside) for stage in self.stages[:count]]

    def _stage(self, links: Sequence[tuple[Link, Analysis | None]], beside: bool) -> Processor:
        processors: list[Processor] = []
        for link, analysis in links:
            processor = link.backend.open(link.setup, link.resolved, analysis)
            if link.resolved.rate != self.rate:
                linked = self.mode == "linked"
                processor = AtRate(processor, self.rate, link.resolved.rate, self.channels, linked, link.setup.live)
            if link.dry > 0:
                processor = DryMix(processor, link.dry, self.channels)
            processors.append(processor)
        if sum(link.term.name != "none" for link, _ in links) > 1:
            processors = [self.threaded(processor) for processor in processors]
        if len(processors) == 1:
            return processors[0]
        mixes = [[link.term.weight for link, _ in links]]
        if beside:
            gentle = [link.term.weight * link.backend.keeps_room for link, _ in links]
            mixes.append([weight / sum(gentle) for weight in gentle])
        return Blend(processors, mixes, self.channels)


def resolve(settings: Settings, setup: Setup) -> Chain:
    """Decide everything that can be known without hearing the recording.

    Parameters
    ----------
    settings : Settings
    setup : Setup
        ``setup.linked`` is set from the channel mode here.

    Raises
    ------
    RecipeError, BackendUnavailable, ModelError
    """
    mode = settings.mode(setup.channels)
    profile = setup.profile.mid_side if setup.profile is not None and mode == "mid-side" else setup.profile
    setup = replace(setup, linked=mode == "linked", profile=profile)
    options = _share_out(settings)
    last = max(term.stage for term in settings.terms)
    first = min((term.stage for term in settings.terms if term.name != "none"), default=0)
    links = []
    for term, given in zip(settings.terms, options, strict=True):
        backend = registry.get(term.name)
        backend.require()
        if term.argument is not None and not backend.takes_argument:
            raise RecipeError(f"backend {term.name} takes no argument, but was given {term.argument!r}")
        if setup.live and not backend.live:
            usable = registry.live_specs()
            raise RecipeError(
                f"backend {term.name} must hear the whole recording first and cannot run live",
                remedy=f"use --backend {usable[0]}" if usable else "",
            )
        limit_db = settings.limit_db
        if not last and limit_db is not None and any(option.name == "limit_db" for option in backend.options):
            given = {"limit_db": limit_db, **given}
            limit_db = None
        # Another backend has removed the noise that the profile describes.
        here = replace(setup, profile=None, cleaned=True) if term.stage > first else setup
        resolved = backend.resolve(here, backend.validate(given), term.argument)
        links.append(Link(term, backend, here, resolved, dry=0.0 if last else _dry(settings.strength, limit_db)))
    return Chain(
        tuple(tuple(link for link in links if link.term.stage == stage) for stage in range(last + 1)),
        mode,
        setup.rate,
        setup.channels,
        settings.dereverb,
        setup.live,
        dry=_dry(settings.strength, settings.limit_db) if last else 0.0,
    )


def _dry(strength: float, limit_db: float | None) -> float:
    """Return the share of the input that stays in."""
    return 1 - strength * (1 - (0.0 if limit_db is None else 10 ** (-limit_db / 20)))


def _share_out(settings: Settings) -> list[dict[str, Value]]:
    """Give each term its options; ``key`` goes to every backend that knows it, ``name.key`` to one."""
    backends = [registry.get(term.name) for term in settings.terms]
    shares: list[dict[str, Value]] = [{} for _ in backends]
    for key, value in settings.options.items():
        name, dot, bare = key.rpartition(".")
        takers = [
            share
            for backend, share in zip(backends, shares, strict=True)
            if (backend.name == name if dot else len(backends) == 1 or any(o.name == key for o in backend.options))
        ]
        if not takers:
            names = ", ".join(backend.name for backend in backends)
            raise RecipeError(f"option {key!r} belongs to none of the backends in use", remedy=f"they are: {names}")
        for share in takers:
            share[bare] = value
    return shares
