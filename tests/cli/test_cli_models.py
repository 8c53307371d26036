import json

import pytest


def test_installed_models_are_listed_with_what_matters(cli):
    ran = cli("models", "list", "--json")
    models = {model["spec"]: model for model in map(json.loads, ran.stdout.splitlines())}
    assert ran.code == 0
    assert models["deepfilternet"]["rate"] == 48000 and models["deepfilternet"]["latency_ms"] == 40
    assert all(len(model["sha256"]) == 64 and model["licence"] and model["bytes"] > 1000 for model in models.values())
    assert "DeepFilterNet3" in cli("models", "list").stdout == cli("models").stdout


def test_one_model(cli):
    assert json.loads(cli("models", "info", "deepfilternet", "--json").stdout)["name"] == "DeepFilterNet3"
    assert "48000" in cli("models", "info", "DeepFilterNet3").stdout


def test_tables_in_a_pipe_are_not_padded(cli):
    for command in (("models", "info", "fullband"), ("models", "list"), ("backends",), ("backends", "omlsa")):
        lines = cli(*command).stdout.splitlines()
        assert len(lines) > 5 and lines == [line.rstrip() for line in lines]


def test_models_are_sound(cli):
    ran = cli("models", "verify", "rnnoise")
    assert ran.code == 0 and "ok" in ran.stdout and "FAIL" not in ran.stdout


@pytest.mark.parametrize("arguments", [("info", "nowhere.onnx"), ("verify", "nobody")])
def test_unknown_models(cli, arguments):
    ran = cli("models", *arguments)
    assert ran.code == 2 and arguments[1] in ran.stderr
