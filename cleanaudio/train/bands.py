"""Bins of a spectrum gathered in bands."""

from __future__ import annotations

import torch
from torch import Tensor


def gathering(rate: int, size: int, low: Tensor, high: Tensor) -> Tensor:
    """Return which share of each bin lies in each band, shape (bins, bands).

    Parameters
    ----------
    rate : int
        Hz.
    size : int
        Window of the spectrum, in samples; a bin is ``rate / size`` wide.
    low, high : Tensor, shape (bands,)
        Where the bands begin and end, in Hz.
    """
    step = rate / size
    centre = torch.arange(size // 2 + 1)[:, None] * step
    shared = torch.minimum(centre + step / 2, high) - torch.maximum(centre - step / 2, low)
    return shared.clamp(min=0) / step
