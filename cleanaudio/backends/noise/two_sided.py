"""Noise estimated from both sides: minima and speech absence over the seconds before and after each moment.

A file can be read ahead, and two seconds of the future tell more about the noise under a syllable than any recursion
over the past. The ideas are those of minimum statistics (Martin 2001: the minimum bounds the noise, compensated for its
bias) and of IMCRA (Cohen 2003: a second round averages what is no speech by the minima), with symmetric windows
in place of recursions, like the noncausal prior of Cohen (2004).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.stft import hann
from cleanaudio.backends.noise.minimum import minimum_bias

Power = NDArray[np.float32]
Raw = tuple[Power, NDArray[np.bool_]]
Segment = tuple[Power | None, Power, Power]
Sums = tuple[Power, Power, Power]


class TwoSided:
    """Works on a grid of short segments of frames.

    1. The least of the segments' mean powers within two seconds to both sides, compensated for its bias, is a first
       estimate A.
    2. The probability of absence of speech in each frame follows from its power (smoothed over 11 frames) and A as in
       Gerkmann & Hendriks (2012, eq. 18).
    3. The noise is the mean of the powers within most of a second to both sides, weighted by that probability, with A
       as a small share, so that it stands where there is speech all along; interpolated between the segments.

    Parameters
    ----------
    hop_s : float
        Seconds from frame to frame.
    overlap : int
        Frames that share a sample.
    tiny : float
        Power of a bin that counts as nothing.
    """

    SEGMENT_S, REACH_S, MEAN_S = 0.128, 2.0, 0.8
    ABSENCE, XI_DB = 0.2, 15.0
    """A priori probability of absence, and SNR of a bin that holds speech."""
    FIRST_SHARE = 0.1
    """Weight of A, in segments of certain absence."""
    SMOOTH_S = 0.04

    def __init__(self, hop_s: float, overlap: int, tiny: float) -> None:
        self._frames = frames = max(2, round(self.SEGMENT_S / hop_s))
        reach = max(1, round(self.REACH_S / (frames * hop_s)))
        mean_reach = max(1, round(self.MEAN_S / (frames * hop_s)))
        self.look_ahead = (reach + mean_reach + 3) * frames - 1
        self._windows = [_Window(1), _Window(reach), _Window(mean_reach), _Window(1)]
        self._stages: list[Callable[[Sequence[Any], int], Any]] = [
            self._weighed,
            self._first_round,
            self._second_round,
            self._between,
        ]
        self._side = min(frames, max(1, round(self.SMOOTH_S / hop_s)))
        self._smoother = _smoother(self._side, frames)
        self._kernel = _hann(mean_reach)
        freedom = 2 * frames / _correlation(frames, overlap)
        self._bias = [float(minimum_bias(count, freedom)) for count in range(2 * reach + 2)]
        place = (np.arange(frames) + 0.5) / frames - 0.5  # of a frame in its segment, -½ … ½
        self._interpolator = np.stack([np.maximum(-place, 0), 1 - np.abs(place), np.maximum(place, 0)], 1).astype("f4")
        xi = 10 ** (self.XI_DB / 10)
        self._slope = np.float32(-xi / (1 + xi))
        self._odds = np.float32(np.log(self.ABSENCE / (1 - self.ABSENCE) * (1 + xi)))
        self._tiny = np.float32(tiny)
        self._partial = overlap - 1
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._loose: Power | None = None
        for each in self._windows:
            each.reset()

    def __call__(self, powers: Power) -> Power:
        """Take (frames, bins), return the noise PSD of the frames that are decided: (m, bins)."""
        loose = powers if self._loose is None else np.concatenate([self._loose, powers])
        end = len(loose) // self._frames * self._frames
        decided = [powers[:0]]
        for start in range(0, end, self._frames):
            decided += self._run(0, self._segment(loose[start : start + self._frames]))
        self._loose = loose[end:].copy()
        return np.concatenate(decided)

    def flush(self) -> Power:
        """Return the noise PSD of the frames that still waited."""
        if self._loose is None:
            return np.zeros((0, 0), np.float32)
        decided = [self._loose[:0]]
        missing = -len(self._loose) % self._frames
        if missing:
            filled = np.concatenate([self._loose, np.repeat(self._loose[-1:], missing, axis=0)])
            decided += self._run(0, self._segment(filled, self._frames - missing))
        for level, (around, stage) in enumerate(zip(self._windows, self._stages, strict=True)):
            for view in around.rest():
                decided += self._run(level + 1, stage(*view))
        noise = np.concatenate(decided)
        return noise[: len(noise) - missing]

    def _run(self, level: int, item: Any) -> Iterator[Power]:
        """Put an item into a stage's window, and what the stage makes of it into the next."""
        if level == len(self._stages):
            yield item
            return
        for view in self._windows[level].push(item):
            yield from self._run(level + 1, self._stages[level](*view))

    def _segment(self, powers: Power, real: int | None = None) -> Raw:
        """Return a segment of whose frames the first ``real`` count, and which of them are silent."""
        silent = powers.max(axis=1) <= self._tiny
        silent[len(powers) if real is None else real :] = True
        return powers, silent

    def _weighed(self, segments: Sequence[Raw], at: int) -> Segment:
        """Return the mean, the powers and the weights of a segment: frames that reach into silence do not count."""
        outside = np.ones(self._frames, np.bool_)  # so that those at either end of the recording do not count
        powers, silent = segments[at]
        before = segments[at - 1][1] if at else outside
        after = segments[at + 1][1] if at + 1 < len(segments) else outside
        around = np.convolve(np.concatenate([before, silent, after]), np.ones(2 * self._partial + 1), "same")
        weights = (around[self._frames : 2 * self._frames] < 0.5).astype(np.float32)
        total = weights.sum()
        return (weights @ powers / total if total else None), powers, weights

    def _first_round(self, segments: Sequence[Segment], at: int) -> Sums:
        """Return sums of the powers without speech and of the weights, and the estimate from the minimum."""
        _, powers, weights = segments[at]
        means = [mean for mean, *_ in segments if mean is not None]
        if means:
            lowest = np.maximum(np.min(means, axis=0) * np.float32(self._bias[len(means)]), self._tiny)
        else:
            lowest = np.full(powers.shape[1], self._tiny)
        before = segments[at - 1][1][-self._side :] if at else np.repeat(powers[:1], self._side, axis=0)
        after = np.repeat(powers[-1:], self._side, axis=0)
        if at + 1 < len(segments):
            after = segments[at + 1][1][: self._side]
        absence = self._smoother @ np.concatenate([before, powers, after])
        absence /= lowest
        absence *= self._slope
        absence += self._odds
        np.exp(absence, out=absence)
        absence /= absence + 1
        absence *= weights[:, None]
        total = absence.mean(axis=0)
        absence *= powers
        return absence.mean(axis=0), total, lowest

    def _second_round(self, sums: Sequence[Sums], at: int) -> Power:
        """Return the noise PSD of a segment."""
        reach = len(self._kernel) // 2
        kernel = self._kernel[reach - at :][: len(sums)]
        powers, weights, lowest = (np.stack(parts) for parts in zip(*sums, strict=True))
        noise = kernel @ powers + self.FIRST_SHARE * lowest[at]
        noise /= kernel @ weights + np.float32(self.FIRST_SHARE)
        return noise

    def _between(self, noises: Sequence[Power], at: int) -> Power:
        """Return the noise PSD of a segment's frames, interpolated."""
        return self._interpolator @ np.stack([noises[max(0, at - 1)], noises[at], noises[min(at + 1, len(noises) - 1)]])


class _Window:
    """Hands out each item of a sequence with up to ``reach`` neighbours on both sides, as soon as they are there."""

    def __init__(self, reach: int) -> None:
        self._reach = reach
        self.reset()

    def reset(self) -> None:
        self._items: deque[Any] = deque()
        self._next = 0

    def push(self, item: Any) -> Iterator[tuple[Sequence[Any], int]]:
        self._items.append(item)
        if len(self._items) - self._next > self._reach:
            yield self._view()

    def rest(self) -> Iterator[tuple[Sequence[Any], int]]:
        while self._next < len(self._items):
            yield self._view()

    def _view(self) -> tuple[Sequence[Any], int]:
        view = list(self._items), self._next
        self._next += 1
        if self._next > self._reach:
            self._items.popleft()
            self._next -= 1
        return view


def _hann(reach: int) -> Power:
    """Return a symmetric window of 2 · reach + 1 values without zeros, 1 in the middle."""
    return hann(2 * reach + 2)[1:].astype(np.float32)


def _smoother(side: int, frames: int) -> Power:
    """Return the matrix (frames, frames + 2 · side) that smooths over frames."""
    kernel = _hann(side) / (side + 1)
    rows = np.zeros((frames, frames + 2 * side), np.float32)
    for row in range(frames):
        rows[row, row : row + 2 * side + 1] = kernel
    return rows


def _correlation(frames: int, overlap: int) -> float:
    """Return by how much the variance of a mean over frames exceeds that of independent ones (Welch 1967)."""
    size = 64 * overlap
    shape = hann(size)
    total = 1.0
    for lag in range(1, overlap):
        shared = float(shape[64 * lag :] @ shape[: -64 * lag] / (shape @ shape))
        total += 2 * shared**2 * max(0.0, 1 - lag / frames)
    return total
