"""A convolutional denoising autoencoder over the spectrogram, in the form of a causal U-Net at 16 kHz.

Narrowing convolutions over frequency, dilated convolutions over time in the middle, widening convolutions back, with
the shortcuts of the U-Net (Ronneberger et al. 2015); what comes out is a complex mask, as in DCUNet (Choi et al. 2019).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanaudio.networks.frames import FrameNetwork

BINS = 257


@dataclass(frozen=True)
class AutoencoderConfig:
    """Sizes.

    Parameters
    ----------
    channels : tuple of int
        After each narrowing of the frequency axis by 2.
    middle : int
        Channels of the convolutions over time.
    dilations : tuple of int
        Of those, each with a kernel of 3 frames.
    """

    channels: tuple[int, ...] = (16, 32, 48, 64, 64)
    middle: int = 160
    dilations: tuple[int, ...] = (1, 2, 4, 8, 1, 2, 4, 8)


class Autoencoder(FrameNetwork):
    """Noisy frames in, clean frames out, without look-ahead.

    Parameters
    ----------
    config : AutoencoderConfig, optional
    """

    rate = 16000
    window_name = "sqrt-hann"
    size = 512
    hop = 256

    def __init__(self, config: AutoencoderConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or AutoencoderConfig()
        inputs = (3, *c.channels[:-1])
        self.narrow = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(a, b, (2, 5), stride=(1, 2), padding=(0, 2), bias=False), nn.BatchNorm2d(b), nn.ReLU()
            )
            for a, b in zip(inputs, c.channels, strict=True)
        )
        self.height = 256 >> len(c.channels)
        self.flatten = nn.Conv1d(c.channels[-1] * self.height, c.middle, 1)
        self.over_time = nn.ModuleList(
            nn.Sequential(nn.Conv1d(c.middle, c.middle, 3, dilation=d, bias=False), nn.BatchNorm1d(c.middle), nn.ReLU())
            for d in c.dilations
        )
        self.unflatten = nn.Conv1d(c.middle, c.channels[-1] * self.height, 1)
        outputs = (*reversed(c.channels[:-1]), 16)
        self.widen = nn.ModuleList(
            nn.Sequential(
                nn.ConvTranspose2d(2 * a, b, (1, 4), stride=(1, 2), padding=(0, 1), bias=False),
                nn.BatchNorm2d(b),
                nn.ReLU(),
            )
            for a, b in zip(reversed(c.channels), outputs, strict=True)
        )
        self.complex_mask = nn.Conv2d(16, 2, 1)

    def state_shapes(self, batch: int = 1) -> dict[str, tuple[int, ...]]:
        """Return the last inputs of each convolution that looks back."""
        c = self.config
        shapes: dict[str, tuple[int, ...]] = {}
        for number, channels in enumerate((3, *c.channels[:-1])):
            shapes[f"narrow_{number}"] = (batch, channels, 1, 256 >> number)
        for number, dilation in enumerate(c.dilations):
            shapes[f"over_time_{number}"] = (batch, c.middle, 2 * dilation)
        return shapes

    def forward(self, spectra: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """Take (batch, 257, frames, 2) and the states, return the same of the clean signal."""
        after = []
        x = self._features(spectra)
        kept = []
        for layer, state in zip(self.narrow, states, strict=False):
            x = torch.cat([state, x], dim=2)
            after.append(x[:, :, -1:])
            x = layer(x)
            kept.append(x)
        batch, channels, frames, height = x.shape
        y = self.flatten(x.permute(0, 1, 3, 2).reshape(batch, channels * height, frames))
        for layer, state in zip(self.over_time, states[len(self.narrow) :], strict=True):
            seen = torch.cat([state, y], dim=2)
            after.append(seen[:, :, seen.shape[2] - state.shape[2] :])
            y = y + layer(seen)
        x = self.unflatten(y).reshape(batch, channels, height, frames).permute(0, 1, 3, 2)
        for layer, shortcut in zip(self.widen, reversed(kept), strict=True):
            x = layer(torch.cat([x, shortcut], dim=1))
        mask = functional.pad(self.complex_mask(x) + 0.5, (0, 1)).permute(
            0, 3, 2, 1
        )  # the last bin, 8 kHz, stays empty
        real = spectra[..., 0] * mask[..., 0] - spectra[..., 1] * mask[..., 1]
        imaginary = spectra[..., 0] * mask[..., 1] + spectra[..., 1] * mask[..., 0]
        return torch.stack([real, imaginary], dim=-1), *after

    def _features(self, spectra: Tensor) -> Tensor:
        """Return compressed parts and magnitudes: (batch, 257, frames, 2) to (batch, 3, frames, 256)."""
        spectra = spectra[:, :256]
        power = spectra.square().sum(-1, keepdim=True) + 1e-10
        return torch.cat([spectra * power**-0.35, power**0.15], dim=-1).permute(0, 3, 2, 1)
