"""Minimum statistics.

Martin (2001), "Noise power spectral density estimation based on optimal smoothing and minimum statistics", IEEE Trans.
Speech Audio Process. 9(5).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.backends.noise.smoothing import per_frame

Power = NDArray[np.float32]

_LENGTHS = (1, 2, 5, 8, 10, 15, 20, 30, 40, 60, 80, 120, 140, 160)
_MEANS = (0, 0.26, 0.48, 0.58, 0.61, 0.668, 0.705, 0.762, 0.8, 0.841, 0.865, 0.89, 0.9, 0.91)
_HOP_S = 0.016  # the paper's: 128 frames at 8 kHz


def mean_of_minimum(length: float) -> float:
    """Return M(D) of the paper's table III for a search over so many values, between and beyond its rows."""
    if length > _LENGTHS[-1]:
        return 1 - (1 - _MEANS[-1]) * (_LENGTHS[-1] / length) ** 0.5
    return float(np.interp(length, _LENGTHS, _MEANS))


def minimum_bias(length: float, freedom: NDArray[np.floating] | float) -> NDArray[np.floating]:
    """Return B_min, mean over expected minimum (eq. 17).

    The table was fitted to recursively smoothed powers, neighbours alike; for independent values it is 10 to 20 % low.

    Parameters
    ----------
    length : float
        Values that the minimum is taken over, D.
    freedom : float or ndarray
        Degrees of freedom of one value, Q_eq.
    """
    m = mean_of_minimum(length)
    scaled = (np.maximum(freedom, 2.0) - 2 * m) / (1 - m)
    return 1 + 2 * (length - 1) / scaled


class MinimumStatistics:
    """The minimum of the optimally smoothed periodogram, compensated for its bias.

    The paper's factors hold for a hop of 16 ms and are converted to others.

    Parameters
    ----------
    hop_s : float
        Seconds from frame to frame.
    tiny : float
        Smallest PSD.
    """

    WINDOWS, WINDOW_S = 8, 0.192
    """U sub-windows of V = 12 frames: the search reaches back 1.5 s."""
    SMOOTH_MAX, CORRECTION_KEEP, CORRECTION_MIN, VARIANCE_MAX = 0.96, 0.7, 0.7, 0.8
    """α_max (eq. 11), the least α_c (eq. 10), the largest β (eq. 20)."""
    SLOPES = ((0.03, 8.0), (0.05, 4.0), (0.06, 2.0), (np.inf, 1.2))
    """Largest rise within a sub-window, by the mean of 1 / Q_eq (figure 5)."""
    SNR_DECAY_S = 0.064
    """Decay of speech that bounds the smoothing factor from below (eq. 12)."""

    def __init__(self, hop_s: float, tiny: float) -> None:
        self._max = per_frame(self.SMOOTH_MAX, hop_s, _HOP_S)
        self._correction_keep = float(per_frame(self.CORRECTION_KEEP, hop_s, _HOP_S))
        self._variance_max = per_frame(self.VARIANCE_MAX, hop_s, _HOP_S)
        self._decay = -hop_s / self.SNR_DECAY_S
        self._frames = max(2, round(self.WINDOW_S / hop_s))
        self._tiny = np.float32(tiny)

    def start(self, psd: Power) -> None:
        """Forget the signal and begin with the PSD (bins,)."""
        self._now, self._smooth, self._first = psd.copy(), psd.copy(), psd.copy()
        self._second = np.square(psd, dtype=np.float64)  # recordings far above full scale leave the range of float32
        self._correction = 1.0
        self._lowest, self._lowest_sub = (np.full_like(psd, np.inf) for _ in range(2))
        self._stored: list[Power] = []
        self._local = np.zeros(psd.shape, np.bool_)
        self._age = 0

    def __call__(self, powers: Power) -> Power:
        """Take (frames, bins), return the noise PSD of the same shape."""
        noise = np.empty_like(powers)
        totals = powers.sum(axis=1, dtype=np.float64)
        for power, total, out in zip(powers, totals, noise, strict=True):
            inverse = self._average(power, float(total))
            self._search(inverse)
            out[:] = self._now
        return noise

    def _average(self, power: Power, total: float) -> Power:
        """Smooth the periodogram (eqs. 4, 9 to 12) and return 1 / Q_eq (eqs. 20 to 22)."""
        smooth, now = self._smooth, self._now
        smooth_total = float(smooth.sum(dtype=np.float64))
        correction = 1 / (1 + (smooth_total / max(total, float(self._tiny)) - 1) ** 2)
        keep = self._correction_keep
        self._correction = keep * self._correction + (1 - keep) * max(correction, self.CORRECTION_MIN)
        alpha = smooth / now
        snr = smooth_total / float(now.sum(dtype=np.float64))
        alpha -= 1
        alpha *= alpha
        alpha += 1
        np.divide(self._max * np.float32(self._correction), alpha, out=alpha)
        np.maximum(alpha, min(0.3, snr**self._decay), out=alpha)
        smooth -= power
        smooth *= alpha
        smooth += power
        np.maximum(smooth, self._tiny, out=smooth)
        beta = alpha  # eq. 20 onwards
        beta *= alpha
        np.minimum(beta, self._variance_max, out=beta)
        self._first -= smooth
        self._first *= beta
        self._first += smooth
        squared = np.square(smooth, dtype=np.float64)
        self._second -= squared
        self._second *= beta
        self._second += squared
        inverse = np.square(self._first, dtype=np.float64)
        np.subtract(self._second, inverse, out=inverse)
        inverse /= np.square(now, dtype=np.float64, out=squared)
        inverse *= 0.5
        np.clip(inverse, 0.5 / (self.WINDOWS * self._frames), 0.5, out=inverse)
        return inverse.astype(np.float32)

    def _search(self, inverse: Power) -> None:
        """Find the minimum, compensated for its bias, and let it rise at once where it may (figure 5)."""
        mean_inverse = float(inverse.mean())
        correction = np.float32(1 + 2.12 * np.sqrt(mean_inverse))  # eq. 23, a_v = 2.12
        freedom = 1 / inverse
        compensated = self._smooth * minimum_bias(self.WINDOWS * self._frames, freedom) * correction
        lower = compensated < self._lowest
        np.copyto(self._lowest, compensated, where=lower)
        np.copyto(self._lowest_sub, self._smooth * minimum_bias(self._frames, freedom) * correction, where=lower)
        if self._age == self._frames - 1:
            self._close(mean_inverse, lower)
            self._age = 0
        else:
            if self._age > 0:
                self._local |= lower
                np.minimum(self._now, self._lowest_sub, out=self._now)
            self._age += 1
        np.maximum(self._now, self._tiny, out=self._now)

    def _close(self, mean_inverse: float, lower: NDArray[np.bool_]) -> None:
        """End a sub-window: its minimum joins the others, or replaces them where the noise has plainly risen."""
        self._stored = [*self._stored, self._lowest.copy()][-self.WINDOWS :]
        lowest = np.min(self._stored, axis=0)
        slope = next(slope for limit, slope in self.SLOPES if mean_inverse < limit)
        rising = self._local & ~lower & (self._lowest_sub < slope * lowest) & (self._lowest_sub > lowest)
        np.copyto(lowest, self._lowest_sub, where=rising)
        for row in self._stored:
            np.copyto(row, self._lowest_sub, where=rising)
        self._now[:] = lowest
        self._local[:] = False
        self._lowest.fill(np.inf)
        self._lowest_sub.fill(np.inf)
