"""A look-ahead peak limiter that changes nothing where no peak exceeds the ceiling.

The gain that keeps each frame below the ceiling is made to begin early and to end slowly: the attenuation in decibels
is taken as the maximum over the look-ahead, falls back by at most a constant slope, and is averaged over the length of
the look-ahead, so that it arrives at a peak with it and never jumps. All channels get the same gain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cleanaudio.audio.true_peak import PeakFollower

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Audio = NDArray[np.float32]

LOOK_AHEAD_S = 0.005
RELEASE_DB_PER_S = 60.0
_MARGIN_DB = 0.1
"""How far true-peak meters differ: peaks above the ceiling are brought this much below it."""


class Limiter:
    """Streaming limiter; frames whose neighbourhood does not exceed the ceiling pass bit by bit.

    Parameters
    ----------
    rate, channels : int
    ceiling : float
        Linear, 1 is full scale.
    true_peak : bool
        Whether the waveform between the samples counts too.

    Attributes
    ----------
    limited : int
        Samples above the ceiling so far.
    latency : int
        Frames.
    """

    def __init__(self, rate: int, channels: int, ceiling: float = 1.0, true_peak: bool = False) -> None:
        self.limited = 0
        self._ceiling = np.float32(ceiling)
        self._follower = PeakFollower(rate, channels, floor=ceiling) if true_peak else None
        self._margin_db = _MARGIN_DB if true_peak else 0.0
        self._ahead = max(1, round(rate * LOOK_AHEAD_S))
        self._slope = RELEASE_DB_PER_S / rate
        self._waiting = np.zeros((channels, 0), dtype=np.float32)
        self._needed = np.zeros(0)  # dB, of the waiting frames
        self._released = 0.0  # dB, of the last frame that left
        self._history: NDArray[np.float64] | None = None  # dB before averaging, of the last frames that left
        self.latency = self._ahead + (self._follower.lag if self._follower else 0)

    def process(self, block: Audio) -> Audio:
        """Take (channels, n), return the frames whose look-ahead is complete; ``block`` is not changed."""
        sizes = np.abs(block)
        loudest = sizes.max(axis=0, initial=0.0)
        if loudest.max(initial=0.0) > self._ceiling:
            self.limited += int(np.count_nonzero(sizes > self._ceiling))
        peak = self._follower.process(block) if self._follower else loudest
        return self._advance(block, peak, keep=self.latency)

    def flush(self) -> Audio:
        """Return the frames that still wait."""
        peak = self._follower.flush() if self._follower else np.zeros(0, dtype=np.float32)
        return self._advance(self._waiting[:, :0], peak, keep=0)

    def _advance(self, block: Audio, peak: NDArray[np.float32], keep: int) -> Audio:
        over = peak > self._ceiling
        needed = np.zeros(len(peak))
        if over.any():
            excess = 20.0 * np.log10(peak[over] / float(self._ceiling))
            needed[over] = excess + np.minimum(excess, self._margin_db)
        audio = np.concatenate((self._waiting, block), axis=1)
        needed = np.concatenate((self._needed, needed))
        count = max(0, audio.shape[1] - keep)
        self._waiting, self._needed = audio[:, count:].copy(), needed[count:]
        out = audio[:, :count]
        if not count:
            return out
        if self._history is None:  # a recording may begin loud, with no frames before it to turn down in
            self._history = np.full(self._ahead, needed[: self._ahead + 1].max())
        if not (needed.any() or self._history.any()):
            return out
        gain = self._gain(needed, count, self._history)
        active = gain < 1.0
        out[:, active] = np.clip(out[:, active] * gain[active], -self._ceiling, self._ceiling)
        return out

    def _gain(self, needed: NDArray[np.float64], count: int, history: NDArray[np.float64]) -> NDArray[np.float64]:
        """Gain of the first ``count`` frames."""
        padded = np.concatenate((needed, np.zeros(max(0, count + self._ahead - len(needed)))))
        ahead = _sliding_maximum(padded, self._ahead + 1)[:count]
        ramp = self._slope * np.arange(1, count + 1)
        released = np.maximum.accumulate(np.concatenate(([self._released], ahead + ramp)))[1:] - ramp
        released[released < 1e-9] = 0.0
        self._released = float(released[-1])
        joined = np.concatenate((history, released))
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
