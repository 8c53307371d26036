"""Which metrics there are, by name; a metric's module is imported when it is first asked for."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from importlib import import_module

from cleanaudio.errors import RecipeError
from cleanaudio.metrics.interface import Metric, delta

_TABLE = {
    "snr": "snr:SNR",
    "segmental_snr": "snr:SEGMENTAL_SNR",
    "si_sdr": "si_sdr:SI_SDR",
    "pesq_wb": "pesq:PESQ_WB",
    "pesq_nb": "pesq:PESQ_NB",
    "stoi": "stoi:STOI",
    "estoi": "stoi:ESTOI",
    "lsd": "lsd:LSD",
    "lsd_hi": "lsd:LSD_HI",
    "cepstral_distance": "cepstral:CEPSTRAL_DISTANCE",
    "llr": "composite:LLR",
    "wss": "composite:WSS",
    "composite": "composite:COMPOSITE",
    "dnsmos": "dnsmos:DNSMOS",
    "wada_snr": "wada:WADA_SNR",
    "noise_floor": "levels:NOISE_FLOOR",
    "speech_ratio": "speech_ratio:SPEECH_RATIO",
    "loudness": "levels:LOUDNESS",
    "true_peak": "levels:TRUE_PEAK",
    "clipping_ratio": "levels:CLIPPING_RATIO",
    "dynamic_range": "levels:DYNAMIC_RANGE",
    "artifacts": "artifacts:ARTIFACTS",
    "kurtosis_ratio": "artifacts:KURTOSIS_RATIO",
    "spectral_distortion": "spectral_distortion:SPECTRAL_DISTORTION",
    "speech_level_change": "speech_level:SPEECH_LEVEL_CHANGE",
}
SUFFIX = "_delta"
WITH_DELTA = (
    *("snr", "si_sdr", "pesq_wb", "stoi", "estoi", "dnsmos"),
    *("noise_floor", "wada_snr", "loudness", "true_peak"),
)
"""Metrics whose difference to the noisy input is measured too when nothing else is asked for."""


def names() -> list[str]:
    """Return the names of all metrics, those against a reference first."""
    return list(_TABLE)


@cache
def get(name: str) -> Metric:
    """Return the metric of this name; ``<name>_delta`` is its difference to the noisy input.

    Raises
    ------
    RecipeError
        There is none; or the metric itself compares with the noisy input, so that there is no difference to it.
    """
    if name in _TABLE:
        module, attribute = _TABLE[name].split(":")
        return getattr(import_module(f"cleanaudio.metrics.{module}"), attribute)
    bare = name.removesuffix(SUFFIX)
    if bare in _TABLE:
        if "noisy" in get(bare).needs:
            raise RecipeError(f"{bare} is of the noisy input and the enhanced one already", remedy=f"use {bare}")
        return delta(get(bare))
    close = get_close_matches(name, [*names(), *_owners()], n=1)
    remedy = f"did you mean {close[0]}?" if close else f"there are: {', '.join(names())}"
    raise RecipeError(f"there is no metric {name!r}", remedy=remedy)


@cache
def _owners() -> dict[str, str]:
    return {key: name for name in names() for key in get(name).keys}


def owner(key: str) -> Metric:
    """Return the metric that gives the number of this key, such as ``dnsmos_ovrl`` or ``pesq_wb_delta``.

    Raises
    ------
    RecipeError
        There is none.
    """
    bare = key.removesuffix(SUFFIX)
    name = _owners().get(bare)
    if name is None:
        return get(key)
    return get(name if key == bare else name + SUFFIX)


def select(asked: Sequence[str] | None, given: frozenset[str]) -> list[tuple[Metric, tuple[str, ...]]]:
    """Return the metrics to run and which of their numbers to keep.

    Parameters
    ----------
    asked : sequence of str or None
        Names of metrics or keys; None: all that need no more than ``given``, and the usual differences.
    given : frozenset of {"reference", "noisy"}

    Raises
    ------
    RecipeError
        A name that is neither.
    """
    if asked is None:
        usual = [get(name) for name in names()] + [get(name + SUFFIX) for name in WITH_DELTA]
        return [(metric, metric.keys) for metric in usual if metric.needs <= given]
    chosen = []
    for name in asked:
        whole = name.removesuffix(SUFFIX) in _TABLE
        metric = get(name) if whole else owner(name)
        chosen.append((metric, metric.keys if whole else (name,)))
    return chosen
