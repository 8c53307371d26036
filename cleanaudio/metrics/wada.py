"""WADA-SNR: the signal-to-noise ratio estimated from how the amplitudes are distributed.

``wada_snr`` (dB, −20 … 100, higher is better): Kim & Stern, Interspeech 2008. Amplitudes of clean speech follow a
symmetric Gamma distribution of shape 0.4, noise is taken as Gaussian. Then ``G = ln E|z| − E ln|z|`` grows with the
SNR and with nothing else, and a table of G, computed here from the model, is read backwards. At the recording's own
rate, on the channel mean; digitally silent samples are left out.

Of the model: for noise of variance 1 and a clean sample s, with n standard normal,

* E|s + n| = √(2/π) exp(−s²/2) + s erf(s/√2) (the folded normal distribution);
* E ln|s + n| = −(γ + ln 2)/2 + ∫₀ˢ √2 D(t/√2) dt, D being Dawson's function, because the derivative of the left side is
  the principal value of E[1/(s + n)];

and both are averaged over the Gamma distribution, s = u/β with density u^(a−1) e^(−u)/Γ(a), after the substitution
u = v^(1/a), which leaves the smooth integrand exp(−v^(1/a)) / Γ(a + 1).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from cleanaudio.metrics.interface import Measured, NotMeasurable, Signals, single

SHAPE = 0.4
LOWEST_DB, HIGHEST_DB, STEP_DB = -20.0, 100.0, 0.5
SHORTEST = 1000
"""Samples that a distribution takes."""


@cache
def table() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return SNRs in dB and the G that belongs to each, both ascending."""
    from scipy.special import dawsn, erf, gamma

    v = np.linspace(0, 40**SHAPE, 4001)
    u = v ** (1 / SHAPE)
    weight = np.exp(-u) / gamma(SHAPE + 1)
    weight[[0, -1]] /= 2
    weight *= v[1] - v[0]
    weight /= weight.sum()
    # ∫ √2 D(t/√2) dt on a grid; beyond it, by the asymptotic series of ln|s + n| around ln s
    grid = np.linspace(0, 30, 30001)
    slope = np.sqrt(2) * dawsn(grid / np.sqrt(2))
    integral = np.concatenate([[0], np.cumsum((slope[1:] + slope[:-1]) / 2)]) * grid[1]
    snrs = np.arange(LOWEST_DB, HIGHEST_DB + STEP_DB / 2, STEP_DB)
    values = []
    for snr in snrs:
        s = u * np.sqrt(10 ** (snr / 10) / (SHAPE * (SHAPE + 1)))
        magnitude = np.sqrt(2 / np.pi) * np.exp(-(s**2) / 2) + s * erf(s / np.sqrt(2))
        far = np.log(np.maximum(s, 1)) - 0.5 / np.maximum(s, 1) ** 2
        near = np.interp(s, grid, integral) - (np.euler_gamma + np.log(2)) / 2
        logarithm = np.where(s > grid[-1], far, near)
        values.append(np.log(weight @ magnitude) - weight @ logarithm)
    return snrs, np.array(values)


def _wada_snr(signals: Signals) -> Measured:
    signal = signals.mono("enhanced").astype(np.float64)
    sounding = signal[signal != 0]
    magnitude = np.abs(sounding - np.mean(sounding)) if len(sounding) else sounding
    magnitude = magnitude[magnitude > 0]
    if len(magnitude) < SHORTEST:
        return NotMeasurable(f"fewer than {SHORTEST} samples that are not digital silence")
    snrs, values = table()
    statistic = float(np.log(np.mean(magnitude)) - np.mean(np.log(magnitude)))
    return float(np.interp(statistic, values, snrs))


WADA_SNR = single(
    "wada_snr",
    _wada_snr,
    unit="dB",
    low=LOWEST_DB,
    high=HIGHEST_DB,
    summary="signal-to-noise ratio estimated from the amplitudes",
)
