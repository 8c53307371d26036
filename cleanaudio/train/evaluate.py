"""How a network does on development pairs while it trains."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from cleanaudio.audio.resample import resampled
from cleanaudio.audio.whole import read_whole
from cleanaudio.errors import InputError
from cleanaudio.metrics.aggregate import finite
from cleanaudio.metrics.interface import Measured, Signals
from cleanaudio.metrics.pesq import PESQ_WB
from cleanaudio.metrics.si_sdr import SI_SDR
from cleanaudio.networks.interface import Network
from cleanaudio.train.corpus import strongest


@dataclass(frozen=True)
class Scores:
    """Means over the pairs that could be measured; NaN where there is none, PESQ also where the package is missing."""

    pesq: float
    si_sdr_db: float

    @property
    def rank(self) -> float:
        """Return one number to compare checkpoints by."""
        return float(np.nansum([self.pesq, 0.1 * self.si_sdr_db]))


def load_pairs(folder: Path, rate: int, limit: int | None = None) -> list[tuple[np.ndarray, np.ndarray]]:
    """Read ``noisy/NAME`` and ``clean/NAME`` at a rate; with a limit, so many evenly out of the list.

    Of recordings with several channels the one that is strongest in the clean recording is taken.

    Raises
    ------
    InputError
        No pairs there, or one that cannot be read.
    """
    names = sorted(path.name for path in (folder / "noisy").glob("*") if (folder / "clean" / path.name).exists())
    if not names:
        raise InputError("no noisy/clean pairs", path=folder, remedy="it must hold noisy/NAME and clean/NAME")
    if limit is not None and limit < len(names):
        names = [names[i * len(names) // limit] for i in range(limit)]
    pairs = []
    for name in names:
        (noisy, own), (clean, other) = (read_whole(folder / side / name) for side in ("noisy", "clean"))
        if (own, noisy.shape[1]) != (other, clean.shape[1]):
            raise InputError(
                "differs in rate or length from its clean partner",
                path=folder / "noisy" / name,
                remedy="bring both to one rate and length, or take the pair out",
            )
        channel = strongest(clean)
        other_channel = channel if len(noisy) == len(clean) else strongest(noisy)
        pairs.append((resampled(noisy[other_channel], own, rate), resampled(clean[channel], own, rate)))
    return pairs


def evaluate(network: Network, pairs: list[tuple[np.ndarray, np.ndarray]], rate: int) -> Scores:
    """Run the network over the pairs and measure PESQ (wide band) and SI-SDR.

    Raises nothing for a network that gives silence or no numbers: what cannot be measured is left out of the means.

    Parameters
    ----------
    network : Network
    pairs : list of (noisy, clean)
        Each (frames,), at the network's rate.
    rate : int
        Hz.
    """
    device = next(network.parameters()).device
    training = network.training
    network.eval()
    quality, ratios = [], []
    with torch.no_grad():
        for noisy, clean in pairs:
            output = network.enhance(torch.from_numpy(noisy).to(device)[None])[0].cpu().numpy()
            signals = Signals(output, rate, clean)
            quality.append(PESQ_WB(signals)["pesq_wb"])
            ratios.append(SI_SDR(signals)["si_sdr"])
    network.train(training)
    return Scores(_mean(quality), _mean(ratios))


def _mean(measured: list[Measured]) -> float:
    known = [value for value in map(finite, measured) if value is not None]
    return float(np.mean(known)) if known else float("nan")
