"""The one check of arrays that come from outside."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleanaudio.errors import InputError

MAX_CHANNELS = 64


def as_audio(samples: Any) -> NDArray[np.float32]:
    """Return samples as float32 of shape (channels, frames).

    Parameters
    ----------
    samples : array_like, shape (frames,) or (channels, frames)
        Floating point, nominal range ±1.

    Raises
    ------
    InputError
        Another shape, integers, more than 64 channels (a transposed array, most likely), NaN or infinity.
    """
    array = np.asarray(samples)
    if array.ndim not in (1, 2):
        raise InputError(f"audio has 1 or 2 dimensions, not {array.ndim}")
    if not np.issubdtype(array.dtype, np.floating):
        raise InputError(f"audio is floating point within ±1, not {array.dtype}", remedy="divide by full scale first")
    audio = np.atleast_2d(array).astype(np.float32, order="C")  # sums depend on the order in memory
    if len(audio) > MAX_CHANNELS:
        raise InputError(
            f"{len(audio)} channels of {audio.shape[1]} frames", remedy="the shape is (channels, frames): transpose it"
        )
    if not np.isfinite(audio).all():
        raise InputError("audio holds NaN or infinite samples", remedy="np.nan_to_num replaces them")
    return audio
