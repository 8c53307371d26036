"""Conv-TasNet (Luo & Mesgarani 2019): a learned transform, a temporal convolutional network that masks it, and back.

The letters of the paper's table I stand behind the fields of the config. ``FULL`` and ``BASE`` normalise over the whole
recording. ``SMALL`` is causal, with the cumulative normalisation of the paper's eq. 9; it has frames of 20 ms instead
of one or two, so that there are few of them, begins with the Fourier transform in the place of random filters, as
Ditter & Gerkmann (2020) begin with gammatones, and its separator sees roots, which brings soft sounds nearer to loud
ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanaudio.networks.interface import Network

RATE = 16000


@dataclass(frozen=True)
class ConvTasNetConfig:
    """Sizes.

    Parameters
    ----------
    filters : int
        Of the encoder and decoder (N).
    kernel, stride : int
        Of the encoder, in samples (L, and L / 2 in the paper); ``stride`` divides ``kernel``.
    bottleneck, hidden, skip : int
        Channels of the separator (B, H, Sc).
    width : int
        Kernel of the depthwise convolutions (P).
    blocks, repeats : int
        Blocks of growing dilation, and how often (X, R).
    causal : bool
    fourier : bool
        Whether the filters begin as a Fourier transform; needs ``filters = 2 * kernel = 4 * stride``.
    power : float
        The separator sees what is encoded to this power.
    """

    filters: int = 640
    kernel: int = 320
    stride: int = 160
    bottleneck: int = 128
    hidden: int = 256
    skip: int = 128
    width: int = 3
    blocks: int = 5
    repeats: int = 2
    causal: bool = True
    fourier: bool = True
    power: float = 0.5


SMALL = ConvTasNetConfig()
BASE = ConvTasNetConfig(256, 20, 10, 256, 512, 256, 3, 8, 3, False, False, 1.0)
FULL = ConvTasNetConfig(512, 16, 8, 128, 512, 128, 3, 8, 3, False, False, 1.0)


class GlobalNorm(nn.Module):
    """Normalisation over channels and time (the paper's eqs. 6 and 7)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels, 1))
        self.bias = nn.Parameter(torch.zeros(channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Take and return (batch, channels, frames)."""
        mean = x.mean((1, 2), keepdim=True)
        variance = (x - mean).square().mean((1, 2), keepdim=True)
        return (x - mean) / (variance + 1e-8).sqrt() * self.gain + self.bias


class CumulativeNorm(GlobalNorm):
    """Normalisation over channels and the time that has passed (the paper's eqs. 8 and 9)."""

    def forward(self, x: Tensor) -> Tensor:
        """Take and return (batch, channels, frames)."""
        x = x.float()  # sums over seconds want more than half precision
        ones = torch.ones_like(x[:1, :1])
        count = ones.cumsum(2)
        mean = x.mean(1, keepdim=True).cumsum(2) / count
        square = x.square().mean(1, keepdim=True).cumsum(2) / count
        variance = (square - mean.square()).clamp(min=0)
        return (x - mean) / (variance + 1e-6).sqrt() * self.gain + self.bias


class TemporalBlock(nn.Module):
    """Wide 1 × 1, dilated depthwise, and two 1 × 1 back: one to the next block, one to the sum of all (fig. 1C)."""

    def __init__(self, config: ConvTasNetConfig, dilation: int, last: bool) -> None:
        super().__init__()
        c = config
        norm = CumulativeNorm if c.causal else GlobalNorm
        reach = (c.width - 1) * dilation
        self.around = (reach, 0) if c.causal else (reach // 2, reach - reach // 2)
        self.widen = nn.Sequential(nn.Conv1d(c.bottleneck, c.hidden, 1), nn.PReLU(), norm(c.hidden))
        self.depthwise = nn.Conv1d(c.hidden, c.hidden, c.width, dilation=dilation, groups=c.hidden)
        self.settle = nn.Sequential(nn.PReLU(), norm(c.hidden))
        self.onward = None if last else nn.Conv1d(c.hidden, c.bottleneck, 1)
        self.skip = nn.Conv1d(c.hidden, c.skip, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Take (batch, bottleneck, frames), return the same and (batch, skip, frames)."""
        y = self.settle(self.depthwise(functional.pad(self.widen(x), self.around)))
        return x if self.onward is None else x + self.onward(y), self.skip(y)


class ConvTasNet(Network):
    """One voice out of noise, sample by sample.

    Parameters
    ----------
    config : ConvTasNetConfig, optional
        Default: ``SMALL``.
    """

    rate = RATE

    def __init__(self, config: ConvTasNetConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or SMALL
        reach = sum((c.width - 1) * 2**block for block in range(c.blocks)) * c.repeats
        self.context = max(reach * c.stride, 2 * RATE)
        self.ahead = c.kernel if c.causal else self.context
        self.encoder = nn.Conv1d(1, c.filters, c.kernel, c.stride, bias=False)
        self.enter = nn.Sequential(
            (CumulativeNorm if c.causal else GlobalNorm)(c.filters), nn.Conv1d(c.filters, c.bottleneck, 1)
        )
        dilations = [2**block for _ in range(c.repeats) for block in range(c.blocks)]
        self.blocks = nn.ModuleList(TemporalBlock(c, d, i == len(dilations) - 1) for i, d in enumerate(dilations))
        self.masks = nn.Sequential(nn.PReLU(), nn.Conv1d(c.skip, c.filters, 1), nn.Sigmoid())
        self.decoder = nn.ConvTranspose1d(c.filters, 1, c.kernel, c.stride, bias=False)
        self.scale = (2 / c.kernel) ** 0.5 if c.fourier else 1.0
        if c.fourier:
            # Filters of about unit height, scaled afterwards, change slowly under optimizers with steps of equal size.
            for layer in (self.encoder, self.decoder):
                layer.weight.data = fourier_filters(c.kernel)[:, None] / self.scale

    def enhance(self, noisy: Tensor, bandwidth_hz: Tensor | None = None) -> Tensor:
        """Clean whole signals, (batch, samples); at this rate the bandwidth does not matter."""
        lead = self.config.kernel - self.config.stride
        padded = functional.pad(noisy[:, None], (lead, self.config.kernel))
        encoded = functional.relu(self.encoder(padded)) * self.scale
        x = self.enter(encoded if self.config.power == 1 else (encoded + 1e-6) ** self.config.power)
        total = torch.zeros_like(x[:, :1])
        for block in self.blocks:
            x, skip = block(x)
            total = total + skip
        clean = self.decoder(encoded * (self.masks(total) * self.scale))
        return clean[:, 0, lead:][:, : noisy.shape[1]]


def fourier_filters(kernel: int) -> Tensor:
    """Return the real Fourier basis under a sine window, each filter followed, half a table later, by its negative.

    With a stride of half the kernel the rectified outputs of all give the signal back through the same filters.

    Parameters
    ----------
    kernel : int
        Even.

    Returns
    -------
    Tensor, shape (2 * kernel, kernel)
    """
    time = torch.arange(kernel, dtype=torch.float64)
    phase = 2 * torch.pi * torch.arange(kernel // 2 + 1)[:, None] * time / kernel
    basis = torch.cat([phase.cos(), phase[1:-1].sin()]) * (2 / kernel) ** 0.5
    basis[[0, kernel // 2]] *= 0.5**0.5  # zero and half the rate have no sine
    filters = basis * torch.sin(torch.pi * (time + 0.5) / kernel)
    return torch.cat([filters, -filters]).float()
