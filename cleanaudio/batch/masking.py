"""What tells the voice from the noise at an array: a backend for single channels, or the level."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cleanaudio.backends import chain, registry
from cleanaudio.backends.interface import Setup
from cleanaudio.backends.spec import parse, render
from cleanaudio.spatial.masks import ActivityMask, EnhancerMask, MaskEstimator

Audio = NDArray[np.float32]

BY_LEVEL, WITHOUT = "vad", "none"
_HEARD = 4
"""Microphones that a backend hears, spread over the array: as good as eight, by measurement."""


def decide(text: str) -> tuple[str | None, str | None]:
    """Decide what ``--mask`` means.

    Parameters
    ----------
    text : str
        ``none``, ``vad``, ``auto`` or a backend's spec.

    Returns
    -------
    (str or None, str or None)
        ``vad`` or a spec in its normal form, or None; why ``auto`` became that, or None where it was named.

    Raises
    ------
    RecipeError, BackendUnavailable
        There is no such backend.
    """
    if text in (BY_LEVEL, WITHOUT):
        return (text if text == BY_LEVEL else None), None
    terms, why = registry.decide(parse(text))
    if why is not None and all(registry.get(term.name).kind == "classical" for term in terms):
        return BY_LEVEL, "no neural backend is installed that could tell voice from noise better than their levels do"
    return render(terms), why


@dataclass(frozen=True)
class Masking:
    """How the voice is told from the noise.

    Parameters
    ----------
    spec : str
        ``vad`` or a backend's spec, as :func:`decide` gives it.
    device : str
        ``"cpu"`` or ``"cuda"``.
    """

    spec: str
    device: str = "cpu"

    def cleaner(self, rate: int, channels: int, threads: int = 1) -> chain.Chain | None:
        """Return the chain that cleans each of so many channels for itself; None where it is done by level.

        Raises
        ------
        RecipeError, BackendUnavailable, ModelError
        """
        if self.spec == BY_LEVEL:
            return None
        setup = Setup(rate, channels, threads=threads, device=self.device)
        return chain.resolve(chain.Settings(parse(self.spec), channels="independent"), setup)

    def open(
        self,
        rate: int,
        channels: int,
        grid: tuple[int, int],
        blocks: Callable[[], Iterable[Audio]],
        *,
        exponent: float = 1.0,
        threads: int = 1,
    ) -> MaskEstimator:
        """Return an estimator for a recording.

        Parameters
        ----------
        rate, channels : int
            Of what it is fed.
        grid : (int, int)
            Window and hop of the STFT of who uses it.
        blocks : callable
            Starts what it will be fed from the beginning, for a backend that must hear it first.
        exponent : float
            See :class:`cleanaudio.spatial.masks.EnhancerMask`.
        threads : int
        """
        heard = sorted({round(k * (channels - 1) / (_HEARD - 1)) for k in range(_HEARD)})
        cleaner = self.cleaner(rate, len(heard), threads)
        if cleaner is None:
            return ActivityMask(rate, channels, *grid)
        analyses = None
        if cleaner.needs_analysis:
            analyses = cleaner.analyse(lambda: (block[heard] for block in blocks()))
        return EnhancerMask(cleaner.open(analyses), *grid, heard, exponent)

    def links(self, rate: int) -> tuple[chain.Link, ...]:
        """Return what decides the masks, for a recipe."""
        cleaner = self.cleaner(rate, 1)
        return () if cleaner is None else cleaner.links
