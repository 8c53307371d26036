"""Dereverberation by weighted prediction error: late reverberation is what can be predicted from the past.

Nakatani, Yoshioka, Kinoshita, Miyoshi & Juang, TASLP 18(7), 2010; many channels after Yoshioka & Nakatani, TASLP
20(10), 2012; recursive after Caroselli, Shafran, Narayanan & Rose, Interspeech 2017. The results equal those of the
package nara_wpe for the same spectra and parameters; its recursive form counts the delay from two frames before the
present.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from cleanaudio.errors import RecipeError
from cleanaudio.spatial.threads import one_thread

Spectra = NDArray[np.complexfloating]

FRAMES_PER_TAP = 8
"""Frames that an unknown of the prediction filter wants. With few more frames than unknowns, anything can be predicted
and the output vanishes."""


def check(taps: int, delay: int, iterations: int = 1) -> None:
    """Raise RecipeError for a number of taps, delay or iterations that makes no sense."""
    if not (1 <= taps <= 200 and 1 <= delay <= 100 and 1 <= iterations <= 20):
        raise RecipeError(
            f"{taps} taps, delay {delay}, {iterations} iterations",
            remedy="taps 1 … 200, delay 1 … 100 frames, iterations 1 … 20",
        )


def affordable_taps(taps: int, channels: int, frames: int, delay: int) -> int:
    """Return how many of the taps so many frames can determine; 0 where there are too few for any."""
    return min(taps, max(0, frames - delay) // (FRAMES_PER_TAP * channels))


def wpe(spectra: Spectra, taps: int = 10, delay: int = 3, iterations: int = 3) -> NDArray[np.complex128]:
    """Return the late reverberation that the whole of the spectra predicts, to be subtracted from them.

    Parameters
    ----------
    spectra : ndarray, shape (channels, frames, bins)
    taps : int
        Length of the prediction filter, frames.
    delay : int
        Frames between the present and the newest that is used, so that speech itself is not predicted.
    iterations : int
        Of filter and power in turn.

    Returns
    -------
    ndarray, shape (channels, frames, bins)

    Raises
    ------
    RecipeError
        Parameters that make no sense.
    """
    import scipy.linalg  # noqa: F401 - its BLAS has to be there to be limited

    check(taps, delay, iterations)
    observed = np.ascontiguousarray(spectra.transpose(2, 0, 1), np.complex128)
    predicted = np.zeros_like(observed)
    with one_thread():
        for _ in range(iterations):
            roots = np.sqrt(_inverse_power(observed - predicted))
            for f, root in enumerate(roots):
                predicted[f] = _predict(observed[f], root, taps, delay)
    return predicted.transpose(1, 2, 0)


def _predict(
    observed: NDArray[np.complex128], root: NDArray[np.float64], taps: int, delay: int
) -> NDArray[np.complex128]:
    """Return what one bin (channels, frames) predicts of itself, its frames weighted with root²."""
    from scipy.linalg.blas import zherk

    channels, frames = observed.shape
    before = np.zeros((channels, delay + taps - 1 + frames), np.complex128)
    before[:, delay + taps - 1 :] = observed
    rows = sliding_window_view(before, frames, axis=1)[:, :taps].reshape(channels * taps, frames)
    weighted = rows * root
    # zherk fills the upper triangle of conj(past pastᴴ) at half the work of a product; it wants Fortran order.
    upper = zherk(1.0, weighted.T, trans=2).conj()
    return _solve(upper, weighted @ (observed * root).conj().T).conj().T @ rows


def _solve(upper: NDArray[np.complex128], right: NDArray[np.complex128]) -> NDArray[np.complex128]:
    from scipy.linalg.lapack import zposv

    trace = float(np.trace(upper).real)
    if not trace > 0:
        return np.zeros_like(right)
    every = np.arange(len(upper))
    for loading in (0.0, 1e-12, 1e-9, 1e-6):
        upper[every, every] += loading * trace / len(upper)
        solution, failed = zposv(upper, right)[1:]
        if not failed:
            return solution
    return np.zeros_like(right)


def _inverse_power(spectra: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Return 1 / power, (bins, frames), of spectra (bins, channels, frames); at most 100 dB over the least."""
    power = np.mean(spectra.real**2 + spectra.imag**2, axis=1)
    largest = power.max(initial=0.0)
    return 1 / np.maximum(power, 1e-10 * largest) if largest > 0 else np.ones_like(power)


class OnlineWpe:
    """Recursive WPE: the filter follows frame by frame, nothing is known ahead.

    Parameters
    ----------
    channels, bins : int
    taps, delay : int
    alpha : float
        Forgetting factor per frame, 0.9 … 1.
    trust : float
        The inverse covariance begins as so many times the identity: 1 trusts the first frames, as nara_wpe does, and
        takes away speech with them; 0.001 waits for about a second.
    """

    def __init__(
        self, channels: int, bins: int, taps: int = 10, delay: int = 3, alpha: float = 0.9999, trust: float = 0.001
    ) -> None:
        check(taps, delay)
        if not 0.9 <= alpha <= 1:
            raise RecipeError(f"a forgetting factor of {alpha:g} is outside 0.9 … 1")
        self._channels, self._bins, self._taps, self._delay, self._alpha = channels, bins, taps, delay, alpha
        self._trust = trust
        self.look_ahead = 0
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        size = self._taps * self._channels
        self._inverse = np.tile(self._trust * np.eye(size, dtype=np.complex128), (self._bins, 1, 1))
        self._idle = np.zeros(self._bins, np.int64)
        self._filter = np.zeros((self._bins, size, self._channels), np.complex128)
        self._past = np.zeros((self._taps + self._delay - 1, self._bins, self._channels), np.complex128)

    def predict(self, spectra: Spectra) -> NDArray[np.complex128]:
        """Take (channels, frames, bins), return the late reverberation that the past of each frame predicts."""
        predicted = np.empty(spectra.shape, np.complex128)
        for t in range(spectra.shape[1]):
            predicted[:, t] = self._step(spectra[:, t].T).T
        return predicted

    def _step(self, frame: Spectra) -> NDArray[np.complex128]:
        window = self._past[: self._taps].transpose(1, 2, 0).reshape(self._bins, -1)
        predicted = np.matmul(window[:, None], self._filter.conj())[:, 0]
        self._past = np.concatenate([self._past[1:], frame[None].astype(np.complex128)])
        power = np.mean(np.abs(self._past) ** 2, axis=(0, 2))
        gain = np.matmul(self._inverse, window[:, :, None])[:, :, 0]
        through = np.sum(window.conj() * gain, axis=1).real
        denominator = self._alpha * power + through
        alive = denominator > 1e-30
        gain = np.where(alive[:, None], gain / np.where(alive, denominator, 1.0)[:, None], 0)
        # Digital silence teaches nothing; forgetting on and on there would let the inverse grow without limit.
        self._idle = np.where(alive, 0, self._idle + 1)
        forgets = self._idle * -np.log(self._alpha) < np.log(10)
        error = frame - predicted
        shrunk = self._inverse - gain[:, :, None] * np.matmul(window[:, None].conj(), self._inverse)
        shrunk = (shrunk + shrunk.conj().swapaxes(1, 2)) / (2 * self._alpha)
        self._inverse = np.where(forgets[:, None, None], shrunk, self._inverse)
        self._filter += gain[:, :, None] * error[:, None].conj()
        return predicted
