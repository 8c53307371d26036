import numpy as np
import pytest

from cleanaudio.audio.stft import Stft, window
from cleanaudio.errors import InputError
from cleanaudio.spatial.adaptive import NoiseStretch, beamforming_stft
from cleanaudio.spatial.covariance import weighted_sum
from cleanaudio.spatial.masks import ActivityMask, EnhancerMask
from cleanaudio.spatial.stream import frame_count


class _Late:
    """An enhancer that halves, and holds back what it has."""

    latency = 700

    def reset(self):
        self.held = None

    def process(self, block):
        held = block if self.held is None else np.concatenate([self.held, block], axis=1)
        self.held = held[:, max(0, held.shape[1] - 700) :]
        return 0.5 * held[:, : max(0, held.shape[1] - 700)]

    def flush(self):
        return 0.5 * self.held


def _masks(estimator, signal, block=1234):
    parts = [estimator.process(signal[:, k : k + block]) for k in range(0, signal.shape[1], block)]
    return np.concatenate([*parts, estimator.flush()])


def test_the_ratio_of_a_late_enhancer():
    signal = np.random.default_rng(0).standard_normal((4, 8000)).astype(np.float32)
    enhancer = _Late()
    enhancer.reset()
    mask = _masks(EnhancerMask(enhancer, 512, 128, [0, 2], exponent=2.0), signal)
    assert mask.shape == (frame_count(8000, 512, 128), 257)
    np.testing.assert_allclose(mask, 0.25, atol=1e-5)


def test_the_median_of_the_channels_decides(known):
    signal = np.random.default_rng(0).standard_normal((3, 4000)).astype(np.float32)
    answer = signal * np.array([[0.0], [0.5], [1.0]], np.float32)
    mask = _masks(EnhancerMask(known(answer), 512, 128, range(3)), signal)
    np.testing.assert_allclose(mask, 0.5, atol=1e-5)


def test_silence_has_no_voice(known):
    silence = np.zeros((2, 4000), np.float32)
    assert not _masks(EnhancerMask(known(silence), 512, 128, range(2)), silence).any()
    assert not _masks(ActivityMask(16000, 2, 512, 128), silence).any()


def test_activity_follows_the_voice(speech_like):
    voice = speech_like(6.0, 16000, 2)
    noise = 0.005 * np.random.default_rng(1).standard_normal((2, len(voice))).astype(np.float32)
    mask = _masks(ActivityMask(16000, 2, 512, 128), voice + noise)[:, 0]
    power = np.abs(Stft(1, window("hann", 512), 128).push(voice[None])[0]) ** 2
    loud = power.sum(axis=1)
    active, mask = loud > 0.01 * np.max(loud), mask[: len(loud)]
    assert mask[active].mean() > 0.85 and mask[:55].mean() < 0.05  # the voice begins after half a second


def test_the_noise_stretch_is_the_covariance_of_its_frames():
    rng = np.random.default_rng(2)
    signal = rng.standard_normal((2, 32000)).astype(np.float32)
    signal[:, :8000] *= 10
    stretch = NoiseStretch(16000, 2, 0.5, 2.0, 2.0)
    for k in range(0, 32000, 999):
        stretch.push(signal[:, k : k + 999])
    size, hop = beamforming_stft(16000)
    frames = Stft(2, window("sqrt-hann", size), hop).push(signal[:, 8000:])[:, 3:]
    np.testing.assert_allclose(stretch.mean(), weighted_sum(frames) / frames.shape[1], rtol=1e-4)


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [(1, 1, "empty"), (2, 1, "empty"), (-1, 1, "empty"), (1, 4, "ends after"), (1, 1.01, "short")],
)
def test_noise_stretches_that_make_no_sense(start, end, message):
    with pytest.raises(InputError, match=message) as error:
        NoiseStretch(16000, 2, start, end, 3.0)
    assert error.value.remedy
