"""A look-ahead peak limiter that is not there until it is needed.

The gain that keeps each frame within ±1 is made to begin early and to end slowly: the attenuation in decibels is
taken as the maximum over the look-ahead, falls back by at most a constant slope, and is averaged over the length of
the look-ahead, so that it arrives at a peak with it and never jumps. All channels get the same gain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Audio = NDArray[np.float32]

LOOK_AHEAD_S = 0.005
RELEASE_DB_PER_S = 60.0


class Limiter:
    """Streaming limiter at full scale; frames whose neighbourhood does not exceed ±1 pass bit by bit.

    Parameters
    ----------
    rate, channels : int

    Attributes
    ----------
    limited : int
        Samples above full scale so far.
    """

    def __init__(self, rate: int, channels: int) -> None:
        self.limited = 0
        self._ahead = max(1, round(rate * LOOK_AHEAD_S))
        self._slope = RELEASE_DB_PER_S / rate
        self._waiting = np.zeros((channels, 0), dtype=np.float32)
        self._needed = np.zeros(0)  # dB, of the waiting frames
        self._released = 0.0  # dB, of the last frame that left
        self._history = np.zeros(self._ahead)  # dB before averaging, of the last frames that left

    def process(self, block: Audio) -> Audio:
        """Take (channels, n), return the frames whose look-ahead is complete; ``block`` is not changed."""
        peak = np.abs(block).max(axis=0, initial=0.0)
        return self._advance(block, peak, keep=self._ahead)

    def flush(self) -> Audio:
        """Return the frames that still wait."""
        return self._advance(self._waiting[:, :0], np.zeros(0, dtype=np.float32), keep=0)

    def _advance(self, block: Audio, peak: NDArray[np.float32], keep: int) -> Audio:
        over = peak > 1.0
        needed = np.zeros(len(peak))
        if over.any():
            self.limited += int(np.count_nonzero(np.abs(block[:, over]) > 1.0))
            needed[over] = 20.0 * np.log10(peak[over].astype(np.float64))
        audio = np.concatenate((self._waiting, block), axis=1)
        needed = np.concatenate((self._needed, needed))
        count = max(0, audio.shape[1] - keep)
        self._waiting, self._needed = audio[:, count:].copy(), needed[count:]
        out = audio[:, :count]
        if not count or not (needed.any() or self._history.any()):
            return out
        gain = self._gain(needed, count)
        active = gain < 1.0
        out[:, active] = np.clip(out[:, active] * gain[active], -1.0, 1.0)
        return out

    def _gain(self, needed: NDArray[np.float64], count: int) -> NDArray[np.float64]:
        """Gain of the first ``count`` frames."""
        padded = np.concatenate((needed, np.zeros(max(0, count + self._ahead - len(needed)))))
        ahead = _sliding_maximum(padded, self._ahead + 1)[:count]
        ramp = self._slope * np.arange(1, count + 1)
        released = np.maximum.accumulate(np.concatenate(([self._released], ahead + ramp)))[1:] - ramp
        released[released < 1e-9] = 0.0
        self._released = float(released[-1])
        joined = np.concatenate((self._history, released))
        self._history = joined[count:].copy()
        sums = np.cumsum(np.concatenate(([0.0], joined)))
        smooth = (sums[self._ahead + 1 :] - sums[: -self._ahead - 1]) / (self._ahead + 1)
        silent = _sliding_maximum(joined, self._ahead + 1)[:count] == 0.0
        smooth[silent] = 0.0  # the difference of two sums is not exactly zero
        return 10.0 ** (-smooth / 20.0)


def _sliding_maximum(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Maximum of ``values[i : i + length]`` for each i, by doubling the window."""
    result, width = values, 1
    while 2 * width <= length:
        result = np.maximum(result[:-width], result[width:])
        width *= 2
    rest = length - width
    return np.maximum(result[: len(result) - rest], result[rest:]) if rest else result
