import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanaudio.errors import RecipeError
from cleanaudio.spatial import beamformers as bf
from cleanaudio.spatial.geometry import Direction, linear, steering

BINS, CHANNELS = 4, 5


def _problem(seed=0, rank=1):
    """Transfer function (bins, channels), speech and noise covariances."""
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((BINS, CHANNELS, rank, 2)) @ [1, 1j]
    n = rng.standard_normal((BINS, CHANNELS, 20, 2)) @ [1, 1j]
    return a[..., 0], a @ a.conj().swapaxes(1, 2), n @ n.conj().swapaxes(1, 2) / 20


def _snr(w, speech, noise):
    return np.einsum("fc,fcd,fd->f", w.conj(), speech, w).real / np.einsum("fc,fcd,fd->f", w.conj(), noise, w).real


def test_capon_is_its_formula():
    a, _, noise = _problem()
    a = a / a[:, :1]
    w = bf.capon(noise, a, loading=0)
    for f in range(BINS):
        inverse = scipy.linalg.inv(noise[f])
        np.testing.assert_allclose(w[f], inverse @ a[f] / (a[f].conj() @ inverse @ a[f]), rtol=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(0, CHANNELS - 1), st.sampled_from(["souden", "gev", "capon"]))
def test_a_single_source_comes_out_as_the_reference_hears_it(seed, reference, method):
    a, speech, noise = _problem(seed)
    w = bf.capon(noise, a / a[:, [reference]]) if method == "capon" else getattr(bf, method)(speech, noise, reference)
    heard = np.sum(w.conj() * a, axis=1)
    np.testing.assert_allclose(heard, a[:, reference], rtol=1e-5)


def test_souden_needs_no_steering_vector():
    a, speech, noise = _problem()
    np.testing.assert_allclose(bf.souden(speech, noise, 2, 0), bf.capon(noise, a / a[:, [2]], 0), rtol=1e-6)


def test_gev_has_the_highest_snr():
    _, speech, noise = _problem(rank=3)
    best = [scipy.linalg.eigh(speech[f], noise[f], eigvals_only=True)[-1] for f in range(BINS)]
    np.testing.assert_allclose(_snr(bf.gev(speech, noise, 0, 1e-9), speech, noise), best, rtol=1e-6)


def test_the_wiener_filter_trades_speech_for_noise():
    _, speech, noise = _problem(rank=3)
    one, many = bf.multichannel_wiener(speech, noise, 1, 1.0, 0), bf.multichannel_wiener(speech, noise, 1, 10.0, 0)
    for f in range(BINS):
        np.testing.assert_allclose(one[f], scipy.linalg.solve(speech[f] + noise[f], speech[f][:, 1]), rtol=1e-6)
    left = [np.einsum("fc,fcd,fd->", w.conj(), noise, w).real for w in (one, many)]
    assert left[1] < left[0]
    whole = bf.multichannel_wiener(speech + 0.1 * noise, noise, 1, 0.0, 0)
    np.testing.assert_allclose(whole, bf.pick(BINS, CHANNELS, 1), atol=1e-5)
    with pytest.raises(RecipeError, match="negative"):
        bf.multichannel_wiener(speech, noise, 0, -1.0)


def test_the_superdirective_beamformer_hears_less_of_a_diffuse_field():
    array, hertz = linear(4, 0.05), np.array([300.0, 1000.0, 2500.0])
    a = steering(array.delays(Direction(0).unit, 343.0), hertz)
    field = bf.diffuse_coherence(array, hertz, 343.0)
    super_, plain = bf.superdirective(array, a, hertz, 343.0), a / 4
    np.testing.assert_allclose(np.sum(super_.conj() * a, axis=1), 1.0)
    noise = [np.einsum("fc,fcd,fd->f", w.conj(), field, w).real for w in (super_, plain)]
    assert np.all(10 * np.log10(noise[1] / noise[0]) > 2)


def test_diffuse_coherence():
    field = bf.diffuse_coherence(linear(2, 0.1), np.array([0.0, 1715.0, 3430.0]), 343.0)
    np.testing.assert_allclose(field[:, 0, 1], [1, 0, 0], atol=1e-12)  # sin(kd) / kd at kd = 0, π, 2π
    np.testing.assert_allclose(field[:, 0, 0], 1)


@pytest.mark.parametrize("method", [bf.souden, bf.gev, bf.multichannel_wiener])
def test_where_nothing_was_heard_the_reference_passes(method):
    _, speech, noise = _problem()
    silent = np.zeros_like(speech)
    np.testing.assert_array_equal(method(silent, noise, 3), bf.pick(BINS, CHANNELS, 3))
    np.testing.assert_array_equal(method(silent, silent, 3), bf.pick(BINS, CHANNELS, 3))
    assert np.isfinite(method(speech, silent, 3)).all()


@pytest.mark.parametrize("method", [bf.souden, bf.gev, bf.multichannel_wiener])
def test_two_identical_channels(method):
    a, _, noise = _problem()
    a[:, 1] = a[:, 0]
    noise[:, 1], noise[:, :, 1] = noise[:, 0], noise[:, :, 0]
    noise[:, 1, 1] = noise[:, 0, 0]
    w = method(a[:, :, None] * a[:, None].conj() * 1e4, noise, 0)
    np.testing.assert_allclose(np.sum(w.conj() * a, axis=1), a[:, 0], rtol=1e-2)
    assert np.abs(w).max() < 100


def test_apply_is_an_inner_product():
    rng = np.random.default_rng(0)
    w = rng.standard_normal((BINS, CHANNELS, 2)) @ [1, 1j]
    x = (rng.standard_normal((CHANNELS, 7, BINS, 2)) @ [1, 1j]).astype(np.complex64)
    np.testing.assert_allclose(bf.apply(w, x), np.einsum("fc,ctf->tf", w.conj(), x), rtol=1e-4, atol=1e-5)
