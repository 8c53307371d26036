"""How an exported model does on development pairs: as the backend that a user would run."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cleanaudio.audio.processor import through
from cleanaudio.backends import chain
from cleanaudio.backends.interface import Setup
from cleanaudio.backends.spec import Term
from cleanaudio.metrics.aggregate import finite
from cleanaudio.metrics.score import score
from cleanaudio.networks.interface import Network
from cleanaudio.train.hearing import apply_front

METRICS = ("pesq_wb", "estoi", "si_sdr", "dnsmos_ovrl")
Pair = tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True)
class Judged:
    """Means over the pairs.

    Parameters
    ----------
    enhanced, noisy : mapping
        Of what came out, and of what went in, by metric; those that could not be measured are missing.
    speed : float
        Seconds of audio per second of computing, on one thread.
    """

    enhanced: Mapping[str, float]
    noisy: Mapping[str, float]
    speed: float

    def __str__(self) -> str:
        known = [f"{name} {value:.3f} (noisy {self.noisy[name]:.3f})" for name, value in self.enhanced.items()]
        return ", ".join(known) or "nothing could be measured"


def judge(model: Path, pairs: Sequence[Pair], rate: int) -> Judged:
    """Run a model over pairs at its rate and measure what comes out.

    Parameters
    ----------
    model : Path
        An ONNX file.
    pairs : sequence of (noisy, clean)
        Each (frames,).
    rate : int
        Hz.
    """
    path = chain.resolve(chain.Settings((Term("onnx", str(model)),)), Setup(rate, 1))
    outputs, seconds = [], 0.0
    for noisy, _ in pairs:
        processor = path.open()
        began = time.perf_counter()
        outputs.append(through(processor, noisy[None])[0])
        seconds += time.perf_counter() - began
    clean = [reference for _, reference in pairs]
    length_s = sum(map(len, clean)) / rate
    return Judged(_means(outputs, clean, rate), _means([noisy for noisy, _ in pairs], clean, rate), length_s / seconds)


def gain(network: Network, pairs: Sequence[Pair], front: str = "") -> float:
    """Return how much of clean speech a network lets through, as a factor: the median over the clean sides of pairs.

    Parameters
    ----------
    network : Network
    pairs : sequence of (noisy, clean)
    front : str
        What the network stands behind.
    """
    shares = []
    with torch.no_grad():
        for _, clean in pairs:
            out = network.enhance(torch.from_numpy(apply_front(front, network.rate, clean[None])))[0].numpy()
            shares.append(float(out @ clean / (clean @ clean + 1e-12)))
    return float(np.median(shares))


def _means(outputs: Sequence[NDArray], clean: Sequence[NDArray], rate: int) -> dict[str, float]:
    found: dict[str, list[float]] = {name: [] for name in METRICS}
    for output, reference in zip(outputs, clean, strict=True):
        measured = score(output, rate, reference, metrics=METRICS, align=False)
        for name, values in found.items():
            value = finite(measured[name])
            if value is not None:
                values.append(value)
    return {name: float(np.mean(values)) for name, values in found.items() if values}
