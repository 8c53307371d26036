"""Conv-TasNet (Luo & Mesgarani 2019): a learned transform, a temporal convolutional network that masks it, and back.

The letters of the paper's table I stand behind the fields of the config, whose defaults are small and causal, with the
cumulative normalisation of the paper's eq. 9. Its past fades here, so that the third hour of a recording is normalised
as its first minute is. Frames last 20 ms instead of one or two, so that there are few of them; the filters begin as the
Fourier transform instead of at random, as Ditter & Gerkmann (2020) begin with gammatones; and the separator sees roots,
which brings soft sounds nearer to loud ones. What is not causal normalises over the whole recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanaudio.errors import RecipeError
from cleanaudio.networks.interface import Network

RATE = 16000
PIECE = 400
"""Frames that long signals are cleaned by."""
SILENCE, LEAST = 1e-6, 3e-3
"""Power of frames (−60 dBFS) that count half, and what those count that are nothing at all."""


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
    memory : float
        Frames over which the cumulative normalisation forgets, to 1 / e.
    exponent : float
        Of the masks when the network runs, not in training: below 1 takes less away, where it is unsure.
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
    memory: float = 80.0
    exponent: float = 1.0


class Fading:
    """Means over the time that has passed, in which older frames count less, and silent ones next to nothing.

    Without that the first words after a muted microphone would be normalised as if they were hundreds of times louder
    than anything the network has learned from.

    Parameters
    ----------
    weights : Tensor, shape (batch, frames, 1)
        How much each frame of the piece at hand counts, above 0.
    memory : float
        Frames until a frame counts 1 / e.
    heard : Tensor, shape (batch, 1, 1)
        The sum of the weights of the frames before, faded like everything else.

    Attributes
    ----------
    heard : Tensor, shape (batch, 1, 1)
        The same after the piece.
    """

    def __init__(self, weights: Tensor, memory: float, heard: Tensor) -> None:
        place = torch.arange(weights.shape[1], device=heard.device)
        age = place - place[:, None]
        weights = weights * torch.where(age >= 0, torch.exp(-age.clamp(min=0) / memory), 0.0)
        before = heard * torch.exp(-(place + 1) / memory)
        count = before + weights.sum(1, keepdim=True)
        self._shares = torch.cat([before / count, weights / count], dim=1)
        self.heard = count[:, :, -1:]

    def __call__(self, values: Tensor, before: Tensor) -> Tensor:
        """Return the means so far of values (batch, count, frames), given the last ones before, (batch, count, 1)."""
        with torch.autocast(values.device.type, enabled=False):  # means over seconds want more than half precision
            return torch.cat([before, values], dim=2) @ self._shares


class GlobalNorm(nn.Module):
    """Normalisation over channels and time (the paper's eqs. 6 and 7)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels, 1))
        self.bias = nn.Parameter(torch.zeros(channels, 1))

    def forward(self, x: Tensor, fading: Fading | None, before: Tensor) -> tuple[Tensor, Tensor]:
        """Take (batch, channels, frames), return the same, and the state (batch, 2, 1), of which this has no need."""
        mean = x.mean((1, 2), keepdim=True)
        variance = (x - mean).square().mean((1, 2), keepdim=True)
        return (x - mean) / (variance + 1e-8).sqrt() * self.gain + self.bias, before


class CumulativeNorm(GlobalNorm):
    """Normalisation over channels and the time that has passed (the paper's eqs. 8 and 9)."""

    def forward(self, x: Tensor, fading: Fading | None, before: Tensor) -> tuple[Tensor, Tensor]:
        """Take (batch, channels, frames) and the state (batch, 2, 1), the last means of x and x²; return both anew."""
        assert fading is not None
        x = x.float()
        means = fading(torch.cat([x.mean(1, keepdim=True), x.square().mean(1, keepdim=True)], dim=1), before)
        mean, square = means.split(1, dim=1)
        variance = (square - mean.square()).clamp(min=0)
        return (x - mean) / (variance + 1e-6).sqrt() * self.gain + self.bias, means[:, :, -1:]


class TemporalBlock(nn.Module):
    """Wide 1 × 1, dilated depthwise, and two 1 × 1 back: one to the next block, one to the sum of all (fig. 1C)."""

    def __init__(self, config: ConvTasNetConfig, dilation: int, last: bool) -> None:
        super().__init__()
        c = config
        norm = CumulativeNorm if c.causal else GlobalNorm
        self.reach = (c.width - 1) * dilation
        self.after = 0 if c.causal else self.reach - self.reach // 2
        self.widen = nn.Sequential(nn.Conv1d(c.bottleneck, c.hidden, 1), nn.PReLU(), norm(c.hidden))
        self.depthwise = nn.Conv1d(c.hidden, c.hidden, c.width, dilation=dilation, groups=c.hidden)
        self.settle = nn.Sequential(nn.PReLU(), norm(c.hidden))
        self.onward = None if last else nn.Conv1d(c.hidden, c.bottleneck, 1)
        self.skip = nn.Conv1d(c.hidden, c.skip, 1)

    def forward(self, x: Tensor, fading: Fading | None, before: Tensor, past: Tensor) -> tuple[Tensor, ...]:
        """Go on by some frames.

        Parameters
        ----------
        x : Tensor, shape (batch, bottleneck, frames)
        fading : Fading, optional
            Of the causal form.
        before : Tensor, shape (batch, 2, 2)
            States of both normalisations, side by side.
        past : Tensor, shape (batch, hidden, reach)
            What the depthwise convolution still sees of earlier frames; where it looks ahead too, only so much is
            taken that the frames keep their number.

        Returns
        -------
        tuple of Tensor
            x anew, what goes to the sum of all (batch, skip, frames), and both states anew.
        """
        widen, activation, norm = self.widen
        wide, first = norm(activation(widen(x)), fading, before[:, :, :1])
        seen = torch.cat([past[:, :, self.after :], wide], dim=2)
        if self.after:
            seen = functional.pad(seen, (0, self.after))
        activation, norm = self.settle
        y, second = norm(activation(self.depthwise(seen)), fading, before[:, :, 1:])
        onward = x if self.onward is None else x + self.onward(y)
        return onward, self.skip(y), torch.cat([first, second], dim=2), seen[:, :, -self.reach :]


class ConvTasNet(Network):
    """One voice out of noise, sample by sample.

    Parameters
    ----------
    config : ConvTasNetConfig, optional

    Raises
    ------
    RecipeError
        Frames that do not meet.
    """

    rate = RATE

    def __init__(self, config: ConvTasNetConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or ConvTasNetConfig()
        if c.stride < 1 or c.kernel % c.stride:
            raise RecipeError(f"a kernel of {c.kernel} samples is no multiple of a stride of {c.stride}")
        if c.fourier and not c.filters == 2 * c.kernel == 4 * c.stride:
            raise RecipeError(
                f"{c.filters} filters of {c.kernel} samples every {c.stride} are no Fourier transform",
                remedy="let filters = 2 * kernel = 4 * stride, or fourier = false",
            )
        self.hop, self.delay = c.stride, c.kernel - c.stride
        if not c.causal:
            reach = sum((c.width - 1) * 2**block for block in range(c.blocks)) * c.repeats
            self.context = self.ahead = max(reach * c.stride, 2 * RATE)
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

    def state_shapes(self, batch: int = 1) -> dict[str, tuple[int, ...]]:
        """Return the last samples that came and the first that are not complete, and the states of the separator."""
        return self._shapes(batch) if self.config.causal else {}

    def _shapes(self, batch: int) -> dict[str, tuple[int, ...]]:
        c = self.config
        shapes: dict[str, tuple[int, ...]] = {
            "samples": (batch, 1, self.delay),
            "unfinished": (batch, 1, self.delay),
            "heard": (batch, 1, 1),
            "means": (batch, 2, 1 + 2 * len(self.blocks)),
        }
        for number in range(len(self.blocks)):
            shapes[f"past_{number}"] = (batch, c.hidden, (c.width - 1) * 2 ** (number % c.blocks))
        return shapes

    def forward(self, noisy: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """Go on by some strides.

        Parameters
        ----------
        noisy : Tensor, shape (batch, strides * stride)
        *states : Tensor
            As :meth:`start` gives them, or as the last call returned them.

        Returns
        -------
        tuple of Tensor
            Clean samples that lie ``delay`` behind those that went in, then the states.
        """
        samples, unfinished, heard, means, *past = states
        samples = torch.cat([samples, noisy[:, None]], dim=2)
        encoded = functional.relu(self.encoder(samples)) * self.scale
        fading = Fading(self._presence(samples), self.config.memory, heard) if self.config.causal else None
        norm, narrow = self.enter
        seen = encoded if self.config.power == 1 else (encoded + 1e-6) ** self.config.power
        x, after = norm(seen, fading, means[:, :, :1])
        x, renewed = narrow(x), [after]
        total: Tensor | None = None
        for number, block in enumerate(self.blocks):
            x, skip, after, past[number] = block(x, fading, means[:, :, 2 * number + 1 : 2 * number + 3], past[number])
            total = skip if total is None else total + skip
            renewed.append(after)
        masks = self.masks(total) ** self.config.exponent
        clean = self.decoder(encoded * (masks * self.scale)).float()
        clean = torch.cat([clean[:, :, : self.delay] + unfinished, clean[:, :, self.delay :]], dim=2)
        heard = heard if fading is None else fading.heard
        ready = noisy.shape[1]
        return clean[:, 0, :ready], samples[:, :, ready:], clean[:, :, ready:], heard, torch.cat(renewed, dim=2), *past

    def _presence(self, samples: Tensor) -> Tensor:
        """Return how much each frame counts, (batch, frames, 1), for samples of shape (batch, 1, count)."""
        c = self.config
        power = functional.avg_pool1d(samples.square(), c.kernel, c.stride).transpose(1, 2)
        return power / (power + SILENCE) + LEAST

    def enhance(self, noisy: Tensor, bandwidth_hz: Tensor | None = None) -> Tensor:
        """Clean whole signals, (batch, samples); at this rate the bandwidth does not matter."""
        longer = functional.pad(noisy, (0, self.delay + -noisy.shape[1] % self.hop))
        states: Sequence[Tensor] = [
            torch.zeros(shape, device=noisy.device) for shape in self._shapes(len(noisy)).values()
        ]
        # The means of CumulativeNorm take memory with the square of the frames that they are made of at once.
        in_pieces = self.config.causal and not torch.is_grad_enabled()
        clean = []
        for piece in longer.split(PIECE * self.hop if in_pieces else longer.shape[1], dim=1):
            ready, *states = self(piece, *states)
            clean.append(ready)
        return torch.cat(clean, dim=1)[:, self.delay :][:, : noisy.shape[1]]


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
