"""Masks from a recurrent network: two LSTM layers over normalised magnitudes at 16 kHz.

The classical recipe of Wang & Chen (2018), section III, with the phase-sensitive target of Erdogan et al. (2015, eq. 5)
among the choices. :class:`MaskLstm` hears the recording in both directions; :class:`StreamingMaskLstm` only the past,
with running statistics in the place of the recording's.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cleanaudio.audio.stft import window
from cleanaudio.networks.frames import FrameNetwork
from cleanaudio.networks.interface import Network
from cleanaudio.networks.spectrum import RealSpectrum, Spectrum

RATE = 16000
SIZE, HOP = 512, 128
BINS = SIZE // 2 + 1


@dataclass(frozen=True)
class MaskLstmConfig:
    """Sizes.

    Parameters
    ----------
    hidden : int
        Of each LSTM layer and direction.
    layers : int
    head : int
        Width between the LSTM and the mask.
    dropout : float
    exponent : float
        Of the mask when the network runs, not in training: below 1 takes less away, where it is unsure.
    """

    hidden: int = 128
    layers: int = 2
    head: int = 128
    dropout: float = 0.2
    exponent: float = 1.0


class _Masker(nn.Module):
    """LSTM and head: (batch, frames, bins) to a mask of the same shape."""

    def __init__(self, config: MaskLstmConfig, bidirectional: bool) -> None:
        super().__init__()
        c = config
        self.recurrent = nn.LSTM(
            BINS, c.hidden, c.layers, batch_first=True, bidirectional=bidirectional, dropout=c.dropout
        )
        self.head = nn.Sequential(
            nn.Linear(c.hidden * (1 + bidirectional), c.head),
            nn.ReLU(),
            nn.Dropout(c.dropout),
            nn.Linear(c.head, BINS),
            nn.Sigmoid(),
        )
        for name, bias in self.recurrent.named_parameters():
            if name.startswith("bias_ih"):  # forget gates that begin open learn sooner (Jozefowicz et al. 2015)
                nn.init.constant_(bias[c.hidden : 2 * c.hidden], 1.0)


class MaskLstm(Network):
    """Bidirectional masks for whole recordings, or chunks of them with some seconds of context.

    Parameters
    ----------
    config : MaskLstmConfig, optional
    """

    rate = RATE
    context = ahead = 2 * RATE

    def __init__(self, config: MaskLstmConfig | None = None) -> None:
        super().__init__()
        self.config = config or MaskLstmConfig()
        hann = torch.from_numpy(window("sqrt-hann", SIZE))
        self.spectrum, self.real_spectrum = Spectrum(hann, HOP), RealSpectrum(hann, HOP)
        self.masker = _Masker(self.config, bidirectional=True)

    def mask(self, noisy: Tensor) -> Tensor:
        """Return masks of shape (batch, frames, bins) for signals of shape (batch, samples)."""
        return self._mask(torch.view_as_real(self.spectrum(noisy)))

    def _mask(self, spectra: Tensor) -> Tensor:
        magnitude = compressed(spectra)
        mean = magnitude.mean(1, keepdim=True)
        deviation = ((magnitude - mean).square().mean(1, keepdim=True) + 1e-4).sqrt()
        past, _ = self.masker.recurrent((magnitude - mean) / deviation)
        return self.masker.head(past) ** self.config.exponent

    def spectra(self, noisy: Tensor) -> Tensor:
        """Return the clean spectra of whole signals: (batch, samples) to (batch, frames, bins), complex64."""
        spectra = self.spectrum(noisy)
        return spectra * self._mask(torch.view_as_real(spectra)).float()

    def enhance(self, noisy: Tensor, bandwidth_hz: Tensor | None = None) -> Tensor:
        """Clean whole signals, (batch, samples); at this rate the bandwidth does not matter."""
        if self.training:
            return self.spectrum.inverse(self.spectra(noisy), noisy.shape[1])
        spectra = self.real_spectrum(noisy)
        return self.real_spectrum.inverse(spectra * self._mask(spectra)[..., None], noisy.shape[1])


class StreamingMaskLstm(FrameNetwork):
    """Masks from the past alone; the magnitudes are normalised by running statistics.

    Parameters
    ----------
    config : MaskLstmConfig, optional
    """

    rate = RATE
    window_name = "sqrt-hann"
    size = SIZE
    hop = HOP
    memory = 0.995
    """Of the running mean, for each frame: about 1.6 s."""

    def __init__(self, config: MaskLstmConfig | None = None) -> None:
        super().__init__()
        self.config = config or MaskLstmConfig()
        self.masker = _Masker(self.config, bidirectional=False)
        # A running mean of what is never negative is a recurrent layer of fixed weights, which every runtime has.
        self.running = nn.RNN(1, 1, nonlinearity="relu", bias=False)
        for name, weight in (("weight_ih_l0", 1 - self.memory), ("weight_hh_l0", self.memory)):
            nn.init.constant_(getattr(self.running, name), weight).requires_grad_(False)

    def state_shapes(self, batch: int = 1) -> dict[str, tuple[int, ...]]:
        """Return the running sums and the LSTM's hidden and cell states."""
        shape = (self.config.layers, batch, self.config.hidden)
        return {"statistics": (1, batch * 3 * BINS, 1), "hidden": shape, "cell": shape}

    def mask(self, noisy: Tensor) -> Tensor:
        """Return masks of shape (batch, frames, bins) for signals of shape (batch, samples)."""
        spectra = torch.view_as_real(self.spectrum(noisy))
        return self._mask(spectra, *self.start(len(noisy)))[0]

    def forward(self, spectra: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """Take (batch, bins, frames, 2) and the states, return the same of the clean signal."""
        frames = spectra.permute(0, 2, 1, 3)
        mask, *states_after = self._mask(frames, *states)
        return (frames * mask[..., None]).permute(0, 2, 1, 3), *states_after

    def _mask(self, spectra: Tensor, statistics: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, ...]:
        magnitude = compressed(spectra)
        batch, frames, bins = magnitude.shape
        sums = torch.stack([magnitude, magnitude.square(), torch.ones_like(magnitude)], dim=2)
        sums = sums.transpose(0, 1).reshape(frames, batch * 3 * bins, 1)
        with torch.autocast(sums.device.type, enabled=False):  # means over seconds want more than half precision
            means, statistics = self.running(sums.float(), statistics.float())
        means = means.reshape(frames, batch, 3, bins).transpose(0, 1)
        mean, square = means[:, :, 0] / means[:, :, 2], means[:, :, 1] / means[:, :, 2]
        deviation = ((square - mean.square()).clamp(min=0) + 1e-4).sqrt()
        past, (hidden, cell) = self.masker.recurrent((magnitude - mean) / deviation, (hidden, cell))
        return self.masker.head(past) ** self.config.exponent, statistics, hidden, cell


def compressed(spectra: Tensor) -> Tensor:
    """Return the magnitudes of spectra with the parts on the last axis, to the power 0.3."""
    return (spectra.square().sum(-1) + 1e-10) ** 0.15
