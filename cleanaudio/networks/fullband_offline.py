"""The full-band network for recordings: the layers of ``fullband``, whose recurrence hears past and future alike.

What is still to come tells a voice from a noise that begins as it does (bidirectional recurrence: Schuster & Paliwal
1997). The price is that a recording must be there before it is cleaned, so live there is the causal network.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from cleanaudio.networks.frames import FrameNetwork
from cleanaudio.networks.fullband import HOP, RATE, WINDOW, FullBand, FullBandConfig


class FullBandOffline(FrameNetwork):
    """Noisy spectra in, clean spectra of the same frames out.

    Parameters
    ----------
    config : FullBandConfig, optional

    Raises
    ------
    RecipeError
        Sizes that do not go together.
    """

    rate = RATE
    window_name = "vorbis"
    size = WINDOW
    hop = HOP
    context = ahead = RATE

    def __init__(self, config: FullBandConfig | None = None) -> None:
        super().__init__()
        self.inner = FullBand(config, bidirectional=True)
        self.config = self.inner.config

    def state_shapes(self, batch: int = 1) -> dict[str, tuple[int, ...]]:
        """Return nothing: it hears a stretch as a whole."""
        return {}

    def forward(self, spectra: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """Take and return (batch, bins, frames, 2)."""
        look_ahead = self.inner.look_ahead
        ahead = functional.pad(spectra, (0, 0, 0, look_ahead))
        return (self.inner(ahead, *self.inner.start(len(spectra)))[0][:, :, look_ahead:],)

    def adopted(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the causal network's weights as those of this one, which then does just what that one does.

        The future is heard by copies of the layers that hear the past; nothing of it comes out yet.
        """
        if any(name.startswith("inner.") for name in tensors):
            return dict(tensors)
        found = {f"inner.{name}": tensor for name, tensor in tensors.items()}
        for name, wanted in self.state_dict().items():
            if name.endswith("_reverse"):
                found[name] = found.get(name.removesuffix("_reverse"), wanted)
            elif name in found and "after_" in name and found[name].shape != wanted.shape:
                found[name] = torch.cat([found[name], torch.zeros_like(found[name])], dim=1)
        return found
