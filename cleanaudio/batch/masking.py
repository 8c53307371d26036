"""What tells the voice from the noise at an array: a backend for single channels, or the levels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cleanaudio.backends import chain, registry
from cleanaudio.backends.interface import Setup
from cleanaudio.backends.spec import parse, render, stages
from cleanaudio.spatial.masks import ActivityMask, EnhancerMask, MaskEstimator
from cleanaudio.spatial.salience import SalienceMask

Audio = NDArray[np.float32]

WITHOUT = "none"
BY_LEVEL: dict[str, Callable[[int, int, int, int], MaskEstimator]] = {"vad": ActivityMask, "salience": SalienceMask}
"""Estimators that need no backend: in time alone, and bin by bin, which is better by measurement."""
_HEARD = 4
"""Microphones that a backend hears, spread over the array: as good as eight, by measurement."""


def decide(text: str) -> tuple[str | None, str | None]:
    """Decide what ``--mask`` means.

    Parameters
    ----------
    text : str
        ``none``, a name in :data:`BY_LEVEL`, ``auto`` or a backend's spec.

    Returns
    -------
    (str or None, str or None)
        A name in :data:`BY_LEVEL` or a spec in its normal form, or None; why ``auto`` became that, or None where it
        was named.

    Raises
    ------
    RecipeError, BackendUnavailable
        There is no such backend.
    """
    if text == WITHOUT or text in BY_LEVEL:
        return (None if text == WITHOUT else text), None
    terms, why = registry.decide(parse(text))
    if why is not None and all(registry.get(term.name).kind == "classical" for term in terms):
        return "salience", "no neural backend is installed that could tell voice from noise better than their levels do"
    if text.strip() == "auto":  # a small share of another makes samples better, masks only slower
        terms = (replace(max(stages(terms)[-1], key=lambda term: term.weight), weight=1.0, stage=0),)
    return render(terms), why


@dataclass(frozen=True)
class Masking:
    """How the voice is told from the noise.

    Parameters
    ----------
    spec : str
        As :func:`decide` gives it.
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
        if self.spec in BY_LEVEL:
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
        threads : int
        """
        heard = sorted({round(k * (channels - 1) / (_HEARD - 1)) for k in range(_HEARD)})
        cleaner = self.cleaner(rate, len(heard), threads)
        if cleaner is None:
            return BY_LEVEL[self.spec](rate, channels, *grid)
        analyses = None
        if cleaner.needs_analysis:
            analyses = cleaner.analyse(lambda: (block[heard] for block in blocks()))
        return EnhancerMask(cleaner.open(analyses), *grid, heard)

    def links(self, rate: int) -> tuple[chain.Link, ...]:
        """Return what decides the masks, for a recipe."""
        cleaner = self.cleaner(rate, 1)
        return () if cleaner is None else cleaner.links
