"""Whose voice it is: speaker embeddings of Resemblyzer's encoder, and how much alike two are.

The encoder (Wan, Wang, Papir & Lopez Moreno, "Generalized end-to-end loss for speaker verification", ICASSP 2018) is
three LSTM layers of 256 over 40 mel bands, a linear layer, a rectifier and a unit norm. It hears pieces of 1.6 s,
1.3 of them a second; the embedding of an utterance is the normalised mean of its pieces'. Only the weights in the
package ``resemblyzer`` are used. Its requirements cannot be installed any more, so the package goes without them, and
the network runs here, in numpy. Unlike the package's own front end nothing is cut out as silence, so that the clean,
noisy and cleaned versions of a recording are compared over the same pieces.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleanaudio.errors import CleanAudioError
from cleanaudio.metrics.lstm import lstm
from cleanaudio.metrics.mel import filters, power_frames

Vector = NDArray[np.float32]

RATE = 16000
LAYERS, UNITS, BANDS = 3, 256, 40
_WINDOW, _HOP = 400, 160
_PIECE = 160
"""Frames of a piece of 1.6 s."""
_STEP = round(RATE / 1.3 / _HOP)
_COVERED = 0.75
"""A last piece that is filled to less than this is left out."""
_LOUDNESS_DBFS = -30.0

_SHA256 = "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"
_TENSORS = {
    "weight_ih_0": (269883, (4 * UNITS, BANDS)),
    "weight_hh_0": (433723, (4 * UNITS, UNITS)),
    "bias_ih_0": (5676603, (4 * UNITS,)),
    "bias_hh_0": (5680699, (4 * UNITS,)),
    "weight_ih_1": (1482299, (4 * UNITS, UNITS)),
    "weight_hh_1": (2530875, (4 * UNITS, UNITS)),
    "bias_ih_1": (5684795, (4 * UNITS,)),
    "bias_hh_1": (5688891, (4 * UNITS,)),
    "weight_ih_2": (3579451, (4 * UNITS, UNITS)),
    "weight_hh_2": (4628027, (4 * UNITS, UNITS)),
    "bias_ih_2": (5692987, (4 * UNITS,)),
    "bias_hh_2": (5697083, (4 * UNITS,)),
    "linear": (7731, (UNITS, UNITS)),
    "offset": (6699, (UNITS,)),
}
"""Where the tensors lie in ``pretrained.pt``, in bytes. That file is a pickle, and no pickle is ever loaded: since its
hash is known, so are the places of the numbers in it."""


class EncoderUnavailable(CleanAudioError):
    """The speaker encoder's weights are not there."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"speaker similarity is not available: {reason}", remedy="pip install --no-deps resemblyzer")


def weights_file() -> Path:
    """Return the file of the weights; the package around it is not imported.

    Raises
    ------
    EncoderUnavailable
    """
    spec = find_spec("resemblyzer")
    if spec is None or spec.origin is None:
        raise EncoderUnavailable("the package resemblyzer is not installed")
    path = Path(spec.origin).with_name("pretrained.pt")
    if not path.is_file():
        raise EncoderUnavailable(f"there is no {path}")
    return path


class Encoder:
    """The network.

    Parameters
    ----------
    tensors : mapping of str to ndarray
        ``weight_ih_0`` …, ``linear``, ``offset``; gates in PyTorch's order: input, forget, cell, output.
    """

    def __init__(self, tensors: dict[str, NDArray[np.float32]]) -> None:
        self._layers = [
            (
                tensors[f"weight_ih_{layer}"].T,
                np.ascontiguousarray(tensors[f"weight_hh_{layer}"].T),
                tensors[f"bias_ih_{layer}"] + tensors[f"bias_hh_{layer}"],
            )
            for layer in range(LAYERS)
        ]
        self._linear, self._offset = tensors["linear"].T, tensors["offset"]

    def pieces(self, mels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the unit embeddings, (pieces, 256), of mel frames, (pieces, frames, 40)."""
        signal = mels.transpose(1, 0, 2)
        for layer in self._layers:
            signal, _ = lstm(signal, *layer)
        raw = np.maximum(signal[-1] @ self._linear + self._offset, 0)
        return raw / np.maximum(np.linalg.norm(raw, axis=1, keepdims=True), 1e-12)

    def utterance(self, speech: Vector) -> NDArray[np.float32]:
        """Return the unit embedding, (256,), of mono speech at :data:`RATE`, not empty."""
        starts = _starts(len(speech))
        padded = np.pad(speech, (0, max(0, (starts[-1] + _PIECE) * _HOP - len(speech))))
        mels = mel_frames(padded)
        mean = self.pieces(np.stack([mels[start : start + _PIECE] for start in starts])).mean(axis=0)
        return mean / max(float(np.linalg.norm(mean)), 1e-12)


@cache
def encoder() -> Encoder:
    """Return Resemblyzer's encoder.

    Raises
    ------
    EncoderUnavailable
        The weights are not there, or are others.
    """
    path = weights_file()
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != _SHA256:
        raise EncoderUnavailable(f"{path} is not that of resemblyzer 0.1.4")
    return Encoder(
        {
            name: np.frombuffer(data, "<f4", int(np.prod(shape)), offset).reshape(shape)
            for name, (offset, shape) in _TENSORS.items()
        }
    )


def similarity(first: Vector, second: Vector) -> float:
    """Return the cosine of the embeddings of two recordings of speech, mono at :data:`RATE`: 1 is the same voice.

    Raises
    ------
    EncoderUnavailable
    """
    network = encoder()
    one, other = (network.utterance(_loud_enough(speech)) for speech in (first, second))
    return float(one @ other)


def mel_frames(speech: Vector) -> NDArray[np.float32]:
    """Return mel powers, (frames, 40): windows of 25 ms centred every 10 ms, silence beyond both ends."""
    powers = power_frames(np.pad(speech, _WINDOW // 2), _WINDOW, _HOP)
    return powers @ filters(RATE, _WINDOW, BANDS).T


def _starts(samples: int) -> list[int]:
    """Return the first frames of the pieces."""
    frames = -(-(samples + 1) // _HOP)
    starts = list(range(0, max(1, frames - _PIECE + _STEP + 1), _STEP))
    covered = (samples - starts[-1] * _HOP) / (_PIECE * _HOP)
    return starts[:-1] if covered < _COVERED and len(starts) > 1 else starts


def _loud_enough(speech: Vector) -> Vector:
    """Bring quiet speech up to a level."""
    power = float(np.mean(np.square(speech, dtype=np.float64)))
    wanted = 10 ** (_LOUDNESS_DBFS / 10)
    return speech if not 0 < power < wanted else speech * np.float32(np.sqrt(wanted / power))
