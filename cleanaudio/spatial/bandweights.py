"""How aligned channels are best added up, band by band, and what that is worth.

In a room the channels differ from band to band: at low frequencies a small array hears noise and voice alike in all of
them, at high ones the late echoes of the voice agree as little as those of the noise. So each band gets weights of its
own, the non-negative ones whose sum comes nearest to the voice at the reference microphone u, in mean square:

    minimise  gᵀ Φ_x g − 2 gᵀ Φ_s u,   g ≥ 0,

Φ_x, Φ_s the real parts of the covariances of the aligned channels and of the voice in them, Φ_s = Φ_x − Φ_n, and Φ_n
the mean over the bins that a mask leaves to the noise. They are scaled to give the voice as the reference hears it,
gᵀ Φ_s u = uᵀ Φ_s u: as far as the covariances are right, no band is worse than the reference alone. A spectral weight
then takes back the bands that hold little voice: the share of the voice in the band's power, to a power of ½, so that
the power spectrum becomes the voice's (square-root Wiener filter; Lim & Oppenheim, Proc. IEEE 67(12), 1979). It moves
as slowly as the statistics do, so that there is nothing to warble.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.transform import Spectra
from cleanaudio.spatial.masks import Mask

_RUMBLE_HZ, _WIDTH_HZ, _OCTAVES = 75.0, 100.0, 1 / 3
_LOADING = 1e-3
_ENOUGH = 0.05  # share of a band that has to be noise for its level to be known; below, it is taken for less
_SILENT = 1e-5
_ROUNDING = 1e-6  # share of the voice in a band, below which single precision cannot tell it from none
_HEARD = 1e-2  # share of the voice in all power, below which there is nothing to go by


def band_edges(size: int, rate: int) -> NDArray[np.intp]:
    """Return the first bin of each band, and the end: rumble, then third octaves of 100 Hz or more."""
    edges = [_RUMBLE_HZ]
    while edges[-1] < rate / 2:
        edges.append(max(edges[-1] + _WIDTH_HZ, edges[-1] * 2**_OCTAVES))
    inner = np.unique(np.round(np.array(edges[:-1]) * size / rate).astype(np.intp))
    end = size // 2 + 1
    return np.concatenate([[0], inner[(inner > 0) & (inner < end)], [end]])


class BandWeights:
    """Weights from the statistics of the aligned channels, which are forgotten as time goes by.

    Parameters
    ----------
    channels : int
    reference : int
        Counted from 0.
    size, rate : int
        Of the STFT, samples and Hz.
    memory : float
        Time constant with which the past is forgotten, in calls of :meth:`push`.
    spectral : float
        Power of the spectral weight: 0 leaves the voice's spectrum as it is, 1 is Wiener's filter.
    floor_db : float
        Of the spectral weight.
    """

    def __init__(
        self,
        channels: int,
        reference: int,
        size: int,
        rate: int,
        memory: float,
        spectral: float = 0.5,
        floor_db: float = -20.0,
    ) -> None:
        self._channels, self._reference, self._spectral = channels, reference, spectral
        self._edges = band_edges(size, rate)
        self._keep, self._floor = float(np.exp(-1 / memory)), 10 ** (floor_db / 20)
        self.centres_hz = (self._edges[:-1] + self._edges[1:] - 1) / 2 * rate / size
        """Middles of the bands."""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        shape = (len(self._edges) - 1, self._channels, self._channels)
        self._all, self._noise = np.zeros(shape), np.zeros(shape)
        self._weight, self._noise_weight = np.zeros(shape[0]), np.zeros(shape[0])

    def push(self, spectra: Spectra, mask: Mask) -> None:
        """Take spectra of the aligned channels, (channels, frames, bins), and the mask of the voice, (frames, bins).

        Frames in which the reference is silent, as beyond the ends of the recording, do not count.
        """
        level = np.abs(spectra[self._reference]).max(axis=1)
        heard = level > max(_SILENT * float(level.max()), _SILENT)
        spectra, mask = spectra[:, heard], mask[heard]
        for sums in (self._all, self._noise, self._weight, self._noise_weight):
            sums *= self._keep
        rest = (1 - mask) ** 2  # squared, so that what is half a voice counts little
        for band, (first, end) in enumerate(zip(self._edges[:-1], self._edges[1:], strict=True)):
            part = spectra[:, :, first:end].reshape(self._channels, -1)
            values = np.concatenate([part.real, part.imag], axis=1)
            share = rest[:, first:end].reshape(-1)
            self._all[band] += values @ values.T
            self._noise[band] += (np.tile(share, 2) * values) @ values.T
            self._weight[band] += len(share)
            self._noise_weight[band] += share.sum()

    def solve(self) -> tuple[NDArray[np.float64], float | None]:
        """Return the weights, (bands, channels), and their gain in dB; the reference and None without any voice.

        The gain is an estimate of SI-SDR over that of the reference microphone, against the voice that it hears: what
        is taken from the voice counts as much as what is left of the noise.
        """
        u = self._reference
        weights = np.zeros(self._all.shape[:2])
        weights[:, u] = 1.0
        scale = self._weight / np.maximum(self._noise_weight, _ENOUGH * np.maximum(self._weight, 1.0))
        noise = self._noise * scale[:, None, None]
        voice = self._all - noise
        powers = self._all[:, u, u]
        wanted = np.sum(np.maximum(voice[:, u, u], 0.0))
        if not wanted > _HEARD * powers.sum():
            return weights, None
        for band in np.flatnonzero(powers > 0):
            weights[band] = self._of_band(self._all[band], voice[band, u])
        kept = np.einsum("bc,bc->", weights, voice[:, u]) / wanted
        left = np.einsum("bc,bcd,bd->", weights, self._all, weights) - kept**2 * wanted
        # Against a noise 60 dB down there is nothing to gain.
        before, after = (max(rest, 1e-6 * wanted) for rest in (powers.sum() - wanted, left / kept**2))
        return weights, float(10 * np.log10(before / after))

    def _of_band(self, both: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
        from scipy.optimize import nnls

        level = np.sqrt(np.maximum(np.diagonal(both), 1e-12 * np.max(np.diagonal(both))))
        root = np.linalg.cholesky(both / np.outer(level, level) + _LOADING * np.eye(self._channels))
        shares = nnls(root.T, np.linalg.solve(root, wanted / level / level[self._reference]))[0] / level
        through = shares @ wanted
        purity = 0.0
        if through > 0 and wanted[self._reference] > _ROUNDING * both[self._reference, self._reference]:
            shares *= wanted[self._reference] / through
            purity = min(wanted[self._reference] / (shares @ both @ shares), 1.0)
        else:
            shares = np.eye(self._channels)[self._reference]
        return shares * max(purity**self._spectral, self._floor)
