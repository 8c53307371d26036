"""Cut a part out of an ONNX model, with inputs of free shape, without the ``onnx`` package.

An ONNX file is a protobuf message. Only four facts of its schema (onnx.proto3) are needed: a model's graph is field 7;
a graph's nodes, initializers, inputs, outputs and value infos are fields 1, 5, 11, 12 and 13; a node's inputs, outputs
and operator are fields 1, 2 and 4; everything else is copied as bytes.
"""

from __future__ import annotations

from collections.abc import Iterator

_GRAPH = 7
_NODE, _INPUT, _OUTPUT, _VALUE_INFO = 1, 11, 12, 13
_FLOAT = 1


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview, memoryview]]:
    """Yield (field number, payload, the whole field as it stands) of a message."""
    at = 0
    while at < len(data):
        start = at
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 2:
            size, at = _varint(data, at)
        elif kind == 0:
            size = _varint(data, at)[1] - at
        else:
            size = {1: 8, 5: 4}[kind]
        yield tag >> 3, data[at : at + size], data[start : at + size]
        at += size


def _encode(number: int, payload: bytes | int) -> bytes:
    def varint(value: int) -> bytes:
        out = bytearray()
        while value > 0x7F:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        return bytes([*out, value])

    if isinstance(payload, int):
        return varint(number << 3) + varint(payload)
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def _tensor(name: str, rank: int) -> bytes:
    """Return a ValueInfoProto: a float tensor with all dimensions free."""
    dims = b"".join(_encode(1, _encode(2, f"{name}.{axis}".encode())) for axis in range(rank))
    return _encode(1, name.encode()) + _encode(2, _encode(1, _encode(1, _FLOAT) + _encode(2, dims)))


def _graph(model: bytes) -> memoryview:
    return next(payload for number, payload, _ in _fields(memoryview(model)) if number == _GRAPH)


def nodes(model: bytes) -> list[tuple[str, list[str], list[str]]]:
    """Return (operator, inputs, outputs) of every node, in the order of computation."""
    return [_node(payload) for number, payload, _ in _fields(_graph(model)) if number == _NODE]


def _node(payload: memoryview) -> tuple[str, list[str], list[str]]:
    named: dict[int, list[str]] = {1: [], 2: [], 4: []}
    for number, content, _ in _fields(payload):
        if number in named:
            named[number].append(bytes(content).decode())
    return named[4][0], named[1], named[2]


def cut(model: bytes, source: tuple[str, int], target: tuple[str, int]) -> bytes:
    """Return the model that leads from one tensor to another.

    Parameters
    ----------
    model : bytes
        A serialised ModelProto.
    source, target : (str, int)
        Name and number of dimensions of the float tensors where the part begins and ends.
    """
    graph = _graph(model)
    wanted, keep = {target[0]}, set()
    for index, (_, inputs, outputs) in reversed(list(enumerate(nodes(model)))):
        if source[0] not in outputs and wanted & set(outputs):
            keep.add(index)
            wanted |= set(inputs)
    out, index = bytearray(), -1
    for number, _, whole in _fields(graph):
        index += number == _NODE
        if number in (_INPUT, _OUTPUT, _VALUE_INFO) or (number == _NODE and index not in keep):
            continue
        out += whole
    out += _encode(_INPUT, _tensor(*source)) + _encode(_OUTPUT, _tensor(*target))
    rest = b"".join(bytes(whole) for number, _, whole in _fields(memoryview(model)) if number != _GRAPH)
    return rest + _encode(_GRAPH, bytes(out))
