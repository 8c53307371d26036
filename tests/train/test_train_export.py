import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from train_material import make_mixer, tiny_config

from cleanaudio.backends import registry as backends
from cleanaudio.backends.interface import Setup
from cleanaudio.errors import ModelError
from cleanaudio.models import onnx_file
from cleanaudio.networks import registry
from cleanaudio.networks.checkpoint import LAST
from cleanaudio.train.export import TOLERANCE, difference, export, graph, with_card
from cleanaudio.train.loop import train


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", registry.names())
def test_the_graph_does_what_torch_does_at_any_length(name):
    torch.manual_seed(1)
    network = registry.build(name).eval()
    data, facts = graph(network)
    onnx.checker.check_model(onnx.load_from_string(data))
    assert difference(network, data) < TOLERANCE
    if facts["contract"] == "waveform":
        session = onnxruntime.InferenceSession(data)
        for samples in (1000, 5003):
            noise = 0.1 * torch.randn(1, samples)
            with torch.no_grad():
                ours = network.enhance(noise).numpy()
            assert np.abs(session.run(None, {"audio_input": noise.numpy()})[0] - ours).max() < TOLERANCE


def test_a_run_becomes_one_file_with_its_card(tmp_path):
    train(tiny_config(steps=1), make_mixer(tmp_path), tmp_path / "run")
    target = tmp_path / "model.onnx"
    assert export(tmp_path / "run", target, {"licence": "MIT"}, which=LAST) < TOLERANCE
    card = onnx_file.read(target).metadata
    assert card["name"] == "fullband" and card["contract"] == "stft-frames" and card["licence"] == "MIT"
    assert [card[key] for key in ("rate", "hop", "delay", "latency")] == ["48000", "480", "480", "1440"]
    inputs = [port.name for port in onnxruntime.InferenceSession(target).get_inputs()]
    assert inputs == ["mix", "spectra", "recurrent_0"]


@pytest.mark.parametrize("name", ["fullband", "mask-lstm", "mask-lstm-streaming", "autoencoder", "conv-tasnet"])
def test_the_backend_for_foreign_models_runs_our_exports(tmp_path, name):
    torch.manual_seed(2)
    network = registry.build(name).eval()
    data, facts = graph(network)
    path = tmp_path / "model.onnx"
    path.write_bytes(with_card(data, facts))
    backend = backends.get("onnx")
    setup = Setup(rate=network.rate, channels=1)
    resolved = backend.resolve(setup, {}, str(path))
    assert resolved.rate == network.rate
    noise = 0.1 * torch.randn(1, network.rate + 123)
    processor = backend.open(setup, resolved)
    out = np.concatenate([processor.process(noise.numpy()), processor.flush()], axis=1)
    assert out.shape == noise.shape
    with torch.no_grad():
        ours = network.enhance(noise).numpy()
    if facts["contract"] == "stft-frames":
        assert resolved.latency == int(facts["latency"])
        assert np.abs(out - ours).max() < TOLERANCE


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(ModelError, match="no checkpoint"):
        export(tmp_path, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
