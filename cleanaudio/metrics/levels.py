"""What the meters say: loudness, true peak, noise floor, clipping and dynamic range.

All at the recording's own rate, of all channels (not of their mean).

* ``loudness`` (LUFS, −70 … ∞, neither is better): integrated, gated (ITU-R BS.1770-4).
* ``true_peak`` (dBTP, −∞ … ∞, lower is better): highest level of the waveform, oversampled (BS.1770-4, annex 2): four
  times, eight below 44.1 kHz, two from 96 kHz, not at all from 192 kHz. Above 0 a player may clip.
* ``noise_floor`` (dBFS, −∞ … ∞, lower is better): the level below which a tenth of the frames of 20 ms lie; digital
  silence is left out (see ``audio.level``).
* ``clipping_ratio`` (0 … 1, lower is better): share of samples in runs of two or more at full scale.
* ``dynamic_range`` (dB, 0 … ∞, higher is better): from the 10th to the 95th percentile of the levels of frames of
  50 ms, digital silence left out: from the background to the louder speech.
"""

from __future__ import annotations

import math

import numpy as np

from cleanaudio.audio.level import LevelMeter, Levels
from cleanaudio.audio.loudness import LoudnessMeter
from cleanaudio.audio.true_peak import TruePeakMeter
from cleanaudio.metrics.interface import Audio, Measured, NotMeasurable, Signals, single

SILENCE = NotMeasurable("digital silence")
RANGE_FRAME_S = 0.05


def frame_levels(audio: Audio, frame: int) -> np.ndarray:
    """Return the level in dBFS of each whole frame that is not digitally silent, power averaged over channels."""
    count = audio.shape[1] // frame
    frames = audio[:, : count * frame].reshape(len(audio), count, frame).astype(np.float64)
    power = np.mean((frames - frames.mean(axis=2, keepdims=True)) ** 2, axis=(0, 2))  # an offset is no sound
    return 10 * np.log10(power[power > 0])


def loudness_of(lufs: float | None) -> Measured:
    """Return the integrated loudness that a LoudnessMeter gives, or why there is none."""
    if lufs is None:
        return NotMeasurable("shorter than a gating block of 0.4 s")
    return NotMeasurable("nothing louder than -70 LUFS") if math.isinf(lufs) else lufs


def true_peak_of(peak: float) -> Measured:
    """Return in dBTP the peak that a TruePeakMeter gives."""
    return 20 * math.log10(peak) if peak else SILENCE


def _levels(signals: Signals) -> Levels:
    def make() -> Levels:
        meter = LevelMeter(signals.rate, len(signals.enhanced))
        meter.add(signals.enhanced)
        return meter.result()

    return signals.derived("levels", make)


def _loudness(signals: Signals) -> Measured:
    meter = LoudnessMeter(signals.rate, len(signals.enhanced), signals.channel_mask)
    meter.add(signals.enhanced)
    return loudness_of(meter.integrated())


def _true_peak(signals: Signals) -> Measured:
    meter = TruePeakMeter(signals.rate, len(signals.enhanced))
    meter.add(signals.enhanced)
    return true_peak_of(meter.finish())


def _noise_floor(signals: Signals) -> Measured:
    floor = _levels(signals).noise_floor_dbfs
    return SILENCE if floor is None else floor


def _clipping_ratio(signals: Signals) -> Measured:
    return _levels(signals).clipped_samples / signals.enhanced.size


def _dynamic_range(signals: Signals) -> Measured:
    levels = frame_levels(signals.enhanced, max(1, round(RANGE_FRAME_S * signals.rate)))
    if len(levels) < 10:
        return NotMeasurable("less than half a second that is not digital silence")
    low, high = np.percentile(levels, [10, 95])
    return float(high - low)


LOUDNESS = single(
    "loudness", _loudness, higher_is_better=None, unit="LUFS", low=-70.0, summary="integrated loudness (BS.1770-4)"
)
TRUE_PEAK = single(
    "true_peak", _true_peak, higher_is_better=False, unit="dBTP", summary="highest level between the samples"
)
NOISE_FLOOR = single(
    "noise_floor", _noise_floor, higher_is_better=False, unit="dBFS", summary="level of the quietest tenth"
)
CLIPPING_RATIO = single(
    "clipping_ratio", _clipping_ratio, higher_is_better=False, low=0.0, high=1.0, summary="share of clipped samples"
)
DYNAMIC_RANGE = single(
    "dynamic_range", _dynamic_range, higher_is_better=True, unit="dB", low=0.0, summary="from background to loud speech"
)
