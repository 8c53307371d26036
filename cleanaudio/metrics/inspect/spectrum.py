"""Long-term spectra, and what is read off them: the real bandwidth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.stft import hann
from cleanaudio.metrics.interface import Measured, NotMeasurable, Vector
from cleanaudio.metrics.levels import SILENCE

SIZE = 4096
SMOOTHING_BINS = 5
BELOW_PEAK_DB = 80.0
LOWEST_DB = -125.0
"""The noise of 16-bit rounding spread over the bins lies at about −131 dBFS each; less than this is no recording."""
_CHUNK = 256


def long_term(signal: Vector, size: int = SIZE) -> NDArray[np.float64]:
    """Return the mean power of each bin, 1 being a sine of full scale: Hann window, frames overlapping by half.

    Parameters
    ----------
    signal : ndarray, shape (frames,)
        Padded with silence to one frame.

    Returns
    -------
    ndarray, shape (size // 2 + 1,)
    """
    signal = np.pad(signal, (0, max(0, size - len(signal))))
    window = hann(size)
    frames = np.lib.stride_tricks.sliding_window_view(signal, size)[:: size // 2]
    total = np.zeros(size // 2 + 1)
    for start in range(0, len(frames), _CHUNK):  # frames overlap in memory; their windowed copies must not pile up
        total += np.sum(np.abs(np.fft.rfft(frames[start : start + _CHUNK] * window, axis=1)) ** 2, axis=0)
    return total / len(frames) * (2 / window.sum()) ** 2


def bandwidth(signal: Vector, rate: int) -> Measured:
    """Return up to which frequency there is a recording, in Hz.

    The highest frequency whose level in the long-term spectrum, smoothed over 5 bins, is at most 80 dB below the
    highest and above what rounding to 16 bits leaves. Resampling and lossy codecs leave less above their edge; a
    microphone in a room leaves more.
    """
    power = np.convolve(long_term(signal), np.ones(SMOOTHING_BINS) / SMOOTHING_BINS, "same")
    if not power.any():
        return SILENCE
    level = 10 * np.log10(power + 1e-30)
    heard = np.flatnonzero(level > max(level.max() - BELOW_PEAK_DB, LOWEST_DB))
    if not len(heard):
        return NotMeasurable("nothing louder than the noise of 16-bit rounding")
    edge = heard[-1] + 0.5
    return float(min(edge - SMOOTHING_BINS // 2 if heard[-1] < SIZE // 2 else edge, SIZE / 2) * rate / SIZE)
