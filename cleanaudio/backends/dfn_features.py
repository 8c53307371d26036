"""What DeepFilterNet hears: ERB band levels and the lowest bins, both normalised by a running mean.

After H. Schröter et al., "DeepFilterNet: A low complexity speech enhancement framework for full-band audio based on
deep filtering", ICASSP 2022, section 2.2, with the constants of its library libDF.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.backends.dfn_archive import Config

Real = NDArray[np.float32]
Complex = NDArray[np.complex64]

_EAR_Q, _MIN_BANDWIDTH_HZ = 9.265, 24.7  # Glasberg & Moore (1990)
_LEVEL_AT_START_DB, _LEVEL_UNIT_DB = (-60.0, -90.0), 40.0  # running mean at the lowest … highest band
_MAGNITUDE_AT_START = (0.001, 0.0001)  # at the lowest … highest bin
_LEAST_POWER, _LEAST_MAGNITUDE = 1e-10, 1e-12


def erb_widths(rate: int, window: int, bands: int, least: int) -> NDArray[np.int64]:
    """Return how many STFT bins each ERB band has; they add up to ``window // 2 + 1``.

    Bands are equally wide on the ERB-rate scale; one that is narrower than ``least`` bins takes from the next.

    Parameters
    ----------
    rate : int
        Hz.
    window : int
        Frame length, samples.
    bands : int
    least : int
        Bins.
    """
    highest = _EAR_Q * np.log1p(rate / 2 / (_MIN_BANDWIDTH_HZ * _EAR_Q))
    scale = highest / bands * np.arange(1, bands + 1)
    edges = np.round(_MIN_BANDWIDTH_HZ * _EAR_Q * np.expm1(scale / _EAR_Q) * window / rate).astype(int)
    widths = np.zeros(bands, np.int64)
    start = taken = 0
    for band, end in enumerate(edges):
        width = end - start - taken
        taken = max(least - width, 0)
        widths[band] = max(width, least)
        start = end
    widths[-1] += window // 2 + 1 - widths.sum()
    return widths


class RunningMean:
    """m[t] = α m[t-1] + (1 - α) x[t] along the first axis, many steps at once.

    Parameters
    ----------
    start : ndarray, shape (k,)
        m before the first step.
    decay : float
        α.
    steps : int
        Longest piece that is given at once.
    """

    def __init__(self, start: Real, decay: float, steps: int) -> None:
        self._start = start
        lag = np.arange(steps)[:, None] - np.arange(steps)
        self._spread = np.where(lag >= 0, (1 - decay) * decay ** np.maximum(lag, 0), 0).astype(np.float32)
        self._fade = (decay ** np.arange(1, steps + 1)).astype(np.float32)[:, None]
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._mean = self._start

    def __call__(self, values: Real) -> Real:
        """Take (n, k), return the means (n, k)."""
        n = len(values)
        means = self._spread[:n, :n] @ values + self._fade[:n] * self._mean
        if n:
            self._mean = means[-1]
        return means


class Features:
    """Streaming features of a mono signal.

    Parameters
    ----------
    config : Config
    frames : int
        Most frames that are given at once.
    """

    def __init__(self, config: Config, frames: int) -> None:
        widths = erb_widths(config.rate, config.window, config.erb_bands, config.least_bins)
        self.band_of_bin = np.repeat(np.arange(config.erb_bands), widths)
        self._scale = np.float32(2 * config.hop / config.window**2)  # the network was trained on spectra scaled so
        self._bands = np.zeros((config.window // 2 + 1, config.erb_bands), np.float32)
        self._bands[np.arange(len(self.band_of_bin)), self.band_of_bin] = self._scale**2 / widths[self.band_of_bin]
        self._bins = config.filtered_bins
        levels = np.linspace(*_LEVEL_AT_START_DB, config.erb_bands, dtype=np.float32)
        magnitudes = np.linspace(*_MAGNITUDE_AT_START, config.filtered_bins, dtype=np.float32)
        self._level = RunningMean(levels, config.decay, frames)
        self._magnitude = RunningMean(magnitudes, config.decay, frames)

    def reset(self) -> None:
        """Forget the signal."""
        self._level.reset()
        self._magnitude.reset()

    def __call__(self, spectra: Complex) -> tuple[Real, Complex]:
        """Take (frames, bins), return band levels (frames, bands) and normalised bins (frames, filtered bins)."""
        power = spectra.real**2 + spectra.imag**2
        levels: Real = np.float32(10) * np.log10(power @ self._bands + np.float32(_LEAST_POWER))
        low: Complex = spectra[:, : self._bins] * self._scale
        mean = self._magnitude(np.abs(low))
        levels = (levels - self._level(levels)) / np.float32(_LEVEL_UNIT_DB)
        low /= np.sqrt(np.maximum(mean, np.float32(_LEAST_MAGNITUDE)))
        return levels, low
