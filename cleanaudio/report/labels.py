"""How numbers are called and written in a report."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cleanaudio.errors import RecipeError
from cleanaudio.metrics import registry
from cleanaudio.metrics.aggregate import finite
from cleanaudio.metrics.interface import Measured, NotMeasurable
from cleanaudio.report.scores import Score

HEADLINES = (
    *("pesq_wb", "stoi", "dnsmos_ovrl", "si_sdr", "dnsmos_sig", "dnsmos_bak", "noise_floor", "artifacts"),
    *("snr", "wada_snr", "loudness", "true_peak"),
)
"""What the first table shows, as far as it was measured; other numbers only where these are too few."""
MOST_HEADLINES = 8

_LABELS = {
    "snr": "SNR",
    "segmental_snr": "Segmental SNR",
    "si_sdr": "SI-SDR",
    "pesq_wb": "PESQ, wide band",
    "pesq_nb": "PESQ, narrow band",
    "stoi": "STOI",
    "estoi": "ESTOI",
    "lsd": "Log-spectral distance",
    "lsd_hi": "Log-spectral distance above 8 kHz",
    "cepstral_distance": "Cepstral distance",
    "llr": "LLR",
    "wss": "WSS",
    "csig": "CSIG",
    "cbak": "CBAK",
    "covl": "COVL",
    "dnsmos_sig": "DNSMOS speech",
    "dnsmos_bak": "DNSMOS background",
    "dnsmos_ovrl": "DNSMOS overall",
    "dnsmos_p808": "DNSMOS P.808",
    "wada_snr": "Estimated SNR (WADA)",
    "noise_floor": "Noise floor",
    "speech_ratio": "Share of speech",
    "loudness": "Loudness",
    "true_peak": "True peak",
    "clipping_ratio": "Share of clipped samples",
    "dynamic_range": "Dynamic range",
    "artifacts": "Artifacts",
    "kurtosis_ratio": "Kurtosis ratio",
    "spectral_distortion": "Spectral distortion",
    "speech_level_change": "Change of the speech level",
    "lag_ms": "Delay taken out",
    "rtf": "Real-time factor",
    "latency_ms": "Latency",
}
_HINTS = {
    "pesq_wb": "how a listener would rate it, 1 … 4.6",
    "stoi": "how well words can be understood, 0 … 1",
    "dnsmos_ovrl": "how a listener would rate it, 1 … 5",
    "dnsmos_sig": "how natural the voice sounds, 1 … 5",
    "dnsmos_bak": "how little the background disturbs, 1 … 5",
    "dnsmos_p808": "how a listener would rate it, 1 … 5, by another model",
    "artifacts": "musical noise that cleaning adds, 0 … 1",
    "lag_ms": "how much later than its partner it came",
}
_UNITS = {"lag_ms": "ms", "latency_ms": "ms"}


def label(key: str) -> str:
    """Return what a number is called: ``PESQ, wide band``."""
    bare = key.removesuffix(registry.SUFFIX)
    name = _LABELS.get(bare, bare.replace("_", " "))
    return name if bare == key else f"{name}: change"


def hint(key: str) -> str:
    """Return in half a sentence what a number means; empty where nothing is known of it."""
    if key in _HINTS:
        return _HINTS[key]
    try:
        return registry.owner(key).summary
    except RecipeError:
        return ""


def unit(key: str) -> str:
    """Return the unit; empty for a ratio and for a score."""
    try:
        found = _UNITS.get(key) or registry.owner(key).unit
    except RecipeError:
        return ""
    if found == "MOS":
        return ""
    if key.endswith(registry.SUFFIX):
        return {"dBFS": "dB", "dBTP": "dB", "LUFS": "LU"}.get(found, found)
    return found


def direction(key: str) -> bool | None:
    """Return whether higher is better; None where neither is."""
    try:
        return registry.owner(key).higher_is_better
    except RecipeError:
        return None


def figure(key: str, value: Measured | None, signed: bool = False) -> str:
    """Return a number in as many digits as it deserves, without its unit; ``–`` where there is none."""
    if value is None or isinstance(value, NotMeasurable) or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if not value and key == "clipping_ratio":
        return "0"
    digits = _digits(key)
    value = round(value, digits) + 0.0  # no minus before a zero
    return f"{value:{'+' if signed and value else ''}.{digits}f}".replace("-", "−")


def _digits(key: str) -> int:
    if key == "clipping_ratio":
        return 4
    try:
        metric = registry.owner(key)
    except RecipeError:
        return 1 if unit(key) else 2
    if metric.unit == "MOS" or key in ("artifacts", "kurtosis_ratio", "llr"):
        return 2
    return 1 if metric.unit or key == "wss" else 3


def headlines(scores: Sequence[Score]) -> list[str]:
    """Return the few numbers that say most, of those that are finite somewhere."""
    found = dict.fromkeys(
        key
        for score in scores
        for key, value in score.measured.items()
        if isinstance(value, float | int) and math.isfinite(value)
    )
    own = [key for key in found if not key.endswith(registry.SUFFIX) and key != "lag_ms"]
    first = [key for key in HEADLINES if key in found]
    rest = [key for key in (own or found) if key not in first]
    return [*first, *rest][:MOST_HEADLINES]


def before(score: Score, key: str) -> float | None:
    """Return what the noisy input had; None where that is not known, or is no finite number."""
    return finite(score.before.get(key))
