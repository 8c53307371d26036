"""Dereverberation as a part of the chain: before the backends, all channels together, and one with their promises."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import scipy.signal
import soundfile

import cleanaudio
from cleanaudio.backends import chain
from cleanaudio.backends.interface import Setup
from cleanaudio.backends.spec import parse
from cleanaudio.errors import RecipeError
from cleanaudio.spatial.dereverb import dereverb


def run(processor, signal: np.ndarray, block: int = 1777) -> np.ndarray:
    parts = [processor.process(signal[:, at : at + block]) for at in range(0, signal.shape[1], block)]
    return np.concatenate([*parts, processor.flush()], axis=1)


def live(backend: str, rate: int, channels: int, strength: float = 1.0):
    return cleanaudio.open_chain(backend, rate=rate, channels=channels, dereverb=strength)


@pytest.fixture(scope="module")
def hall(fixtures_dir):
    """Two channels of reverberant speech, and the direct sound and early reflections at the first microphone."""
    heard, early = (
        soundfile.read(fixtures_dir / "rooms" / name, dtype="float32", always_2d=True)[0].T
        for name in ("hall.flac", "reference/hall.flac")
    )
    return heard, early[0]


def many(hall, channels: int) -> np.ndarray:
    """Return 2.5 s of the hall at so many microphones, no two alike."""
    pair = hall[0][:, :40000]
    return np.concatenate([pair, 0.7 * np.roll(pair, 3, axis=1)])[:channels]


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_alone_it_is_what_spatial_makes(hall, rate, channels):
    signal = many(hall, channels)
    offline = run(dereverb(rate, channels, 0.7), signal)
    np.testing.assert_allclose(cleanaudio.clean(signal, rate, "none", dereverb=0.7), offline, atol=1e-6)
    at_once = run(dereverb(rate, channels, 0.7, method="suppress", linked=channels == 2), signal)
    np.testing.assert_allclose(run(live("none", rate, channels, 0.7), signal, 160), at_once, atol=1e-6)
    assert np.max(np.abs(offline - signal)) > 1e-3 and np.max(np.abs(at_once - signal)) > 1e-3


@pytest.mark.parametrize("channels", [1, 2])
def test_reverberant_speech_becomes_clearer(hall, channels):
    """ESTOI against the early sound rises, the more the more is asked for; so does the ratio of early to late sound."""
    from pystoi import stoi

    signal, early = hall[0][:channels], hall[1]
    outs = [cleanaudio.clean(signal, 16000, "none", dereverb=strength)[0] for strength in (0.0, 0.5, 1.0)]
    clarity = [stoi(early, out, 16000, extended=True) for out in outs]
    assert clarity[0] + 0.04 < clarity[1] < clarity[2]
    if channels == 2:
        rest = [out - (out @ early) / (early @ early) * early for out in outs]
        shares = [np.sum(left**2) / np.sum(out**2) for left, out in zip(rest, outs, strict=True)]
        assert shares[0] > shares[1] > shares[2]


def test_live_too(hall):
    from pystoi import stoi

    (signal, _), early = hall
    for rate in (16000, 44100, 48000):
        up, down = Fraction(rate, 16000).as_integer_ratio()
        heard = scipy.signal.resample_poly(hall[0], up, down, axis=1).astype(np.float32)
        out = scipy.signal.resample_poly(run(live("none", rate, 2), heard)[0], down, up)[: len(early)]
        before, after = (stoi(early, x, 16000, extended=True) for x in (signal, out))
        assert after > before + 0.02


@pytest.mark.parametrize("mode", ["linked", "independent", "mid-side"])
@pytest.mark.parametrize("spec", ["wiener", "noisereduce", "0.5*wiener+0.5*noisereduce"])
def test_the_backends_hear_dereverberated_sound_from_the_first_pass_on(hall, spec, mode):
    signal = many(hall, 2)
    dry = run(dereverb(16000, 2), signal)
    expected = cleanaudio.clean(dry, 16000, spec, channels=mode, strength=0.8)
    out = cleanaudio.clean(signal, 16000, spec, channels=mode, strength=0.8, dereverb=1.0)
    np.testing.assert_allclose(out, expected, atol=2e-6)


def test_so_does_a_network_at_another_rate(hall):
    signal = many(hall, 1)
    expected = cleanaudio.clean(run(dereverb(16000, 1), signal), 16000, "deepfilternet")
    out = cleanaudio.clean(signal, 16000, "deepfilternet", dereverb=1.0)
    np.testing.assert_allclose(out, expected, atol=1e-4)


@pytest.mark.parametrize("backend", ["none", "wiener", "noisereduce"])
def test_without_it_nothing_changes(hall, backend):
    signal = many(hall, 2)
    np.testing.assert_array_equal(
        cleanaudio.clean(signal, 16000, backend, dereverb=0.0), cleanaudio.clean(signal, 16000, backend)
    )


def test_strength_leaves_noise_in_but_no_reverberation(hall):
    signal = many(hall, 2)
    out = cleanaudio.clean(signal, 16000, "wiener", strength=0.0, dereverb=1.0)
    np.testing.assert_allclose(out, run(dereverb(16000, 2), signal), atol=1e-6)


@pytest.mark.parametrize("strength", [-0.1, 1.01, float("nan")])
def test_out_of_range_is_refused_before_anything_is_heard(strength):
    with pytest.raises(RecipeError, match="outside 0"):
        chain.resolve(chain.Settings(parse("none"), dereverb=strength), Setup(16000, 1))


@pytest.mark.parametrize("is_live", [False, True])
@pytest.mark.parametrize("backend", ["none", "omlsa"])
def test_the_promises_of_a_processor(hall, backend, is_live):
    """Length, lag 0, blocks of any size, reset, and silence."""
    signal = many(hall, 2)
    processor = cleanaudio.open_chain(backend, rate=16000, channels=2, dereverb=1.0, live=is_live)
    whole = run(processor, signal, signal.shape[1])
    assert whole.shape == signal.shape and whole.dtype == np.float32
    for block in (1, 333, 16000):
        processor.reset()
        some = signal[:, :2000] if block == 1 else signal
        expected = whole
        if block == 1:
            expected = run(processor, some, 2000)
            processor.reset()
        np.testing.assert_allclose(run(processor, some, block), expected, atol=2e-6)
    spectra = [np.fft.rfft(x, 1 << 17) for x in (whole[0], signal[0])]
    assert np.argmax(np.fft.irfft(spectra[0] * spectra[1].conj())) == 0
    processor.reset()
    assert not run(processor, np.zeros((2, 20000), np.float32)).any()


@pytest.mark.parametrize("is_live", [False, True])
@pytest.mark.parametrize("frames", [0, 1, 100, 512, 3000])
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_clips_shorter_than_a_frame_or_than_the_filter(noise_like, channels, frames, is_live):
    signal = 0.1 * np.stack([noise_like(0.3, 16000, seed=c) for c in range(channels)])[:, :frames]
    processor = cleanaudio.open_chain("none", rate=16000, channels=channels, dereverb=1.0, live=is_live)
    out = run(processor, signal)
    assert out.shape == signal.shape and np.isfinite(out).all()
    if frames == 3000:  # it must not vanish
        assert np.mean(out**2) > 0.25 * np.mean(signal**2)


@pytest.mark.parametrize("is_live", [False, True])
def test_sides_that_are_alike_inverted_or_dead(hall, is_live):
    voice = hall[0][:1, :40000]
    for factor in (1.0, -1.0, 0.0):
        processor = cleanaudio.open_chain("none", rate=16000, channels=2, dereverb=1.0, live=is_live)
        out = run(processor, np.concatenate([voice, np.float32(factor) * voice]))
        np.testing.assert_allclose(out[1], factor * out[0], atol=1e-5)
        assert np.mean(out[0] ** 2) > 0.2 * np.mean(voice**2)


def test_what_is_no_number_passes_by(hall):
    signal = many(hall, 2).copy()
    signal[0, 9000], signal[1, 12000] = np.nan, np.inf
    for is_live in (False, True):
        out = run(cleanaudio.open_chain("none", rate=16000, channels=2, dereverb=1.0, live=is_live), signal)
        assert np.isfinite(out).all() and np.mean(out[:, 20000:] ** 2) > 0.1 * np.mean(signal[:, 20000:] ** 2)


@pytest.mark.parametrize(("backend", "rate"), [("none", 8000), ("wiener", 16000), ("none", 48000)])
def test_the_latency_adds_up_and_is_true(backend, rate, noise_like):
    """Live it is a window; offline a block of the recording too. No frame comes later than it says."""
    alone = cleanaudio.open_chain(backend, rate=rate).latency
    window = round(0.032 * rate)
    processor = live(backend, rate, 1)
    assert processor.latency == alone + window
    offline = cleanaudio.open_chain(backend, rate=rate, dereverb=1.0, live=False)
    assert offline.latency > 15 * rate
    for path, seconds in ((processor, 0.5), *([(offline, 36.0)] if rate == 8000 else [])):
        signal = np.resize(0.1 * noise_like(2.0, rate), (1, round(seconds * rate)))
        taken, given, most, block = 0, 0, 0, rate // 100
        for at in range(0, signal.shape[1], block):
            taken += signal[:, at : at + block].shape[1]
            given += path.process(signal[:, at : at + block]).shape[1]
            most = max(most, taken - given)
        assert alone <= most <= path.latency
        assert given + path.flush().shape[1] == taken
