"""Audio in arrays: the one check of those that come from outside."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.limits import MAX_CHANNELS, RATES
from cleanaudio.errors import InputError

LARGEST = 1e10
"""A sample of more is damage, whatever the scale; the squares of less can be summed in single precision."""


def as_audio(samples: Any, what: str = "audio", *, finite: bool = True) -> NDArray[np.float32]:
    """Return samples as float32 of shape (channels, frames), the same array where it is that already.

    Parameters
    ----------
    samples : array_like, shape (frames,) or (channels, frames)
        Floating point, nominal range ±1.
    what : str
        How errors call it.
    finite : bool
        Whether NaN and infinity are refused.

    Raises
    ------
    InputError
        Another shape, integers, more than 64 channels (a transposed array, most likely), NaN or infinity.
    """
    array = np.asarray(samples)
    if array.ndim not in (1, 2):
        raise InputError(f"{what} has 1 or 2 dimensions, not {array.ndim}")
    _check_floating(array, what)
    audio = np.atleast_2d(np.asarray(array, np.float32, order="C"))  # sums depend on the order in memory
    if len(audio) > MAX_CHANNELS:
        raise InputError(
            f"{what} has {len(audio)} channels of {audio.shape[1]} frames",
            remedy="the shape is (channels, frames): transpose it",
        )
    if finite and not np.isfinite(audio).all():
        raise InputError(f"{what} holds NaN or infinite samples", remedy="np.nan_to_num replaces them")
    return audio


def as_block(samples: Any, channels: int) -> NDArray[np.float32]:
    """Return the next samples of a recording as float32, the same array where they are that already.

    Parameters
    ----------
    samples : array_like, shape (channels, n)
        Floating point, nominal range ±1.
    channels : int

    Raises
    ------
    InputError
        Another shape, also where a single channel has no axis of its own, or integers.
    """
    array = np.asarray(samples)
    _check_floating(array, "a block")
    check_block(array, channels)
    return np.asarray(array, np.float32)


def as_rate(rate: Any, what: str = "the rate") -> int:
    """Return a rate in Hz, which may come as a float, as a whole number.

    Raises
    ------
    InputError
        It is none of :data:`~cleanaudio.audio.limits.RATES`.
    """
    return as_number(rate, RATES, what, " Hz")


def as_number(value: Any, allowed: range, what: str, unit: str = "") -> int:
    """Return a whole number, which may come as a float.

    Raises
    ------
    InputError
        It is not whole, or none of the allowed ones.
    """
    with suppress(TypeError, ValueError, OverflowError):  # words; NaN; infinity
        if (number := int(value)) == value and number in allowed:
            return number
    raise InputError(f"{what} is a whole number from {allowed[0]} to {allowed[-1]}{unit}, not {value!r}")


def _check_floating(array: NDArray, what: str) -> None:
    if not np.issubdtype(array.dtype, np.floating):
        raise InputError(f"{what} is floating point within ±1, not {array.dtype}", remedy="divide by full scale first")


def sane(block: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which samples are numbers of a size that a recording can have."""
    return np.abs(block) <= LARGEST  # NaN is not


def repaired(block: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a copy of a block, with silence in place of samples that are not sane."""
    return np.where(sane(block), block, np.float32(0))


def check_block(block: NDArray[np.float32], channels: int) -> None:
    """Raise InputError unless a block has the shape (channels, n)."""
    if block.ndim != 2 or block.shape[0] != channels:
        remedy = "transpose it" if block.shape[1:] == (channels,) else ""
        raise InputError(f"a block has the shape {block.shape}, not ({channels}, frames)", remedy=remedy)
