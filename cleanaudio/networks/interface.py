"""What the training loop, the export and the backend know of a network."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn


class Network(nn.Module):
    """A network that cleans one channel.

    Attributes
    ----------
    rate : int
        Hz.
    context, ahead : int
        Samples that must be known before and after a stretch, so that it comes out as within the whole recording; 0
        where there are states instead.
    hop, delay : int
        Of networks with states: samples that the pieces are a multiple of, and by which the output of a piece lags.
    """

    rate: ClassVar[int]
    context: int = 0
    ahead: int = 0
    hop: int = 1
    delay: int = 0

    def state_shapes(self, batch: int = 1) -> dict[str, tuple[int, ...]]:
        """Return names and shapes of the states of so many signals; none where a network must hear whole stretches.

        A network with states is called with a piece and its states and returns both anew; states start at zero.
        """
        return {}

    def start(self, batch: int = 1) -> tuple[Tensor, ...]:
        """Return the states before the first piece."""
        like = next(self.parameters())
        return tuple(torch.zeros(shape, device=like.device) for shape in self.state_shapes(batch).values())

    def adopted(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the weights that training begins with, given those of a checkpoint of this network or a kin."""
        return dict(tensors)

    @abstractmethod
    def enhance(self, noisy: Tensor, bandwidth_hz: Tensor | None = None) -> Tensor:
        """Clean whole signals.

        Parameters
        ----------
        noisy : Tensor, shape (batch, samples)
        bandwidth_hz : Tensor, shape (batch,), optional
            Leave out what lies above; networks at 16 kHz need not care.

        Returns
        -------
        Tensor, shape (batch, samples)
        """
