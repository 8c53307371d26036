import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanaudio.audio.stft import Istft, Stft, sizes, synthesis_window, window


@pytest.mark.parametrize("name", ["hann", "sqrt-hann", "vorbis"])
@pytest.mark.parametrize(("size", "hop"), [(512, 128), (960, 480), (1400, 350)])
def test_equals_librosa(name, size, hop):
    signal = np.random.default_rng(0).standard_normal((2, 9000)).astype(np.float32)
    analysis = window(name, size)
    ours = Stft(2, analysis, hop).push(signal)
    before = np.pad(signal, ((0, 0), (size - hop, 0)))
    theirs = librosa.stft(before, n_fft=size, hop_length=hop, window=analysis, center=False).transpose(0, 2, 1)
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 700), min_size=1, max_size=8), st.sampled_from([(64, 16), (60, 30), (70, 14)]))
def test_what_is_not_changed_comes_back_however_it_was_cut(cuts, frame):
    size, hop = frame
    signal = np.random.default_rng(1).standard_normal((2, sum(cuts))).astype(np.float32)
    analysis = window("hann", size)
    forth, back = Stft(2, analysis, hop), Istft(2, synthesis_window(analysis, hop), hop)
    parts = [back.push(forth.push(part)) for part in np.split(signal, np.cumsum(cuts)[:-1], axis=1)]
    parts.append(back.push(forth.push(np.zeros((2, size + hop), np.float32))))
    np.testing.assert_allclose(np.concatenate(parts, axis=1)[:, : signal.shape[1]], signal, atol=1e-5)


def test_windows_are_the_textbooks():
    assert sizes(16000, 0.032, 0.008) == (512, 128)
    assert sizes(48000, 0.032, 0.008) == (1536, 384)


@pytest.mark.parametrize("rate", [8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000, 192000])
@pytest.mark.parametrize(("window_s", "hop_s"), [(0.032, 0.008), (0.02, 0.005), (0.064, 0.032), (0.1, 0.01)])
def test_windows_are_quick_for_the_fft_at_any_rate(rate, window_s, hop_s):
    rest, hop = sizes(rate, window_s, hop_s)
    assert rest % hop == 0 and rest % 2 == 0 and 0.9 * window_s * rate <= rest <= window_s * rate + 1e-6
    for factor in (2, 3, 5, 7):
        while rest % factor == 0:
            rest //= factor
    assert rest == 1
