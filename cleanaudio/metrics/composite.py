"""Composite measures of Hu & Loizou (IEEE TASLP 2008): opinions regressed on four objective measures.

* ``csig``: distortion of the speech; ``cbak``: intrusiveness of the background; ``covl``: the whole. Each 1 … 5,
  higher is better (table VI of the paper, with the coefficients of the regression that everybody reports).
* ``llr`` (0 … 2, lower is better): log-likelihood ratio of linear predictors (eq. 6), in each frame at most 2, as the
  paper limits it; mean of the lowest 95 % of frames. The three opinions were fitted without that limit.
* ``wss`` (0 …, lower is better): weighted spectral slope (Klatt, ICASSP 1982; eq. 9); mean of the lowest 95 %.

At 16 kHz with PESQ-WB, as in all published tables for wide-band material (noisy VoiceBank-DEMAND: 3.35 / 2.44 / 2.63);
recordings of less than 16 kHz at 8 kHz with PESQ and predictors of order 10, the material of the paper, whose PESQ is
the raw one of P.862, not mapped to opinions by P.862.1. Resampled by soxr, on the channel means. Needs extra ``[pesq]``
for the three; the two distances do without.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cleanaudio.metrics import pesq
from cleanaudio.metrics.cepstral import order
from cleanaudio.metrics.interface import Computed, Measured, Metric, NotMeasurable, Signals, single
from cleanaudio.metrics.segments import TOO_SHORT, autocorrelation, hann_frames, predictors, trimmed_mean
from cleanaudio.metrics.snr import ENHANCED_SILENT, SILENT, segmental

_BANDS = 25
_CENTRES = (
    *(50.0, 120.0, 190.0, 260.0, 330.0, 400.0, 470.0, 540.0),
    *(617.372, 703.378, 798.717, 904.128, 1020.38, 1148.30, 1288.72, 1442.54, 1610.70, 1794.16, 1993.93, 2211.08),
    *(2446.71, 2701.97, 2978.04, 3276.17, 3597.63),
)
_WIDTHS = (
    *(70.0, 70.0, 70.0, 70.0, 70.0, 70.0, 70.0, 77.3724),
    *(86.0056, 95.3398, 105.411, 116.256, 127.914, 140.423, 153.823, 168.154, 183.457, 199.776, 217.153, 235.631),
    *(255.255, 276.072, 298.126, 321.465, 346.136),
)
"""Critical bands of the slope distance, Hz."""
_HIGHEST_LLR = 2.0
_NEAR_HIGHEST_DB, _NEAR_PEAK_DB = 20.0, 1.0
"""Klatt's constants: how fast a slope loses weight below the highest band, and below the next peak."""


def rate_of(signals: Signals) -> int:
    """Return the rate at which the measures are taken."""
    return 16000 if signals.rate >= 16000 else 8000


def critical_bands(rate: int, size: int) -> NDArray[np.float64]:
    """Return Gaussian-shaped band filters over the bins below ``rate / 2``, (bands, size // 2), −30 dB skirts cut."""
    half = size // 2
    centre = np.floor(np.array(_CENTRES) / (rate / 2) * half)[:, None]
    width = np.array(_WIDTHS)[:, None] / (rate / 2) * half
    shape = np.exp(-11 * ((np.arange(half) - centre) / width) ** 2 + np.log(min(_WIDTHS) / np.array(_WIDTHS))[:, None])
    return np.where(shape > np.exp(-30 / (2 * 2.303)), shape, 0)


def _nearest_peaks(slopes: NDArray[np.float64], levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each slope the level of the peak that it leads to, to the right where it rises, else to the left."""
    frames, count = slopes.shape
    peaks = np.empty_like(slopes)
    right = np.full(frames, count - 1)
    for band in reversed(range(count)):
        # the last rising slope of the run; its lower end is what the reference reads
        falls_next = slopes[:, band + 1] <= 0 if band + 1 < count else np.full(frames, True)
        right = np.where(falls_next, band, right)
        peaks[:, band] = levels[np.arange(frames), right]
    left = np.zeros(frames, int)
    for band in range(count):
        rises_before = slopes[:, band - 1] > 0 if band else np.full(frames, True)
        left = np.where(rises_before, band, left)
        peaks[:, band] = np.where(slopes[:, band] > 0, peaks[:, band], levels[np.arange(frames), left])
    return peaks


def slope_distances(clean: NDArray[np.float64], processed: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Return the weighted spectral slope distance of each pair of frames."""
    size = 1 << (2 * clean.shape[1] - 1).bit_length()
    bands = critical_bands(rate, size).T
    slopes, weights = [], []
    for frames in (clean, processed):
        power = np.abs(np.fft.rfft(frames, size, axis=1)[:, : size // 2]) ** 2
        levels = 10 * np.log10(np.maximum(power @ bands, 1e-10))
        slope = np.diff(levels, axis=1)
        here = levels[:, :-1]
        highest = levels.max(axis=1, keepdims=True)
        weights.append(
            _NEAR_HIGHEST_DB
            / (_NEAR_HIGHEST_DB + highest - here)
            * (_NEAR_PEAK_DB / (_NEAR_PEAK_DB + _nearest_peaks(slope, levels) - here))
        )
        slopes.append(slope)
    weight = (weights[0] + weights[1]) / 2
    return np.sum(weight * (slopes[0] - slopes[1]) ** 2, axis=1) / np.sum(weight, axis=1)


def likelihood_ratios(clean: NDArray[np.float64], processed: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Return log(a_p R_c a_p' / a_c R_c a_c') of each pair of frames, none of them silent."""
    lags = autocorrelation(clean, order(rate))
    distance = np.abs(np.subtract.outer(np.arange(lags.shape[1]), np.arange(lags.shape[1])))
    matrices = lags[:, distance]
    errors = []
    for filters in (predictors(autocorrelation(processed, order(rate))), predictors(lags)):
        errors.append(np.einsum("fi,fij,fj->f", filters, matrices, filters))
    tiny = np.finfo(float).tiny
    return np.log(np.maximum(1, errors[0] / np.maximum(errors[1], tiny)))  # below 1 only by rounding


def _parts(signals: Signals) -> tuple[float, float, float] | NotMeasurable:
    """Return (LLR, WSS, unlimited LLR)."""

    def make() -> tuple[float, float, float] | NotMeasurable:
        rate = rate_of(signals)
        tiny = np.finfo(float).eps  # keeps the predictors of silent frames defined, as the reference does
        signal = [signals.mono(what, rate).astype(np.float64) for what in ("reference", "enhanced")]
        if not signal[0].any():
            return SILENT
        if not signal[1].any():
            return ENHANCED_SILENT
        clean, processed = (hann_frames(one + tiny, rate) for one in signal)
        if not len(clean):
            return TOO_SHORT
        ratios = likelihood_ratios(clean, processed, rate)
        limited = trimmed_mean(np.minimum(ratios, _HIGHEST_LLR))
        return limited, trimmed_mean(slope_distances(clean, processed, rate)), trimmed_mean(ratios)

    return signals.derived("composite parts", make)


def _part(which: int):
    def compute(signals: Signals) -> Measured:
        parts = _parts(signals)
        return parts if isinstance(parts, NotMeasurable) else parts[which]

    return compute


def _composite(signals: Signals) -> Computed:
    rate = rate_of(signals)
    parts = _parts(signals)
    if isinstance(parts, NotMeasurable):
        return dict.fromkeys(("csig", "cbak", "covl"), parts)
    opinion = (pesq.PESQ_WB if rate == 16000 else pesq.PESQ_NB).compute(signals)
    mos = next(iter(opinion.values()))
    if rate == 8000 and not isinstance(mos, NotMeasurable):
        mos = raw_pesq(mos)
    segments = segmental(signals.mono("reference", rate), signals.mono("enhanced", rate), rate)
    for value in (mos, segments):
        if isinstance(value, NotMeasurable):
            return dict.fromkeys(("csig", "cbak", "covl"), value)
    _, wss, llr = parts
    return regression(llr, wss, segments, mos)  # type: ignore[arg-type]


def raw_pesq(mos: float) -> float:
    """Return the score of P.862 whose opinion by P.862.1 (its eq. 1) is ``mos``, 1.02 … 4.55."""
    return (4.6607 - math.log(4 / (mos - 0.999) - 1)) / 1.4945


def regression(llr: float, wss: float, segmental_snr: float, mos: float) -> dict[str, Measured]:
    """Return CSIG, CBAK and COVL of the four measures, limited to 1 … 5."""
    raw = {
        "csig": 3.093 - 1.029 * llr + 0.603 * mos - 0.009 * wss,
        "cbak": 1.634 + 0.478 * mos - 0.007 * wss + 0.063 * segmental_snr,
        "covl": 1.594 + 0.805 * mos - 0.512 * llr - 0.007 * wss,
    }
    return {key: float(np.clip(value, 1, 5)) for key, value in raw.items()}


_NEEDS = frozenset({"reference"})

COMPOSITE = Metric(
    name="composite",
    keys=("csig", "cbak", "covl"),
    compute=_composite,
    needs=_NEEDS,
    unit="MOS",
    low=1.0,
    high=5.0,
    extra="pesq",
    modules=("pesq",),
    summary="predicted listeners' scores: signal, background, overall",
)
LLR = single(
    "llr",
    _part(0),
    needs=_NEEDS,
    higher_is_better=False,
    low=0.0,
    high=2.0,
    summary="log-likelihood ratio of linear predictors",
)
WSS = single("wss", _part(1), needs=_NEEDS, higher_is_better=False, low=0.0, summary="weighted spectral slope distance")
