"""Cepstral distance between the spectral envelopes of the enhanced signal and the reference.

``cepstral_distance`` (dB, 0 … 10, lower is better): Kitawaki, Nagabuchi & Itoh, IEEE JSAC 1988, as in Hu & Loizou,
IEEE TASLP 2008, eq. 7–8: the envelopes are linear predictors of order 16 (10 below 10 kHz), each frame's distance is
limited to 10 dB, and the mean is over the lowest 95 %. Frames that are digitally silent on one side count 10, on both
sides they are left out. At the recording's own rate up to 16 kHz (above: resampled to 16 kHz by soxr), on the channel
means.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.metrics.interface import Measured, Signals, single
from cleanaudio.metrics.segments import TOO_SHORT, autocorrelation, hann_frames, predictors, trimmed_mean
from cleanaudio.metrics.snr import SILENT

HIGHEST = 10.0
RATE = 16000


def order(rate: int) -> int:
    """Return the order of the predictor for a rate (Hu & Loizou 2008)."""
    return 10 if rate < 10000 else 16


def cepstra(filters: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cepstral coefficients 1 … p of all-pole envelopes 1 / A(z), (frames, p)."""
    count = filters.shape[1] - 1
    out = np.zeros((len(filters), count + 1))
    for m in range(1, count + 1):
        k = np.arange(1, m)
        out[:, m] = -filters[:, m] - np.sum(k / m * out[:, 1:m] * filters[:, m - 1 : 0 : -1], axis=1)
    return out[:, 1:]


def _cepstral_distance(signals: Signals) -> Measured:
    rate = min(signals.rate, RATE)
    clean, processed = (hann_frames(signals.mono(what, rate), rate) for what in ("reference", "enhanced"))
    if not len(clean):
        return TOO_SHORT
    if not clean.any():
        return SILENT
    sounding, answered = clean.any(axis=1), processed.any(axis=1)
    both = sounding & answered
    a, b = (cepstra(predictors(autocorrelation(frames[both], order(rate)))) for frames in (clean, processed))
    distances = np.full(len(clean), HIGHEST)
    distances[both] = np.minimum(HIGHEST, 10 / np.log(10) * np.sqrt(2 * np.sum((a - b) ** 2, axis=1)))
    return trimmed_mean(distances[sounding | answered])


CEPSTRAL_DISTANCE = single(
    "cepstral_distance",
    _cepstral_distance,
    needs=frozenset({"reference"}),
    higher_is_better=False,
    unit="dB",
    low=0.0,
    high=HIGHEST,
    summary="distance of the spectral envelopes",
)
