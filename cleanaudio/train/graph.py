"""From a network to an ONNX model that does the same, in one file, at any length."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cleanaudio.backends.onnx_frame_chunks import latency
from cleanaudio.backends.onnx_waveform import own_grid
from cleanaudio.errors import ModelError, RecipeError
from cleanaudio.models import onnx_file
from cleanaudio.networks import registry
from cleanaudio.networks.frames import FrameNetwork
from cleanaudio.networks.interface import Network

OPSET = 17
SMALLEST_HALVED = 1024
"""Numbers in a tensor that is worth storing in 16 bits."""
_HALF = ".half"
_COUNT = "num_batches_tracked"


def graph(network: Network) -> tuple[bytes, dict[str, str]]:
    """Return the ONNX model of a network, and what its card must say so that it can be run.

    A :class:`~cleanaudio.networks.frames.FrameNetwork` becomes the contract ``stft-frames``: ``mix`` to ``enh``, the
    frame axis is free. Any other network becomes ``waveform``: ``audio_input`` to ``audio_output``, both (1, samples),
    the sample axis free. States go in by their names and come out with ``_out`` behind them; the card of a network
    without states says how much context it wants.
    """
    network.eval()
    names = list(network.state_shapes())
    model: nn.Module = network
    live = own_grid(network.rate, network.context, network.ahead, live=True)  # where there are no states
    whole = {} if names else {"context": network.context, "ahead": network.ahead}
    if isinstance(network, FrameNetwork):
        example: tuple[Tensor, ...] = (torch.zeros(1, network.size // 2 + 1, 4, 2), *network.start())
        inputs, outputs, free = ["mix"], ["enh"], {2: "frames"}
        facts = {
            "contract": "stft-frames",
            "window": network.window_name,
            "hop": str(network.hop),
            "delay": str(network.delay),
            "latency": str(network.size + network.delay if names else latency(live, network.size, network.hop)),
            **{name: str(value) for name, value in whole.items()},
        }
    else:
        inputs, outputs, free = ["audio_input"], ["audio_output"], {1: "samples"}
        if names:
            example = (torch.zeros(1, 4 * network.hop), *network.start())
            needs = {"hop": network.hop, "delay": network.delay, "latency": network.hop + network.delay}
        else:
            model = _Waveform(network).eval()  # else the exporter would put the network back into training
            example = (torch.zeros(1, network.rate),)
            needs = {**whole, "latency": live.latency}
        facts = {"contract": "waveform", **{name: str(value) for name, value in needs.items()}}
    axes = {inputs[0]: free, outputs[0]: free}
    inputs, outputs = [*inputs, *names], [*outputs, *(f"{name}_out" for name in names)]
    buffer: Any = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        # Nothing is folded: runtimes do that when they load a model, and so every weight keeps its name; see weights().
        torch.onnx.export(
            model, example, buffer, input_names=inputs, output_names=outputs, dynamic_axes=axes, opset_version=OPSET,
            dynamo=False, do_constant_folding=False, training=torch.onnx.TrainingMode.PRESERVE,
        )  # fmt: skip
    data = buffer.getvalue()
    data = _with_shapes(data, {f"{name}_out": shape for name, shape in network.state_shapes().items()})
    return data, {"rate": str(network.rate), **facts}


def weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the weights of a model of ours by the network's names, and the facts of the checkpoint that it came from.

    Raises
    ------
    ModelError
        It cannot be read, or does not say of which run it is.
    """
    import onnx
    from onnx import numpy_helper

    card = onnx_file.read(path).metadata
    try:
        facts = json.loads(card["run"]) | {"data": card.get("data", "").splitlines()}
        own = registry.build(facts["network"], facts["options"]).state_dict()
        held = {
            tensor.name.removesuffix(_HALF).removeprefix(_Waveform.PREFIX): numpy_helper.to_array(tensor)
            for tensor in onnx.load(path).graph.initializer
        }
        # How many batches a norm has seen is of no use to a model.
        kept = {name: torch.from_numpy(held[name].astype(np.float32)) for name in own if _COUNT not in name}
    except (KeyError, ValueError, TypeError, RecipeError) as error:
        reason = f"training cannot go on from this model ({type(error).__name__}: {error})"
        raise ModelError(reason, path=path, remedy="name a checkpoint, or what cleanaudio export made") from None
    return own | kept, facts


class _Waveform(nn.Module):
    """Makes ``enhance`` the forward of a network."""

    PREFIX = "network."

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, noisy: Tensor) -> Tensor:
        return self.network.enhance(noisy)


def _with_shapes(data: bytes, shapes: Mapping[str, tuple[int, ...]]) -> bytes:
    """Return the model with the shapes of these outputs written out, where the exporter could not tell them."""
    import onnx

    model = onnx.load_from_string(data)
    for output in model.graph.output:
        for dimension, size in zip(output.type.tensor_type.shape.dim, shapes.get(output.name, ()), strict=False):
            dimension.dim_value = size
    return model.SerializeToString()


def with_card(data: bytes, card: Mapping[str, Any]) -> bytes:
    """Return the model with the card as its metadata."""
    import onnx

    model = onnx.load_from_string(data)
    told = {name: str(value).encode(errors="replace").decode() for name, value in card.items()}  # nothing but UTF-8
    onnx.helper.set_model_props(model, told)
    return model.SerializeToString()


def halved(data: bytes) -> bytes:
    """Return the model with its weights stored in 16 bits, to be computed with in 32: half the size of the file.

    Fourier bases stay, since their rounding would be a noise floor; so does what is small.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load_from_string(data)
    casts = []
    for tensor in model.graph.initializer:
        large = int(np.prod(tensor.dims)) >= SMALLEST_HALVED
        if tensor.data_type == TensorProto.FLOAT and large and "spectrum" not in tensor.name:
            name = tensor.name
            half = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(half, f"{name}{_HALF}"))
            casts.append(helper.make_node("Cast", [f"{name}{_HALF}"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]  # which runtimes do once, when they load it
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model.SerializeToString()


def scaled(data: bytes, factor: float) -> bytes:
    """Return the model with its first output, what it has cleaned, times a factor."""
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load_from_string(data)
    name = model.graph.output[0].name
    for node in model.graph.node:
        for inside in (node.input, node.output):
            for index, value in enumerate(inside):
                if value == name:
                    inside[index] = "before.level"
    model.graph.initializer.append(numpy_helper.from_array(np.array(factor, np.float32), "level"))
    model.graph.node.append(helper.make_node("Mul", ["before.level", "level"], [name]))
    return model.SerializeToString()


def difference(network: Network, data: bytes) -> float:
    """Return the largest difference of the outputs on noise, in three pieces where there are states."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    noise = torch.randn(1, network.rate, generator=torch.Generator().manual_seed(1)) * 0.1
    names, axis = list(network.state_shapes()), 1
    whole, step, states = noise, network.hop, network.start()
    with torch.no_grad():
        if isinstance(network, FrameNetwork):
            whole, step, axis = torch.view_as_real(network.spectrum(noise).transpose(1, 2)), 1, 2
        waveform = not names and not isinstance(network, FrameNetwork)
        ours = (network.enhance(whole) if waveform else network(whole, *states)[0]).numpy()
    held = [state.numpy() for state in states]
    pieces = []
    for piece in whole.tensor_split([7 * step, 8 * step], dim=axis) if names else [whole]:
        feeds = dict(zip([session.get_inputs()[0].name, *names], [piece.numpy(), *held], strict=True))
        enhanced, *held = session.run(None, feeds)
        pieces.append(enhanced)
    return float(np.abs(ours - np.concatenate(pieces, axis=axis)).max())
