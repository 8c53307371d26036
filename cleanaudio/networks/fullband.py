"""The full-band network: 48 kHz, one frame of look-ahead, gains on bands and a complex filter on the low bins.

What it takes from where:

- gains on ERB-spaced bands for the whole band and a short complex filter over time for the low bins, which can rebuild
  what a real gain cannot: DeepFilterNet (Schröter et al. 2022, eqs. 4 and 5);
- one recurrent network shared by all stretches of the band, which keeps the parameters few, followed by one that sees
  the whole band at once: FullSubNet (Hao et al. 2021), there the other way round;
- magnitudes compressed with the power 0.3, instead of a running normalisation that would need to settle.

Frames are 20 ms long, 10 ms apart; with one frame of look-ahead the algorithmic latency is 30 ms.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanaudio.errors import RecipeError
from cleanaudio.networks.frames import FrameNetwork

RATE = 48000
WINDOW = 960
HOP = 480
BINS = WINDOW // 2 + 1


@dataclass(frozen=True)
class FullBandConfig:
    """Sizes.

    Parameters
    ----------
    channels : int
        Width of the core, for each of its ``(low + bands) / 8`` positions on the frequency axis.
    hidden : int
        Width between the core and the edges.
    blocks : int
        Pairs of recurrence in each position and over all of them.
    whole : int
        Width of the recurrence over all of them.
    low : int
        Bins of 50 Hz that are seen and filtered one by one.
    bands : int
        ERB-spaced bands above them; ``low + bands`` is a multiple of 8.
    taps : int
        Length of the complex filter in frames, the last one being the look-ahead; at least 3.
    """

    channels: int = 64
    hidden: int = 32
    blocks: int = 2
    whole: int = 192
    low: int = 96
    bands: int = 32
    taps: int = 5


def band_weights(low: int, bands: int) -> Tensor:
    """Return triangular bands, equally spaced on the ERB-rate scale of Glasberg & Moore (1990).

    Parameters
    ----------
    low : int
        First bin that belongs to a band.
    bands : int

    Returns
    -------
    Tensor, shape (bands, bins - low)
        Over each bin the weights add up to one.
    """
    frequency = torch.arange(low, BINS, dtype=torch.float64) * RATE / WINDOW
    erb = 21.4 * torch.log10(1 + 0.00437 * frequency)
    position = (erb - erb[0]) / (erb[-1] - erb[0]) * (bands - 1)
    return (1 - (position - torch.arange(bands)[:, None]).abs()).clamp(min=0).float()


class Norm(nn.BatchNorm1d):
    """Batch normalisation of the last axis."""

    def forward(self, x: Tensor) -> Tensor:
        """Take and return (..., channels)."""
        return super().forward(x.reshape(-1, x.shape[-1])).reshape(x.shape)


class Narrow(nn.Module):
    """Convolution over positions with a kernel of twice the stride, then norm and activation.

    Parameters
    ----------
    channels_in, channels_out : int
    stride : int
        Even.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        edge = stride // 2
        self.mix = nn.Conv2d(channels_in, channels_out, (1, 2 * stride), (1, stride), (0, edge), bias=False)
        self.norm = nn.BatchNorm2d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """Take (..., positions, channels in), return (..., positions / stride, channels out)."""
        return _rows(functional.relu(self.norm(self.mix(_image(x)))), x)


class Widen(nn.Module):
    """Several positions out of each one and its neighbours, then norm and activation.

    Parameters
    ----------
    channels_in, channels_out : int
    factor : int
    """

    def __init__(self, channels_in: int, channels_out: int, factor: int) -> None:
        super().__init__()
        self.factor = factor
        self.mix = nn.Conv2d(channels_in, factor * channels_out, (1, 3), padding=(0, 1), bias=False)
        self.norm = nn.BatchNorm2d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """Take (..., positions, channels in), return (..., factor * positions, channels out)."""
        mixed = _rows(self.mix(_image(x)), x).reshape(*x.shape[:2], self.factor * x.shape[2], -1)
        return _rows(functional.relu(self.norm(_image(mixed))), x)


def _image(x: Tensor) -> Tensor:
    """Show (frames, batch, positions, channels) to a convolution, channels last in memory as they are."""
    return x.reshape(-1, 1, *x.shape[2:]).permute(0, 3, 1, 2)


def _rows(image: Tensor, like: Tensor) -> Tensor:
    """Undo :func:`_image`."""
    return image.permute(0, 2, 3, 1).reshape(*like.shape[:2], image.shape[3], image.shape[1])


class Block(nn.Module):
    """Recurrence over time in each position by itself, then in all positions together.

    Parameters
    ----------
    positions, channels, whole : int
    bidirectional : bool
        Whether the recurrence hears the future too.
    """

    def __init__(self, positions: int, channels: int, whole: int, bidirectional: bool = False) -> None:
        super().__init__()
        sides = 1 + bidirectional
        self.each = nn.LSTM(channels, channels, bidirectional=bidirectional)
        self.after_each = nn.Linear(sides * channels, channels, bias=False)
        self.norm_each = Norm(channels)
        self.gather = nn.Linear(positions * channels, whole)
        self.all = nn.LSTM(whole, whole, bidirectional=bidirectional)
        self.after_all = nn.Linear(sides * whole, positions * channels, bias=False)
        self.norm_all = Norm(channels)

    def forward(self, x: Tensor, *states: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Take x (frames, batch, positions, channels) and hidden and cell states of both layers; return both anew."""
        frames, batch, positions, channels = x.shape
        past, each = self.each(x.reshape(frames, batch * positions, channels), states[:2])
        x = x + self.norm_each(self.after_each(past)).reshape(x.shape)
        past, whole = self.all(self.gather(x.reshape(frames, batch, positions * channels)), states[2:])
        return x + self.norm_all(self.after_all(past).reshape(x.shape)), (*each, *whole)


class FullBand(FrameNetwork):
    """Noisy spectra in, clean spectra out, one frame later.

    Parameters
    ----------
    config : FullBandConfig, optional
    bidirectional : bool
        Whether the core hears past and future, so that nothing can be cleaned in pieces; see ``fullband_offline``.

    Raises
    ------
    RecipeError
        Sizes that do not go together.
    """

    rate = RATE
    window_name = "vorbis"
    size = WINDOW
    hop = HOP
    look_ahead = 1
    spread: Tensor
    gather: Tensor

    def __init__(self, config: FullBandConfig | None = None, bidirectional: bool = False) -> None:
        super().__init__()
        self.config = c = config or FullBandConfig()
        self._sides = 1 + bidirectional
        if (c.low + c.bands) % 8 or c.taps < 3:
            raise RecipeError(
                f"{c.low} bins and {c.bands} bands with {c.taps} taps do not go together",
                remedy="let low + bands be a multiple of 8, and taps at least 3",
            )
        self.positions = (c.low + c.bands) // 8
        spread = band_weights(c.low, c.bands)
        self.register_buffer("spread", spread, persistent=False)
        self.register_buffer("gather", (spread / spread.sum(1, keepdim=True)).T.contiguous(), persistent=False)
        self.enter = Narrow(9, c.hidden, 4)
        self.narrow = Narrow(c.hidden, c.channels, 2)
        self.place = nn.Parameter(torch.randn(self.positions, c.channels) * 0.1)
        self.core = nn.ModuleList(Block(self.positions, c.channels, c.whole, bidirectional) for _ in range(c.blocks))
        self.widen_core = Widen(c.channels, c.hidden, 2)
        self.bridge = nn.Linear(c.hidden, c.hidden)
        self.widen = Widen(c.hidden, c.hidden // 2, 4)
        self.gain = nn.Linear(c.hidden // 2, 1)
        self.filter = nn.Linear(c.hidden // 2, 2 * c.taps)
        nn.init.zeros_(self.filter.weight)
        nn.init.zeros_(self.filter.bias)
        nn.init.constant_(self.gain.bias, 1.0)

    def state_shapes(self, batch: int = 1) -> dict[str, tuple[int, ...]]:
        """Return the last noisy spectra and the states of the recurrence."""
        c = self.config
        shapes: dict[str, tuple[int, ...]] = {"spectra": (batch, BINS, c.taps - 1, 2)}
        for number in range(c.blocks):
            each, whole = (self._sides, batch * self.positions, c.channels), (self._sides, batch, c.whole)
            shapes[f"hidden_each_{number}"] = shapes[f"cell_each_{number}"] = each
            shapes[f"hidden_all_{number}"] = shapes[f"cell_all_{number}"] = whole
        return shapes

    def features(self, spectra: Tensor) -> Tensor:
        """Return compressed real and imaginary parts (zero above the low bins) and magnitudes.

        Parameters
        ----------
        spectra : Tensor, shape (frames, batch, bins, 2)

        Returns
        -------
        Tensor, shape (frames, batch, low + bands, 3)
        """
        power = spectra.square().sum(-1) + 1e-10
        low, bands = power[..., : self.config.low], power[..., self.config.low :] @ self.gather
        magnitude = torch.cat([low, bands], dim=-1) ** 0.15
        parts = spectra[:, :, : self.config.low] * (low**-0.35)[..., None]
        return torch.cat([functional.pad(parts, (0, 0, 0, self.config.bands)), magnitude[..., None]], dim=-1)

    def forward(self, spectra: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """Run over the next frames.

        Parameters
        ----------
        spectra : Tensor, shape (batch, bins, frames, 2)
            Real and imaginary parts.
        *states : Tensor
            As :meth:`start` gives them, or as the last call returned them.

        Returns
        -------
        tuple of Tensor
            The clean spectra of frames one earlier than those that went in, then the states.
        """
        c = self.config
        remembered = torch.cat([states[0], spectra], dim=2)
        known = remembered.permute(2, 0, 1, 3).contiguous()
        seen = self.features(known[c.taps - 3 :])
        entered = self.enter(torch.cat([seen[:-2], seen[1:-1], seen[2:]], dim=-1))
        x = self.narrow(entered) + self.place
        new_states: list[Tensor] = []
        for number, block in enumerate(self.core):
            x, after = block(x, *states[1 + 4 * number : 5 + 4 * number])
            new_states += after
        x = self.widen(self.widen_core(x) + self.bridge(entered))
        gain = torch.sigmoid(self.gain(x))[..., 0]
        gain = torch.cat([gain[..., : c.low], gain[..., c.low :] @ self.spread], dim=-1)
        clean = known[c.taps - 2 : -1] * gain[..., None]
        low = clean[:, :, : c.low] + self._filtered(known[:, :, : c.low], self.filter(x[:, :, : c.low]))
        clean = torch.cat([low, clean[:, :, c.low :]], dim=2).permute(1, 2, 0, 3)
        return clean, remembered[:, :, remembered.shape[2] - (c.taps - 1) :], *new_states

    def _filtered(self, known: Tensor, weights: Tensor) -> Tensor:
        """Return the complex filter's output, (frames, batch, low, 2); weights (frames, batch, low, 2 * taps)."""
        taps = self.config.taps
        real, imaginary = known[..., 0], known[..., 1]
        count = known.shape[0] - (taps - 1)
        x = torch.stack([real[tap : tap + count] for tap in range(taps)], dim=-1)
        y = torch.stack([imaginary[tap : tap + count] for tap in range(taps)], dim=-1)
        a, b = weights[..., :taps], weights[..., taps:]
        return torch.stack([(a * x - b * y).sum(-1), (a * y + b * x).sum(-1)], dim=-1)
