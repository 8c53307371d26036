"""Scale-invariant signal-to-distortion ratio (Le Roux, Wisdom, Erdogan & Hershey, ICASSP 2019, eq. 3–5).

``si_sdr`` (dB, −∞ … ∞, higher is better): the enhanced signal is split into its projection on the reference and the
rest; the ratio of their powers forgets the level. Means are removed first. At the recording's own rate, on the channel
means. Identical signals give infinity.
"""

from __future__ import annotations

import numpy as np

from cleanaudio.metrics.interface import Measured, Signals, single
from cleanaudio.metrics.snr import ENHANCED_SILENT, SILENT, ratio_db


def _si_sdr(signals: Signals) -> Measured:
    reference, enhanced = (signals.mono(what).astype(np.float64) for what in ("reference", "enhanced"))
    reference -= reference.mean()
    enhanced -= enhanced.mean()
    power = float(reference @ reference)
    if not power:
        return SILENT
    if not enhanced.any():
        return ENHANCED_SILENT
    target = (reference @ enhanced) / power * reference
    rest = enhanced - target
    if not target.any():
        return float("-inf")
    return ratio_db(float(target @ target), float(rest @ rest))


SI_SDR = single(
    "si_sdr",
    _si_sdr,
    needs=frozenset({"reference"}),
    unit="dB",
    summary="scale-invariant signal-to-distortion ratio",
)
