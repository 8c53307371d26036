"""A convolutional denoising autoencoder over the spectrogram, in the form of a causal U-Net at 16 kHz.

Narrowing convolutions over frequency, dilated convolutions over time in the middle, widening convolutions back, with
the shortcuts of the U-Net (Ronneberger et al. 2015); what comes out is a complex mask, as in DCUNet (Choi et al. 2019).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanaudio.errors import RecipeError
from cleanaudio.networks.frames import FrameNetwork

BINS = 257


@dataclass(frozen=True)
class AutoencoderConfig:
    """Sizes.

    Parameters
    ----------
    channels : tuple of int
        After each narrowing of the frequency axis.
    strides : tuple of int
        By how much each of them narrows it; even.
    edge : int
        Channels of the last layer but one.
    middle : int
        Channels of the convolutions over time.
    dilations : tuple of int
        Of those, each with a kernel of 3 frames.
    exponent : float
        Of the mask's size when the network runs, not in training: below 1 takes less away, where it is unsure.
    """

    channels: tuple[int, ...] = (24, 48, 64, 96)
    strides: tuple[int, ...] = (4, 2, 2, 2)
    edge: int = 16
    middle: int = 224
    dilations: tuple[int, ...] = (1, 2, 4, 8, 1, 2, 4, 8)
    exponent: float = 1.0


class Autoencoder(FrameNetwork):
    """Noisy frames in, clean frames out, without look-ahead.

    Parameters
    ----------
    config : AutoencoderConfig, optional

    Raises
    ------
    RecipeError
        Sizes that do not go together.
    """

    rate = 16000
    window_name = "sqrt-hann"
    size = 512
    hop = 256

    def __init__(self, config: AutoencoderConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or AutoencoderConfig()
        if len(c.channels) != len(c.strides) or any(by < 2 or by % 2 for by in c.strides) or 256 % prod(c.strides):
            raise RecipeError(
                f"channels {list(c.channels)} and strides {list(c.strides)} do not go together",
                remedy="give as many of both; strides are even, and their product divides 256",
            )
        inputs = (3, *c.channels[:-1])
        self.heights = [256 // prod(c.strides[:number]) for number in range(len(c.strides) + 1)]
        self.narrow = nn.ModuleList(
            _layer(nn.Conv2d(a, b, (2, 2 * by), (1, by), (0, by // 2), bias=False))
            for a, b, by in zip(inputs, c.channels, c.strides, strict=True)
        )
        flat = c.channels[-1] * self.heights[-1]
        self.flatten = nn.Conv1d(flat, c.middle, 1)
        self.over_time = nn.ModuleList(
            nn.Sequential(nn.Conv1d(c.middle, c.middle, 3, dilation=d, bias=False), nn.BatchNorm1d(c.middle), nn.ReLU())
            for d in c.dilations
        )
        self.unflatten = nn.Conv1d(c.middle, flat, 1)
        outputs = (c.edge, *c.channels[:-1])
        self.widen = nn.ModuleList(
            _layer(nn.ConvTranspose2d(2 * a, b, (1, 2 * by), (1, by), (0, by // 2), bias=False))
            for a, b, by in reversed(list(zip(c.channels, outputs, c.strides, strict=True)))
        )
        self.complex_mask = nn.Conv2d(c.edge, 2, 1)

    def state_shapes(self, batch: int = 1) -> dict[str, tuple[int, ...]]:
        """Return the last inputs of each convolution that looks back."""
        c = self.config
        shapes: dict[str, tuple[int, ...]] = {}
        for number, channels in enumerate((3, *c.channels[:-1])):
            shapes[f"narrow_{number}"] = (batch, channels, 1, self.heights[number])
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
        # The last bin, 8 kHz, stays empty.
        mask = functional.pad(self.complex_mask(x) + 0.5, (0, 1)).permute(0, 3, 2, 1)
        if self.config.exponent != 1:
            mask = mask * (mask.square().sum(-1, keepdim=True) + 1e-12) ** ((self.config.exponent - 1) / 2)
        real = spectra[..., 0] * mask[..., 0] - spectra[..., 1] * mask[..., 1]
        imaginary = spectra[..., 0] * mask[..., 1] + spectra[..., 1] * mask[..., 0]
        return torch.stack([real, imaginary], dim=-1), *after

    def _features(self, spectra: Tensor) -> Tensor:
        """Return compressed parts and magnitudes: (batch, 257, frames, 2) to (batch, 3, frames, 256)."""
        spectra = spectra[:, :256]
        power = spectra.square().sum(-1, keepdim=True) + 1e-10
        features = torch.cat([spectra * power**-0.35, power**0.15], dim=-1).permute(0, 3, 2, 1)
        return features.contiguous(memory_format=torch.channels_last)


def _layer(convolution: nn.Conv2d | nn.ConvTranspose2d) -> nn.Sequential:
    return nn.Sequential(convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU())
