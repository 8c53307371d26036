import sys
from types import ModuleType

import numpy as np
import pytest
import soundfile

from cleanaudio.impact import speaker
from cleanaudio.metrics.interface import Signals


def random_tensors(seed=1):
    random = np.random.default_rng(seed)
    return {
        name: (0.1 * random.standard_normal(shape)).astype(np.float32) for name, (_, shape) in speaker._TENSORS.items()
    }


def test_the_network_is_that_of_pytorch():
    import torch

    tensors = random_tensors()
    lstm, linear = (
        torch.nn.LSTM(speaker.BANDS, speaker.UNITS, speaker.LAYERS, batch_first=True),
        torch.nn.Linear(256, 256),
    )
    names = {
        f"{kind}_l{n}": f"{kind}_{n}" for n in range(3) for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    }
    lstm.load_state_dict({theirs: torch.from_numpy(tensors[ours]) for theirs, ours in names.items()})
    linear.load_state_dict({"weight": torch.from_numpy(tensors["linear"]), "bias": torch.from_numpy(tensors["offset"])})
    mels = np.random.default_rng(2).random((3, 40, speaker.BANDS), dtype=np.float32)
    with torch.no_grad():
        raw = torch.relu(linear(lstm(torch.from_numpy(mels))[1][0][-1]))
        expected = (raw / raw.norm(dim=1, keepdim=True)).numpy()
    assert np.allclose(speaker.Encoder(tensors).pieces(mels), expected, atol=1e-6)


def test_mel_frames_are_those_of_librosa(speech_like):
    import librosa

    voice = speech_like(1.0, 16000)
    expected = librosa.feature.melspectrogram(y=voice, sr=16000, n_fft=400, hop_length=160, n_mels=40)
    assert np.allclose(speaker.mel_frames(voice), expected.T, rtol=1e-3, atol=1e-6)


@pytest.fixture
def theirs(monkeypatch):
    """Resemblyzer itself: its front end, which we do not run, wants packages that cannot be had any more."""
    import scipy.ndimage

    morphology = ModuleType("scipy.ndimage.morphology")
    morphology.binary_dilation = scipy.ndimage.binary_dilation
    monkeypatch.setitem(sys.modules, "scipy.ndimage.morphology", morphology)
    monkeypatch.setitem(sys.modules, "webrtcvad", ModuleType("webrtcvad"))
    import resemblyzer

    return resemblyzer


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.3, 1.6, 2.9, 4.2])
def test_embeddings_are_those_of_the_package(theirs, speech_like, seconds):
    voice = speech_like(5.0, 16000)[-round(seconds * 16000) :]
    expected = theirs.VoiceEncoder("cpu", verbose=False).embed_utterance(voice)
    assert np.allclose(speaker.encoder().utterance(voice), expected, atol=2e-6)
    quiet = theirs.audio.normalize_volume(0.01 * voice, -30, increase_only=True)
    assert np.allclose(speaker._loud_enough(0.01 * voice), quiet, rtol=1e-4)


def test_likeness_does_not_depend_on_loudness_and_is_1_for_the_same_voice(speech_like):
    voice = speech_like(2.0, 16000)
    assert speaker.similarity(voice, voice) == pytest.approx(1, abs=1e-6)
    assert speaker.similarity(0.001 * voice, 0.0003 * voice) == pytest.approx(1, abs=1e-4)


@pytest.mark.data
def test_two_takes_of_a_speaker_are_more_alike_than_two_speakers(data_dir):
    takes = {}
    for name, number in (("a", "066"), ("a", "061"), ("b", "020"), ("b", "042"), ("c", "012"), ("c", "052")):
        samples, rate = soundfile.read(
            data_dir / "dev" / "pairs-16k" / "clean" / f"dev16k_{number}.flac", dtype="float32"
        )
        takes.setdefault(name, []).append(Signals(samples, rate).mono("enhanced", speaker.RATE))
    same = min(speaker.similarity(*pair) for pair in takes.values())
    other = max(speaker.similarity(takes[x][0], takes[y][0]) for x, y in ("ab", "ac", "bc"))
    assert same > other


def test_weights_that_are_missing_or_others_are_named(monkeypatch, tmp_path):
    monkeypatch.setattr(speaker, "find_spec", lambda name: None)
    with pytest.raises(speaker.EncoderUnavailable, match="not installed") as caught:
        speaker.weights_file()
    assert caught.value.remedy == "pip install --no-deps resemblyzer"
    (tmp_path / "pretrained.pt").write_bytes(b"something else")
    monkeypatch.setattr(speaker, "weights_file", lambda: tmp_path / "pretrained.pt")
    with pytest.raises(speaker.EncoderUnavailable, match="is not that of resemblyzer"):
        speaker.encoder.__wrapped__()
