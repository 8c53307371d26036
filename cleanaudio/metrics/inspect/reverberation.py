"""How long the room rings on, estimated from the speech itself.

The level of a band can fall no faster than the room lets it. So the steepest falls of the levels, over windows long
enough not to be fooled by their ripple, tell the reverberation time (the idea of Wen, Habets & Naylor, ICASSP 2008:
the distribution of decay rates). Here: the 5th percentile of the slopes of regression lines over 120 and 200 ms in
four octaves from 250 Hz to 4 kHz, taken as decay times 60 dB / |slope| and averaged, is looked up in a table. The
table was made by this very code from real dry speech convolved with exponentially decaying noise, 3 dB less of it
than direct sound. It is a coarse figure: for 13 measured rooms it was within a factor of 2 (up to its limit of 2 s),
because the distance from the microphone counts too.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from cleanaudio.audio.resample import resampled
from cleanaudio.audio.stft import hann
from cleanaudio.metrics.interface import Measured, NotMeasurable, Vector

RATE = 16000
SIZE, HOP = 512, 128
BANDS_HZ = ((250, 500), (500, 1000), (1000, 2000), (2000, 4000))
WINDOWS = (15, 25)
"""Lengths of the regression lines in frames of 8 ms."""
PERCENTILE = 5
ABOVE_FLOOR_DB, BELOW_PEAK_DB = 8.0, 45.0
FEWEST_SLOPES = 200

_MEASURED_S = (0.310, 0.327, 0.356, 0.462, 0.610, 0.720, 0.812)
_TRUE_S = (0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 2.0)


def reverberation(signal: Vector, rate: int) -> Measured:
    """Return the estimated reverberation time T60 in seconds, 0.1 … 2.

    Parameters
    ----------
    signal : ndarray, shape (frames,)
        Speech; a noise that covers its decays leaves nothing to measure.
    rate : int
    """
    signal = resampled(signal, rate, RATE)
    if len(signal) < RATE:
        return NotMeasurable("shorter than a second")
    levels = _band_levels(signal)
    decays = []
    for window in WINDOWS:
        slopes = np.concatenate([_slopes(level, window) for level in levels])
        steepest = np.percentile(slopes, PERCENTILE) if len(slopes) >= FEWEST_SLOPES else 0.0
        if steepest >= 0:
            return NotMeasurable("too few decays stand out from the noise")
        decays.append(-60 / steepest)
    return float(np.interp(np.mean(decays), _MEASURED_S, _TRUE_S))


def _band_levels(signal: Vector) -> NDArray[np.float64]:
    """Return the level of each band and frame in dB, (bands, frames)."""
    window = hann(SIZE).astype(np.float32)
    frames = sliding_window_view(signal, SIZE)[::HOP]
    edges = [(low * SIZE // RATE, high * SIZE // RATE) for low, high in BANDS_HZ]
    pieces = []
    for start in range(0, len(frames), 4096):
        power = np.abs(np.fft.rfft(frames[start : start + 4096] * window, axis=1)) ** 2
        pieces.append(np.stack([power[:, low:high].sum(axis=1) for low, high in edges]))
    return 10 * np.log10(np.concatenate(pieces, axis=1).astype(np.float64) + 1e-12)


def _slopes(level: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Return the slopes in dB/s of the stretches that lie between the noise and the loudest frame less 45 dB."""
    if len(level) < window:
        return np.zeros(0)
    time = (np.arange(window) - (window - 1) / 2) * HOP / RATE
    slopes = np.convolve(level, time[::-1] / (time @ time), "valid")
    lowest = sliding_window_view(level, window).min(axis=1)
    floor = np.percentile(level, PERCENTILE) + ABOVE_FLOOR_DB
    return slopes[(lowest > floor) & (lowest > level.max() - BELOW_PEAK_DB)]
