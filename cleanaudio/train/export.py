"""From a run folder to one ONNX file with its card inside, checked against torch before it gets its name."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

import cleanaudio
from cleanaudio.audio.temporary import replacing
from cleanaudio.backends.selftest import verify
from cleanaudio.errors import BackendUnavailable, ModelError, OutputError
from cleanaudio.models.catalog import of_file
from cleanaudio.networks.checkpoint import BEST, LAST, load_network
from cleanaudio.networks.interface import Network
from cleanaudio.train import about
from cleanaudio.train.evaluate import load_pairs
from cleanaudio.train.graph import difference, graph, halved, scaled, with_card
from cleanaudio.train.hearing import apply_front
from cleanaudio.train.judge import Judged, Pair, gain, judge
from cleanaudio.train.quantise import quantised

TOLERANCE = 1e-4
"""Largest difference from torch, of full scale."""
_LEAST_PASSED = 1e-3
"""Share of clean speech from which on its level can be made good."""
LOSS_OF_PESQ = 0.02
"""What 8 bits may cost."""
CALIBRATION = 20
"""Recordings that the scales of 8 bits are measured on."""
Weights = Literal["best", "last", "mean"]


@dataclass(frozen=True)
class Request:
    """What is to be exported, and how it is judged.

    Parameters
    ----------
    run_dir : Path
    target : Path
    weights : {"best", "last", "mean"}
        The running mean at the best evaluation, the last weights, or the running mean at the end.
    dev : Path, optional
        Folder of noisy/clean pairs to measure the model on.
    dev_pairs : int, optional
        So many of them; default: all.
    quantise : bool
        Keep weights of 8 bits where they cost less than 0.02 PESQ on the pairs.
    level : bool
        Scale the output so that the clean sides of the pairs would keep their level: a loss that knows no scale leaves
        that open.
    exponent : float, optional
        Of the gains of a network with a mask: below 1 takes less away.
    half : bool
        Store weights in 16 bits; they are computed with in 32.
    licence : str
        Licence of the weights.
    sources : mapping
        Folders or manifests by role, where the run folder does not say on what it was trained.
    """

    run_dir: Path
    target: Path
    weights: Weights = "best"
    dev: Path | None = None
    dev_pairs: int | None = None
    quantise: bool = False
    level: bool = False
    exponent: float | None = None
    half: bool = False
    licence: str = "MIT"
    sources: Mapping[str, Sequence[Path]] | None = None


def export(
    request: Request,
    say: Callable[[str], None] = lambda text: None,
    warn: Callable[[str], None] = lambda text: None,
) -> dict[str, str]:
    """Write the trained network of a run folder as ONNX; returns its card.

    Parameters
    ----------
    request : Request
    say : callable, optional
        Told what was measured.
    warn : callable, optional
        Told where the model fails the self-test of models; it is written all the same.

    Raises
    ------
    ModelError
        No checkpoint, or the export does not do what torch does.
    InputError
        No pairs.
    RecipeError
        An exponent for a network that has no mask.
    BackendUnavailable
        What quantisation is judged by is not installed.
    OutputError
        The file cannot be written.
    """
    which = None if request.weights == "best" else LAST
    changes = None if request.exponent is None else {"exponent": request.exponent}
    network, facts = load_network(request.run_dir, which, averaged=request.weights != "last", options=changes)
    pairs = [] if request.dev is None else load_pairs(request.dev, network.rate, request.dev_pairs)
    data, needs = graph(network)
    worst = difference(network, data)
    if not worst <= TOLERANCE:
        raise ModelError(f"the export differs from torch by {worst:.2g}", path=request.target)
    say(f"as torch to {worst:.1e}")
    card = _card(request, network, facts) | needs
    if request.half:
        card |= {"stored": f"weights of 16 bits; differs from 32 bits by {difference(network, halved(data)):.0e}"}
    if request.exponent is not None:
        card |= {"gains": f"to the power {request.exponent:g} of those trained, which takes less away"}
    if request.level:
        passed = gain(network, pairs, card.get("front", ""))
        if not passed > _LEAST_PASSED:
            raise ModelError(
                "lets nothing of the clean recordings through", path=request.run_dir, remedy="leave out --level"
            )
        data = scaled(data, 1 / passed)
        card |= {"level": f"output × {1 / passed:.3g}, for clean speech to keep its level"}
        say(f"clean speech came out at {20 * np.log10(passed):.1f} dB, which is made good")
    try:
        with replacing(request.target) as unfinished:
            data, card = _judged(request, network, data, card, pairs, unfinished, say)
            unfinished.write_bytes(data)
            for check in verify(of_file(unfinished)):
                if not check.passed:
                    warn(f"it fails the self-test of models: {check.what}: {check.found}")
    except OSError as error:
        raise OutputError(
            f"cannot be written: {error.strerror or error}", path=request.target, remedy="check the folder and its disk"
        ) from error
    return card


def _judged(
    request: Request,
    network: Network,
    data: bytes,
    card: dict[str, str],
    pairs: Sequence[Pair],
    unfinished: Path,
    say: Callable[[str], None],
) -> tuple[bytes, dict[str, str]]:
    """Return the model that is to be kept, with its measures on the card."""
    store = halved if request.half else bytes
    kept = store(data)
    if pairs:
        assert request.dev is not None
        judged = _measured(kept, card, pairs, network.rate, unfinished)
        say(f"{16 if request.half else 32} bits: {_told(judged, kept)}")
        if request.quantise:
            if "pesq_wb" not in judged.enhanced:
                raise BackendUnavailable("--quantise", "pesq", "it is judged by PESQ, which cannot be measured")
            front = card.get("front", "")
            calibration = [apply_front(front, network.rate, noisy[None])[0] for noisy, _ in pairs[:CALIBRATION]]
            smaller = store(quantised(data, network, calibration))
            smaller_judged = _measured(smaller, card, pairs, network.rate, unfinished)
            say(f"8 bits: {_told(smaller_judged, smaller)}")
            good = judged.enhanced["pesq_wb"] - smaller_judged.enhanced.get("pesq_wb", 0.0) < LOSS_OF_PESQ
            if good:
                kept, judged = smaller, smaller_judged
            say("8 bits are kept" if good else f"8 bits cost {LOSS_OF_PESQ} PESQ or more and are not kept")
            card = card | {"quantised": "8 bits, static; recurrent layers and transforms in 32 bits" if good else "no"}
        card = card | {"dev": f"{request.dev.name}, {len(pairs)} pairs at {network.rate} Hz", "metrics": str(judged)}
    return with_card(kept, card), card


def _measured(data: bytes, card: Mapping[str, str], pairs: Sequence[Pair], rate: int, unfinished: Path) -> Judged:
    unfinished.write_bytes(with_card(data, card))
    return judge(unfinished, pairs, rate)


def _told(judged: Judged, data: bytes) -> str:
    return f"{judged}; {judged.speed:.0f} × real time, {len(data) / 1e6:.2f} MB"


def _card(request: Request, network: Network, facts: Mapping[str, Any]) -> dict[str, str]:
    made_of = about.read(request.run_dir)
    data = made_of.get("data") or []
    for role, paths in (request.sources or {}).items():
        data = [line for line in data if not line.startswith(f"{role}:")] + about.licences(role, paths)
    module = inspect.getmodule(type(network))
    machines = " and ".join(made_of.get("machines", [])) or "a machine that was not recorded"
    total = about.total(facts, request.run_dir)
    minutes, hours, steps = total.values()
    best = request.weights == "best" and (request.run_dir / BEST).exists()
    mean = "running mean at the best evaluation while training" if best else "running mean at the end"
    card = {
        "name": str(facts["network"]),
        "front": str(facts.get("front", "")),
        "summary": (inspect.getdoc(module) or "").partition("\n")[0],
        "licence": request.licence,
        "trained": f"{minutes:.0f} minutes on {machines}, {hours:.1f} h of mixtures, {steps} steps",
        "weights": "those of the last step" if request.weights == "last" else mean,
        "parameters": str(sum(parameter.numel() for parameter in network.parameters())),
        "data": "\n".join(data),
        "date": datetime.now(UTC).date().isoformat(),
        "run": json.dumps({name: facts.get(name) for name in ("network", "options")} | total),
        "revision": made_of.get("revision", about.revision()),
        "version": cleanaudio.__version__,
    }
    return {key: value for key, value in card.items() if value}
