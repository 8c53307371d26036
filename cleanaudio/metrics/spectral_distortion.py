"""What cleaning did to the part of the signal that is speech, without a reference.

``spectral_distortion`` (dB, 0 … ∞, lower is better): log-spectral distance between the noisy input and the enhanced
signal over those bins where the input stands at least 15 dB above its own noise (the 20th percentile of the bin over
time), so that it is nearly clean there. The median difference, a change of level, is taken out first; one bin counts at
most 40 dB. Mean over frames with at least five such bins. At 16 kHz (soxr), on the channel means, 125 Hz … 7 kHz.
"""

from __future__ import annotations

import numpy as np

from cleanaudio.metrics.interface import Measured, NotMeasurable, Signals, single
from cleanaudio.metrics.spectrogram import powers

ABOVE_DB = 15.0
NOISE_QUANTILE = 0.2
FEWEST_BINS, FEWEST_FRAMES = 5, 10
HIGHEST_DB = 40.0
_TINY = 1e-14


def _spectral_distortion(signals: Signals) -> Measured:
    before, after = powers(signals, "noisy"), powers(signals, "enhanced")
    if len(before) < FEWEST_FRAMES or not before.any():
        return NotMeasurable("too short, or digital silence")
    sounds = before.any(axis=1)  # digital silence tells nothing of the noise
    before, after = before[sounds], after[sounds]
    noise = np.quantile(before, NOISE_QUANTILE, axis=0)
    speech = before > np.maximum(noise * 10 ** (ABOVE_DB / 10), _TINY)
    count = speech.sum(axis=1)
    frames = count >= FEWEST_BINS
    if frames.sum() < FEWEST_FRAMES:
        return NotMeasurable(f"nothing stands {ABOVE_DB:g} dB above the noise of the input")
    difference = 10 * np.log10((after[frames] + _TINY) / (before[frames] + _TINY))
    kept = speech[frames]
    difference = np.clip(difference - np.median(difference[kept]), -HIGHEST_DB, HIGHEST_DB)
    return float(np.mean(np.sqrt(np.sum(kept * difference**2, axis=1) / count[frames])))


SPECTRAL_DISTORTION = single(
    "spectral_distortion",
    _spectral_distortion,
    needs=frozenset({"noisy"}),
    higher_is_better=False,
    unit="dB",
    low=0.0,
    summary="change of the spectrum where the input is speech",
)
