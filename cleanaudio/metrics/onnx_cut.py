"""Cut a part out of an ONNX model, with inputs of free shape, without the ``onnx`` package.

An ONNX file is a protobuf message. Only four facts of its schema (onnx.proto3) are needed: a model's graph is field 7;
a graph's nodes, initializers, inputs, outputs and value infos are fields 1, 5, 11, 12 and 13; a node's inputs, outputs
and operator are fields 1, 2 and 4; everything else is copied as bytes.
"""

from __future__ import annotations

from cleanaudio.models.protobuf import encode, fields, message_of, text_of

_GRAPH = 7
_NODE, _INPUT, _OUTPUT, _VALUE_INFO = 1, 11, 12, 13
_FLOAT = 1


def _tensor(name: str, rank: int) -> bytes:
    """Return a ValueInfoProto: a float tensor with all dimensions free."""
    dims = b"".join(encode(1, encode(2, f"{name}.{axis}".encode())) for axis in range(rank))
    return encode(1, name.encode()) + encode(2, encode(1, encode(1, _FLOAT) + encode(2, dims)))


def _graph(model: bytes) -> memoryview:
    return next(message_of(value) for number, value, _ in fields(memoryview(model)) if number == _GRAPH)


def nodes(model: bytes) -> list[tuple[str, list[str], list[str]]]:
    """Return (operator, inputs, outputs) of every node, in the order of computation."""
    return [_node(message_of(value)) for number, value, _ in fields(_graph(model)) if number == _NODE]


def _node(message: memoryview) -> tuple[str, list[str], list[str]]:
    named: dict[int, list[str]] = {1: [], 2: [], 4: []}
    for number, value, _ in fields(message):
        if number in named:
            named[number].append(text_of(value))
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
    for number, _, whole in fields(graph):
        index += number == _NODE
        if number in (_INPUT, _OUTPUT, _VALUE_INFO) or (number == _NODE and index not in keep):
            continue
        out += whole
    out += encode(_INPUT, _tensor(*source)) + encode(_OUTPUT, _tensor(*target))
    rest = b"".join(bytes(whole) for number, _, whole in fields(memoryview(model)) if number != _GRAPH)
    return rest + encode(_GRAPH, bytes(out))
