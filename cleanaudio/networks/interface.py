"""What the training loop, the export and the backend know of a network."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from torch import Tensor, nn


class Network(nn.Module):
    """A network that cleans one channel.

    Attributes
    ----------
    rate : int
        Hz.
    context, ahead : int
        Samples that must be known before and behind a stretch, so that it comes out as within the whole recording; 0
        where there are explicit states instead.
    """

    rate: ClassVar[int]
    context: int = 0
    ahead: int = 0

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
