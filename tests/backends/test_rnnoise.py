from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from cleanaudio.backends import rnnoise
from cleanaudio.backends.interface import Setup
from cleanaudio.backends.rnnoise import DELAY, FRAME, RATE, RNNOISE, Frames
from cleanaudio.errors import BackendUnavailable, ModelError


def clean(signal: np.ndarray, block: int = RATE, linked: bool = True) -> np.ndarray:
    setup = Setup(RATE, len(signal), linked=linked)
    processor = RNNOISE.open(setup, RNNOISE.resolve(setup, {}))
    pieces = [processor.process(signal[:, at : at + block]) for at in range(0, signal.shape[1], block)]
    return np.concatenate([*pieces, processor.flush()], axis=1)


def lag(signal: np.ndarray, out: np.ndarray) -> int:
    size = 1 << (2 * len(signal)).bit_length()
    correlation = np.fft.irfft(np.fft.rfft(out, size) * np.conj(np.fft.rfft(signal, size)))
    best = int(np.argmax(correlation))
    return best if best < size // 2 else best - size


def test_the_library_lags_by_two_frames_which_are_taken_out(speech_like) -> None:
    voice = speech_like(3.0, RATE)
    raw = Frames(rnnoise._load(rnnoise.find_rnnoise()))
    late = np.concatenate([raw.process(voice[None]), raw.flush()], axis=1)[0]
    assert DELAY == 960
    assert abs(lag(voice, late) - DELAY) <= 1  # its high-pass moves low voices by a sample
    assert abs(lag(voice, clean(voice[None])[0])) <= 1


def test_noise_goes_and_the_voice_stays(speech_like, noise_like) -> None:
    voice, noise = speech_like(4.0, RATE), 0.01 * noise_like(4.0, RATE, "white")
    out = clean((voice + noise)[None])[0]
    loud = np.abs(voice) > 0.05
    assert np.std(out[: RATE // 10]) < 0.3 * np.std(noise)
    assert np.std(out[loud]) == pytest.approx(np.std(voice[loud]), rel=0.3)


@pytest.mark.parametrize("frames", [0, 1, 479, 480, 481, 5000])
@pytest.mark.parametrize("channels", [1, 2])
def test_the_length_is_kept(frames: int, channels: int) -> None:
    assert clean(np.full((channels, frames), 0.1, np.float32)).shape == (channels, frames)


def test_neither_blocks_nor_a_run_before_show(noisy_speech) -> None:
    signal = noisy_speech(2.0, RATE)[None]
    whole = clean(signal)
    np.testing.assert_array_equal(clean(signal, block=777), whole)
    setup = Setup(RATE, 1)
    processor = RNNOISE.open(setup, RNNOISE.resolve(setup, {}))
    processor.process(signal[:, :5000])
    processor.reset()
    np.testing.assert_array_equal(np.concatenate([processor.process(signal), processor.flush()], axis=1), whole)


def test_linked_channels_keep_their_image(noisy_speech) -> None:
    mono = noisy_speech(2.0, RATE)
    out = clean(np.stack([mono, 0.3 * mono]))
    np.testing.assert_allclose(out[1], 0.3 * out[0], atol=1e-6)
    inverted = clean(np.stack([mono, -mono]))
    np.testing.assert_allclose(inverted[0], -inverted[1], atol=1e-6)
    assert np.std(inverted[0]) > 0.7 * np.std(clean(mono[None]))


def test_independent_channels_have_a_state_each(noisy_speech) -> None:
    both = np.stack([noisy_speech(1.0, RATE), noisy_speech(1.0, RATE, seed=2)])
    out = clean(both, linked=False)
    for channel in range(2):
        np.testing.assert_array_equal(out[channel], clean(both[channel : channel + 1])[0])


def test_silence_stays_silence() -> None:
    assert np.max(np.abs(clean(np.zeros((1, RATE), np.float32)))) < 1e-6


def test_no_more_than_the_latency_is_held_back() -> None:
    setup = Setup(RATE, 1, live=True)
    processor = RNNOISE.open(setup, RNNOISE.resolve(setup, {}))
    assert processor.latency == 1440
    given = 0
    for fed in range(160, 20 * FRAME, 160):
        given += processor.process(np.zeros((1, 160), np.float32)).shape[1]
        assert fed - given <= processor.latency


def test_states_are_freed(monkeypatch) -> None:
    class Library:
        alive = 0

        def rnnoise_create(self, model):
            self.alive += 1
            return 1

        def rnnoise_destroy(self, state):
            self.alive -= 1

    library = Library()
    frames = Frames(library)
    frames.reset()
    assert library.alive == 1
    del frames
    assert library.alive == 0


def test_its_package_is_not_imported() -> None:
    code = (
        "import sys, numpy as np\n"
        "from cleanaudio.backends.rnnoise import RNNOISE as r\n"
        "from cleanaudio.backends.interface import Setup\n"
        "s = Setup(48000, 1)\n"
        "r.open(s, r.resolve(s, {})).process(np.zeros((1, 4800), np.float32))\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'pyrnnoise', 'matplotlib', 'onnxruntime', 'scipy'}))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_without_its_package_the_extra_is_named(monkeypatch) -> None:
    monkeypatch.setattr(rnnoise, "find_rnnoise", lambda: None)
    with pytest.raises(BackendUnavailable, match="rnnoise") as caught:
        RNNOISE.require()
    assert "cleanaudio-cli[rnnoise]" in caught.value.remedy


def test_a_library_that_is_none_is_a_model_error(tmp_path) -> None:
    path = tmp_path / "librnnoise.so"
    path.write_bytes(b"not a library")
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        rnnoise._load(path)
    assert caught.value.path == str(path)
