import numpy as np
import pytest

from cleanaudio.spatial.beampattern import beam_pattern, weights_of
from cleanaudio.spatial.fixed import delay_filters
from cleanaudio.spatial.geometry import Direction, linear, steering

C = 343.0


def test_a_linear_array_has_the_pattern_of_theory():
    array, look = linear(8, 0.04), Direction(70)
    hertz = np.array([500.0, 2000.0, C / (2 * 0.04)])
    weights = steering(array.delays(look.unit, C), hertz) / 8
    pattern = beam_pattern(weights, array, hertz, C, towards=look.unit)
    # |sin(N ψ / 2) / (N sin(ψ / 2))|, ψ = k d (cos φ − cos φ₀): Van Trees, Optimum Array Processing, 2002, chapter 2
    psi = 2 * np.pi * hertz * 0.04 / C * (np.cos(np.radians(pattern.azimuth_deg))[:, None] - np.cos(np.radians(70)))
    half = np.sin(psi / 2)
    theory = np.abs(np.where(np.abs(half) < 1e-9, 1.0, np.sin(4 * psi) / np.where(half == 0, 1, 8 * half)))
    np.testing.assert_allclose(10 ** (pattern.gain_db / 20), np.maximum(theory, 1e-4), atol=1e-3)


def test_white_noise_gain_and_directivity():
    array, hertz = linear(4, 0.05), np.array([200.0, C / (2 * 0.05)])
    weights = steering(array.delays(Direction(90).unit, C), hertz) / 4
    pattern = beam_pattern(weights, array, hertz, C, towards=Direction(90).unit)
    np.testing.assert_allclose(pattern.white_noise_gain_db, 10 * np.log10(4))
    # at half a wavelength of spacing a diffuse field is uncorrelated; far below, all microphones hear the same
    assert pattern.directivity_db[1] == pytest.approx(10 * np.log10(4))
    assert pattern.directivity_db[0] < 0.5


def test_the_filters_have_the_pattern_of_the_weights():
    array, hertz = linear(4, 0.05), np.array([300.0, 1000.0, 5000.0])
    tau = array.delays(Direction(20).unit, C)
    weights = weights_of(delay_filters(tau * 16000), hertz, 16000)
    np.testing.assert_allclose(weights, steering(tau, hertz) / 4, atol=1e-3)
