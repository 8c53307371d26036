import json
from datetime import date

import numpy as np
import onnx
import onnxruntime
import pytest
import soundfile
import torch
from train_material import make_mixer, tiny_config, train

import cleanaudio
from cleanaudio.backends import registry as backends
from cleanaudio.backends.interface import Setup
from cleanaudio.errors import ModelError, OutputError, RecipeError
from cleanaudio.models import onnx_file
from cleanaudio.models.cards import render
from cleanaudio.networks import checkpoint, registry
from cleanaudio.networks.checkpoint import BEST, LAST
from cleanaudio.networks.frames import FrameNetwork
from cleanaudio.train import about
from cleanaudio.train import export as exporting
from cleanaudio.train.export import TOLERANCE, Request, export
from cleanaudio.train.graph import difference, graph, halved, weights, with_card
from cleanaudio.train.hearing import apply_front
from cleanaudio.train.judge import Judged, gain
from cleanaudio.train.loop import Trainer


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def pairs(tmp_path, noisy_speech, speech_like):
    for side, signal in (("noisy", noisy_speech(2.0)), ("clean", speech_like(2.0))):
        (tmp_path / "pairs" / side).mkdir(parents=True)
        soundfile.write(tmp_path / "pairs" / side / "a.wav", signal, 16000)
    return tmp_path / "pairs"


def small_run(folder, **facts):
    torch.manual_seed(3)
    options = {"hidden": 8, "head": 8}
    tensors = {f"mean.{name}": value for name, value in registry.build("mask-lstm", options).state_dict().items()}
    checkpoint.save(folder / BEST, tensors, {"network": "mask-lstm", "options": options, **facts})


@pytest.mark.parametrize("name", registry.names())
def test_the_graph_does_what_torch_does_at_any_length(name):
    torch.manual_seed(1)
    network = registry.build(name).eval()
    data, _ = graph(network)
    onnx.checker.check_model(onnx.load_from_string(data))
    assert difference(network, data) < TOLERANCE
    if not network.state_shapes():
        session = onnxruntime.InferenceSession(data)
        for samples in (1000, 5003):
            noise = 0.1 * torch.randn(1, samples)
            with torch.no_grad():
                if isinstance(network, FrameNetwork):
                    noise = torch.view_as_real(network.spectrum(noise).transpose(1, 2))
                    ours = network(noise)[0].numpy()
                else:
                    ours = network.enhance(noise).numpy()
            out = session.run(None, {session.get_inputs()[0].name: noise.numpy()})[0]
            assert np.abs(out - ours).max() < TOLERANCE


def test_a_run_becomes_one_file_with_its_card(tmp_path):
    train(tiny_config(steps=1), make_mixer(tmp_path), tmp_path / "run")
    about.write(tmp_path / "run", about.gathered({"speech": [tmp_path / "speech"]}))
    target, said = tmp_path / "model.onnx", []
    card = export(Request(tmp_path / "run", target, licence="CC0"), said.append)
    assert card == onnx_file.read(target).metadata
    assert card["name"] == "fullband" and card["contract"] == "stft-frames" and card["licence"] == "CC0"
    assert [card[key] for key in ("rate", "hop", "delay", "latency")] == ["48000", "480", "480", "1440"]
    assert card["data"] == "speech: not stated: recordings: 4, from speech"
    assert "1 steps" in card["trained"] and about.machine() in card["trained"]
    assert date.fromisoformat(card["date"]) and card["version"] == cleanaudio.__version__
    assert [port.name for port in onnxruntime.InferenceSession(target).get_inputs()][:2] == ["mix", "spectra"]
    assert "as torch to" in said[0]
    assert sorted(path.name for path in tmp_path.glob("*onnx*")) == ["model.onnx"]


@pytest.mark.parametrize(("noted", "said"), [("abc1234", "abc1234"), ("", None), (None, "fedc987")])
def test_the_revision_on_the_card_is_that_of_the_training(tmp_path, monkeypatch, noted, said):
    small_run(tmp_path)
    monkeypatch.setattr(about, "revision", lambda: "fedc987")
    if noted is not None:
        about.write(tmp_path, about.gathered({}) | {"revision": noted})
    assert export(Request(tmp_path, tmp_path / "model.onnx")).get("revision") == said


@pytest.mark.parametrize("weights", ["best", "mean", "last"])
def test_the_weights_are_those_that_were_asked_for(tmp_path, weights):
    network, other = (registry.build("mask-lstm", {"hidden": 8, "head": 8}) for _ in range(2))
    facts = {"network": "mask-lstm", "options": {"hidden": 8, "head": 8}, "step": 1}
    held = {f"mean.{name}": value for name, value in network.state_dict().items()}
    if weights == "last":
        held = {f"network.{name}": value for name, value in network.state_dict().items()} | {
            f"mean.{name}": value for name, value in other.state_dict().items()
        }
    checkpoint.save(tmp_path / (BEST if weights == "best" else LAST), held, facts)
    export(Request(tmp_path, tmp_path / "model.onnx", weights))
    assert difference(network.eval(), (tmp_path / "model.onnx").read_bytes()) < TOLERANCE
    assert difference(other.eval(), (tmp_path / "model.onnx").read_bytes()) > TOLERANCE


def test_measures_stand_on_the_card_and_8_bits_are_kept_where_they_cost_little(tmp_path, pairs):
    small_run(tmp_path)
    said = []
    target = tmp_path / "model.onnx"
    card = export(Request(tmp_path, target, dev=pairs, quantise=True), said.append)
    assert card["dev"] == "pairs, 1 pairs at 16000 Hz" and card["metrics"].startswith("pesq_wb ")
    assert [line.partition(":")[0] for line in said[1:3]] == ["32 bits", "8 bits"]
    assert said[3] == "8 bits are kept" and card["quantised"].startswith("8 bits")
    kinds = {node.op_type for node in onnx.load(target).graph.node}
    assert "QuantizeLinear" in kinds and "LSTM" in kinds
    assert card == onnx_file.read(target).metadata
    text = render(card, "model.onnx")
    assert all(piece in text for piece in ("# mask-lstm", "16000 Hz", "- pesq_wb", "750 ms"))


@pytest.mark.usefixtures("quick_dnsmos")
def test_a_model_is_measured_behind_its_front(tmp_path, pairs, monkeypatch):
    figures, scales, levels = {}, [], []
    monkeypatch.setattr(exporting, "quantised", lambda data, network, signals: scales.extend(signals) or data)
    monkeypatch.setattr(exporting, "gain", lambda network, pairs, front: levels.append(front) or 1.0)
    for front in ("", "omlsa"):
        small_run(tmp_path, front=front)
        card = export(Request(tmp_path, tmp_path / "model.onnx", dev=pairs, quantise=True, level=True))
        assert card.get("front", "") == front and (("| front | omlsa |" in render(card, "model.onnx")) == bool(front))
        figures[front] = card["metrics"]
    assert figures[""] != figures["omlsa"] and levels == ["", "omlsa"]
    np.testing.assert_array_equal(scales[1], apply_front("omlsa", 16000, scales[0][None])[0])


def test_the_gain_is_that_of_network_and_front_together(noise_like):
    class Same:
        rate = 16000
        enhance = staticmethod(lambda signals: signals)

    noise = noise_like(2.0)
    assert gain(Same(), [(noise, noise)]) == pytest.approx(1)
    assert gain(Same(), [(noise, noise)], "omlsa") < 0.5


@pytest.mark.parametrize("name", ["mask-lstm", "fullband"])
def test_weights_of_16_bits_are_half_the_file_and_do_the_same(name):
    torch.manual_seed(1)
    network = registry.build(name).eval()
    data, _ = graph(network)
    small = halved(data)
    weights = 4 * sum(parameter.numel() for parameter in network.parameters())
    assert len(small) == pytest.approx(len(data) - weights / 2, rel=0.05)
    onnx.checker.check_model(onnx.load_from_string(small))
    assert 0 < difference(network, small) < 1e-3


@pytest.mark.parametrize("name", ["mask-lstm", "autoencoder"])
def test_clean_speech_can_be_made_to_keep_its_level(tmp_path, pairs, name):
    torch.manual_seed(2)
    network = registry.build(name).eval()
    tensors = {f"mean.{key}": value for key, value in network.state_dict().items()}
    checkpoint.save(tmp_path / BEST, tensors, {"network": name, "options": {}})
    clean, _ = soundfile.read(pairs / "clean" / "a.wav", dtype="float32")
    said = []
    for level in (False, True):
        export(Request(tmp_path, tmp_path / f"{level}.onnx", dev=pairs, level=level), said.append)
        setup = Setup(16000, 1)
        resolved = backends.get("onnx").resolve(setup, {}, str(tmp_path / f"{level}.onnx"))
        processor = backends.get("onnx").open(setup, resolved)
        out = np.concatenate([processor.process(clean[None]), processor.flush()], axis=1)[0]
        share = out @ clean / (clean @ clean)
        assert (share == pytest.approx(1, abs=0.01)) == level
    assert sum("is made good" in line for line in said) == 1


def test_silence_tells_no_level(tmp_path, pairs):
    small_run(tmp_path)
    soundfile.write(pairs / "clean" / "a.wav", np.zeros(32000), 16000)
    with pytest.raises(ModelError, match="lets nothing of the clean recordings through"):
        export(Request(tmp_path, tmp_path / "model.onnx", dev=pairs, level=True))


def test_the_card_says_that_weights_are_of_16_bits(tmp_path):
    small_run(tmp_path)
    card = export(Request(tmp_path, tmp_path / "model.onnx", half=True))
    assert card["stored"].startswith("weights of 16 bits")
    assert "FLOAT16" in {
        onnx.TensorProto.DataType.Name(tensor.data_type)
        for tensor in onnx.load(tmp_path / "model.onnx").graph.initializer
    }


def test_gains_may_be_raised_to_a_power(tmp_path):
    small_run(tmp_path)
    for exponent in (None, 0.5):
        card = export(Request(tmp_path, tmp_path / f"{exponent}.onnx", exponent=exponent))
    assert card["gains"].startswith("to the power 0.5")
    noise = 0.1 * torch.randn(1, 3000).numpy()
    plain, raised = (
        onnxruntime.InferenceSession(tmp_path / f"{exponent}.onnx").run(None, {"audio_input": noise})[0]
        for exponent in (None, 0.5)
    )
    assert np.square(raised).sum() > 1.1 * np.square(plain).sum()
    train(tiny_config(steps=1), make_mixer(tmp_path), tmp_path / "run")
    with pytest.raises(RecipeError, match="exponent"):
        export(Request(tmp_path / "run", tmp_path / "fullband.onnx", exponent=0.5))


def test_8_bits_that_cost_too_much_are_not_kept(tmp_path, monkeypatch, pairs):
    small_run(tmp_path)
    figures = iter([{"pesq_wb": 2.0}, {"pesq_wb": 1.97}])
    judged = [Judged(found, {"pesq_wb": 1.5}, 50.0) for found in figures]
    monkeypatch.setattr("cleanaudio.train.export.judge", lambda *_: judged.pop(0))
    said = []
    card = export(Request(tmp_path, tmp_path / "model.onnx", dev=pairs, quantise=True), said.append)
    assert card["quantised"] == "no" and card["metrics"] == "pesq_wb 2.000 (noisy 1.500)"
    assert "QuantizeLinear" not in {node.op_type for node in onnx.load(tmp_path / "model.onnx").graph.node}
    assert "are not kept" in said[3]


@pytest.mark.parametrize("name", registry.names())
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
    assert resolved.latency == int(facts["latency"])
    if name != "mask-lstm":  # whose transform hears a frame more at the end
        assert np.abs(out - ours).max() < TOLERANCE


def test_names_that_are_no_utf_8_are_made_readable_on_the_card(tmp_path):
    small_run(tmp_path, step=5, minutes=1, hours_heard=1)
    data, _ = graph(checkpoint.load_network(tmp_path)[0])
    (tmp_path / "model.onnx").write_bytes(with_card(data, {"data": "from v\udcff"}))
    assert onnx_file.read(tmp_path / "model.onnx").metadata["data"] == "from v?"


def test_a_model_that_cannot_be_put_in_place_is_said(tmp_path, monkeypatch):
    small_run(tmp_path, step=5, minutes=1, hours_heard=1)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cleanaudio.audio.temporary.os.replace", full)
    with pytest.raises(OutputError, match="No space left") as caught:
        export(Request(tmp_path, tmp_path / "model.onnx"))
    assert caught.value.remedy == "check the folder and its disk"


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(ModelError, match="no checkpoint"):
        export(Request(tmp_path, tmp_path / "model.onnx"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", registry.names())
def test_training_can_begin_with_what_was_exported(tmp_path, name):
    torch.manual_seed(3)
    network = registry.build(name)
    for tensor in [*network.parameters(), *network.buffers()]:
        if tensor.is_floating_point():  # as after training: no two are alike, which the exporter would keep once
            tensor.data += 0.01 * torch.rand_like(tensor)
    data, facts = graph(network.eval())
    path = tmp_path / "model.onnx"
    path.write_bytes(
        with_card(halved(data), {**facts, "data": "speech: CC0", "run": json.dumps({"network": name, "options": {}})})
    )
    found, known = weights(path)
    assert known == {"network": name, "options": {}, "data": ["speech: CC0"]}
    assert found.keys() == network.state_dict().keys()
    for key, tensor in network.state_dict().items():
        if "num_batches" not in key:
            assert torch.allclose(found[key], tensor, atol=2e-3, rtol=1e-3), key


def test_a_run_goes_on_from_an_export_and_says_what_both_heard(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    trainer = Trainer(tiny_config(steps=2), make_mixer(tmp_path), first)
    trainer.run()
    about.write(first, about.gathered({}, earlier={"data": ["speech: CC0"]}))
    export(Request(first, tmp_path / "model.onnx", weights="mean", half=True))
    follower = Trainer(tiny_config(steps=2), make_mixer(tmp_path), second)
    facts = follower.start_from(tmp_path / "model.onnx")
    assert facts["step"] == 2 and facts["network"] == "fullband" and facts["data"] == ["speech: CC0"]
    for key, tensor in trainer.mean.named_parameters():
        assert torch.allclose(follower.network.state_dict()[key], tensor, atol=1e-3), key
    kin = registry.build("fullband-offline", facts["options"])
    kin.load_state_dict(kin.adopted(weights(tmp_path / "model.onnx")[0]))


def test_models_of_others_are_no_beginning(tmp_path):
    data, facts = graph(registry.build("mask-lstm", {"hidden": 8, "head": 8}).eval())
    (tmp_path / "model.onnx").write_bytes(with_card(data, facts))
    with pytest.raises(ModelError, match="cannot go on from this model"):
        weights(tmp_path / "model.onnx")
