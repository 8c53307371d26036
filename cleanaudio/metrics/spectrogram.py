"""The power spectrogram on which artifacts and distortion are judged: 16 kHz, frames of 32 ms every 8 ms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.metrics.interface import Signals
from cleanaudio.metrics.mel import power_frames

RATE = 16000
SIZE = 512
HOP = 128
LOWEST_HZ, HIGHEST_HZ = 125, 7000

Powers = NDArray[np.float32]


def powers(signals: Signals, what: str) -> Powers:
    """Return the power of each frame and bin between 125 Hz and 7 kHz (or 0.45 of a lower rate), (frames, bins).

    No frame at all where the signal is shorter than one.
    """

    def make() -> Powers:
        signal = signals.mono(what, RATE)
        highest = min(HIGHEST_HZ, 0.45 * signals.rate)
        bins = slice(LOWEST_HZ * SIZE // RATE, int(highest * SIZE / RATE) + 1)
        if len(signal) < SIZE:
            return np.zeros((0, bins.stop - bins.start), np.float32)
        return np.ascontiguousarray(power_frames(signal, SIZE, HOP)[:, bins])

    return signals.derived(("powers", what), make)


def levels(spectrogram: Powers) -> NDArray[np.float64]:
    """Return the level of each frame in dB, −200 in digital silence."""
    return 10 * np.log10(np.sum(spectrogram, axis=1, dtype=np.float64) + 1e-20)


def loud(frame_levels: NDArray[np.float64]) -> float:
    """Return the level of the louder speech: the 95th percentile of the frames' levels."""
    return float(np.percentile(frame_levels, 95))
