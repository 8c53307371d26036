"""A front: the classical cleaning before a network, which it was trained behind and which belongs to it.

Behind a noise tracker with seconds of look-ahead a network removes more noise and less voice than on the bare
recording. A front is a spec, such as ``0.8*omlsa+0.2*none``: the share of ``none`` leaves in, for the network to judge,
what the classical rule would remove.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from cleanaudio.audio.processor import Processor, Series
from cleanaudio.backends import chain, registry
from cleanaudio.backends.interface import ChannelMode, Setup
from cleanaudio.backends.spec import parse
from cleanaudio.errors import ModelError, RecipeError


@dataclass(frozen=True)
class Front:
    """What stands before a network; by default nothing.

    Parameters
    ----------
    chain : Chain, optional
    hashes : mapping
        What decides its samples, by role.
    libraries : tuple of str
        Distributions whose version does.
    """

    chain: chain.Chain | None = None
    hashes: Mapping[str, str] = field(default_factory=dict)
    libraries: tuple[str, ...] = ()

    def before(self, processor: Processor) -> Processor:
        """Return the front and a network's processor in one."""
        own = self.chain
        return processor if own is None else Series([own.threaded(own.open()), processor])


NO_FRONT = Front()


def resolve(spec: str, setup: Setup) -> chain.Chain:
    """Return the chain of a front for recordings of one rate and channel count.

    Parameters
    ----------
    spec : str
    setup : Setup
        ``setup.rate`` is the network's.

    Raises
    ------
    RecipeError
        Not a spec, or one of other than classical backends that need no first pass.
    """
    terms = parse(spec)
    for term in terms:
        if registry.get(term.name).kind != "classical":
            raise RecipeError(f"{term.name} cannot stand before a network", remedy="name classical backends")
    mode: ChannelMode = "linked" if setup.linked else "independent"
    found = chain.resolve(chain.Settings(terms, channels=mode), replace(setup, profile=None))
    if found.needs_analysis:
        raise RecipeError(f"{spec} must hear the whole recording first, which a front cannot")
    return found


def front_of(spec: str, setup: Setup, rate: int, origin: Path | str) -> Front:
    """Return the front that belongs to a network; there is none live, where delays add up, and behind another backend.

    Parameters
    ----------
    spec : str
        Empty: the network has no front.
    setup : Setup
    rate : int
        The network's, Hz.
    origin : Path or str
        Where the network comes from, for messages.

    Raises
    ------
    ModelError
        The front is not a spec, or not one that :func:`resolve` allows.
    """
    if not spec or setup.live or setup.cleaned:
        return NO_FRONT
    try:
        found = resolve(spec, replace(setup, rate=rate))
    except RecipeError as error:
        raise ModelError(f"it names a front that cannot be: {error.message}", path=origin) from error
    revisions = {link.term.name: link.backend.revision for link in found.links}
    mark = ", ".join([spec, *(f"{name} revision {number}" for name, number in revisions.items())])
    libraries = {name for link in found.links for name in link.resolved.libraries}
    return Front(found, {"front": mark}, tuple(sorted(libraries)))
