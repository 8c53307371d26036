"""Where nobody speaks: the quiet, even stretches of a recording, found as it streams by.

A recording is cut into segments of half a second. A segment is a candidate for noise when it is among the quietest and
its level is even: speech swings by tens of decibels within half a second, rooms and machines by a few. What each
segment sounds like is summed up on the way, so that one pass is enough and memory does not grow.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.stft import Stft, window

Audio = NDArray[np.float32]

SEGMENT_S = 0.5
WINDOW_S = 0.032
MOST_SEGMENTS = 64
"""Segments that are remembered at most, the quietest."""

_SILENT_DBFS = -100.0
_NEAR_DB = 3.0
_EVEN_DB = 3.5
_USUAL_LONGEST_S = 12.0


@dataclass(frozen=True)
class Segment:
    """Half a second of a recording.

    Parameters
    ----------
    start, end : float
        Seconds.
    level_dbfs : float
        Mean power, 0 dBFS being a full-scale square wave.
    spread_db : float
        Standard deviation of the level from frame to frame.
    power : ndarray, shape (bins,)
        Mean |STFT|² over frames and channels.
    frames : int
        Frames behind ``power``.
    """

    start: float
    end: float
    level_dbfs: float
    spread_db: float
    power: NDArray[np.float64]
    frames: int


class Segments:
    """Cuts a stream into segments and remembers the quietest.

    Parameters
    ----------
    rate, channels : int
    keep : int or None
        How many are remembered; None: all of them.

    Attributes
    ----------
    analysis : ndarray, shape (window,)
        The analysis window (Hann, 32 ms, hop of a quarter).
    """

    def __init__(self, rate: int, channels: int, keep: int | None = MOST_SEGMENTS) -> None:
        self._rate, self._keep = rate, keep
        self._hop = max(1, round(WINDOW_S * rate / 4))
        self.analysis = window("hann", 4 * self._hop)
        self._stft = Stft(channels, self.analysis, self._hop)
        self._length = max(4, round(SEGMENT_S * rate / self._hop))
        self._waiting: list[NDArray[np.float32]] = []
        self._count = self._segments = 0
        self._skip = 3  # frames that overlap the silence put before the recording
        self._heap: list[tuple[float, int, Segment]] = []

    def add(self, block: Audio) -> None:
        """Take the next samples, (channels, n)."""
        spectra = self._stft.push(block)
        power = np.mean(spectra.real**2 + spectra.imag**2, axis=0)
        skip = min(self._skip, len(power))
        self._skip -= skip
        self._waiting.append(power[skip:])
        self._count += len(power) - skip
        while self._count >= self._length:
            joined = np.concatenate(self._waiting)
            self._remember(joined[: self._length])
            self._waiting = [joined[self._length :]]
            self._count -= self._length

    def finish(self) -> list[Segment]:
        """Return the remembered segments in order of time; the rest of the recording counts if it is long enough."""
        joined = np.concatenate(self._waiting) if self._waiting else np.zeros((0, 1), np.float32)
        if len(joined) >= 4 and (len(joined) >= self._length // 2 or not self._heap):
            self._remember(joined)
        return sorted((segment for *_, segment in self._heap), key=lambda segment: segment.start)

    def _remember(self, power: NDArray) -> None:
        start = self._segments * self._length * self._hop / self._rate
        self._segments += 1
        scale = 2.0 / (len(self.analysis) * float(np.sum(self.analysis.astype(np.float64) ** 2)))
        frame_levels = 10 * np.log10(np.maximum(power[:, 1:].sum(axis=1, dtype=np.float64) * scale, 1e-20))
        level = float(10 * np.log10(np.mean(10 ** (frame_levels / 10))))
        if level < _SILENT_DBFS:  # an edit or a gate says nothing about the room
            return
        segment = Segment(
            start,
            start + len(power) * self._hop / self._rate,
            level,
            float(np.std(frame_levels)),
            power.mean(axis=0, dtype=np.float64),
            len(power),
        )
        item = (-level, -self._segments, segment)
        if self._keep is None or len(self._heap) < self._keep:
            heapq.heappush(self._heap, item)
        else:
            heapq.heappushpop(self._heap, item)


def noise_only(segments: list[Segment]) -> list[Segment]:
    """Return the segments that most likely hold no speech, of those remembered.

    The quiet and even ones: within 3 dB of the quietest even segment, at most 12 s in all. Where no segment is even,
    the single quietest one.
    """
    if not segments:
        return []
    even = sorted((s for s in segments if s.spread_db <= _EVEN_DB), key=lambda s: s.level_dbfs)
    if not even:
        return [min(segments, key=lambda s: s.level_dbfs)]
    floor = even[min(len(even) - 1, len(even) // 10)].level_dbfs
    near = [segment for segment in even if segment.level_dbfs <= floor + _NEAR_DB]
    chosen, seconds = [], 0.0
    for segment in near:
        chosen.append(segment)
        seconds += segment.end - segment.start
        if seconds >= _USUAL_LONGEST_S:
            break
    return sorted(chosen, key=lambda s: s.start)
