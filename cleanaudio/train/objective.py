"""What a network is trained for: what it makes of a batch, and the loss of it."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from cleanaudio.errors import RecipeError
from cleanaudio.networks.interface import Network
from cleanaudio.train.config import TrainConfig
from cleanaudio.train.data import Batch
from cleanaudio.train.losses import EnhancementLoss, FrameLoss, ideal_mask


class Objective:
    """The target of a config, for one network.

    Parameters
    ----------
    config : TrainConfig
    network : Network
    device : torch.device

    Raises
    ------
    RecipeError
        The network has no such target.
    """

    def __init__(self, config: TrainConfig, network: Network, device: torch.device) -> None:
        if config.target == "spectrum" and not hasattr(network, "spectra"):
            raise RecipeError(f"{config.network} does not work on spectra", remedy='use target = "signal"')
        if config.target not in ("signal", "spectrum") and not hasattr(network, "mask"):
            raise RecipeError(f"{config.network} has no mask to train", remedy='use target = "signal"')
        self.kind, self.device = config.target, device
        self.mixed = config.mixed_precision and (device.type == "cuda" or _multiplies_bfloat16())
        self.network = cast(Any, network)  # only some networks have masks, or work on spectra
        if self.kind == "signal":
            self.loss = EnhancementLoss(config.mix.rate, config.loss_sizes, config).to(device)
        elif self.kind == "spectrum":
            spectrum = self.network.spectrum
            self.frame_loss = FrameLoss(config.mix.rate, spectrum.size, config, spectrum.hop).to(device)

    def __call__(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of a batch, and its parts."""
        network = self.network
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.mixed):
            if self.kind == "signal":
                estimate = network.enhance(batch.noisy, batch.bandwidth_hz)
            else:
                estimate = (network.spectra if self.kind == "spectrum" else network.mask)(batch.noisy)
        if self.kind == "signal":
            return self.loss(estimate, batch.target, batch.noisy)
        target, noisy = (network.spectrum(signal) for signal in (batch.target, batch.noisy))
        if self.kind == "spectrum":
            return self.frame_loss(estimate, target, noisy, batch.bandwidth_hz)
        return (estimate.float() - ideal_mask(self.kind, target, noisy)).square().mean(), {}


def _multiplies_bfloat16() -> bool:
    """Whether this processor does so faster than it multiplies float32."""
    capabilities: dict = getattr(torch.cpu, "get_capabilities", dict)()  # older releases of torch do not tell
    return bool(capabilities.get("avx512_bf16", False))
