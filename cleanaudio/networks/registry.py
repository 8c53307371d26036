"""The networks by name, imported on demand."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from cleanaudio.errors import RecipeError
from cleanaudio.networks.interface import Network

_NETWORKS = {
    "fullband": ("cleanaudio.networks.fullband", "FullBand", "FullBandConfig"),
    "mask-lstm": ("cleanaudio.networks.mask_lstm", "MaskLstm", "MaskLstmConfig"),
    "mask-lstm-streaming": ("cleanaudio.networks.mask_lstm", "StreamingMaskLstm", "MaskLstmConfig"),
    "conv-tasnet": ("cleanaudio.networks.conv_tasnet", "ConvTasNet", "ConvTasNetConfig"),
    "autoencoder": ("cleanaudio.networks.autoencoder", "Autoencoder", "AutoencoderConfig"),
}


def names() -> list[str]:
    """Return the names of all networks."""
    return sorted(_NETWORKS)


def build(name: str, options: Mapping[str, Any] | None = None) -> Network:
    """Return a fresh network.

    Parameters
    ----------
    name : str
    options : mapping, optional
        Fields of the network's config.

    Raises
    ------
    RecipeError
        No such network, or no such option.
    """
    if name not in _NETWORKS:
        raise RecipeError(f"there is no network {name!r}", remedy=f"there are: {', '.join(names())}")
    module_name, network, config = _NETWORKS[name]
    module = import_module(module_name)
    try:
        chosen = getattr(module, config)(**(options or {}))
    except TypeError as error:
        raise RecipeError(f"network {name}: {error}") from None
    return getattr(module, network)(chosen)
