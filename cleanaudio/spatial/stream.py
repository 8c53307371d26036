"""What the processors of this package share: :mod:`cleanaudio.audio.processor` says what a processor is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]
Log = Callable[[Mapping[str, Any]], None]
"""Takes what a driver decided on one block, JSON-serialisable: for a sidecar file."""


def frame_count(frames: int, size: int, hop: int) -> int:
    """Return how many STFT frames cover a signal of so many samples, tail included."""
    return -(-(frames + size - hop) // hop) if frames else 0


def missing(frames: int, size: int, hop: int) -> int:
    """Return how many samples of silence after so many of a signal the STFT frames that cover it want."""
    return frame_count(frames, size, hop) * hop - frames
