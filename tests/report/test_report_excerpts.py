import numpy as np

from cleanaudio.report.excerpts import mono
from cleanaudio.report.spectrogram import spectrum_of


def test_channels_that_cancel_each_other_are_seen(speech_like):
    voice = speech_like(2.0, 16000)
    inverted = np.stack([voice, -voice])
    np.testing.assert_allclose(mono(inverted), voice, atol=1e-7)
    np.testing.assert_allclose(spectrum_of(inverted, 16000), spectrum_of(voice[None], 16000))
    np.testing.assert_allclose(mono(np.stack([voice, voice, np.zeros_like(voice)])), voice * 2 / 3, atol=1e-7)
