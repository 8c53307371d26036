"""Differences of arrival time: generalised cross-correlation with phase transform, and its smoothing over time.

GCC-PHAT after Knapp & Carter (TASSP 24(4), 1976); the N best peaks of each window joined to a track by the Viterbi
algorithm after Anguera, Wooters & Hernando (TASLP 15(7), 2007, section III). A positive delay means that the sound
reaches the channel after the reference.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LOWEST_HZ, HIGHEST_HZ = 100.0, 8000.0
"""The band that decides: rumble below and empty spectrum above say nothing about a voice."""


_PER_MS, _JUMP = 10.0, 4.0


def band(size: int, rate: int) -> NDArray[np.float64]:
    """Return 1 for the bins of an FFT of ``size`` that lie in the deciding band, else 0; shape (size // 2 + 1,)."""
    hertz = np.arange(size // 2 + 1) * rate / size
    return ((hertz >= LOWEST_HZ) & (hertz <= HIGHEST_HZ)).astype(np.float64)


def phat(cross: NDArray[np.complexfloating]) -> NDArray[np.complexfloating]:
    """Return a cross-spectrum with its magnitude taken away; bins of no power become 0."""
    magnitude = np.abs(cross)
    return np.where(magnitude > 1e-20, cross / np.maximum(magnitude, 1e-20), 0)


def correlation(
    whitened: NDArray[np.complexfloating], size: int, weights: NDArray[np.float64], upsampling: int = 1
) -> NDArray[np.float64]:
    """Return the correlation over lag of whitened cross-spectra, 1 for identical signals.

    Parameters
    ----------
    whitened : ndarray, shape (..., size // 2 + 1)
        ``phat(X · conj(X_reference))``.
    size : int
        FFT length.
    weights : ndarray, shape (size // 2 + 1,)
        See :func:`band`.
    upsampling : int
        Points per sample of lag.

    Returns
    -------
    ndarray, shape (..., size * upsampling)
        Lag k / upsampling at index k, negative lags from the end.
    """
    total = 2 * weights.sum() - weights[0] - (weights[-1] if size % 2 == 0 else 0)
    return np.fft.irfft(whitened * weights, size * upsampling, axis=-1) * (size * upsampling / max(total, 1.0))


def best_peaks(
    curve: NDArray[np.float64], centre: float, reach: float, count: int, upsampling: int = 1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the highest local maxima of one correlation near a lag, parabolic between points.

    Parameters
    ----------
    curve : ndarray, shape (size * upsampling,)
        As :func:`correlation` gives it.
    centre, reach : float
        Lags from ``centre − reach`` to ``centre + reach`` samples are searched.
    count : int
        How many; where there are fewer the best is repeated.
    upsampling : int

    Returns
    -------
    lags : ndarray, shape (count,)
        Samples, best first.
    heights : ndarray, shape (count,)
    """
    half = len(curve) // 2 - 1
    low, high = (int(np.clip(round((centre + side) * upsampling), -half, half)) for side in (-reach, reach))
    index = np.arange(low - 1, high + 2)
    values = curve[index % len(curve)]
    inner = values[1:-1]
    peaks = 1 + np.flatnonzero((inner >= values[:-2]) & (inner > values[2:]))
    if not len(peaks):
        peaks = np.array([1 + int(np.argmax(inner))])
    best = peaks[np.argsort(-values[peaks], kind="stable")[:count]]
    before, at, after = values[best - 1], values[best], values[best + 1]
    bend = before - 2 * at + after
    curved = bend < 0
    shift = np.where(curved, 0.5 * (before - after) / np.where(curved, bend, 1.0), 0.0)
    lags = (index[best] + np.clip(shift, -0.5, 0.5)) / upsampling
    heights = at - 0.25 * (before - after) * np.clip(shift, -0.5, 0.5)
    fill = count - len(best)
    return np.concatenate([lags, np.full(fill, lags[0])]), np.concatenate([heights, np.full(fill, heights[0])])


class DelayTrack:
    """A Viterbi search with a fixed lag over the candidate delays of each channel.

    The score of a path is ten times the sum of its peaks, so that a window with little to go by says little, less
    10 for each millisecond of change from window to window, at most 4 (another speaker may take over).

    Parameters
    ----------
    channels, candidates : int
    rate : int
    lag : int
        Windows to hear before one is decided.
    """

    def __init__(self, channels: int, candidates: int, rate: int, lag: int = 8) -> None:
        self._shape = (channels, candidates)
        self._per_sample, self._lag = _PER_MS * 1000 / rate, lag
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._delays: list[NDArray[np.float64]] = []
        self._from: list[NDArray[np.intp]] = []
        self._score = np.zeros(self._shape)

    def push(self, delays: NDArray[np.float64], heights: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Take the candidates of a window, (channels, candidates) both; return the delays of one that is decided.

        Returns
        -------
        ndarray, shape (channels,), or None
        """
        emission = 10 * np.clip(heights, 0.0, 1.0)
        if self._delays:
            change = np.abs(delays[:, :, None] - self._delays[-1][:, None, :])
            reached = self._score[:, None, :] - np.minimum(self._per_sample * change, _JUMP)
            origin = np.argmax(reached, axis=-1)
            emission += np.take_along_axis(reached, origin[..., None], axis=-1)[..., 0]
        else:
            origin = np.zeros(self._shape, np.intp)
        self._delays.append(delays)
        self._from.append(origin)
        self._score = emission - emission.max(axis=-1, keepdims=True)
        return self._decide() if len(self._delays) > self._lag else None

    def flush(self) -> list[NDArray[np.float64]]:
        """Return the delays of the windows that are not decided yet, in order."""
        rest = []
        while self._delays:
            rest.append(self._decide())
        return rest

    def _decide(self) -> NDArray[np.float64]:
        state = np.argmax(self._score, axis=-1)
        for origin in reversed(self._from[1:]):
            state = np.take_along_axis(origin, state[:, None], axis=-1)[:, 0]
        self._from.pop(0)
        return np.take_along_axis(self._delays.pop(0), state[:, None], axis=-1)[:, 0]
