"""Weights and activations of 8 bits, with scales measured beforehand on noisy speech.

Static, because dynamic quantisation takes its scale from each block: the output would depend on how a recording is cut.
Recurrent layers stay as they are, since the runtime has no such form of them; so do the transforms at both ends, whose
rounding would be heard.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cleanaudio.networks.frames import FrameNetwork
from cleanaudio.networks.interface import Network

KINDS = ("MatMul", "Gemm", "Conv")
_EDGES = ("/spectrum/", "/encoder/", "/decoder/")
LONGEST_S = 8
"""Seconds of each recording that are used: the scales of all of them are held in memory."""


def quantised(data: bytes, network: Network, noisy: Sequence[NDArray[np.float32]]) -> bytes:
    """Return the 8-bit form of a model of :func:`cleanaudio.train.graph.graph`.

    Parameters
    ----------
    data : bytes
        An ONNX file.
    network : Network
        The one that the model does the same as.
    noisy : sequence of ndarray, shape (frames,)
        Recordings such as it will hear, at its rate.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self._feeds = _feeds(network, noisy)

        def get_next(self) -> Any:
            return next(self._feeds, None)

    with tempfile.TemporaryDirectory() as folder:
        source, ready, target = (Path(folder) / name for name in ("source.onnx", "ready.onnx", "target.onnx"))
        source.write_bytes(data)
        quant_pre_process(source, ready, skip_symbolic_shape=True)
        nodes = onnx.load(ready).graph.node
        edges = [node.name for node in nodes if any(edge in node.name for edge in _EDGES)]
        quantize_static(
            ready,
            target,
            Reader(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(KINDS),
            nodes_to_exclude=edges,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return target.read_bytes()


def _feeds(network: Network, noisy: Sequence[NDArray[np.float32]]) -> Iterator[dict[str, NDArray]]:
    for recording in noisy:
        samples = torch.from_numpy(np.ascontiguousarray(recording[: LONGEST_S * network.rate]))[None]
        if isinstance(network, FrameNetwork):
            with torch.no_grad():
                feeds = {"mix": torch.view_as_real(network.spectrum(samples).transpose(1, 2)).numpy()}
        else:
            feeds = {"audio_input": samples[:, : samples.shape[1] // network.hop * network.hop].numpy()}
        yield feeds | {name: np.zeros(shape, np.float32) for name, shape in network.state_shapes().items()}
