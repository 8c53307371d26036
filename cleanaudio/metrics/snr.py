"""Signal-to-noise ratios against the clean reference: over the whole signal, and per segment.

* ``snr`` (dB, −∞ … ∞, higher is better): power of the reference over the power of the difference. A change of level
  counts as an error; see ``si_sdr`` for the ratio that forgives it.
* ``segmental_snr`` (dB, −10 … 35, higher is better): mean over frames of 30 ms, advanced by a quarter, of the SNR
  limited to that range (Hansen & Pellom, ICSLP 1998; limits as in Hu & Loizou 2008, eq. 4).

Both at the recording's own rate, on the channel means.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.metrics.interface import Measured, NotMeasurable, Signals, single
from cleanaudio.metrics.segments import TOO_SHORT, hann_frames

SILENT = NotMeasurable("reference is silent")
ENHANCED_SILENT = NotMeasurable("enhanced is silent")


def ratio_db(signal: float, error: float) -> Measured:
    """Return a power ratio in dB: infinite without error, not measurable without signal."""
    if not signal:
        return SILENT
    with np.errstate(divide="ignore"):
        return float(10 * np.log10(signal / error)) if error else float("inf")


def segmental(reference: NDArray, enhanced: NDArray, rate: int) -> Measured:
    """Return the segmental SNR of two mono signals in dB."""
    clean = hann_frames(reference, rate)
    error = clean - hann_frames(enhanced, rate)
    if not len(clean):
        return TOO_SHORT
    if not clean.any():
        return SILENT
    tiny = np.finfo(float).eps
    levels = 10 * np.log10(np.sum(clean**2, axis=1) / (np.sum(error**2, axis=1) + tiny) + tiny)
    return float(np.mean(np.clip(levels, -10, 35)))


def _snr(signals: Signals) -> Measured:
    reference, enhanced = (signals.mono(what).astype(np.float64) for what in ("reference", "enhanced"))
    return ratio_db(float(reference @ reference), float(np.sum((reference - enhanced) ** 2)))


def _segmental_snr(signals: Signals) -> Measured:
    return segmental(signals.mono("reference"), signals.mono("enhanced"), signals.rate)


SNR = single("snr", _snr, needs=frozenset({"reference"}), unit="dB", summary="signal-to-noise ratio")
SEGMENTAL_SNR = single(
    "segmental_snr",
    _segmental_snr,
    needs=frozenset({"reference"}),
    unit="dB",
    low=-10.0,
    high=35.0,
    summary="mean signal-to-noise ratio of frames of 30 ms",
)
