"""Short frames of two signals that are compared, as Hu & Loizou (2008) cut them: 30 ms, a quarter apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.metrics.interface import NotMeasurable

FRAME_S = 0.03
_KEPT = 0.95
TOO_SHORT = NotMeasurable("shorter than a frame of 30 ms and a quarter of one")


def hann_frames(signal: NDArray, rate: int) -> NDArray[np.float64]:
    """Return the whole frames of a signal but the last, under a Hann window without its zero ends.

    The last whole frame is left out because the authors' own programs leave it out, and published figures with them:
    they count (N − size) / hop frames.

    Returns
    -------
    ndarray, shape (frames, samples)
        None at all where the signal is too short.
    """
    size = round(FRAME_S * rate)
    hop = size // 4
    count = max(0, int(len(signal) / hop - size / hop))
    if not count:
        return np.zeros((0, size))
    window = np.hanning(size + 2)[1:-1]
    return np.lib.stride_tricks.sliding_window_view(signal, size)[: count * hop : hop] * window


def autocorrelation(frames: NDArray[np.float64], order: int) -> NDArray[np.float64]:
    """Return the lags 0 … order of each frame, (frames, order + 1)."""
    size = frames.shape[1]
    spectra = np.fft.rfft(frames, 2 * size, axis=1)
    return np.fft.irfft(np.abs(spectra) ** 2, axis=1)[:, : order + 1]


def predictors(lags: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the linear-prediction filters (1, a_1 … a_p) of autocorrelations, all frames at once (Levinson-Durbin).

    Parameters
    ----------
    lags : ndarray, shape (frames, p + 1)
        With lag 0 above zero.

    Returns
    -------
    ndarray, shape (frames, p + 1)
    """
    order = lags.shape[1] - 1
    filters = np.zeros_like(lags)
    filters[:, 0] = 1
    error = lags[:, 0].copy()
    for step in range(1, order + 1):
        reflection = -np.sum(filters[:, :step] * lags[:, step:0:-1], axis=1) / error
        filters[:, 1 : step + 1] += reflection[:, None] * filters[:, step - 1 :: -1][:, :step]
        error *= 1 - reflection**2
    return filters


def trimmed_mean(values: NDArray[np.float64]) -> float:
    """Return the mean of the lowest 95 %, which keeps a few odd frames from deciding (Hu & Loizou 2008, section II)."""
    return float(np.mean(np.sort(values)[: max(1, round(_KEPT * len(values)))]))
