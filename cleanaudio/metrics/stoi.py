"""Short-time objective intelligibility: how well the speech can be understood.

* ``stoi`` (−1 … 1, in practice 0 … 1, higher is better): Taal, Hendriks, Heusdens & Jensen, IEEE TASLP 2011.
* ``estoi`` (−1 … 1, higher is better): Jensen & Taal, IEEE/ACM TASLP 2016; also right for noise that comes and goes.

Computed by the package ``pystoi`` (extra ``[metrics]``), which works at 10 kHz; the channel means are first brought
to 16 kHz by soxr (HQ), so that every recording takes the same way. At least 30 frames (0.4 s) of the reference must
lie within 40 dB of its loudest frame.
"""

from __future__ import annotations

import warnings

import numpy as np

from cleanaudio.metrics.interface import Measured, Metric, NotMeasurable, Signals, single
from cleanaudio.metrics.snr import ENHANCED_SILENT, SILENT

RATE = 16000
SHORTEST_S = 0.0257
"""One frame of 256 samples at 10 kHz; pystoi fails below it."""


def _stoi(signals: Signals, extended: bool) -> Measured:
    from pystoi import stoi

    reference, enhanced = signals.mono("reference", RATE), signals.mono("enhanced", RATE)
    if not reference.any():
        return SILENT
    if not enhanced.any():
        return ENHANCED_SILENT
    too_short = NotMeasurable("less than STOI's 30 frames (0.4 s) of speech in the reference")
    if len(reference) <= SHORTEST_S * RATE:
        return too_short
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.filterwarnings("error", "Not enough STFT frames", RuntimeWarning)
        try:
            return float(stoi(reference, enhanced, RATE, extended=extended))
        except RuntimeWarning:
            return too_short


def _metric(name: str, extended: bool, summary: str) -> Metric:
    return single(
        name,
        lambda signals: _stoi(signals, extended),
        needs=frozenset({"reference"}),
        low=-1.0,
        high=1.0,
        extra="metrics",
        modules=("pystoi",),
        summary=summary,
    )


STOI = _metric("stoi", False, "short-time objective intelligibility")
ESTOI = _metric("estoi", True, "extended short-time objective intelligibility")
