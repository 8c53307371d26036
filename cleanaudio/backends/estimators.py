"""The two amplitude estimators of Ephraim & Malah as tables: gain = ξ / (1 + ξ) · f(v), v = γ ξ / (1 + ξ).

f depends on v alone: exp(E₁(v) / 2) for the log-spectral amplitude (1985, eq. 20) and
√(π / 4v) · [(1 + v) I₀(v/2) + v I₁(v/2)] · exp(-v/2) for the spectral amplitude (1984, eq. 7).
The tables are spaced evenly in the bits of a float32, that is almost evenly in the logarithm, so that a look-up is a
shift of bits. Nothing is imported for the special functions, which would cost more than cleaning a short file.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


def exp1(v: NDArray[np.floating]) -> Doubles:
    """Return the exponential integral E₁(v) for v > 0, to 1e-12 relative.

    The power series (Abramowitz & Stegun 5.1.11) up to 1, the continued fraction (5.1.22) evaluated backwards above.
    """
    v = np.asarray(v, np.float64)
    low = np.minimum(v, 1.0)
    term, series = np.ones_like(low), np.zeros_like(low)
    for k in range(1, 20):
        term = term * -low / k
        series -= term / k
    high = np.maximum(v, 1.0)
    fraction = high + 121.0
    for k in range(60, 0, -1):
        fraction = high + 2 * k - 1 - k * k / fraction
    return np.where(v <= 1, -np.euler_gamma - np.log(low) + series, np.exp(-high) / fraction)


def bessel_scaled(v: NDArray[np.floating]) -> tuple[Doubles, Doubles]:
    """Return exp(-v) I₀(v) and exp(-v) I₁(v) for v ≥ 0, to 1e-12 relative.

    By the integral (Abramowitz & Stegun 9.6.19) with the trapezoidal rule, which converges geometrically for a
    periodic function, and by the expansion for large arguments (9.7.1) above 40.
    """
    v = np.asarray(v, np.float64)
    angle = (np.arange(64) + 0.5) * np.pi / 64
    low = np.minimum(v, 40.0)[..., None]
    weight = np.exp(low * (np.cos(angle) - 1))
    small = weight.mean(axis=-1), (weight * np.cos(angle)).mean(axis=-1)
    high = np.maximum(v, 40.0)
    large = []
    for mu in (0.0, 4.0):
        term, total = np.ones_like(high), np.ones_like(high)
        for k in range(1, 16):
            term = -term * (mu - (2 * k - 1) ** 2) / (k * 8 * high)
            total += term
        large.append(total / np.sqrt(2 * np.pi * high))
    return np.where(v <= 40, small[0], large[0]), np.where(v <= 40, small[1], large[1])


def _log_amplitude(v: Doubles) -> Doubles:
    return np.exp(0.5 * exp1(v))


def _amplitude(v: Doubles) -> Doubles:
    i0, i1 = bessel_scaled(v / 2)
    return np.sqrt(np.pi / (4 * v)) * ((1 + v) * i0 + v * i1)


class Estimator:
    """A function f(v) of one estimator as a table.

    Parameters
    ----------
    exact : callable
    """

    LOWEST, HIGHEST = 2.0**-24, 2.0**10
    _SHIFT = 12  # 2048 steps to the octave: f, which falls like v^(-1/2) at most, is within 1.3e-4

    def __init__(self, exact: Callable[[Doubles], Doubles]) -> None:
        self.exact = exact

    @cached_property
    def _table(self) -> Floats:
        edges = np.array([self.LOWEST, self.HIGHEST], np.float32).view(np.int32) >> self._SHIFT
        bits = np.arange(edges[0], edges[1] + 1, dtype=np.int32)
        middle = ((bits << self._SHIFT) + (1 << self._SHIFT - 1)).view(np.float32)
        nodes = np.geomspace(middle[0], middle[-1], 2048)  # enough for 3e-6 between them
        return np.exp(np.interp(np.log(middle), np.log(nodes), np.log(self.exact(nodes)))).astype(np.float32)

    @cached_property
    def _offset(self) -> int:
        return int(np.array(self.LOWEST, np.float32).view(np.int32)) >> self._SHIFT

    def apply(self, gain: Floats, v: Floats) -> None:
        """Multiply ``gain`` by f(v) in place; v ≥ 0 outside the table counts as its nearest end. ``v`` is spoilt."""
        bits = v.view(np.int32)
        bits >>= self._SHIFT
        bits -= self._offset
        gain *= self._table.take(bits, mode="clip")


LOG_AMPLITUDE = Estimator(_log_amplitude)
AMPLITUDE = Estimator(_amplitude)
