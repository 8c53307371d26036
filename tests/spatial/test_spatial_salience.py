import numpy as np
import pytest
from scipy.ndimage import minimum_filter1d

from cleanaudio.audio.stft import Stft, window
from cleanaudio.spatial.masks import MeanMask
from cleanaudio.spatial.salience import SalienceMask
from cleanaudio.spatial.stream import frame_count

SIZE, HOP = 1024, 256


def _masks(estimator, signal, block=1234):
    parts = [estimator.process(signal[:, k : k + block]) for k in range(0, signal.shape[1], block)]
    return np.concatenate([*parts, estimator.flush()])


@pytest.fixture
def noise():
    return 0.01 * np.random.default_rng(1).standard_normal((2, 8 * 16000)).astype(np.float32)


def test_steady_noise_does_not_stand_out(noise):
    mask = _masks(SalienceMask(16000, 2, SIZE, HOP), noise)
    assert mask.shape == (frame_count(noise.shape[1], SIZE, HOP), SIZE // 2 + 1)
    assert mask.mean() < 0.05
    # and the floor follows its level
    steps = noise * np.repeat([1, 30, 1, 30], noise.shape[1] // 4).astype(np.float32)
    loud = _masks(SalienceMask(16000, 2, SIZE, HOP, reach_s=0.5), steps)
    assert loud[170:220].mean() < 0.1  # the middle of the second stretch, 1.5 s from the quiet ones
    assert loud[128:140].mean() > 0.9  # its beginning


def test_a_tone_stands_out_where_it_is(noise):
    time = np.arange(noise.shape[1]) / 16000
    tone = 0.1 * np.sin(2 * np.pi * 1000 * time) * ((time > 3) & (time < 4))
    mask = _masks(SalienceMask(16000, 2, SIZE, HOP), noise + tone.astype(np.float32))
    assert mask[195:245, 64].min() > 0.9 and mask[195:245, 300].mean() < 0.1
    assert mask[:180, 64].mean() < 0.1


def test_the_floor_is_a_running_minimum(noise):
    """Against scipy, with the reach in whole groups of frames: no mask lies above or below what two spans allow."""
    estimator = SalienceMask(16000, 2, SIZE, HOP)
    mask = _masks(estimator, noise)
    power = np.mean(np.abs(Stft(2, window("sqrt-hann", SIZE), HOP).push(noise)) ** 2, axis=0)
    keep, smooth = np.exp(-HOP / 16000 / 0.072), power.copy()
    for t in range(1, len(power)):
        smooth[t] = keep * smooth[t - 1] + (1 - keep) * power[t]
    settled = smooth[10:]
    some = slice(190, 300)  # far from both ends
    for span, low in ((2 * 94 + 1, True), (2 * 190 + 1, False)):  # 1.5 s and 3 s on both sides
        masked = np.clip(1 - 6 * minimum_filter1d(settled, span, axis=0) / settled, 0, 1)[some]
        there = mask[10:][: len(settled)][some]
        assert (there >= masked - 1e-4).mean() > 0.99 if low else (there <= masked + 1e-4).mean() > 0.9


def test_silence_and_short_clips(noise):
    assert not _masks(SalienceMask(16000, 2, SIZE, HOP), np.zeros((2, 40000), np.float32)).any()
    for frames in (0, 1, 100, 1500):
        mask = _masks(SalienceMask(16000, 2, SIZE, HOP), noise[:, :frames])
        assert mask.shape == (frame_count(frames, SIZE, HOP), 513) and np.isfinite(mask).all()
    gap = noise.copy()
    gap[:, 30000:60000] = 0
    mask = _masks(SalienceMask(16000, 2, SIZE, HOP), gap)
    assert mask[10:110].mean() < 0.1 and mask[245:].mean() < 0.1  # a gap is no floor


def test_the_cut_into_blocks_does_not_matter(noise):
    estimator = SalienceMask(16000, 2, SIZE, HOP)
    whole = _masks(estimator, noise, noise.shape[1])
    estimator.reset()
    np.testing.assert_allclose(_masks(estimator, noise, 777), whole, atol=1e-5)


class _Constant:
    def __init__(self, value, late):
        self.value, self.late, self.latency, self.owed = value, late, late, 0

    def process(self, block):
        self.owed += block.shape[1]
        now = max(self.owed - self.late, 0)
        self.owed -= now
        return np.full((now, 3), self.value, np.float32)

    def flush(self):
        return np.full((self.owed, 3), self.value, np.float32)

    def reset(self):
        self.owed = 0


def test_the_mean_of_masks_waits_for_the_later_one():
    mean = MeanMask((_Constant(0.9, 5), _Constant(0.4, 12)), 3)
    block = np.zeros((1, 10), np.float32)
    parts = [mean.process(block), mean.process(block), mean.flush()]
    assert list(map(len, parts)) == [0, 8, 12] and mean.latency == 12
    np.testing.assert_allclose(np.concatenate(parts), 0.6, rtol=1e-6)
