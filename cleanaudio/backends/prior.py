"""The a priori SNR ξ = E|S|² / E|N|² of every bin, from the powers and the noise."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.queue import Queue
from cleanaudio.backends.estimators import Estimator
from cleanaudio.backends.noise.smoothing import per_frame

Power = NDArray[np.float32]
Decided = tuple[Power, Power]

GAMMA_MAX = np.float32(1000.0)
XI_MIN = np.float32(10**-2.5)
"""Least a priori SNR, -25 dB (Cappé 1994)."""


class Prior(Protocol):
    """Estimates ξ for the frames of one channel.

    Attributes
    ----------
    look_ahead : int
        Frames that it wants to see before it decides on one.
    """

    look_ahead: int

    def __call__(self, powers: Power, noise: Power) -> Decided:
        """Take |Y|² and the noise PSD, (frames, bins); return γ and ξ of the frames that are decided, (m, bins)."""
        ...

    def flush(self) -> Decided:
        """Return γ and ξ of the frames that still waited."""
        ...

    def reset(self) -> None:
        """Forget the signal."""
        ...


def posterior(powers: Power, noise: Power) -> Power:
    """Return the a posteriori SNR γ = |Y|² / E|N|², at most 30 dB."""
    gamma = powers / noise
    return np.minimum(gamma, GAMMA_MAX, out=gamma)


class MaximumLikelihood:
    """ξ = max(γ - 1, 0), which is S = max(|Y|² - N, 0)."""

    look_ahead = 0

    def __call__(self, powers: Power, noise: Power) -> Decided:
        """Take |Y|² and the noise PSD, return γ and ξ."""
        gamma = posterior(powers, noise)
        return gamma, np.maximum(gamma - 1, 0)

    def flush(self) -> Decided:
        """Return nothing: no frame waits."""
        return _NOTHING

    def reset(self) -> None:
        """Do nothing: it has no memory."""


_NOTHING = np.zeros((0, 0), np.float32), np.zeros((0, 0), np.float32)


class _Recursion:
    """The recursion of :func:`~cleanaudio.audio.snr.decision_directed` over many frames, with any amplitude estimator.

    The factor holds for a hop of 8 ms and is converted to others.
    """

    def __init__(self, smoothing: float, hop_s: float, estimator: Estimator | None) -> None:
        self._keep, self._estimator = per_frame(smoothing, hop_s), estimator

    def __call__(self, clean: Power | None, powers: Power, noise: Power, gamma: Power) -> tuple[Power, Power]:
        """Return ξ (frames, …, bins) and the clean power of the last frame, given that of the frame before the first.

        Axes between frames and bins are recursions of their own: two that run together cost little more than one.
        """
        if clean is None:
            clean = _guess(powers[0], noise[0])
        scale = self._keep / noise
        xi = gamma - 1
        np.maximum(xi, 0, out=xi)
        xi *= 1 - self._keep
        clean, gain, work = clean.copy(), np.empty_like(clean), np.empty_like(clean)
        rows: Iterable[tuple[Power, ...]] = zip(powers, gamma, scale, xi, strict=True)
        for power, post, factor, out in rows:
            clean *= factor
            out += clean
            np.maximum(out, XI_MIN, out=out)
            np.add(out, 1, out=work)
            np.divide(out, work, out=gain)
            if self._estimator is not None:
                np.multiply(gain, post, out=work)
                self._estimator.apply(gain, work)
                np.minimum(gain, 1, out=gain)
            np.multiply(gain, gain, out=clean)
            clean *= power
        return xi, clean


def _guess(power: Power, noise: Power) -> Power:
    """Return the clean power of a frame that no other came before."""
    return np.maximum(power - noise, 0)


class DecisionDirected:
    """ξ from the last frame's estimate and this frame's power (Ephraim & Malah 1984, eq. 51; Scalart 1996).

    Parameters
    ----------
    smoothing : float
        Weight α of the last frame for a hop of 8 ms.
    hop_s : float
    estimator : Estimator or None
        Of the amplitude; None is the Wiener filter.
    """

    look_ahead = 0

    def __init__(self, smoothing: float, hop_s: float, estimator: Estimator | None) -> None:
        self._recursion = _Recursion(smoothing, hop_s, estimator)
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._clean: Power | None = None

    def __call__(self, powers: Power, noise: Power) -> Decided:
        """Take |Y|² and the noise PSD, return γ and ξ."""
        gamma = posterior(powers, noise)
        if not len(gamma):
            return gamma, gamma
        xi, self._clean = self._recursion(self._clean, powers, noise, gamma)
        return gamma, xi

    def flush(self) -> Decided:
        """Return nothing: no frame waits."""
        return _NOTHING


class Noncausal:
    """The mean of two decision-directed estimates, one that comes from the past and one that comes from the future.

    The recursion knows the onset of a syllable a frame late and lets its end ring; run backwards it errs the other way.
    Cohen (2004, "Speech enhancement using a noncausal a priori SNR estimator") reaches into the future likewise. The
    way back begins a fixed time ahead of blocks on a fixed grid.

    Parameters
    ----------
    smoothing, hop_s, estimator
        As for :class:`DecisionDirected`.
    """

    BLOCK_S, AHEAD_S = 0.384, 0.192

    def __init__(self, smoothing: float, hop_s: float, estimator: Estimator | None) -> None:
        self._recursion = _Recursion(smoothing, hop_s, estimator)
        self._block, self._ahead = max(1, round(self.BLOCK_S / hop_s)), max(1, round(self.AHEAD_S / hop_s))
        self.look_ahead = self._block + self._ahead - 1
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._powers, self._noise = (Queue(nothing, axis=-2) for nothing in _NOTHING)
        self._clean: Power | None = None

    def __call__(self, powers: Power, noise: Power) -> Decided:
        """Take |Y|² and the noise PSD, return γ and ξ of the frames that are decided."""
        self._powers.push(powers)
        self._noise.push(noise)
        decided = []
        while len(self._powers) >= self._block + self._ahead:
            decided.append(self._decide(self._block, self._block + self._ahead))
        return _joined(decided)

    def flush(self) -> Decided:
        """Return γ and ξ of the frames that still waited."""
        decided = []
        while self._powers:
            decided.append(self._decide(min(self._block, len(self._powers)), len(self._powers)))
        return _joined(decided)

    def _decide(self, count: int, seen: int) -> Decided:
        powers, noise = self._powers.peek(seen), self._noise.peek(seen)
        self._powers.pop(count)
        self._noise.pop(count)
        gamma = posterior(powers, noise)
        past = _guess(powers[0], noise[0]) if self._clean is None else self._clean
        future = _guess(powers[-1], noise[-1])
        if seen > count:
            _, future = self._recursion(future, *(rows[: count - 1 : -1] for rows in (powers, noise, gamma)))
        both = (np.stack([rows[:count], rows[count - 1 :: -1]], axis=1) for rows in (powers, noise, gamma))
        xi, (self._clean, _) = self._recursion(np.stack([past, future]), *both)
        mean = xi[:, 0] + xi[::-1, 1]
        mean *= np.float32(0.5)
        return gamma[:count], mean


def _joined(decided: list[Decided]) -> Decided:
    if len(decided) == 1:
        return decided[0]
    if not decided:
        return _NOTHING
    gammas, priors = zip(*decided, strict=True)
    return np.concatenate(gammas), np.concatenate(priors)
