import numpy as np
import pytest

from cleanaudio.audio.stft import Stft, window
from cleanaudio.errors import RecipeError
from cleanaudio.spatial.dereverb import BlockWpe
from cleanaudio.spatial.wpe import affordable_taps, wpe


def _spectra(signal, size=256, hop=64):
    return Stft(len(signal), window("sqrt-hann", size), hop).push(signal).astype(np.complex128)


@pytest.mark.parametrize(("channels", "taps"), [(1, 10), (2, 7), (4, 5)])
def test_equals_nara_wpe(channels, taps, room):
    from nara_wpe.wpe import wpe as reference

    spectra = _spectra(room["reverberant"][:channels, :32000])
    theirs = reference(spectra.transpose(2, 0, 1), taps=taps, delay=3, iterations=3)
    ours = spectra - wpe(spectra, taps, 3, 3)
    assert np.max(np.abs(ours - theirs.transpose(1, 2, 0))) < 1e-4 * np.max(np.abs(theirs))
    # and it does something
    assert np.max(np.abs(ours - spectra)) > 0.05 * np.max(np.abs(spectra))


def test_it_predicts_from_the_frames_that_delay_and_taps_name():
    voice = np.random.default_rng(3).standard_normal((1, 4000, 1, 2)) @ [1, 1j]
    predicted = set()
    for lag in range(1, 10):
        heard = voice + 0.7 * np.roll(voice, lag, axis=1)
        late = wpe(heard, taps=3, delay=4, iterations=3)
        if np.mean(np.abs(heard - late) ** 2) < 0.9 * np.mean(np.abs(heard) ** 2):
            predicted.add(lag)
    assert predicted == {4, 5, 6}


def test_silence_predicts_silence():
    assert not wpe(np.zeros((2, 40, 5)), 5, 3, 2).any()


def test_identical_channels_are_no_trouble():
    rng = np.random.default_rng(1)
    one = rng.standard_normal((1, 80, 5, 2)) @ [1, 1j]
    predicted = wpe(np.concatenate([one, one]), 4, 3, 2)
    assert np.isfinite(predicted).all()
    np.testing.assert_allclose(predicted[0], predicted[1], rtol=1e-3, atol=1e-3)


def test_a_short_clip_with_many_taps_does_not_vanish():
    rng = np.random.default_rng(2)
    clip = (rng.standard_normal((4, 60, 9, 2)) @ [1, 1j]).astype(np.complex64)
    vanished = clip - wpe(clip, 20, 3, 3)
    assert np.mean(np.abs(vanished) ** 2) < 0.05 * np.mean(np.abs(clip) ** 2)  # what must not happen
    blocks = BlockWpe(4, 9, 125.0, taps=20)
    kept = np.concatenate([blocks(clip), blocks.flush()], axis=1)
    assert kept.shape == clip.shape
    assert np.mean(np.abs(kept) ** 2) > 0.7 * np.mean(np.abs(clip) ** 2)
    assert affordable_taps(20, 4, 60, 3) == 1 and affordable_taps(20, 4, 20, 3) == 0


def test_blocks_cross_over():
    rng = np.random.default_rng(3)
    long = (rng.standard_normal((1, 1200, 5, 2)) @ [1, 1j]).astype(np.complex64)
    long[:, 1:] += 0.6 * long[:, :-1]
    blocks = BlockWpe(1, 5, 100.0, taps=2, delay=1, block_s=3.0)
    parts = [blocks(long[:, k : k + 37]) for k in range(0, 1200, 37)]
    out = np.concatenate([*parts, blocks.flush()], axis=1)
    assert out.shape == long.shape
    whole = long - wpe(long, 2, 1, 3)
    # every block learns nearly the same filter, also where two of them cross over
    assert np.mean(np.abs(out - whole) ** 2) < 0.2 * np.mean(np.abs(whole - long) ** 2)


@pytest.mark.parametrize("wrong", [(0, 3, 3), (10, 0, 3), (10, 3, 0), (1000, 3, 3)])
def test_parameters_out_of_range(wrong):
    with pytest.raises(RecipeError, match="taps"):
        wpe(np.zeros((1, 10, 3)), *wrong)
