"""Active speech level: how loud someone speaks while speaking, pauses left out (ITU-T P.56, method B).

The envelope of the signal (two exponential averages of 30 ms, one after the other) is compared with a ladder of
thresholds 6 dB apart, each prolonged by 200 ms so that the gaps inside speech count as speech. The level over the time
above a threshold, less that threshold, falls as the threshold climbs; where it passes the margin of 15.9 dB stand the
active level and the activity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]

TIME_CONSTANT_S = 0.03
HANGOVER_S = 0.2
MARGIN_DB = 15.9
_EXPONENTS = np.arange(-20, 3)
"""Powers of two of the thresholds. P.56 counts from one step of 16 bits to half of full scale; recordings in floating
point may lie on either side."""


@dataclass(frozen=True)
class SpeechLevel:
    """What a :class:`SpeechLevelMeter` found, 0 dBFS being a full-scale square wave.

    Parameters
    ----------
    active_dbfs : float or None
        Level while speech is active; None in silence.
    rms_dbfs : float or None
        Level over everything.
    activity : float
        Share of the time that is active, 0 … 1.
    """

    active_dbfs: float | None
    rms_dbfs: float | None
    activity: float


class SpeechLevelMeter:
    """Streaming meter of the active speech level; several channels are averaged by power.

    Parameters
    ----------
    rate : int
        Hz.
    channels : int

    Notes
    -----
    Names of the recommendation: p and q the two averages, c_j a threshold, a_j the samples counted for it, I the
    hangover in samples, M the margin. Between two thresholds the level is found on the straight line in dB.
    """

    def __init__(self, rate: int, channels: int) -> None:
        keep = math.exp(-1 / (rate * TIME_CONSTANT_S))
        self._filter = ([(1 - keep) ** 2], [1.0, -2 * keep, keep**2])  # both averages in one
        self._hangover = math.ceil(rate * HANGOVER_S)
        self._frames = 0
        self._state = np.zeros((channels, 2))
        self._energy = np.zeros(channels)
        self._counts = np.zeros((channels, len(_EXPONENTS)), dtype=np.int64)
        self._since = np.full((channels, len(_EXPONENTS)), self._hangover, dtype=np.int64)

    def add(self, block: Audio) -> None:
        """Take the next frames, (channels, n)."""
        from scipy.signal import lfilter

        frames = block.shape[1]
        if not frames:
            return
        samples = np.abs(block.astype(np.float64))
        envelope, self._state = lfilter(*self._filter, samples, zi=self._state)
        self._energy += np.einsum("cn,cn->c", samples, samples)
        self._frames += frames
        for counts, since, curve in zip(self._counts, self._since, envelope, strict=True):
            for step, threshold in enumerate(2.0**_EXPONENTS):
                above = np.flatnonzero(curve >= threshold)
                first = above[0] if len(above) else frames
                counts[step] += min(first, max(0, self._hangover - since[step]))
                if len(above):  # each sample above counts for itself and for what follows, until the next one
                    counts[step] += np.minimum(np.diff(above, append=frames), self._hangover + 1).sum()
                    since[step] = frames - 1 - above[-1]
                else:
                    since[step] += frames

    def result(self) -> SpeechLevel:
        """Return the level of what was seen so far."""
        levels = [_active_level(energy, counts) for energy, counts in zip(self._energy, self._counts, strict=True)]
        power = sum(10 ** (level / 10) for level in levels if level is not None) / len(levels)
        mean = float(self._energy.mean()) / self._frames if self._frames else 0.0
        if not power:
            return SpeechLevel(None, _db(mean), 0.0)
        return SpeechLevel(_db(power), _db(mean), min(1.0, mean / power))


def speech_level(signal: Audio, rate: int) -> SpeechLevel:
    """Return the active speech level of a signal, (channels, frames), at ``rate`` Hz."""
    meter = SpeechLevelMeter(rate, len(signal))
    meter.add(signal)
    return meter.result()


def _active_level(energy: float, counts: NDArray[np.int64]) -> float | None:
    """Return the level in dB at which it stands the margin above the threshold that finds it."""
    reached = counts > 0
    if not reached.any() or not energy:
        return None
    levels = 10 * np.log10(energy / counts[reached])
    above = levels - 20 * np.log10(2.0) * _EXPONENTS[reached] - MARGIN_DB
    passed = np.flatnonzero(above <= 0)
    if not len(passed):
        return float(levels[-1])
    step = int(passed[0])
    if step == 0:
        return float(levels[0])
    share = above[step - 1] / (above[step - 1] - above[step])
    return float(levels[step - 1] + share * (levels[step] - levels[step - 1]))


def _db(power: float) -> float | None:
    return 10 * math.log10(power) if power > 0 else None
