"""Gain rules: from the power of a noisy bin and the noise under it to a real gain between a floor and one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from cleanaudio.backends.estimators import LOG_AMPLITUDE, Estimator
from cleanaudio.backends.presence import SpeechAbsence
from cleanaudio.backends.prior import Prior

Power = NDArray[np.float32]

_LEAST = np.float32(1e-30)


class Rule(Protocol):
    """Gains for the frames of one channel.

    Attributes
    ----------
    look_ahead : int
        Frames that it wants to see before it decides on one.
    """

    look_ahead: int

    def __call__(self, powers: Power, noise: Power) -> Power:
        """Take |Y|² and the noise PSD, (frames, bins); return the gains of the frames that are decided, (m, bins)."""
        ...

    def flush(self) -> Power:
        """Return the gains of the frames that still waited."""
        ...

    def reset(self) -> None:
        """Forget the signal."""
        ...


class Subtraction:
    """Spectral subtraction.

    In magnitude (Boll 1979, eqs. 4 and 6, half-wave rectified): |S| = max(|Y| - α E|N|, β |Y|), with
    E|N| = √(π/4 E|N|²) for Gaussian noise. In power (Berouti, Schwartz & Makhoul 1979, eq. 4):
    |S|² = |Y|² - α E|N|² where that is above β E|N|², else β E|N|².

    Parameters
    ----------
    domain : {"magnitude", "power"}
    alpha : float
        Over-subtraction α.
    beta : float
        Floor β.
    floor : float
        Smallest gain.
    """

    look_ahead = 0

    def __init__(self, domain: Literal["magnitude", "power"], alpha: float, beta: float, floor: float) -> None:
        self._magnitude = domain == "magnitude"
        self._alpha, self._beta, self._floor = np.float32(alpha), np.float32(beta), np.float32(floor)

    def __call__(self, powers: Power, noise: Power) -> Power:
        """Take |Y|² and the noise PSD, return gains."""
        share = np.divide(noise, np.maximum(powers, _LEAST), dtype=np.float32)
        if self._magnitude:
            share *= np.float32(np.pi / 4)
            np.sqrt(share, out=share)
            share *= -self._alpha
            share += 1
            np.maximum(share, max(self._beta, self._floor), out=share)
            return share
        gains = np.multiply(share, -self._alpha, dtype=np.float32)
        gains += 1
        share *= self._beta
        np.maximum(gains, share, out=gains)
        np.sqrt(gains, out=gains)
        return np.clip(gains, self._floor, 1, out=gains)

    def flush(self) -> Power:
        """Return nothing: no frame waits."""
        return np.zeros((0, 0), np.float32)

    def reset(self) -> None:
        """Do nothing: it has no memory."""


class _OnPrior(ABC):
    """A gain that depends on γ and on the ξ that a prior estimates."""

    def __init__(self, prior: Prior, floor: float) -> None:
        self._prior, self._floor = prior, np.float32(floor)
        self.look_ahead = prior.look_ahead

    def reset(self) -> None:
        """Forget the signal."""
        self._prior.reset()

    def __call__(self, powers: Power, noise: Power) -> Power:
        """Take |Y|² and the noise PSD, return the gains of the frames that are decided."""
        return self._gains(*self._prior(powers, noise))

    def flush(self) -> Power:
        """Return the gains of the frames that still waited."""
        return self._gains(*self._prior.flush())

    @abstractmethod
    def _gains(self, gamma: Power, xi: Power) -> Power:
        """Return the gains of frames of these posterior and prior signal-to-noise ratios."""


class Estimate(_OnPrior):
    """A gain that depends on γ and ξ alone: ξ / (1 + ξ) · f(γ ξ / (1 + ξ)).

    f = 1 is the Wiener filter (Lim & Oppenheim 1979; with the decision-directed prior, Scalart & Vieira Filho 1996).
    The other two are the estimators of the spectral amplitude (Ephraim & Malah 1984, eq. 7) and of its logarithm
    (1985, eq. 20), see :mod:`cleanaudio.backends.estimators`.

    Parameters
    ----------
    prior : Prior
    estimator : Estimator or None
        None is the Wiener filter.
    floor : float
        Smallest gain.
    """

    def __init__(self, prior: Prior, estimator: Estimator | None, floor: float) -> None:
        super().__init__(prior, floor)
        self._estimator = estimator

    def _gains(self, gamma: Power, xi: Power) -> Power:
        gains = xi / (1 + xi)
        if self._estimator is not None:
            self._estimator.apply(gains, gains * gamma)
        return np.clip(gains, self._floor, 1, out=gains)


class OmLsa(_OnPrior):
    """Optimally modified log-spectral amplitude: G = G_H1^p · G_min^(1-p), Cohen & Berdugo (2001, eq. 15).

    G_H1 is the log-spectral amplitude estimator, p the probability that there is speech in the bin (eq. 9).

    Parameters
    ----------
    prior : Prior
    absence : SpeechAbsence
        Estimates the a priori probability of absence.
    floor : float
        G_min.
    """

    def __init__(self, prior: Prior, absence: SpeechAbsence, floor: float) -> None:
        super().__init__(prior, max(floor, 1e-5))
        self._absence = absence

    def reset(self) -> None:
        """Forget the signal."""
        super().reset()
        self._absence.reset()

    def _gains(self, gamma: Power, xi: Power) -> Power:
        if not len(xi):
            return xi
        absence = self._absence(xi)
        above = xi + 1
        gains = xi / above
        v = gains * gamma
        odds = np.exp(-v)
        odds *= above
        odds *= absence
        odds /= 1 - absence
        odds += 1  # 1 / p
        LOG_AMPLITUDE.apply(gains, v)
        np.clip(gains, self._floor, 1, out=gains)
        gains /= self._floor
        np.log(gains, out=gains)
        gains /= odds
        np.exp(gains, out=gains)
        gains *= self._floor
        return np.minimum(gains, 1, out=gains)
