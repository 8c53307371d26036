import numpy as np
import pytest
from scipy.optimize import minimize

from cleanaudio.spatial.bandweights import BandWeights, band_edges

RATE, SIZE = 16000, 512
BINS = SIZE // 2 + 1


def _spectra(rng, channels, frames=200):
    shape = (channels, frames, BINS)
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


def _half(frames=200):
    """A mask that says voice in the second half."""
    return np.repeat(np.arange(2.0), frames // 2)[:, None].repeat(BINS, 1).astype(np.float32)


def _case(levels):
    """The same voice everywhere in the second half, unrelated noise of these levels all the time."""
    rng = np.random.default_rng(0)
    voice = _spectra(rng, 1) * _half()
    return voice, voice + np.array(levels)[:, None, None] * _spectra(rng, len(levels))


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_the_bands_cover_every_bin_once(rate):
    edges = band_edges(1024, rate)
    assert edges[0] == 0 and edges[-1] == 513 and (np.diff(edges) > 0).all()
    width = np.diff(edges[1:-1]) * rate / 1024
    assert (width > 80).all()


def test_unrelated_noise_is_weighed_by_its_power():
    levels = np.array([0.5, 0.5, 1.0])
    weights = BandWeights(3, 0, SIZE, RATE, np.inf, spectral=0)
    weights.push(_case(levels)[1], _half())
    found, gain = weights.solve()
    shares = found / found.sum(axis=1, keepdims=True)
    expected = levels**-2.0 / np.sum(levels**-2.0)
    np.testing.assert_allclose(shares.mean(axis=0), expected, atol=0.03)
    assert gain == pytest.approx(10 * np.log10(np.sum(levels**-2.0) * levels[0] ** 2), abs=0.5)


def test_the_weights_are_the_minimum():
    """Against a general optimiser on one band's mean square error."""
    rng = np.random.default_rng(1)
    factor = rng.standard_normal((2, 4, 6))
    voice, noise = factor @ factor.transpose(0, 2, 1)
    weights = BandWeights(4, 1, SIZE, RATE, np.inf, spectral=0)
    weights._all[:], weights._noise[:] = voice + noise, noise
    weights._weight[:] = weights._noise_weight[:] = 1
    found = weights.solve()[0][3]

    def error(shares):
        return shares @ (voice + noise) @ shares - 2 * shares @ voice[1]

    best = minimize(error, np.eye(4)[1], bounds=[(0, None)] * 4).x
    np.testing.assert_allclose(found, best * voice[1, 1] / (best @ voice[1]), atol=0.02)
    assert (found >= 0).all() and found @ voice[1] == pytest.approx(voice[1, 1])


def test_the_spectral_weight_makes_the_power_that_of_the_voice():
    voice, mixture = _case([1.0, 1.0])
    weights = BandWeights(2, 0, SIZE, RATE, np.inf)
    weights.push(mixture, _half())
    found = weights.solve()[0]
    edges = band_edges(SIZE, RATE)
    for band in range(4, len(found)):
        some = slice(edges[band], edges[band + 1])
        out = np.tensordot(found[band], mixture[:, :, some], 1)
        assert np.mean(np.abs(out) ** 2) == pytest.approx(np.mean(np.abs(voice[0, :, some]) ** 2), rel=0.25)


def test_a_band_of_noise_is_taken_back_but_not_silenced():
    mixture, mask = _case([1.0, 1.0])[1], _half()
    mixture[:, :, :40] = np.tile(mixture[:, :100, :40], (1, 2, 1))  # as loud with the voice as without
    weights = BandWeights(2, 0, SIZE, RATE, np.inf, floor_db=-12)
    weights.push(mixture, mask)
    found = weights.solve()[0]
    np.testing.assert_allclose(found[:3].max(axis=1), 10 ** (-12 / 20), rtol=1e-3)
    assert found[9:].sum(axis=1).min() > 0.6


@pytest.mark.parametrize("factor", [1e-3, 0.1, 3.0, 1e3])
def test_the_weights_do_not_depend_on_the_level(factor):
    """Also where a mask finds no voice in some bands, where the difference of two equal powers is but rounding."""
    mixture, mask = _case([0.5, 0.7, 1.0, 0.6])[1].astype(np.complex64), _half()
    mask[:, 60:] = 0
    found = []
    for gain in (1.0, factor):
        weights = BandWeights(4, 0, SIZE, RATE, 10.0)
        for some in np.split(np.arange(200), range(29, 200, 29)):
            weights.push(np.complex64(gain) * mixture[:, some], mask[some])
        found.append(weights.solve()[0])
    np.testing.assert_allclose(found[1], found[0], atol=1e-4)
    silent = band_edges(SIZE, RATE)[:-1] >= 60
    np.testing.assert_allclose(found[0][silent], np.tile([0.1, 0, 0, 0], (silent.sum(), 1)), atol=1e-6)


def test_the_past_is_forgotten():
    rng = np.random.default_rng(3)
    mask = _half()
    weights = BandWeights(2, 0, SIZE, RATE, 1.0)
    loud_first, loud_last = _case([2.0, 0.1])[1], _case([0.1, 2.0])[1]
    for spectra in [loud_first] * 4 + [loud_last] * 8:
        weights.push(spectra, mask)
    found = weights.solve()[0].mean(axis=0)
    assert found[0] > 10 * found[1]
    weights.reset()
    weights.push(np.zeros_like(_spectra(rng, 2)), mask)
    found, gain = weights.solve()
    assert gain is None
    np.testing.assert_array_equal(found, np.tile([1.0, 0.0], (len(found), 1)))
