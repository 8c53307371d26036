"""Which device computes, and whether this torch can use it."""

from __future__ import annotations

import torch

from cleanaudio.errors import RecipeError


def check(name: str) -> torch.device:
    """Return the device of this name.

    Parameters
    ----------
    name : str
        ``cpu``, ``cuda``, or ``cuda:1`` for the second one.

    Raises
    ------
    RecipeError
        There is no such device, or this torch cannot use it.
    """
    kind, colon, number = name.partition(":")
    if kind not in ("cpu", "cuda") or (colon and not number.isdecimal()):
        raise RecipeError(f"there is no device {name!r}", remedy="use --device cpu or --device cuda")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise RecipeError(f"this torch cannot use a device {name}", remedy="use --device cpu")
    return torch.device(name)
