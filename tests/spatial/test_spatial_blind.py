import numpy as np
import pytest

from cleanaudio.errors import InputError, RecipeError
from cleanaudio.spatial.blind import BlindDelayAndSum, delay_stft
from cleanaudio.spatial.geometry import Direction, linear
from cleanaudio.spatial.masks import EnhancerMask
from cleanaudio.spatial.stream import frame_count

ARRAY = linear(6, 0.08)


@pytest.fixture(scope="module")
def noisy(wave, speech_like):
    """A voice from 50° in noise that is another at each microphone, 3 dB; (6, n) voice and noise."""
    voice = wave(ARRAY, 50, speech_like(6.0, 16000, 2))
    noise = np.random.default_rng(3).standard_normal(voice.shape).astype(np.float32)
    return voice, noise * np.std(voice) * 10 ** (-3 / 20)


def test_the_delays_are_found(noisy, run, sdr):
    voice, noise = noisy
    log = []
    stream = BlindDelayAndSum(16000, 6, 2, log=log.append)
    out = run(stream, voice + noise)
    true = ARRAY.delays(Direction(50).unit, 343.0, 2) * 16000
    found = np.median([entry["delays"] for entry in log], axis=0)
    np.testing.assert_allclose(found, true, atol=0.2)
    # six microphones of unrelated noise: 10 log 6 = 7.8 dB
    assert sdr(voice[2], out[0]) > sdr(voice[2], (voice + noise)[2]) + 6.5
    assert stream.fallen_back == 0
    assert np.median([e["gain_db"] for e in log if e["gain_db"] is not None]) == pytest.approx(7.8, abs=1.5)
    assert {"time_s", "delays", "weights", "gain_db", "beam"} == set(log[0])


def test_a_drifting_clock_is_followed(noisy, run, monkeypatch):
    monkeypatch.setattr("cleanaudio.spatial.blind.MAX_DELAY_S", 0.002)
    voice = np.tile(noisy[0][0], 2)
    time = np.arange(len(voice))
    drifted = np.interp(time * (1 + 200e-6) - 8, time, voice).astype(np.float32)  # 200 ppm: 38 samples in 12 s
    signal = np.stack([voice, drifted, voice])
    log = []
    run(BlindDelayAndSum(16000, 3, 0, log=log.append), signal)
    late = [entry["delays"][1] for entry in log if entry["time_s"] > 10.5]
    true = [8 - 200e-6 * 16000 * entry["time_s"] for entry in log if entry["time_s"] > 10.5]
    np.testing.assert_allclose(late, true, atol=3)


def test_a_channel_of_noise_is_left_out(noisy, run):
    voice, noise = noisy
    signal = voice + 0.3 * noise
    signal[4] = noise[4]
    log = []
    run(BlindDelayAndSum(16000, 6, log=log.append), signal)
    assert np.mean([entry["weights"][4] for entry in log[4:]]) < 0.05


def test_a_quiet_channel_does_not_change_the_level(noisy, run):
    signal = noisy[0].copy()
    signal[3] *= 0.2
    out = run(BlindDelayAndSum(16000, 6), signal)[0]
    assert 10 * np.log10(np.mean(out**2) / np.mean(signal[0] ** 2)) == pytest.approx(0, abs=0.3)


class _NoVoice:
    """A mask that finds none."""

    latency = 0

    def __init__(self, frames):
        self.frames = frames

    def process(self, block):
        return np.zeros((0, 513), np.float32)

    def flush(self):
        return np.zeros((self.frames, 513), np.float32)

    def reset(self):
        pass


def test_without_a_voice_to_go_by_the_microphone_comes_out(noisy, run):
    signal = noisy[0] + noisy[1]
    log = []
    stream = BlindDelayAndSum(16000, 6, 2, _NoVoice(frame_count(signal.shape[1], *delay_stft(16000))), log=log.append)
    np.testing.assert_allclose(run(stream, signal)[0], signal[2], atol=1e-5)
    assert stream.fallen_back == 1
    assert not any(entry["beam"] for entry in log) and {entry["gain_db"] for entry in log} == {None}


@pytest.mark.parametrize("level", [0.01, 0.1])
def test_noise_from_one_place_makes_nothing_worse(level, wave, noise_like, speech_like, run, sdr):
    """Louder than the voice it draws the delays; its own estimate of the gain is then still about right."""
    voice = wave(ARRAY, 90, 0.3 * speech_like(6.0, 16000, 5))
    mixture = voice + wave(ARRAY, 0, level * noise_like(6.0, 16000, "pink", 6))
    log = []
    out = run(BlindDelayAndSum(16000, 6, log=log.append), mixture)
    gain = sdr(voice[0], out[0]) - sdr(voice[0], mixture[0])
    assert gain > 1
    assert np.mean([entry["gain_db"] for entry in log]) == pytest.approx(gain, abs=2)


def test_the_voice_keeps_its_spectrum_without_the_spectral_weight(noisy, run):
    voice, noise = noisy
    noise = noise * np.linspace(2, 0.5, 6, dtype=np.float32)[:, None]
    plain, weighed = (run(BlindDelayAndSum(16000, 6, spectral=power), voice + noise)[0] for power in (0.0, 0.5))
    reference = voice[0]
    kept = [float(out @ reference / (reference @ reference)) for out in (plain, weighed)]
    assert kept[0] == pytest.approx(1, abs=0.1)
    assert np.mean(weighed[:8000] ** 2) < 0.5 * np.mean(plain[:8000] ** 2)  # the voice begins after half a second


def test_a_mask_turns_the_beam_to_the_voice(wave, noise_like, speech_like, run, known, sdr):
    voice = wave(ARRAY, 90, 0.3 * speech_like(6.0, 16000, 5))
    noise = wave(ARRAY, 0, 0.05 * noise_like(6.0, 16000, "white", 6))
    size, hop = delay_stft(16000)
    mask = EnhancerMask(known(voice), size, hop, range(6))
    stream = BlindDelayAndSum(16000, 6, 0, mask)
    out = run(stream, voice + noise)
    assert stream.fallen_back < 0.2
    assert sdr(voice[0], out[0]) > sdr(voice[0], (voice + noise)[0]) + 3


def test_bad_input():
    with pytest.raises(InputError, match="two microphones"):
        BlindDelayAndSum(16000, 1)
    with pytest.raises(RecipeError, match="reference microphone 4 of 3"):
        BlindDelayAndSum(16000, 3, 3)
