"""Tiny ONNX models for the tests of the backend ``onnx``, built with the package onnx."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT


def tensor(name: str, shape: Sequence[int | str], kind: int = FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def constant(name: str, value) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(value), name)


def model(nodes, inputs, outputs, constants=(), card: Mapping[str, str] | None = None, domain: str = "") -> bytes:
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    opsets = [helper.make_opsetid("", 13)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    made = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    helper.set_model_props(made, dict(card or {}))
    return made.SerializeToString()


def waveform(gain: float = 0.5, shape=(1, "n"), card: Mapping[str, str] | None = None) -> bytes:
    """Samples times a gain."""
    nodes = [helper.make_node("Mul", ["x", "gain"], ["y"])]
    gains = [constant("gain", np.float32(gain))]
    return model(nodes, [tensor("x", shape)], [tensor("y", shape)], gains, card)


def streamed(delay: int = 160, hop: int = 80, short: bool = False) -> bytes:
    """Half of the samples that came ``delay`` earlier, which a cache holds; of a few less where ``short``."""
    nodes = [
        helper.make_node("Concat", ["past", "x"], ["joined"], axis=1),
        helper.make_node("Slice", ["joined", "from_start", "before_end", "axis"], ["old"]),
        helper.make_node("Mul", ["old", "half"], ["y"]),
        helper.make_node("Slice", ["joined", "kept", "end", "axis"], ["past_out"]),
    ]
    constants = [
        constant("half", np.float32(0.5)),
        constant("axis", np.array([1])),
        constant("from_start", np.array([3 if short else 0])),
        constant("before_end", np.array([-delay])),
        constant("kept", np.array([-delay])),
        constant("end", np.array([2**62])),
    ]
    inputs = [tensor("x", (1, "n")), tensor("past", (1, delay))]
    outputs = [tensor("y", (1, "m")), tensor("past_out", (1, delay))]
    return model(nodes, inputs, outputs, constants, {"rate": "16000", "hop": str(hop), "delay": str(delay)})


def normalising(card: Mapping[str, str] | None = None) -> bytes:
    """Samples minus their mean over all that is heard: what comes out depends on the chunk."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Sub", ["x", "mean"], ["y"]),
    ]
    return model(nodes, [tensor("x", (1, "n"))], [tensor("y", (1, "n"))], card=card)


def shortened() -> bytes:
    """All samples but the last ten."""
    nodes = [helper.make_node("Slice", ["x", "start", "end", "axis"], ["y"])]
    marks = [constant("start", np.array([0])), constant("end", np.array([-10])), constant("axis", np.array([1]))]
    return model(nodes, [tensor("x", (1, "n"))], [tensor("y", (1, "m"))], marks)


def frames(
    bins: int = 257, free: bool = False, names=("mix", "enh"), card: Mapping[str, str] | None = None, late: int = 0
) -> bytes:
    """Half of each frame, or of the frame before it, and a cache that counts the frames it has seen."""
    time = "frames" if free else 1
    source, target = names
    inputs = [tensor(source, (1, bins, time, 2)), tensor("count", (1, 1))]
    outputs = [tensor(target, (1, bins, time, 2)), tensor("count_out", (1, 1))]
    constants = [constant("half", np.float32(0.5)), constant("one", np.ones((1, 1), np.float32))]
    nodes = [helper.make_node("Add", ["count", "one"], ["count_out"])]
    if late:  # one frame of delay, kept in a second cache
        inputs.append(tensor("past", (1, bins, 1, 2)))
        outputs.append(tensor("past_out", (1, bins, 1, 2)))
        nodes += [
            helper.make_node("Mul", ["past", "half"], [target]),
            helper.make_node("Identity", [source], ["past_out"]),
        ]
    else:
        nodes.append(helper.make_node("Mul", [source, "half"], [target]))
    return model(nodes, inputs, outputs, constants, card)


def frames_together(gain: float = 0.5, bins: int = 257, mean: bool = False, card: Mapping[str, str] | None = None):
    """Any number of frames times a gain, or minus the mean of all that are heard; no caches."""
    shape = (1, bins, "frames", 2)
    nodes = [helper.make_node("Mul", ["mix", "gain"], ["enh"])]
    if mean:
        nodes = [
            helper.make_node("ReduceMean", ["mix"], ["mean"], axes=[2], keepdims=1),
            helper.make_node("Sub", ["mix", "mean"], ["enh"]),
        ]
    constants = [] if mean else [constant("gain", np.float32(gain))]
    return model(nodes, [tensor("mix", shape)], [tensor("enh", shape)], constants, card)


def summing(bins: int = 257) -> bytes:
    """The mean of a frame and the one before: a cache that matters, under names that fit only by order."""
    inputs = [tensor("mix", (1, bins, 1, 2)), tensor("before", (1, bins, 1, 2))]
    outputs = [tensor("enh", (1, bins, 1, 2)), tensor("kept", (1, bins, 1, 2))]
    nodes = [
        helper.make_node("Add", ["mix", "before"], ["sum"]),
        helper.make_node("Mul", ["sum", "half"], ["enh"]),
        helper.make_node("Identity", ["mix"], ["kept"]),
    ]
    return model(nodes, inputs, outputs, [constant("half", np.float32(0.5))])


def sometimes_nan(bins: int = 257, always: bool = False) -> bytes:
    """The frame divided by whether it holds something: silence gives 0 / 0; or nothing but NaN, always."""
    nodes = (
        [helper.make_node("Sub", ["mix", "mix"], ["zero"]), helper.make_node("Div", ["zero", "zero"], ["enh"])]
        if always
        else [
            helper.make_node("Abs", ["mix"], ["size"]),
            helper.make_node("ReduceMax", ["size"], ["peak"], keepdims=1),
            helper.make_node("Div", ["mix", "peak"], ["unit"]),
            helper.make_node("Mul", ["unit", "peak"], ["enh"]),
        ]
    )
    nodes.append(helper.make_node("Identity", ["cache"], ["cache_out"]))
    inputs = [tensor("mix", (1, bins, 1, 2)), tensor("cache", (1, 1))]
    return model(nodes, inputs, [tensor("enh", (1, bins, 1, 2)), tensor("cache_out", (1, 1))])


def dtln_stage(size: int, gain: float, mask: bool) -> bytes:
    """A stage with a state: a constant mask, or the block times a gain."""
    inputs = [tensor("block", (1, 1, size)), tensor("state", (1, 2, 4, 2))]
    outputs = [tensor("out", (1, 1, size)), tensor("state_out", (1, 2, 4, 2))]
    nodes = [helper.make_node("Identity", ["state"], ["state_out"])]
    nodes += (
        [
            helper.make_node("Sub", ["block", "block"], ["nothing"]),
            helper.make_node("Add", ["nothing", "gain"], ["out"]),
        ]
        if mask
        else [helper.make_node("Mul", ["block", "gain"], ["out"])]
    )
    return model(nodes, inputs, outputs, [constant("gain", np.float32(gain))])


def external(location: str) -> bytes:
    """A waveform model whose gain lies in another file."""
    made = onnx.load_from_string(waveform())
    weight = made.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "4")):
        entry = weight.external_data.add()
        entry.key, entry.value = key, value
    return made.SerializeToString()


def custom(domain: str = "evil.ops") -> bytes:
    """An operator that only foreign code could bring."""
    nodes = [helper.make_node("Run", ["x"], ["y"], domain=domain)]
    return model(nodes, [tensor("x", (1, "n"))], [tensor("y", (1, "n"))], domain=domain)


def integers() -> bytes:
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    kind = TensorProto.INT64
    return model(nodes, [tensor("x", (1, "n"), kind)], [tensor("y", (1, "n"), kind)])


def saved(folder: Path, data: bytes, name: str = "model.onnx") -> str:
    path = folder / name
    path.write_bytes(data)
    return str(path)
