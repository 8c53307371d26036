"""Streaming short-time Fourier transform: samples in, frames out, and back, in blocks of any size.

The signal is preceded by ``window - hop`` zeros, so that every sample lies under the full number of windows and an
unchanged spectrum gives the signal back exactly. Frame ``t`` covers the samples ``t * hop - (window - hop)`` up to
``t * hop + hop`` of the signal.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

WindowName = Literal["hann", "sqrt-hann", "vorbis"]


def hann(frames: int) -> NDArray[np.float64]:
    """Return the periodic Hann window of so many samples."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(frames) / frames))


def window(name: WindowName, frames: int) -> NDArray[np.float32]:
    """Return a periodic analysis window.

    Parameters
    ----------
    name : {"hann", "sqrt-hann", "vorbis"}
        ``vorbis`` is the power-complementary window of the Vorbis I specification, section 4.3.1.
    frames : int
        Length in samples.

    Returns
    -------
    ndarray, shape (frames,), float32
    """
    if name == "vorbis":
        half = np.sin(np.pi * (np.arange(frames) + 0.5) / frames)
        return np.sin(np.pi / 2 * half**2).astype(np.float32)
    shape = hann(frames)
    return (np.sqrt(shape) if name == "sqrt-hann" else shape).astype(np.float32)


def sizes(rate: int, window_s: float, hop_s: float) -> tuple[int, int]:
    """Return window and hop in samples: the longest hop not longer than asked whose windows transform quickly.

    Parameters
    ----------
    rate : int
        Hz.
    window_s, hop_s : float
        Seconds; a window is a whole number of hops, the nearest to what is asked, two at least.
    """
    overlap = max(2, round(window_s / hop_s))
    hop = max(2, int(hop_s * rate + 1e-6))
    while hop > 2 and not _quick(hop * overlap):
        hop -= 1
    return hop * overlap, hop


def _quick(size: int) -> bool:
    if size % 2:
        return False
    for factor in (2, 3, 5, 7):
        while size % factor == 0:
            size //= factor
    return size == 1


def synthesis_window(analysis: NDArray[np.float32], hop: int) -> NDArray[np.float32]:
    """Return the least-squares synthesis window of Griffin & Lim (1984, eq. 6) for an analysis window and hop."""
    periods = -(-len(analysis) // hop)
    padded = np.zeros(periods * hop)
    padded[: len(analysis)] = analysis
    energy = np.sum(padded.reshape(periods, hop) ** 2, axis=0)
    return (analysis / np.tile(energy, periods)[: len(analysis)]).astype(np.float32)


class Stft:
    """Streaming analysis.

    Parameters
    ----------
    channels : int
    analysis : ndarray, shape (window,)
        Analysis window.
    hop : int
        Samples from frame to frame.
    """

    def __init__(self, channels: int, analysis: NDArray[np.float32], hop: int) -> None:
        self.channels = channels
        self.analysis = np.asarray(analysis, np.float32)
        self.hop = hop
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._pending = np.zeros((self.channels, len(self.analysis) - self.hop), np.float32)

    def push(self, block: NDArray[np.float32]) -> NDArray[np.complex64]:
        """Take samples of shape (channels, n), return the frames that are complete: (channels, frames, bins)."""
        size = len(self.analysis)
        signal = np.concatenate([self._pending, block], axis=1)
        count = max(0, (signal.shape[1] - size) // self.hop + 1)
        self._pending = signal[:, count * self.hop :]
        if not count:
            return np.zeros((self.channels, 0, size // 2 + 1), np.complex64)
        frames = sliding_window_view(signal, size, axis=1)[:, : count * self.hop : self.hop]
        return np.fft.rfft(frames * self.analysis, axis=-1).astype(np.complex64, copy=False)


class Istft:
    """Streaming overlap-add synthesis, the counterpart of :class:`Stft`: each frame completes ``hop`` samples.

    Parameters
    ----------
    channels : int
    synthesis : ndarray, shape (window,)
        Synthesis window, see :func:`synthesis_window`.
    hop : int
        Samples from frame to frame.
    """

    def __init__(self, channels: int, synthesis: NDArray[np.float32], hop: int) -> None:
        self.channels = channels
        self.synthesis = np.asarray(synthesis, np.float32)
        self.hop = hop
        self._periods = -(-len(synthesis) // hop)
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._overlap = np.zeros((self.channels, self._periods - 1, self.hop), np.float32)
        self._skip = len(self.synthesis) - self.hop

    def push(self, spectra: NDArray[np.complex64]) -> NDArray[np.float32]:
        """Take frames of shape (channels, frames, bins), return the samples that they complete: (channels, m)."""
        channels, count, _ = spectra.shape
        if not count:
            return np.zeros((channels, 0), np.float32)
        size, hop, periods = len(self.synthesis), self.hop, self._periods
        frames = np.fft.irfft(spectra, size, axis=-1) * self.synthesis
        if size < periods * hop:
            frames = np.pad(frames, ((0, 0), (0, 0), (0, periods * hop - size)))
        pieces = frames.reshape(channels, count, periods, hop)
        out = np.zeros((channels, count + periods - 1, hop), np.float32)
        out[:, : periods - 1] = self._overlap
        for period in range(periods):
            out[:, period : period + count] += pieces[:, :, period]
        self._overlap = out[:, count:].copy()
        done = out[:, :count].reshape(channels, count * hop)
        skip = min(self._skip, done.shape[1])  # the zeros put before the signal
        self._skip -= skip
        return done[:, skip:]
