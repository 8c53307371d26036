"""Centroid, bandwidth, flatness and roll-off of the spectrum, as librosa computes them."""

from __future__ import annotations

import numpy as np

from cleanaudio.metrics.interface import Measured, NotMeasurable, Vector
from cleanaudio.metrics.levels import SILENCE

SIZE = 2048
ROLL_OFF = 0.95
_CHUNK = 512
"""Frames at once: librosa makes many copies."""
KEYS = ("spectral_centroid_hz", "spectral_bandwidth_hz", "spectral_flatness", "spectral_rolloff_hz")


def spectral_shape(signal: Vector, rate: int) -> dict[str, Measured]:
    """Return the mean over frames of four features (``librosa.feature``, frames of 2048 samples).

    * ``spectral_centroid_hz``: centre of gravity of the magnitude spectrum.
    * ``spectral_bandwidth_hz``: spread around it (order 2).
    * ``spectral_flatness``: geometric over arithmetic mean of the power, 1 for white noise, 0 for a tone.
    * ``spectral_rolloff_hz``: 95 % of the magnitude lies below.

    Frames that are digitally silent are left out.
    """
    if len(signal) < SIZE:
        return dict.fromkeys(KEYS, NotMeasurable(f"shorter than a frame of {SIZE} samples"))
    import librosa

    spectra = np.abs(librosa.stft(signal, n_fft=SIZE))
    spectra = spectra[:, spectra.any(axis=0)]
    if not spectra.size:
        return dict.fromkeys(KEYS, SILENCE)
    found: list[list[np.ndarray]] = []
    for start in range(0, spectra.shape[1], _CHUNK):
        part = spectra[:, start : start + _CHUNK]
        found.append(
            [
                librosa.feature.spectral_centroid(S=part, sr=rate)[0],
                librosa.feature.spectral_bandwidth(S=part, sr=rate)[0],
                librosa.feature.spectral_flatness(S=part)[0],
                librosa.feature.spectral_rolloff(S=part, sr=rate, roll_percent=ROLL_OFF)[0],
            ]
        )
    means = [np.concatenate(values).mean() for values in zip(*found, strict=True)]
    return {key: float(value) for key, value in zip(KEYS, means, strict=True)}
