"""Dereverberation by weighted prediction error: late reverberation is what can be predicted from the past.

Nakatani, Yoshioka, Kinoshita, Miyoshi & Juang, TASLP 18(7), 2010; many channels after Yoshioka & Nakatani, TASLP
20(10), 2012. The results equal those of the package nara_wpe for the same spectra and parameters.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from cleanaudio.errors import RecipeError
from cleanaudio.spatial.threads import one_thread

Spectra = NDArray[np.complexfloating]

FRAMES_PER_TAP = 8
"""Fewest frames for each coefficient of the prediction filter: with hardly more, anything can be predicted, and the
output vanishes."""


def check(taps: int, delay: int, iterations: int) -> None:
    """Raise RecipeError for a number of taps, delay or iterations that makes no sense."""
    if not (1 <= taps <= 200 and 1 <= delay <= 100 and 1 <= iterations <= 20):
        raise RecipeError(
            f"{taps} taps, delay {delay}, {iterations} iterations",
            remedy="taps 1 … 200, delay 1 … 100 frames, iterations 1 … 20",
        )


def affordable_taps(taps: int, channels: int, frames: int, delay: int) -> int:
    """Return how many of the taps so many frames can determine; 0 where there are too few for any."""
    return min(taps, max(0, frames - delay) // (FRAMES_PER_TAP * channels))


def wpe(spectra: Spectra, taps: int, delay: int, iterations: int) -> NDArray[np.complex128]:
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
