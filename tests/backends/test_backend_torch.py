import numpy as np
import pytest
import torch

from cleanaudio.backends.interface import Setup
from cleanaudio.backends.torch_run import TORCH
from cleanaudio.errors import ModelError, RecipeError
from cleanaudio.networks import checkpoint, registry

SMALL = {"channels": 16, "hidden": 8, "blocks": 1}
OPTIONS = {
    "fullband": SMALL,
    "fullband-offline": SMALL,
    "mask-lstm": {"hidden": 16, "head": 16},
    "conv-tasnet": {
        "filters": 16, "kernel": 32, "stride": 16, "bottleneck": 8, "hidden": 8, "skip": 8, "blocks": 2, "repeats": 1,
        "fourier": False,
    },
}  # fmt: skip


def write_run(folder, name):
    torch.manual_seed(4)
    network = registry.build(name, OPTIONS[name]).eval()
    folder.mkdir()
    tensors = {f"mean.{key}": value for key, value in network.state_dict().items()}
    checkpoint.save(folder / "best.safetensors", tensors, {"network": name, "options": OPTIONS[name]})
    return network


def run(setup, folder, signal, cuts=(0, 1000, 1001, 30000)):
    resolved = TORCH.resolve(setup, {}, str(folder))
    processor = TORCH.open(setup, resolved)
    blocks = np.split(signal, [cut for cut in cuts if cut < signal.shape[1]], axis=1)
    return np.concatenate([*(processor.process(block) for block in blocks), processor.flush()], axis=1), resolved


@pytest.mark.parametrize(
    ("name", "rate", "latency"),
    [("fullband", 48000, 1440), ("fullband-offline", 48000, 18720), ("conv-tasnet", 16000, 32)],
)
def test_a_checkpoint_cleans_as_the_network_does(tmp_path, name, rate, latency):
    network = write_run(tmp_path / "run", name)
    noise = (0.1 * np.random.default_rng(1).standard_normal((1, 50000))).astype(np.float32)
    out, resolved = run(Setup(rate, 1), tmp_path / "run", noise)
    with torch.no_grad():
        ours = network.enhance(torch.from_numpy(noise)).numpy()
    assert out.shape == noise.shape and np.abs(out - ours).max() < 1e-4
    assert (resolved.rate, resolved.latency) == (rate, latency)
    assert len(resolved.hashes["checkpoint"]) == 64


def test_without_a_best_checkpoint_the_last_is_run(tmp_path):
    write_run(tmp_path / "run", "mask-lstm")
    noise = (0.1 * np.random.default_rng(1).standard_normal((1, 5000))).astype(np.float32)
    best, _ = run(Setup(16000, 1), tmp_path / "run", noise)
    (tmp_path / "run" / "best.safetensors").rename(tmp_path / "run" / "last.safetensors")
    last, _ = run(Setup(16000, 1), tmp_path / "run", noise)
    assert np.array_equal(best, last)


def test_a_checkpoint_that_is_replaced_meanwhile_is_not_run_under_its_name(tmp_path):
    write_run(tmp_path / "run", "mask-lstm")
    setup = Setup(16000, 1)
    resolved = TORCH.resolve(setup, {}, str(tmp_path / "run"))
    other = registry.build("mask-lstm", OPTIONS["mask-lstm"])
    tensors = {f"mean.{key}": value for key, value in other.state_dict().items()}
    facts = {"network": "mask-lstm", "options": OPTIONS["mask-lstm"]}
    checkpoint.save(tmp_path / "run" / "best.safetensors", tensors, facts)
    with pytest.raises(ModelError, match="was replaced while it was in use"):
        TORCH.open(setup, resolved)


@pytest.mark.parametrize(("device", "message"), [("cuda:99", "cannot use a device"), ("abacus", "no device 'abacus'")])
def test_devices_that_are_not_there_are_named(tmp_path, device, message):
    write_run(tmp_path / "run", "mask-lstm")
    with pytest.raises(RecipeError, match=message):
        TORCH.resolve(Setup(16000, 1, device=device), {}, str(tmp_path / "run"))


@pytest.mark.parametrize("name", ["mask-lstm", "conv-tasnet"])
def test_networks_on_samples_keep_length_and_do_not_see_the_blocks(tmp_path, name):
    write_run(tmp_path / "run", name)
    noise = (0.1 * np.random.default_rng(1).standard_normal((2, 90000))).astype(np.float32)
    whole, _ = run(Setup(16000, 2), tmp_path / "run", noise, cuts=())
    cut, _ = run(Setup(16000, 2), tmp_path / "run", noise)
    assert whole.shape == noise.shape and np.abs(whole - cut).max() < 1e-4


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(RecipeError, match="needs a run folder"):
        TORCH.resolve(Setup(48000, 1), {}, None)
    with pytest.raises(ModelError, match="no checkpoint"):
        TORCH.resolve(Setup(48000, 1), {}, str(tmp_path))
    (tmp_path / "best.safetensors").write_bytes(b"pickle")
    with pytest.raises(ModelError, match="not a whole checkpoint"):
        TORCH.resolve(Setup(48000, 1), {}, str(tmp_path))
    checkpoint.save(tmp_path / "best.safetensors", {"a": torch.zeros(1)}, {"network": "resnet", "options": {}})
    with pytest.raises(ModelError, match="of which network"):
        TORCH.resolve(Setup(48000, 1), {}, str(tmp_path))
