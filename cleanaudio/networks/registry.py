"""The networks by name, imported on demand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from importlib import import_module
from typing import Any

from cleanaudio.errors import RecipeError
from cleanaudio.networks.interface import Network

_NETWORKS = {
    "fullband": ("cleanaudio.networks.fullband", "FullBand", "FullBandConfig"),
    "fullband-offline": ("cleanaudio.networks.fullband_offline", "FullBandOffline", "FullBandConfig"),
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
        No such network, no such option, or a value of another type.
    """
    if name not in _NETWORKS:
        raise RecipeError(f"there is no network {name!r}", remedy=f"there are: {', '.join(names())}")
    module_name, network, config = _NETWORKS[name]
    module = import_module(module_name)
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in (options or {}).items()}
    try:
        chosen = getattr(module, config)(**given)
    except TypeError as error:
        raise RecipeError(f"network {name}: {error}") from None
    check_types(chosen, f"network {name}: ")
    try:
        return getattr(module, network)(chosen)
    except (RuntimeError, ValueError, TypeError, ArithmeticError) as error:  # torch's and Python's word for such sizes
        raise RecipeError(f"network {name} cannot have these sizes: {error}") from error


def check_types(config: Any, where: str = "") -> None:
    """Look whether the fields of a config are of the types of their defaults; a whole number will do for any number.

    Raises
    ------
    RecipeError
    """
    for field in fields(config):
        value, kind = getattr(config, field.name), type(field.default)
        kinds = (int, float) if kind is float else (kind,)
        if kind in _IN_WORDS and (not isinstance(value, kinds) or (isinstance(value, bool) and kind is not bool)):
            raise RecipeError(f"{where}{field.name} = {value!r} is not {_IN_WORDS[kind]}")


_IN_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false", tuple: "a list, as [1, 2]"}
