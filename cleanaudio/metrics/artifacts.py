"""Musical noise: isolated short tonal peaks that a gain left standing where it removed all around them.

``artifacts`` (0 … 1, lower is better) is the larger of two views; the second needs the noisy input and is left out
without it.

**Isolated peaks** (single-ended, own). Under any gain that is smooth over time and frequency, a bin of Gaussian noise
has the power μx, where x follows the exponential distribution and the median is μ ln 2. The share of the energy in
bins that stand D above the median is then (1 + t) exp(−t), t = D ln 2: 2·10⁻⁴ for 12 dB. Harmonics of speech stand
high above their neighbours in frequency, but not in time; onsets and clicks in time, but not in frequency. Musical
noise does both. So a bin counts as isolated when it is 12 dB above both the median of its bin over ±40 ms (the bins
beside it count as the same, so that a gliding harmonic is not isolated) and the median of its frame over ±250 Hz.
Each quiet but audible frame (10 … 50 dB below the louder speech, where speech does not mask) has its share of
isolated energy; their mean s becomes ``1 − exp(−(s − 0.002) / 0.015)``. On real pairs clean speech has s near 0.001,
a neural denoiser 0.002, noisereduce 0.005, spectral subtraction without a floor 0.015 … 0.06.

**Kurtosis** (double-ended; Uemura, Takahashi, Saruwatari, Shikano & Kondo, IWAENC 2008). Their measure is the ratio
of the kurtosis E[p⁴]/E[p²]² of the powers p in noise-only frames after and before processing: 6 for Gaussian noise,
more for musical noise. A suppressor that fades pauses out also raises it, though nothing tonal is heard; so each
power is first divided by its local mean (±16 ms, ±125 Hz), which a smooth gain does not change. The ratio is
``kurtosis_ratio`` (0 … ∞, 1 is unchanged, lower is better); the score is ``1 − ratio^(−3/2)``, at least 0.

At 16 kHz (soxr), on the channel means, 125 Hz … 7 kHz.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from cleanaudio.metrics.interface import Measured, NotMeasurable, Signals, single
from cleanaudio.metrics.spectrogram import Powers, levels, loud, powers

PROMINENCE_DB = 12.0
NEAR_FRAMES, NEAR_BINS = 5, 8
QUIET_DB, AUDIBLE_DB = 10.0, 50.0
FLOOR_DB = 90.0
FEWEST_FRAMES = 60
"""Half a second; of fewer quiet frames the score is not the mean but counts the missing ones as clean."""
SHARE_OF_SPEECH, SHARE_SCALE = 0.002, 0.015
LOCAL_FRAMES, LOCAL_BINS = 2, 4
PAUSE_SHARE = 0.4
CHUNK = 2000
"""Frames worked on at once."""

SHORT = NotMeasurable("shorter than half a second")
SILENT = NotMeasurable("digital silence")


def isolated_share(spectrogram: Powers) -> float:
    """Return the mean share of isolated energy in the quiet, audible frames.

    Parameters
    ----------
    spectrogram : ndarray, shape (frames, bins)
        Not all zero.
    """
    level = levels(spectrogram)
    top = loud(level)
    judged = (level > top - AUDIBLE_DB) & (level < top - QUIET_DB)
    floor = 10 ** ((top - FLOOR_DB) / 10) / spectrogram.shape[1]
    total = 0.0
    for start in range(0, len(spectrogram), CHUNK):
        first = max(0, start - NEAR_FRAMES)
        piece = spectrogram[first : start + CHUNK + NEAR_FRAMES]
        inner = slice(start - first, start - first + CHUNK)
        share = _isolated(10 * np.log10(piece + floor), piece)[inner]
        total += float(share[judged[start : start + CHUNK]].sum())
    return total / max(FEWEST_FRAMES, int(judged.sum()))


def _isolated(level: NDArray, power: Powers) -> NDArray[np.float64]:
    beside = np.pad(level, ((0, 0), (1, 1)), mode="edge")
    widened = np.maximum(np.maximum(beside[:, :-2], beside[:, 2:]), level)
    around = np.maximum(_running_median(widened.T, NEAR_FRAMES).T, _running_median(level, NEAR_BINS))
    stands_out = level > around + PROMINENCE_DB
    whole = power.sum(axis=1, dtype=np.float64)
    return np.sum(power * stands_out, axis=1) / np.where(whole > 0, whole, 1)


def _running_median(values: NDArray, reach: int) -> NDArray:
    """Return the median over ``reach`` neighbours to either side along the last axis."""
    windows = sliding_window_view(np.pad(values, ((0, 0), (reach, reach)), mode="edge"), 2 * reach + 1, axis=1)
    return np.partition(windows, reach, axis=-1)[..., reach]


def local_kurtosis(spectrogram: Powers, frames: NDArray[np.bool_]) -> float:
    """Return the kurtosis E[p⁴]/E[p²]² of powers over their local mean, in the given frames."""
    floor = 10 ** ((loud(levels(spectrogram)) - AUDIBLE_DB) / 10) / spectrogram.shape[1]
    power = spectrogram.astype(np.float64) + floor
    smooth = _running_mean(_running_mean(power, LOCAL_BINS).T, LOCAL_FRAMES).T
    squares = (power[frames] / smooth[frames]) ** 2
    return float(np.mean(squares**2) / np.mean(squares) ** 2)


def _running_mean(values: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    padded = np.pad(values, ((0, 0), (reach, reach)), mode="edge")
    total = np.zeros_like(values)
    for k in range(2 * reach + 1):
        total += padded[:, k : k + values.shape[1]]
    return total / (2 * reach + 1)


def pauses(spectrogram: Powers) -> NDArray[np.bool_]:
    """Return which frames of a noisy signal are most likely without speech: the quieter 40 %, smoothed over 70 ms.

    Digital silence is none of them, and does not count; where there is nothing else it is all of them.
    """
    sounds = np.asarray(spectrogram.any(axis=1))
    if not sounds.any():
        return np.ones(len(sounds), bool)
    level = np.convolve(np.pad(levels(spectrogram), 4, mode="edge"), np.ones(9) / 9, "valid")
    return np.logical_and(sounds, level <= np.quantile(level[sounds], PAUSE_SHARE))


def _kurtosis_ratio(signals: Signals) -> Measured:
    before, after = powers(signals, "noisy"), powers(signals, "enhanced")
    if len(before) < FEWEST_FRAMES:
        return SHORT
    if not before.any():
        return NotMeasurable("the noisy input is digitally silent")
    if not after.any():
        return SILENT
    frames = pauses(before)
    return local_kurtosis(after, frames) / local_kurtosis(before, frames)


def _artifacts(signals: Signals) -> Measured:
    spectrogram = powers(signals, "enhanced")
    if len(spectrogram) < FEWEST_FRAMES:
        return SHORT
    if not spectrogram.any():
        return SILENT
    peaks = 1 - np.exp(-max(0.0, isolated_share(spectrogram) - SHARE_OF_SPEECH) / SHARE_SCALE)
    if signals.noisy is None:
        return float(peaks)
    ratio = KURTOSIS_RATIO(signals)["kurtosis_ratio"]
    if isinstance(ratio, NotMeasurable):
        return float(peaks)
    return float(max(peaks, 1 - max(1.0, ratio) ** -1.5))


KURTOSIS_RATIO = single(
    "kurtosis_ratio",
    _kurtosis_ratio,
    needs=frozenset({"noisy"}),
    higher_is_better=False,
    low=0.0,
    summary="kurtosis of the residual noise over that of the input's",
)
ARTIFACTS = single(
    "artifacts",
    _artifacts,
    higher_is_better=False,
    low=0.0,
    high=1.0,
    summary="musical noise: isolated short tonal peaks",
)
