"""A network with a front: what it hears, and where it does without."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx_tiny as tiny
import pytest
import torch

from cleanaudio.backends import chain
from cleanaudio.backends import registry as backends
from cleanaudio.backends.interface import Setup
from cleanaudio.backends.spec import parse
from cleanaudio.errors import CleanAudioError, ModelError
from cleanaudio.networks import checkpoint, registry

RATE = 16000
FRONT = "0.8*omlsa+0.2*none"


@pytest.fixture
def halving(tmp_path: Path):
    """Return a function that writes a model which halves what it hears behind a front, and returns its spec."""

    def save(front: str = FRONT) -> str:
        card = {"rate": str(RATE), "context": "8000", "ahead": "800", "front": front}
        return f"onnx:{tiny.saved(tmp_path, tiny.waveform(0.5, card=card))}"

    return save


def run(spec: str, signal: np.ndarray, rate: int = RATE, live: bool = False, **settings) -> np.ndarray:
    path = chain.resolve(chain.Settings(parse(spec), **settings), Setup(rate, len(signal), live=live))
    processor = path.open()
    return np.concatenate([processor.process(signal), processor.flush()], axis=1)


def marks(spec: str, live: bool = False) -> list[str | None]:
    links = chain.resolve(chain.Settings(parse(spec)), Setup(RATE, 1, live=live)).links
    return [link.resolved.hashes.get("front") for link in links]


@pytest.mark.parametrize("channels", ["linked", "independent"])
def test_the_network_hears_what_the_front_leaves(halving, noisy_speech, channels) -> None:
    signal = np.stack([noisy_speech(3.0), 0.3 * noisy_speech(3.0)[::-1]])
    expected = 0.5 * run(FRONT, signal, channels=channels)
    out = run(halving(), signal, channels=channels)
    if channels == "independent":
        np.testing.assert_allclose(out, expected, atol=1e-6)
    else:  # the network is linked through spectra, which its own rounding shows in
        np.testing.assert_allclose(out, expected, atol=2e-3)
    assert not np.allclose(out, 0.5 * signal, atol=1e-2)


def test_live_and_behind_another_backend_it_does_without(halving, noisy_speech) -> None:
    signal, spec = noisy_speech(2.0)[None], halving()
    np.testing.assert_allclose(run(spec, signal, live=True), 0.5 * signal, atol=1e-6)
    np.testing.assert_allclose(run(f"wiener,{spec}", signal), 0.5 * run("wiener", signal), atol=1e-6)
    np.testing.assert_array_equal(run(f"none,{spec}", signal), run(spec, signal))


def test_what_decides_its_samples_is_told(halving) -> None:
    spec = halving()
    assert marks(spec) == [f"{FRONT}, omlsa revision 1, none revision 1"]
    assert marks(spec, live=True) == [None] and marks(f"wiener,{spec}") == [None, None]
    link = chain.resolve(chain.Settings(parse(halving("noisereduce"))), Setup(RATE, 1)).links[0]
    assert {"onnxruntime", "noisereduce"} < set(link.resolved.libraries)


@pytest.mark.parametrize(
    ("front", "message"),
    [
        ("fullband", "fullband cannot stand before a network"),
        ("nothing", "there is no backend 'nothing'"),
        ("omlsa+", "is not a backend"),
    ],
)
def test_fronts_that_cannot_be_are_the_models_fault(halving, noise_like, front: str, message: str) -> None:
    with pytest.raises(CleanAudioError, match=message) as caught:
        run(halving(front), noise_like(0.5)[None])
    assert isinstance(caught.value, ModelError) and "model.onnx" in caught.value.describe()


def test_a_front_has_no_first_pass(halving, monkeypatch, noise_like) -> None:
    wiener = backends.get("wiener")
    resolve = wiener.resolve
    monkeypatch.setattr(wiener, "resolve", lambda *given: replace(resolve(*given), needs_analysis=True))
    with pytest.raises(ModelError, match="must hear the whole recording first"):
        run(halving("wiener"), noise_like(0.5)[None])


def test_a_checkpoint_has_the_front_that_it_was_trained_behind(tmp_path: Path, noisy_speech) -> None:
    torch.manual_seed(4)
    options = {"hidden": 8, "head": 8}
    tensors = {f"mean.{key}": value for key, value in registry.build("mask-lstm", options).state_dict().items()}
    bare = {"network": "mask-lstm", "options": options}
    for name, facts in (("bare", bare), ("behind", bare | {"front": FRONT})):
        (tmp_path / name).mkdir()
        checkpoint.save(tmp_path / name / "best.safetensors", tensors, facts)
    signal = noisy_speech(3.0)[None]
    expected = run(f"torch:{tmp_path / 'bare'}", run(FRONT, signal))
    np.testing.assert_allclose(run(f"torch:{tmp_path / 'behind'}", signal), expected, atol=1e-6)
