"""DeepFilterNet's three graphs made into one that can be run piece by piece.

The published graphs take a whole recording: their recurrent layers start from zeros and their causal convolutions pad
the start with zeros. Here both become named inputs and outputs, the state, so that a run over any number of frames
goes on where the last one ended. The encoder and the two decoders are joined, so that nothing is copied between them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cleanaudio.backends.dfn_archive import GRAPHS, Archive
from cleanaudio.errors import ModelError
from cleanaudio.models.onnx_file import OnnxFile

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

_TIME_AXIS = 2  # of a convolution's input: (batch, channels, time, frequency)
_TO_THE_END = 2**62
_INPUTS, _OUTPUTS = ("feat_erb", "feat_spec"), ("m", "coefs")


@dataclass(frozen=True)
class StreamingNet:
    """The joined graph.

    Parameters
    ----------
    model : OnnxFile
        Inputs ``feat_erb`` (1, 1, frames, bands), ``feat_spec`` (1, 2, frames, bins) and the state; outputs ``m``
        (1, 1, frames, bands), ``coefs`` (1, frames, bins, 2 × order) and the new state, in the same order.
    states : tuple of (str, shape)
    """

    model: OnnxFile
    states: tuple[tuple[str, tuple[int, ...]], ...]

    def start(self) -> dict[str, NDArray[np.float32]]:
        """Return the state before the first frame: zeros."""
        return {name: np.zeros(shape, np.float32) for name, shape in self.states}


@lru_cache(maxsize=2)
def streaming(archive: Archive) -> StreamingNet:
    """Rewrite the graphs of an archive; once a process for each.

    Raises
    ------
    ModelError
        The graphs are not DeepFilterNet's.
    """
    return rewrite(archive)


def rewrite(archive: Archive) -> StreamingNet:
    """Join and open the graphs of an archive; see :class:`StreamingNet`."""
    import onnx
    from google.protobuf.message import DecodeError
    from onnx import helper

    try:
        parts = {name: onnx.ModelProto.FromString(archive.graphs[name].data) for name in GRAPHS}
    except DecodeError as error:
        raise ModelError("is not a DeepFilterNet archive, or broken", path=archive.origin) from error
    config = archive.config
    widths = {"feat_erb": config.erb_bands, "feat_spec": config.filtered_bins, "c0": config.filtered_bins}
    opener = _Opener(widths, archive.origin)
    joined = onnx.GraphProto(name="deepfilternet")
    shared = {port.name for part in parts.values() for port in (*part.graph.input, *part.graph.output)}
    for name, part in parts.items():
        _rename(part.graph, f"{name}/", shared)
        opener.open(part.graph)
        joined.node.extend(part.graph.node)
        joined.initializer.extend(part.graph.initializer)
    _prune(joined, {*_OUTPUTS, *(f"new_{name}" for name, _ in opener.states)}, archive.origin)

    float32 = onnx.TensorProto.FLOAT
    shapes: dict[str, list[int | str | None]] = {
        "feat_erb": [1, 1, "S", config.erb_bands],
        "feat_spec": [1, 2, "S", config.filtered_bins],
    }
    joined.input.extend(helper.make_tensor_value_info(name, float32, shapes[name]) for name in _INPUTS)
    joined.output.extend(helper.make_tensor_value_info(name, float32, None) for name in _OUTPUTS)
    for name, shape in opener.states:
        joined.input.append(helper.make_tensor_value_info(name, float32, shape))
        joined.output.append(helper.make_tensor_value_info(f"new_{name}", float32, shape))
    first = parts[GRAPHS[0]]
    model = onnx.ModelProto(ir_version=first.ir_version, opset_import=first.opset_import, graph=joined)
    data = model.SerializeToString()
    return StreamingNet(OnnxFile(data, sha256(data).hexdigest(), archive.origin), tuple(opener.states))


class _Opener:
    """Replaces hidden starts by named states, graph after graph."""

    def __init__(self, widths: dict[str, int], origin: str) -> None:
        self._widths, self._origin = widths, origin
        self.states: list[tuple[str, tuple[int, ...]]] = []

    def _state(self, *shape: int) -> str:
        name = f"state_{len(self.states)}"
        self.states.append((name, shape))
        return name

    def open(self, graph: GraphProto) -> None:
        nodes: list[NodeProto] = []
        for node in graph.node:
            if node.op_type == "GRU":
                self._open_gru(node)
                nodes.append(node)
            elif node.op_type == "Pad":
                nodes.extend(self._open_padding(node, graph))
            else:
                nodes.append(node)
        del graph.node[:]
        graph.node.extend(nodes)

    def _open_gru(self, node: NodeProto) -> None:
        attributes = {a.name: a for a in node.attribute}
        if "direction" in attributes and attributes["direction"].s != b"forward":
            raise ModelError("its recurrent layers do not run forward only", path=self._origin)
        state = self._state(1, 1, attributes["hidden_size"].i)
        node.input.extend([""] * (6 - len(node.input)))
        node.input[5] = state  # initial_h
        node.output.extend([""] * (2 - len(node.output)))
        node.output[1] = f"new_{state}"  # Y_h

    def _open_padding(self, node: NodeProto, graph: GraphProto) -> Iterable[NodeProto]:
        """Zeros before the first frame become the last frames of the run before."""
        from onnx import helper, numpy_helper

        conv = next((n for n in graph.node if n.op_type == "Conv" and n.input[0] == node.output[0]), None)
        weights = {tensor.name: tensor.dims for tensor in graph.initializer}
        width = self._widths.get(node.input[0])
        if conv is None or width is None or conv.input[1] not in weights:
            raise ModelError(f"{node.name} is not a padding of DeepFilterNet's", path=self._origin)
        _, inputs_of_group, frames, _ = weights[conv.input[1]]
        past = frames - 1
        if [0, 0, past, 0] not in _constants_behind(node.input[1], graph):
            raise ModelError(f"{node.name} does not pad the past only", path=self._origin)
        groups = next((a.i for a in conv.attribute if a.name == "group"), 1)
        state = self._state(1, inputs_of_group * groups, past, width)
        marks = {"start": -past, "end": _TO_THE_END, "axis": _TIME_AXIS}
        for mark, value in marks.items():
            graph.initializer.append(numpy_helper.from_array(np.array([value]), f"{state}_{mark}"))
        yield helper.make_node("Concat", [state, node.input[0]], [node.output[0]], axis=_TIME_AXIS)
        yield helper.make_node("Slice", [node.output[0], *(f"{state}_{mark}" for mark in marks)], [f"new_{state}"])


def _constants_behind(name: str, graph: GraphProto) -> list[list[int]]:
    """Return the constant tensors that a tensor is computed from."""
    from onnx import numpy_helper

    makers = {output: node for node in graph.node for output in node.output}
    found, todo, seen = [], [name], set()
    while todo:
        name = todo.pop()
        node = makers.get(name)
        if node is None or name in seen:
            continue
        seen.add(name)
        if node.op_type == "Constant":
            found.append(numpy_helper.to_array(node.attribute[0].t).ravel().tolist())
        todo.extend(node.input)
    return found


def _rename(graph: GraphProto, prefix: str, shared: set[str]) -> None:
    """Give every tensor and node of a graph a name of its own, save those that the graphs share."""

    def renamed(name: str) -> str:
        return name if not name or name in shared else prefix + name

    for node in graph.node:
        node.name = prefix + node.name if node.name else ""
        for names in (node.input, node.output):
            names[:] = [renamed(name) for name in names]
    for tensor in graph.initializer:
        tensor.name = renamed(tensor.name)


def _prune(graph: GraphProto, wanted: set[str], origin: str) -> None:
    """Leave only what the wanted outputs need."""
    needed, nodes = set(wanted), []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            nodes.append(node)
            needed.update(node.input)
    made = {output for node in nodes for output in node.output}
    missing = wanted - made
    if missing:
        raise ModelError(f"is not a DeepFilterNet: nothing makes {', '.join(sorted(missing))}", path=origin)
    tensors = [tensor for tensor in graph.initializer if tensor.name in needed]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(reversed(nodes))
    graph.initializer.extend(tensors)
