from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from cleanaudio.backends import registry
from cleanaudio.backends.interface import Setup
from cleanaudio.backends.selftest import clip, verify
from cleanaudio.errors import ModelError
from cleanaudio.models import catalog, onnx_file
from cleanaudio.models.cards import render


def test_what_is_installed_says_what_it_is() -> None:
    models = {model.spec: model for model in catalog.installed()}
    assert {"deepfilternet", "rnnoise"} <= models.keys()
    for model in models.values():
        assert model.path.is_file() and model.licence and model.source and model.size > 0
        assert model.sha256 == hashlib.sha256(model.path.read_bytes()).hexdigest() == model.digest()


def test_models_that_ship_are_small_sound_and_have_their_cards_beside_them() -> None:
    models = [model for model in catalog.installed() if model.source == "cleanaudio"]
    assert [model.path.name for model in models] == sorted(path.name for path in catalog.FOLDER.glob("*.onnx"))
    assert sum(model.size for model in models) <= 20e6
    for model in models:
        assert model.size <= 8e6 and model.sha256 == model.digest()
        assert model.path.with_suffix(".md").read_text("utf-8") == render(model.card, model.path.name)
        assert {"data", "trained", "metrics", "dev", "date"} <= model.card.keys()


def test_a_model_that_ships_is_known_by_its_name_and_sum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "FOLDER", tmp_path)
    graph = onnx.helper.make_graph([], "g", [], [])
    made = onnx.helper.make_model(graph)
    onnx.helper.set_model_props(made, {"rate": "16000", "latency": "512", "licence": "MIT"})
    path = tmp_path / "ours.onnx"
    path.write_bytes(made.SerializeToString())
    (tmp_path / "SHA256SUMS").write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  ours.onnx\n")
    model = catalog.installed()[0]
    assert (model.name, model.spec, model.rate, model.latency, model.source) == (
        "ours",
        "ours",
        16000,
        512,
        "cleanaudio",
    )
    assert model.sha256 == model.digest()
    onnx.helper.set_model_props(made, {"licence": "MIT"})
    path.write_bytes(made.SerializeToString())
    with pytest.raises(ModelError, match="its card lacks a usable 'rate'"):
        catalog.installed()
    for rate, latency in ((0, 0), (-16000, 0), (999_999_999, 0), (16000, -1)):
        onnx.helper.set_model_props(made, {"rate": str(rate), "latency": str(latency)})
        path.write_bytes(made.SerializeToString())
        with pytest.raises(ModelError, match="its card lacks a usable rate or latency"):
            catalog.of_file(path)


def test_rate_and_latency_are_those_of_the_backend() -> None:
    for model in catalog.installed():
        backend = registry.get(model.spec.partition(":")[0])
        resolved = backend.resolve(Setup(model.rate, 1), {}, model.spec.partition(":")[2] or None)
        assert (model.rate, model.latency) == (resolved.rate, resolved.latency)


def test_installed_models_pass_their_self_test() -> None:
    for model in catalog.installed():
        checks = verify(model)
        assert [check.what for check in checks] == ["hash", "length", "noise", "voice"]
        assert all(check.passed for check in checks), checks


def test_a_model_that_was_changed_is_found(tmp_path: Path) -> None:
    model = next(model for model in catalog.installed() if model.spec == "deepfilternet")
    path = tmp_path / "changed.tar.gz"
    path.write_bytes(model.path.read_bytes()[:-10])
    checks = verify(replace(model, path=path, spec=f"onnx:{path}"))
    assert not checks[0].passed
    assert checks[-1].what == "run" and not checks[-1].passed and str(path) in checks[-1].found


def test_a_model_that_does_nothing_fails_the_self_test(tmp_path: Path) -> None:
    nodes = [onnx.helper.make_node("Identity", ["x"], ["y"])]
    ports = [onnx.helper.make_tensor_value_info(name, 1, (1, "n")) for name in ("x", "y")]
    graph = onnx.helper.make_graph(nodes, "nothing", ports[:1], ports[1:])
    path = tmp_path / "nothing.onnx"
    made = onnx.helper.make_model(graph, ir_version=8, opset_imports=[onnx.helper.make_opsetid("", 13)])
    path.write_bytes(made.SerializeToString())
    model = catalog.Model("nothing", f"onnx:{path}", path, 16000, 0, "", "")
    passed = {check.what: check.passed for check in verify(model)}
    assert passed == {"hash": True, "length": True, "noise": False, "voice": True}


@pytest.mark.parametrize("rate", [16000, 48000])
def test_the_clip_is_a_voice_over_noise(rate: int) -> None:
    voice, noise = clip(rate)
    assert len(voice) == len(noise) == 4 * rate
    assert not voice[:rate].any()
    assert 20 * np.log10(np.std(voice[rate:]) / np.std(noise)) == pytest.approx(15, abs=1)
    assert np.max(np.abs(voice + noise)) < 1


def test_a_card_is_read_without_any_package(tmp_path: Path) -> None:
    graph = onnx.helper.make_graph([], "g", [], [])
    made = onnx.helper.make_model(graph)
    card = {"name": "tiny", "licence": "MIT", "training data": "ünïcode", "empty": ""}
    onnx.helper.set_model_props(made, card)
    assert onnx_file.checked(made.SerializeToString(), "tiny").metadata == card
