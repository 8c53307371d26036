"""Whether a cleaned signal was made louder afterwards: a gain hides what cleaning took from the speech.

Cleaning takes away and hardly adds. Of the bins in which the noisy input has its power, the twentieth that rose most
changed by −38 … +0.5 dB (median −0.2) in outputs of DeepFilterNet, OM-LSA and spectral subtraction on development pairs
from −5 to 20 dB. What lies above is a gain, or what the cleaning left of one: where most of the speech went, nobody can
tell how large it was.
"""

from __future__ import annotations

import numpy as np

from cleanaudio.metrics.interface import Signals
from cleanaudio.metrics.spectrogram import powers

LOUDER_DB = 3.0
"""Cleaning raises nothing by so much."""
SHARE, RANGE_DB = 0.95, 40.0
_TINY = 1e-20


def unknown_gain_db(signals: Signals) -> float | None:
    """Return by how much the enhanced signal was made louder at least, where nobody has said; else None.

    At 16 kHz (soxr), on the channel means, 125 Hz … 7 kHz: the change of level of a bin that 95 % of the power of the
    noisy input does not exceed, bins more than 40 dB below the loudest left out.

    Returns
    -------
    float or None
        dB, above 3; None where the gain is known, or the signal hardly louder.
    """
    if signals.gain is not None or signals.noisy is None:
        return None
    before, after = powers(signals, "noisy"), powers(signals, "enhanced")
    if not before.any():
        return None
    counted = before > before.max() * 10 ** (-RANGE_DB / 10)
    change = 10 * np.log10((after[counted] + _TINY) / before[counted])
    order = np.argsort(change)
    share = np.cumsum(before[counted][order], dtype=np.float64)
    raised = float(change[order][np.searchsorted(share, SHARE * share[-1])])
    return raised if raised > LOUDER_DB else None
