"""Recordings and scores for tests of the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from cleanaudio.metrics.interface import NotMeasurable
from cleanaudio.report.gate import evaluate, parse
from cleanaudio.report.scores import Score, aggregate, keys_of

GATE = parse("reference")
DELTAS = ("pesq_wb_delta", "stoi_delta")
HOSTILE = '"><script>alert(1)</script> & $x^2$ \u202egpj 漢字'


def write(path: Path, samples: np.ndarray, rate: int = 16000) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples.T, rate, subtype="PCM_16")
    return str(path)


def measured(pesq: float, floor: float = -60.0) -> dict:
    """Numbers as a scoring run gives them; the noisy input had 1.5 in PESQ and 0.7 in STOI."""
    return {
        "lag_ms": 0.0,
        "pesq_wb": pesq,
        "stoi": 0.7 + pesq / 20,
        "si_sdr": float("inf"),
        "noise_floor": floor,
        "artifacts": 0.1,
        "clipping_ratio": 0.0,
        "wada_snr": NotMeasurable("no speech <was> found"),
        "snr_delta": 5.0,
        "pesq_wb_delta": pesq - 1.5,
        "stoi_delta": pesq / 20,
    }


def trio(folder: Path, voice: np.ndarray, noise: np.ndarray, name: str, rate: int = 16000) -> dict[str, str]:
    """Write the clean, the noisy and the enhanced side of one recording."""
    return {
        "reference": write(folder / "clean" / f"{name}.wav", voice, rate),
        "noisy": write(folder / "noisy" / f"{name}.wav", voice + noise, rate),
        "enhanced": write(folder / "enhanced" / f"{name}.wav", voice + 0.2 * noise, rate),
    }


def score_of(name: str, sides: dict[str, str], pesq: float = 2.3, system: str = "enhanced", **more) -> Score:
    values = measured(pesq)
    before = {key.removesuffix("_delta"): values[key.removesuffix("_delta")] - values[key] for key in DELTAS}
    return Score(system, name, **sides, measured=values, before=before, result=evaluate(GATE, values), **more)


def sums_of(scores: list[Score], by_group: bool = False):
    good = [score for score in scores if not score.error]
    return aggregate(good, keys_of(good), by_group)
