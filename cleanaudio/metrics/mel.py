"""Mel filters, as librosa computes them, in numpy alone (importing librosa takes longer than most metrics)."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.stft import window


def _to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slaney's mel scale (Auditory Toolbox, 1998): linear to 1 kHz at 200/3 Hz a mel, then 27 mels a factor of 6.4."""
    return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))


def _to_mel(hertz: float) -> float:
    return hertz * 3 / 200 if hertz < 1000 else 15 + 27 * np.log(hertz / 1000) / np.log(6.4)


@cache
def filters(rate: int, size: int, bands: int) -> NDArray[np.float32]:
    """Return triangular mel filters of equal area.

    Parameters
    ----------
    rate : int
    size : int
        Length of the Fourier transform.
    bands : int
        Number of bands between 0 Hz and ``rate / 2``.

    Returns
    -------
    ndarray, shape (bands, size // 2 + 1), float32
        Equal to ``librosa.filters.mel(sr=rate, n_fft=size, n_mels=bands)``.
    """
    edges = _to_hz(np.linspace(0, _to_mel(rate / 2), bands + 2))
    frequencies = np.arange(size // 2 + 1) * rate / size
    rise = (frequencies - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - frequencies) / (edges[2:] - edges[1:-1])[:, None]
    triangles = np.maximum(0, np.minimum(rise, fall))
    return (triangles * (2 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


def power_frames(signal: NDArray[np.float32], size: int, hop: int) -> NDArray[np.float32]:
    """Return the power spectra of all whole frames of a signal, under a periodic Hann window.

    Returns
    -------
    ndarray, shape (frames, size // 2 + 1), float32
    """
    frames = np.lib.stride_tricks.sliding_window_view(signal, size)[::hop]
    spectra = np.fft.rfft(frames * window("hann", size), axis=-1)
    return (spectra.real**2 + spectra.imag**2).astype(np.float32)
