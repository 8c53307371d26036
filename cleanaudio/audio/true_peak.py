"""Levels of the waveform between the samples, as broadcasters measure them (ITU-R BS.1770-4, annex 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Audio = NDArray[np.float32]

_TAPS = 24
"""Input samples that each interpolated one is made of, from 44.1 kHz on. Such a filter is true up to 0.4 of the rate;
at lower rates sibilants lie above that, so there it is as long in time."""
_PIECE = 4096


class PeakFollower:
    """The highest level at each sample and half-way to its neighbours, while the signal streams by.

    The signal is interpolated four times (eight times below 44.1 kHz, twice from 96 kHz, not at all from 192 kHz) by a
    windowed sinc of 24 input samples or half a millisecond, twice as long as the example in the standard. Where the
    samples themselves are too low for the interpolated ones to rise above ``floor``, nothing is computed, and the
    samples' own levels stand.

    Parameters
    ----------
    rate, channels : int
    floor : float
        Linear; lower levels do not matter. May be raised on the way.

    Attributes
    ----------
    lag : int
        Frames by which the levels are behind the samples.
    """

    def __init__(self, rate: int, channels: int, floor: float = 0.0) -> None:
        factor = 8 if rate < 44100 else 4 if rate < 96000 else 2 if rate < 192000 else 1
        phases = np.arange(1, factor)[:, None] / factor
        self._length = count = 2 * round(_TAPS / 2 * max(1.0, 44100 / rate))
        distance = np.arange(count)[None, :] - (count // 2 - 1) - phases
        window = np.i0(8 * np.sqrt(np.maximum(0, 1 - (distance / (count / 2)) ** 2))) / np.i0(8)
        taps = np.sinc(distance) * window
        self._taps = (taps / taps.sum(axis=1, keepdims=True)).T.astype(np.float32)
        self._gain = float(np.abs(self._taps).sum(axis=0).max(initial=1.0))
        self.floor = floor
        self.lag = count // 2 if factor > 1 else 0
        self._past = np.zeros((channels, count - 1 if factor > 1 else 0), np.float32)
        self._before = 0.0  # of the gap in front of the next frame
        self._lead = self.lag

    def process(self, block: Audio) -> NDArray[np.float32]:
        """Take (channels, n), return the levels of the frames that are known by now, (m,)."""
        if not self.lag:
            return np.abs(block).max(axis=0, initial=0.0)
        signal = np.concatenate([self._past, block], axis=1)
        self._past = signal[:, signal.shape[1] - self._length + 1 :].copy()
        count = block.shape[1]
        first = self._length // 2 - 1
        levels = np.abs(signal[:, first : first + count]).max(axis=0, initial=0.0)
        gaps = np.zeros(count + 1, np.float32)  # gap k lies in front of frame k
        gaps[0] = self._before
        for start in range(0, count, _PIECE):
            piece = signal[:, start : min(start + _PIECE, count) + self._length - 1]
            here = gaps[start + 1 : start + _PIECE + 1]
            for row in piece[np.abs(piece).max(axis=1) * self._gain > self.floor]:
                between = np.lib.stride_tricks.sliding_window_view(row, self._length) @ self._taps
                np.maximum(here, np.abs(between).max(axis=1), out=here)
        self._before = float(gaps[-1])
        levels = np.maximum(levels, np.maximum(gaps[:-1], gaps[1:]))
        skip = min(self._lead, count)  # the zeros in front of the recording
        self._lead -= skip
        return levels[skip:]

    def flush(self) -> NDArray[np.float32]:
        """Return the levels of the last frames."""
        return self.process(np.zeros((len(self._past), self.lag), np.float32))


class TruePeakMeter:
    """Highest level of the waveform between the samples.

    Parameters
    ----------
    rate, channels : int

    Attributes
    ----------
    peak : float
        Linear, 1 is full scale. :meth:`finish` adds the last few samples.
    """

    def __init__(self, rate: int, channels: int) -> None:
        self._follower = PeakFollower(rate, channels)
        self.peak = 0.0

    def add(self, block: Audio) -> None:
        """Take the next frames, (channels, n)."""
        if block.shape[1]:
            self._see(np.array([block.max(), -block.min()]))
            self._see(self._follower.process(block))

    def finish(self) -> float:
        """Return the true peak of the whole stream, linear; nothing may be added after it."""
        self._see(self._follower.flush())
        return self.peak

    def _see(self, levels: NDArray) -> None:
        self.peak = self._follower.floor = max(self.peak, float(levels.max(initial=0.0)))
