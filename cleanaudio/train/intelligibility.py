"""How much of speech is understood, in the manner of ESTOI, such that a network can learn from it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cleanaudio.train.bands import gathering

BANDS, LOWEST_HZ = 15, 150.0
SEGMENT_S = 0.384
SILENT_DB = 40.0
STRIDE = 4
"""Frames from segment to segment: the measure takes every one, neighbours of which say nearly the same."""


class Intelligibility(nn.Module):
    """Correlation of short-time spectra of estimate and target, over stretches as long as a word.

    Envelopes in bands of a third of an octave are normalised over time, then spectra over bands, and correlated. The
    frames are those at hand, in the place of the measure's 25.6 ms at 10 kHz.

    Source: Jensen & Taal (2016), "An Algorithm for Predicting the Intelligibility of Speech Masked by Modulated Noise
    Maskers", section III.

    Parameters
    ----------
    rate : int
        Hz.
    size : int
        Window of the spectra, in samples; about 26 ms serve best.
    hop : int
        Samples from frame to frame.
    """

    gather: Tensor

    def __init__(self, rate: int, size: int, hop: int) -> None:
        super().__init__()
        self.segment = max(2, round(SEGMENT_S * rate / hop))
        centre = LOWEST_HZ * 2 ** (torch.arange(BANDS) / 3)
        gather = gathering(rate, size, centre * 2 ** (-1 / 6), centre * 2 ** (1 / 6))
        self.register_buffer("gather", gather, persistent=False)

    def forward(self, power_e: Tensor, power_t: Tensor) -> Tensor:
        """Return the measure: 1 for the same, about 0 for what has nothing to do with each other.

        Parameters
        ----------
        power_e, power_t : Tensor, shape (batch, frames, bins)
            Powers of the spectra of estimate and target, of about unit level.

        Returns
        -------
        Tensor, shape (batch,)
            One where the target is silent, or shorter than a segment.
        """
        if power_t.shape[1] < self.segment:
            return power_t.new_ones(len(power_t))
        bands_e, bands_t = (torch.matmul(power, self.gather) for power in (power_e, power_t))
        energy = bands_t.sum(2)
        loudest = energy.amax(1, keepdim=True)
        heard = ((energy > 10 ** (-SILENT_DB / 10) * loudest) & (energy > 1e-6)).float()
        along = (self._spectra(bands_e) * self._spectra(bands_t)).sum(2)
        counts = heard.unfold(1, self.segment, STRIDE)
        spoken = counts.sum((1, 2))
        measure = (along * counts).sum((1, 2)) / spoken.clamp(min=1)
        return torch.where(spoken > 0, measure, torch.ones_like(measure))

    def _spectra(self, bands: Tensor) -> Tensor:
        """Return spectra normalised over time and bands, (batch, segments, bands, frames)."""
        envelopes = (bands + 1e-8).sqrt().unfold(1, self.segment, STRIDE)
        return _normalised(_normalised(envelopes, 3), 2)


def _normalised(values: Tensor, axis: int) -> Tensor:
    """Return values of mean zero and norm one along an axis."""
    values = values - values.mean(axis, keepdim=True)
    return values / (values.square().sum(axis, keepdim=True) + 1e-8).sqrt()
