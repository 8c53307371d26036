"""A recording read whole, for what must have all of it in memory: metrics, recognisers, short clips."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.files import open_reader
from cleanaudio.errors import InputError


def read_whole(
    path: str | PathLike[str], warn: Callable[[str], None] = lambda text: None
) -> tuple[NDArray[np.float32], int]:
    """Return the samples of a recording, (channels, frames), and its rate in Hz.

    Parameters
    ----------
    path : str or PathLike
    warn : callable, optional
        Told what is odd about the file, such as an end that is missing.

    Raises
    ------
    InputError
        It cannot be read, holds no samples, or some that are not numbers.
    """
    with open_reader(path) as reader:
        blocks = list(reader.blocks())
        if not blocks:
            raise InputError("holds no samples", path=path)
        for warning in reader.info.warnings:
            warn(warning)
        if reader.repaired:
            raise InputError(f"holds {reader.repaired} samples that are not numbers", path=path)
        return np.concatenate(blocks, axis=1), reader.info.rate
