import numpy as np
import pytest
from scipy.signal import fftconvolve

from cleanaudio.errors import InputError, RecipeError
from cleanaudio.spatial.fixed import FilterAndSum, delay_filters, fixed_beamformer
from cleanaudio.spatial.geometry import Direction, circular, linear


def test_overlap_save_is_convolution(run):
    rng = np.random.default_rng(0)
    signal = rng.standard_normal((3, 9001)).astype(np.float32)
    filters = rng.standard_normal((3, 41)).astype(np.float32)
    expected = sum(fftconvolve(x, h, "same") for x, h in zip(signal, filters, strict=True))
    np.testing.assert_allclose(run(FilterAndSum(filters), signal, 333)[0], expected, atol=1e-4)


def test_delays_are_fractions_of_a_sample(wave, run, speech_like, sdr):
    """The wave comes back together as the first microphone hears it; whole samples would not do."""
    array = linear(8, 0.05)
    signal = wave(array, 25, speech_like(2.0, 16000, 3))
    out = run(fixed_beamformer("delay-and-sum", 16000, 8, array, Direction(25), 343.0), signal)
    assert sdr(signal[0], out[0]) > 50
    tau = array.delays(Direction(25).unit, 343.0) * 16000
    whole = run(FilterAndSum(delay_filters(np.round(tau))), signal)
    assert sdr(signal[0], whole[0]) < 40


def test_other_directions_are_attenuated(wave, run, noise_like):
    array = linear(8, 0.05)
    signal = wave(array, 120, 0.1 * noise_like(2.0, 16000, "white", 1))
    for method in "delay-and-sum", "superdirective":
        out = run(fixed_beamformer(method, 16000, 8, array, Direction(30), 343.0), signal)
        assert 10 * np.log10(np.mean(out**2) / np.mean(signal[0] ** 2)) < -8


def test_bad_input():
    with pytest.raises(InputError, match="3 channels"):
        fixed_beamformer("delay-and-sum", 16000, 3, linear(4, 0.05), Direction(0), 343.0)
    with pytest.raises(RecipeError, match="reference microphone 5 of 4"):
        fixed_beamformer("delay-and-sum", 16000, 4, linear(4, 0.05), Direction(0), 343.0, 4)
    with pytest.raises(RecipeError, match="no fixed beamformer"):
        fixed_beamformer("magic", 16000, 4, linear(4, 0.05), Direction(0), 343.0)
    with pytest.raises(InputError, match="too wide"):
        fixed_beamformer("superdirective", 16000, 4, circular(4, 10.0), Direction(0), 343.0)
