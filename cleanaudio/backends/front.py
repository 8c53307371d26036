"""A front: the classical cleaning before a network, which it was trained behind and which belongs to it.

A network that hears what a noise tracker with seconds of look-ahead has left over takes away more noise and less voice
than the same network on the bare recording. A front is a spec, such as ``0.8*omlsa+0.2*none``: the share of ``none``
keeps within the network's reach what the classical rule gave up.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleanaudio.backends import chain, registry
from cleanaudio.backends.interface import ChannelMode, Processor, Setup
from cleanaudio.backends.spec import parse
from cleanaudio.errors import ModelError, RecipeError
from cleanaudio.spatial.stream import Series

Audio = NDArray[np.float32]


class Front:
    """A front for recordings of one rate and channel count.

    Parameters
    ----------
    spec : str
    setup : Setup
        ``setup.rate`` is the network's.

    Attributes
    ----------
    mark : str
        What decides its samples.
    libraries : tuple of str
        Distributions whose version does.

    Raises
    ------
    RecipeError
        Not a spec, or one of other than classical backends that need no first pass.
    """

    def __init__(self, spec: str, setup: Setup) -> None:
        terms = parse(spec)
        for term in terms:
            if registry.get(term.name).kind != "classical":
                raise RecipeError(f"{term.name} cannot stand before a network", remedy="name classical backends")
        mode: ChannelMode = "linked" if setup.linked else "independent"
        self._chain = chain.resolve(chain.Settings(terms, channels=mode), replace(setup, profile=None))
        if self._chain.needs_analysis:
            raise RecipeError(f"{spec} must hear the whole recording first, which a front cannot")
        revisions = {link.term.name: link.backend.revision for link in self._chain.links}
        self.mark = ", ".join([spec, *(f"{name} revision {number}" for name, number in revisions.items())])
        self.libraries = tuple(sorted({name for link in self._chain.links for name in link.resolved.libraries}))

    def open(self) -> Processor:
        """Return a fresh processor of the front alone."""
        return self._chain.open()

    def before(self, processor: Processor) -> Processor:
        """Return the front and a network's processor in one."""
        return Series([self.open(), processor])


def wanted(spec: str, setup: Setup, rate: int, origin: Path | str) -> Front | None:
    """Return the front that a network brings along, where it has one and needs it.

    Live, where delays add up, and behind another backend it does without.

    Parameters
    ----------
    spec : str
        Empty: it has none.
    setup : Setup
    rate : int
        The network's, Hz.
    origin : Path or str
        Where the network comes from, for messages.

    Raises
    ------
    ModelError
        It names a front that cannot be.
    """
    if not spec or setup.live or setup.cleaned:
        return None
    try:
        return Front(spec, replace(setup, rate=rate))
    except RecipeError as error:
        raise ModelError(f"it names a front that cannot be: {error.message}", path=origin) from error
