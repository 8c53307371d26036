"""Improved minima controlled recursive averaging.

Cohen (2003), "Noise spectrum estimation in adverse environments: improved minima controlled recursive averaging",
IEEE Trans. Speech Audio Process. 11(5).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.backends.estimators import LOG_AMPLITUDE
from cleanaudio.backends.noise.smoothing import neighbours, per_frame, recursive

Power = NDArray[np.float32]


class Imcra:
    """Two rounds of smoothing and minimum search; the second leaves out what the first took for speech.

    The paper's factors hold for a hop of 8 ms and are converted to others.

    Parameters
    ----------
    hop_s : float
        Seconds from frame to frame.
    tiny : float
        Smallest PSD.
    """

    SMOOTH, NOISE, PRIOR = 0.9, 0.85, 0.92
    """Factors of the local energy (eq. 15), the noise (eq. 10) and the a priori SNR (eq. 32): table I."""
    WINDOWS, WINDOW_S = 8, 0.12
    """U sub-windows of V = 15 frames for the minimum search."""
    MINIMUM_BIAS, NOISE_BIAS = 1.66, 1.47
    """B_min (eq. 18) and β (eq. 12)."""
    RATIO_FIRST, RATIO_SECOND, RATIO_LOCAL = 4.6, 3.0, 1.67
    """γ₀ of the rough decision (eq. 21), γ₁ of the a priori absence (eq. 29), and ζ₀ of both."""
    XI_MIN = 10**-1.8
    ABSENCE_MAX = 0.999
    """Below one, so that a bin far above the noise counts as speech whatever the minima are."""

    def __init__(self, hop_s: float, tiny: float) -> None:
        self._smooth = per_frame(self.SMOOTH, hop_s)
        self._rate = np.float32(1 - per_frame(self.NOISE, hop_s))
        self._prior = per_frame(self.PRIOR, hop_s)
        self._tiny = np.float32(tiny)
        frames = max(1, round(self.WINDOW_S / hop_s))
        self._first, self._second = (_Minimum(self.WINDOWS, frames) for _ in range(2))

    def start(self, psd: Power) -> None:
        """Forget the signal and begin with the PSD (bins,)."""
        self._mean = psd / np.float32(self.NOISE_BIAS)
        self._energy, self._quiet_energy = psd.copy(), psd.copy()
        lowest = psd / np.float32(self.MINIMUM_BIAS)
        self._first.start(lowest)
        self._second.start(lowest)
        self._clean = np.zeros_like(psd)

    def __call__(self, powers: Power) -> Power:
        """Take (frames, bins), return the noise PSD of the same shape."""
        absence = self._absence(powers)
        noise = np.empty_like(powers)
        mean, clean = self._mean, self._clean
        gamma, xi, work, likely = (np.empty_like(mean) for _ in range(4))
        keep, bias = self._prior, np.float32(self.NOISE_BIAS)
        for power, q, out in zip(powers, absence, noise, strict=True):
            np.multiply(mean, bias, out=work)
            np.divide(power, work, out=gamma)
            np.minimum(gamma, 1000, out=gamma)
            np.divide(clean, work, out=xi)  # eq. 32
            xi *= keep
            np.subtract(gamma, 1, out=work)
            work *= 1 - keep
            np.maximum(work, 0, out=work)
            xi += work
            np.maximum(xi, self.XI_MIN, out=xi)
            np.add(xi, 1, out=work)
            np.divide(xi, work, out=clean)  # Wiener gain; γ becomes ν
            gamma *= clean
            np.negative(gamma, out=likely)
            np.exp(likely, out=likely)
            likely *= work
            likely *= q
            np.subtract(1, q, out=work)  # eq. 7: p = (1 - q) / (1 - q + q (1 + ξ) exp(-ν))
            work += likely
            likely /= work  # = 1 - p
            LOG_AMPLITUDE.apply(clean, gamma)
            np.minimum(clean, 1, out=clean)
            clean *= clean
            clean *= power
            likely *= self._rate  # eqs. 10 and 11
            np.subtract(power, mean, out=work)
            work *= likely
            mean += work
            np.maximum(mean, self._tiny, out=mean)
            np.multiply(mean, bias, out=out)  # eq. 12
        return noise

    def _absence(self, powers: Power) -> Power:
        """Return the a priori probability of speech absence q̂ (eq. 29), (frames, bins)."""
        floor = np.float32(1 / self.MINIMUM_BIAS)
        energy = recursive(neighbours(powers), self._smooth, self._energy)  # eqs. 14 and 15
        scale = floor / self._first(energy)  # eq. 18
        rough = (powers * scale < self.RATIO_FIRST) & (energy * scale < self.RATIO_LOCAL)  # eq. 21
        weight = neighbours(rough.astype(np.float32))
        quiet = neighbours(np.where(rough, powers, 0))  # eq. 26
        any_quiet = weight > 0
        np.divide(quiet, weight, out=quiet, where=any_quiet)
        share = any_quiet * np.float32(1 - self._smooth)
        state = self._quiet_energy
        work = np.empty_like(state)
        for row, part in zip(quiet, share, strict=True):  # eq. 27
            np.subtract(row, state, out=work)
            work *= part
            state += work
            row[:] = state
        scale = floor / self._second(quiet)  # eq. 28
        ratio = powers * scale
        ratio -= np.float32(self.RATIO_SECOND)
        ratio /= np.float32(1 - self.RATIO_SECOND)
        np.clip(ratio, 0, self.ABSENCE_MAX, out=ratio)
        ratio *= energy * scale < self.RATIO_LOCAL
        return ratio


class _Minimum:
    """The minimum over the last ``windows`` sub-windows of ``frames`` frames (Cohen 2003, section IV)."""

    def __init__(self, windows: int, frames: int) -> None:
        self._windows, self._frames = windows, frames

    def start(self, lowest: Power) -> None:
        self._lowest, self._current = lowest.copy(), lowest.copy()
        self._stored = [lowest.copy()]
        self._age = 0

    def __call__(self, energy: Power) -> Power:
        """Take energies (frames, bins), return their running minima."""
        minima = np.empty_like(energy)
        lowest, current = self._lowest, self._current
        for row, out in zip(energy, minima, strict=True):
            np.minimum(lowest, row, out=lowest)
            np.minimum(current, row, out=current)
            out[:] = lowest
            self._age += 1
            if self._age == self._frames:
                self._age = 0
                self._stored = [*self._stored, current.copy()][-self._windows :]
                np.min(self._stored, axis=0, out=lowest)
                current[:] = row
        return minima
