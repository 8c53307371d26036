"""The wrappers of the chain, around processors whose behaviour is plain to see."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanaudio.audio.stft import Istft, Stft, synthesis_window, window
from cleanaudio.backends.chain import Settings, resolve
from cleanaudio.backends.combining import Blend, DryMix, MidSide
from cleanaudio.backends.interface import Setup
from cleanaudio.backends.linking import Feed, Independent, Linked
from cleanaudio.backends.measuring import measure
from cleanaudio.backends.spec import parse
from cleanaudio.errors import RecipeError

RATE = 16000


class Late:
    """Multiplies by a factor, and gives each frame only after ``lag`` more have come."""

    def __init__(self, factor, lag, channels=1):
        self.factor, self.latency, self.channels = np.float32(factor), lag, channels
        self.reset()

    def reset(self):
        self.kept = np.zeros((self.channels, 0), np.float32)

    def process(self, block):
        self.kept = np.concatenate([self.kept, block * self.factor], axis=1)
        ready = max(0, self.kept.shape[1] - self.latency)
        out, self.kept = self.kept[:, :ready], self.kept[:, ready:]
        return out

    def flush(self):
        return self.kept


class Framed(Late):
    """Works on whole frames of ``step``, whose output comes ``lag`` later."""

    def __init__(self, step, lag):
        self.step, self.lag = step, lag
        super().__init__(1.0, step + lag)

    def reset(self):
        self.kept, self.taken, self.given = np.zeros((1, 0), np.float32), 0, 0

    def process(self, block):
        self.kept, self.taken = np.concatenate([self.kept, block], axis=1), self.taken + block.shape[1]
        ready = max(0, self.taken // self.step * self.step - self.lag) - self.given
        out, self.kept, self.given = self.kept[:, :ready], self.kept[:, ready:], self.given + ready
        return out


def measured_latency(processor, audio):
    """Return frames from when one goes in to when it comes out, at most, both included."""
    given = most = 0
    for taken, frame in enumerate(np.split(audio, audio.shape[1], axis=1), start=1):
        given += processor.process(frame).shape[1]
        most = max(most, taken - given)
    return most + 1


def noise(channels=1, frames=4000, seed=0):
    return np.random.default_rng(seed).standard_normal((channels, frames)).astype(np.float32) * 0.1


def run(processor, audio, cuts=(0.3, 0.31, 0.9)):
    edges = [0, *(int(cut * audio.shape[1]) for cut in cuts), audio.shape[1]]
    parts = [processor.process(audio[:, a:b]) for a, b in pairwise(edges)]
    return np.concatenate([*parts, processor.flush()], axis=1)


def test_dry_mix_adds_the_input_sample_on_sample():
    audio = noise(2)
    mixed = run(DryMix(Late(0.5, 700, 2), dry=0.25, channels=2), audio)
    np.testing.assert_allclose(mixed, 0.25 * audio + 0.75 * 0.5 * audio, atol=1e-7)


def test_blend_averages_processors_of_different_delays():
    audio = noise(2)
    blend = Blend([Late(1.0, 0, 2), Late(0.5, 999, 2)], [[0.6, 0.4]], 2)
    assert blend.latency == 999
    np.testing.assert_allclose(run(blend, audio), 0.8 * audio, atol=1e-7)


@pytest.mark.parametrize("mode", ["linked", "independent", "mid-side"])
def test_beside_a_blend_comes_what_leaves_a_voice_its_room(noisy_speech, mode):
    """Of one backend that does, ``none``, and one that does not."""
    audio = np.stack([noisy_speech(1.0), 0.5 * noisy_speech(1.0)])
    chain = resolve(Settings(parse("0.75*wiener+0.25*none"), channels=mode), Setup(RATE, 2))
    assert chain.has_gentler
    both = run(chain.cleaning(beside=True), audio)
    np.testing.assert_array_equal(both[:2], run(chain.open(), audio))
    np.testing.assert_allclose(both[2:], audio, atol=1e-6)
    for spec in ("wiener", "0.5*wiener+0.5*omlsa", "0.5*none+0.5*none", "wiener,none"):
        alike = resolve(Settings(parse(spec), channels=mode), Setup(RATE, 2))
        assert not alike.has_gentler
        assert run(alike.cleaning(beside=True), audio).shape == audio.shape


def cleaned(spec, audio, **asked):
    chain = resolve(Settings(parse(spec), **asked), Setup(RATE, audio.shape[0]))
    blocks = np.array_split(audio, 5, axis=1)
    return run(chain.open(chain.analyse(lambda: iter(blocks))), audio)


@pytest.mark.parametrize(
    "series", [("omlsa", "wiener"), ("noisereduce", "noisereduce"), ("0.7*omlsa+0.3*none", "rnnoise", "log-mmse")]
)
def test_a_series_is_one_after_the_other(noisy_speech, series):
    audio = np.stack([noisy_speech(2.0), 0.5 * noisy_speech(2.0)])
    step_by_step = audio
    for spec in series:
        step_by_step = cleaned(spec, step_by_step)
    np.testing.assert_allclose(cleaned(",".join(series), audio), step_by_step, atol=1e-6)


@pytest.mark.parametrize("mode", ["linked", "independent", "mid-side"])
def test_what_stays_in_is_the_input_of_the_whole_series(noisy_speech, mode):
    audio = np.stack([noisy_speech(2.0), 0.5 * noisy_speech(2.0)])
    all_of_it = cleaned("omlsa,wiener", audio, channels=mode)
    some = cleaned("omlsa,wiener", audio, channels=mode, strength=0.8, limit_db=20.0)
    np.testing.assert_allclose(some, 0.72 * all_of_it + 0.28 * audio, atol=1e-6)


def test_a_noise_print_is_for_the_first_stage(noisy_speech):
    audio = noisy_speech(2.0)[None]
    profile = measure([audio[:, :4000]], RATE)
    chain = resolve(Settings(parse("wiener,omlsa")), Setup(RATE, 1, profile=profile))
    assert [link.setup.profile for link in chain.links] == [profile, None]


def test_mid_side_is_its_own_inverse():
    audio = noise(2)
    np.testing.assert_allclose(run(MidSide(Late(1.0, 10, 2)), audio), audio, atol=1e-6)


def test_mid_side_needs_two_channels():
    with pytest.raises(RecipeError):
        Settings((), channels="mid-side").mode(4)


@pytest.mark.parametrize("channels", [2, 3])
def test_linked_applies_the_mono_gain_to_every_channel(channels):
    audio = noise(1) * np.array([[1.0], [0.5], [0.25]], np.float32)[:channels]
    out = run(Linked(Late(0.5, 480), channels, RATE), audio)
    assert out.shape == audio.shape
    np.testing.assert_allclose(out, 0.5 * audio, atol=1e-5)


def test_linked_never_amplifies():
    audio = noise(2)
    np.testing.assert_allclose(run(Linked(Late(3.0, 0), 2, RATE), audio), audio, atol=1e-5)


@pytest.mark.parametrize("channels", [2, 5, 8, 16])
def test_the_feed_of_unrelated_noise_is_its_mean_however_many_channels_there_are(channels):
    rng = np.random.default_rng(channels)
    noise = rng.standard_normal((channels, 100, 129, 2)).astype(np.float32).view(np.complex64)[..., 0]
    np.testing.assert_allclose(Feed(channels, 0.01)(noise)[0], noise.mean(axis=0), atol=1e-6)
    voice = np.repeat(noise[:1], channels, axis=0)
    voice[: channels // 2] *= -1
    voice = voice[: channels // 2 * 2]
    fed = Feed(len(voice), 0.01)(voice)
    np.testing.assert_allclose(np.abs(fed[0, 50:]), np.abs(noise[0, 50:]), atol=1e-5)


def test_linked_keeps_a_voice_whose_channels_cancel():
    voice = noise(1)
    audio = np.concatenate([voice, -voice])
    out = run(Linked(Late(1.0, 100), 2, RATE), audio)
    settled = slice(1600, None)
    assert np.sum(out[:, settled] ** 2) > 0.95 * np.sum(audio[:, settled] ** 2)


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.floats(0, 1), max_size=6).map(sorted), frames=st.integers(0, 3000))
def test_linked_does_not_depend_on_how_the_signal_was_cut(cuts, frames):
    audio = noise(2, frames)
    whole = run(Linked(Late(0.7, 333), 2, RATE), audio, cuts=())
    np.testing.assert_allclose(run(Linked(Late(0.7, 333), 2, RATE), audio, cuts=cuts), whole, atol=1e-6)


@pytest.mark.parametrize(("step", "lag"), [(160, 320), (320, 160), (320, 0), (1, 0), (128, 384), (100, 7), (480, 161)])
def test_linked_tells_its_latency(step, lag):
    """A hop is 160 frames."""
    known = Linked(Framed(step, lag), 2, RATE, step)
    assert measured_latency(known, noise(2)) == known.latency
    bound = Linked(Framed(step, lag), 2, RATE).latency
    assert known.latency <= bound <= known.latency + max(160, -(-step // 160) * 160)


@pytest.mark.parametrize("lag", [0, 1, 159, 160, 161])
def test_linked_tells_a_latency_that_holds_whatever_the_processor_does(lag):
    linked = Linked(Late(1.0, lag), 2, RATE)
    assert measured_latency(linked, noise(2)) == linked.latency


def test_independent_serves_each_channel_with_its_own():
    audio = noise(2)
    out = run(Independent([Late(1.0, 5), Late(0.5, 5)]), audio)
    np.testing.assert_allclose(out, audio * np.array([[1.0], [0.5]]), atol=1e-7)


def test_reset_is_as_good_as_new():
    for processor in (
        Linked(Late(0.5, 50), 2, RATE),
        DryMix(Late(0.5, 50, 2), 0.5, 2),
        Blend([Late(1, 9, 2)], [[1]], 2),
    ):
        first = run(processor, noise(2))
        processor.reset()
        np.testing.assert_array_equal(run(processor, noise(2)), first)


def test_the_feed_is_the_mean_of_like_channels_and_the_stronger_of_opposite_ones():
    spectra = (noise(1, 257 * 40).reshape(1, 40, 257) + 0j).astype(np.complex64)
    np.testing.assert_allclose(Feed(2, 0.01)(np.concatenate([spectra, spectra])), spectra, atol=1e-7)
    np.testing.assert_allclose(Feed(2, 0.01)(np.concatenate([-0.5 * spectra, spectra])), spectra * 0.25, atol=0.3)
    np.testing.assert_allclose(Feed(2, 0.01)(np.concatenate([spectra, -spectra])), spectra, atol=1e-7)


@pytest.mark.parametrize(("size", "hop"), [(512, 128), (512, 256), (960, 480), (480, 160), (10, 3)])
@pytest.mark.parametrize("name", ["hann", "sqrt-hann", "vorbis"])
def test_unchanged_spectra_give_the_signal_back(size, hop, name):
    audio = noise(2, 3000)
    analysis = window(name, size)
    stft, istft = Stft(2, analysis, hop), Istft(2, synthesis_window(analysis, hop), hop)
    tail = np.zeros((2, size), np.float32)
    out = np.concatenate(
        [istft.push(stft.push(part)) for part in (audio[:, :7], audio[:, 7:1999], audio[:, 1999:], tail)], axis=1
    )
    np.testing.assert_allclose(out[:, :3000], audio, atol=1e-6)


def test_windows_equal_scipy():
    from scipy.signal import get_window

    np.testing.assert_allclose(window("hann", 512), get_window("hann", 512), atol=1e-7)
    np.testing.assert_allclose(window("sqrt-hann", 512) ** 2, get_window("hann", 512), atol=1e-6)
    half = window("vorbis", 512) ** 2
    np.testing.assert_allclose(half[:256] + half[256:], 1, atol=1e-6)


def test_frames_equal_scipy():
    from scipy.signal import ShortTimeFFT

    audio = noise(1, 4096)
    reference = ShortTimeFFT(window("hann", 512).astype(float), 128, RATE).stft(np.pad(audio[0], (384, 0)), p0=2, p1=30)
    ours = Stft(1, window("hann", 512), 128).push(audio)[0]
    np.testing.assert_allclose(np.abs(ours[: reference.shape[1]]), np.abs(reference.T), atol=1e-4)
