"""Log-spectral distance: how far the spectrum is from the reference's, over the whole band and above 8 kHz.

* ``lsd`` (dB, 0 … ∞, lower is better): root mean square over the bins of the difference of the log spectra, averaged
  over frames (Gray & Markel, IEEE TASSP 1976, the L2 norm).
* ``lsd_hi`` (dB, 0 … ∞, lower is better): the same above 8 kHz, from the bin on that 8 kHz falls into (7992 Hz at
  48 kHz): does the output keep the band that wide-band models throw away? Recordings above 24 kHz only.

Frames of 2048 samples side by side under a Hann window, at the recording's own rate, on the channel means; magnitudes
have 1e-5 added, which bounds what frames of digital silence can cost.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.metrics.interface import Measured, NotMeasurable, Signals, single
from cleanaudio.metrics.snr import ENHANCED_SILENT, SILENT

SIZE = 2048
FLOOR = 1e-5
HIGH_HZ = 8000
LEAST_RATE = 24000
"""Above this rate there is enough of a band above 8 kHz to speak of."""

TOO_SHORT = NotMeasurable(f"shorter than a frame of {SIZE} samples")


def log_spectra(signal: NDArray) -> NDArray[np.float64]:
    """Return the level of each bin in dB, (frames, SIZE // 2 + 1)."""
    count = len(signal) // SIZE
    frames = signal[: count * SIZE].reshape(count, SIZE)
    return 20 * np.log10(np.abs(np.fft.rfft(frames * np.hanning(SIZE), axis=1)) + FLOOR)


def _distance(signals: Signals, first_bin: int) -> Measured:
    reference, enhanced = signals.mono("reference"), signals.mono("enhanced")
    if not reference.any():
        return SILENT
    if not enhanced.any():
        return ENHANCED_SILENT
    difference = log_spectra(reference) - log_spectra(enhanced)
    if not len(difference):
        return TOO_SHORT
    return float(np.mean(np.sqrt(np.mean(difference[:, first_bin:] ** 2, axis=1))))


def _lsd(signals: Signals) -> Measured:
    return _distance(signals, 0)


def _lsd_hi(signals: Signals) -> Measured:
    if signals.rate <= LEAST_RATE:
        return NotMeasurable(f"a rate of {signals.rate} Hz leaves too little above 8 kHz")
    return _distance(signals, int(HIGH_HZ / signals.rate * SIZE))


LSD = single(
    "lsd",
    _lsd,
    needs=frozenset({"reference"}),
    higher_is_better=False,
    unit="dB",
    low=0.0,
    summary="log-spectral distance",
)
LSD_HI = single(
    "lsd_hi",
    _lsd_hi,
    needs=frozenset({"reference"}),
    higher_is_better=False,
    unit="dB",
    low=0.0,
    summary="log-spectral distance above 8 kHz",
)
