import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanaudio.audio.stft import Istft, Stft, synthesis_window, window
from cleanaudio.networks.spectrum import RealSpectrum, Spectrum, band_mask


@settings(max_examples=15, deadline=None)
@given(samples=st.integers(1, 5000), hop=st.sampled_from([128, 256]))
def test_unchanged_spectra_give_the_signal_back(samples, hop):
    spectrum = Spectrum(torch.from_numpy(window("sqrt-hann", 512)), hop)
    signal = torch.randn(2, samples, generator=torch.Generator().manual_seed(samples))
    spectra = spectrum(signal)
    assert spectra.shape[1] == spectrum.frames(samples)
    assert torch.allclose(spectrum.inverse(spectra, samples), signal, atol=1e-5)


def test_frames_are_those_of_the_streaming_transform():
    analysis = window("vorbis", 960)
    signal = np.random.default_rng(1).standard_normal((1, 48000)).astype(np.float32)
    streamed = Stft(1, analysis, 480).push(signal)
    whole = Spectrum(torch.from_numpy(analysis), 480)(torch.from_numpy(signal)).numpy()
    assert np.abs(whole[:, : streamed.shape[1]] - streamed).max() < 1e-4
    back = Istft(1, synthesis_window(analysis, 480), 480).push(streamed)
    assert np.abs(back - signal[:, : back.shape[1]]).max() < 1e-5


def test_real_transform_agrees_with_the_complex_one():
    analysis = torch.from_numpy(window("sqrt-hann", 512))
    signal = torch.randn(2, 4000, generator=torch.Generator().manual_seed(3))
    spectra = Spectrum(analysis, 128)(signal)
    real = RealSpectrum(analysis, 128)
    ours = real(signal)
    assert torch.allclose(torch.view_as_complex(ours.contiguous())[:, : spectra.shape[1]], spectra, atol=1e-4)
    assert torch.allclose(real.inverse(ours, 4000), signal, atol=1e-5)


def test_a_hop_that_leaves_gaps_is_refused():
    with pytest.raises(ValueError, match="does not divide"):
        Spectrum(torch.ones(500), 128)


def test_band_mask_ends_at_the_bandwidth():
    mask = band_mask(torch.tensor([8000.0, 24000.0]), 481, 48000)
    assert mask[0, 0].sum() == 161 and mask[1, 0].sum() == 481
