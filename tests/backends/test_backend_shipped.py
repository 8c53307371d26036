from pathlib import Path

import numpy as np
import onnx_tiny as tiny
import pytest

import cleanaudio
from cleanaudio.backends import registry, shipped
from cleanaudio.backends.interface import Setup
from cleanaudio.backends.onnx import ONNX
from cleanaudio.backends.shipped import Shipped
from cleanaudio.errors import BackendUnavailable

NAMES = ["autoencoder", "conv-tasnet", "fullband", "fullband-offline", "mask-lstm"]


@pytest.fixture
def halving(tmp_path: Path, monkeypatch) -> Shipped:
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    tiny.saved(tmp_path, tiny.waveform(0.5, card={"rate": "8000", "context": "800", "ahead": "80"}), "halving.onnx")
    return Shipped("halving", "half of everything")


def test_a_model_runs_as_its_card_says(halving: Shipped) -> None:
    setup = Setup(8000, 1)
    halving.require()
    resolved = halving.resolve(setup, {})
    assert (resolved.rate, resolved.options, resolved.latency) == (8000, {}, 280)
    assert resolved.hashes == ONNX.resolve(setup, {}, str(halving.path)).hashes
    noise = np.random.default_rng(1).standard_normal((1, 9000)).astype(np.float32)
    processor = halving.open(setup, resolved)
    out = np.concatenate([processor.process(noise), processor.flush()], axis=1)
    np.testing.assert_allclose(out, noise / 2, atol=1e-6)


def test_without_weights_it_says_so(halving: Shipped) -> None:
    halving.path.unlink()
    for use in (halving.require, lambda: halving.resolve(Setup(8000, 1), {})):
        with pytest.raises(BackendUnavailable, match="has no weights"):
            use()


@pytest.mark.parametrize("name", NAMES)
def test_the_networks_are_backends(name: str) -> None:
    backend = registry.get(name)
    assert isinstance(backend, Shipped) and backend.name == name and backend.kind == "neural"
    assert backend.live == (name != "fullband-offline")
    assert backend.path.name == f"{name}.onnx"


@pytest.mark.parametrize("before", ["silence", "faint noise"])
@pytest.mark.parametrize("name", ["autoencoder", "conv-tasnet", "fullband"])
def test_speech_after_a_muted_microphone_is_cleaned_as_any_other(name: str, before: str, noisy_speech) -> None:
    speech = noisy_speech(3.0, 16000)
    muted = np.zeros(3 * 16000, np.float32)
    if before != "silence":
        muted += 1e-4 * np.random.default_rng(1).standard_normal(len(muted)).astype(np.float32)  # −80 dBFS

    def cleaned(recording: np.ndarray) -> np.ndarray:
        chain = cleanaudio.open_chain(name, rate=16000)
        return np.concatenate([chain.process(recording[None]), chain.flush()], axis=1)[0]

    alone, after = cleaned(speech), cleaned(np.concatenate([muted, speech]))[len(muted) :]
    for part in (slice(4800, 24000), slice(24000, 48000)):
        assert 20 * np.log10(np.std(after[part]) / np.std(alone[part])) == pytest.approx(0, abs=1.5)
