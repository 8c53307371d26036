"""The samples of a frame as PyAV decodes it, in floating point."""

from __future__ import annotations

import av
import numpy as np
from numpy.typing import NDArray

_FULL_SCALE = {"u8": 128.0, "s16": 2.0**15, "s32": 2.0**31}

_PLANES = 8
"""Where the channels of a frame lie apart and are as many, PyAV reads on behind the last of them, and crashes."""


def to_float(frame: av.AudioFrame) -> NDArray[np.float32]:
    """Return the samples of a decoded frame, (n, channels), ±1."""
    if frame.format.is_planar and frame.layout.nb_channels >= _PLANES:
        frame = _packed(frame)
    samples = frame.to_ndarray()
    samples = samples.T if frame.format.is_planar else samples.reshape(-1, frame.layout.nb_channels)
    kind = frame.format.name.rstrip("p")
    if kind == "u8":
        return (samples.astype(np.float32) - 128.0) / np.float32(128.0)
    if kind in _FULL_SCALE:
        return samples.astype(np.float32) / np.float32(_FULL_SCALE[kind])
    return samples.astype(np.float32)


def _packed(frame: av.AudioFrame) -> av.AudioFrame:
    """Return a frame with its channels interleaved; its samples are the same."""
    interleaved, *_ = av.AudioResampler(format=frame.format.packed.name).resample(frame)
    return interleaved
