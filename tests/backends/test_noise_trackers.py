"""Trackers against the true density of synthetic noise."""

import numpy as np
import pytest
from scipy.signal import butter, lfilter, sosfreqz

from cleanaudio.audio.stft import Stft, window
from cleanaudio.backends import noise as trackers
from cleanaudio.backends.noise.fixed import Fixed
from cleanaudio.backends.noise.minimum import mean_of_minimum, minimum_bias
from cleanaudio.backends.noise.smoothing import neighbours, recursive
from cleanaudio.backends.noise.tracker import quietest

RATE, SIZE, HOP = 16000, 512, 128
NAMES = ["two-sided", *trackers.RECURSIONS]
SHAPE = window("hann", SIZE)
ENERGY = float(np.sum(SHAPE.astype(np.float64) ** 2))


def white(seconds, level=0.1, seed=0):
    return (level * np.random.default_rng(seed).standard_normal(round(seconds * RATE))).astype(np.float32)


def powers_of(audio):
    spectra = Stft(1, SHAPE, HOP).push(audio[None])[0]
    return spectra.real**2 + spectra.imag**2


def make(name, ahead=True):
    return trackers.make(name, HOP / RATE, SIZE // HOP, 1e-16 * ENERGY, ahead)


def track(name, powers, step=50, ahead=True):
    tracker = make(name, ahead)
    parts = [tracker(powers[t : t + step]) for t in range(0, len(powers), step)]
    return np.concatenate([part for part in [*parts, tracker.flush()] if len(part)])


def db(x):
    return 10 * np.log10(x)


@pytest.mark.parametrize("name", NAMES)
def test_white_noise(name):
    noise = track(name, powers_of(white(8)))
    error = db(noise[250:-10, 2:-2].mean(axis=0) / (0.01 * ENERGY))
    assert abs(error.mean()) < 1.2
    assert np.abs(error).max() < 3


@pytest.mark.parametrize("name", NAMES)
def test_coloured_noise_by_its_transfer_function(name):
    sos = butter(2, 1500, fs=RATE, output="sos")
    audio = lfilter(*butter(2, 1500, fs=RATE), white(8)).astype(np.float32)
    _, response = sosfreqz(sos, SIZE // 2 + 1, fs=RATE, whole=False)
    band = slice(3, 130)  # below 4 kHz
    noise = track(name, powers_of(audio))
    truth = 0.01 * ENERGY * np.abs(response) ** 2
    assert abs(np.mean(db(noise[250:-10, band].mean(axis=0) / truth[band]))) < 1.5


@pytest.mark.parametrize("name", NAMES)
def test_a_voice_is_not_taken_for_noise(name, speech_like):
    voice = np.asarray(speech_like(8.0, RATE)).reshape(-1)[: 8 * RATE]
    voice = voice / np.sqrt(np.mean(voice**2)) * 0.1
    noise = track(name, powers_of((voice + white(8, 0.01)).astype(np.float32)))
    error = db(noise[:, 10:200].mean(axis=0) / (1e-4 * ENERGY))
    assert np.median(error) < 6  # the voice stands 20 dB above the noise
    assert np.median(error) > -4


@pytest.mark.parametrize("name", NAMES)
def test_noise_that_rises_is_followed(name):
    audio = white(12)
    audio[6 * RATE :] *= np.float32(10**0.5)
    noise = track(name, powers_of(audio))
    before, after = noise[500:700, 2:-2].mean(), noise[-250:-20, 2:-2].mean()
    assert db(after / before) == pytest.approx(10, abs=1.5)


@pytest.mark.parametrize("name", NAMES)
def test_the_start_is_known_although_a_voice_is_there_at_once(name, speech_like):
    voice = np.asarray(speech_like(4.0, RATE)).reshape(-1)
    audio = white(4, 0.01)
    audio[: len(voice)] += (0.3 * voice[: len(audio)]).astype(np.float32)
    noise = track(name, powers_of(audio))
    assert np.median(db(noise[:30, 10:200] / (1e-4 * ENERGY))) < 8


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ahead", [True, False])
def test_blocks_do_not_matter(name, ahead):
    powers = powers_of(white(3))
    np.testing.assert_array_equal(track(name, powers, 3, ahead), track(name, powers, 400, ahead))


@pytest.mark.parametrize("name", NAMES)
def test_digital_silence_teaches_nothing(name):
    audio = np.concatenate([np.zeros(RATE, np.float32), white(4), np.zeros(2 * RATE, np.float32), white(3, seed=1)])
    noise = track(name, powers_of(audio))
    back = noise[int(7.2 * RATE / HOP) : int(7.6 * RATE / HOP), 2:-2].mean()
    assert abs(db(back / (0.01 * ENERGY))) < 2.5
    assert np.isfinite(noise).all() and noise.min() > 0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [1, 3, 20])
def test_very_short_and_silent(name, count):
    assert track(name, powers_of(white(1))[:count]).shape == (count, 257)
    silence = track(name, np.zeros((count, 257), np.float32))
    assert silence.shape == (count, 257) and silence.min() > 0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ahead", [True, False])
def test_levels_that_jump_by_100_db_leave_numbers(name, ahead):
    steps = np.repeat(10.0 ** np.random.default_rng(3).uniform(-5, 0, 40), RATE // 5)
    tones = np.sin(np.arange(len(steps)) * 0.3) * (np.arange(len(steps)) % 9000 < 4000)
    audio = (steps * (white(8, 0.3) + tones)).astype(np.float32)
    noise = track(name, powers_of(audio), ahead=ahead)
    assert np.isfinite(noise).all() and noise.min() > 0


@pytest.mark.parametrize("name", NAMES)
def test_reset_forgets(name):
    powers = powers_of(white(3))
    tracker = make(name)
    first = np.concatenate([part for part in (tracker(powers), tracker.flush()) if len(part)])
    tracker.reset()
    again = np.concatenate([part for part in (tracker(powers), tracker.flush()) if len(part)])
    np.testing.assert_array_equal(first, again)


def test_causal_trackers_decide_at_once():
    powers = powers_of(white(1))
    for name in trackers.RECURSIONS:
        assert len(make(name, ahead=False)(powers[:5])) == 5


def test_a_print_stays():
    tracker = Fixed(np.arange(257.0))
    np.testing.assert_array_equal(tracker(np.ones((3, 257), np.float32)), np.tile(np.arange(257.0), (3, 1)))


@pytest.mark.parametrize(("length", "mean"), [(1, 0.0), (8, 0.58), (60, 0.841), (160, 0.91)])
def test_the_mean_of_the_minimum_is_martins_table(length, mean):
    assert mean_of_minimum(length) == mean
    assert mean < mean_of_minimum(length + 1) < 1


@pytest.mark.parametrize(("count", "freedom"), [(32, 14.0), (96, 20.0)])
def test_the_bias_of_the_minimum_by_experiment(count, freedom):
    draws = np.random.default_rng(0).chisquare(freedom, (20000, count)) / freedom
    assert 0.75 < minimum_bias(count, freedom) * draws.min(axis=1).mean() < 1  # as its docstring says


def test_smoothing_helpers():
    values = np.random.default_rng(0).random((9, 6)).astype(np.float32)
    padded = np.pad(values, ((0, 0), (1, 1)), mode="edge")
    np.testing.assert_allclose(
        neighbours(values), 0.25 * padded[:, :-2] + 0.5 * padded[:, 1:-1] + 0.25 * padded[:, 2:], rtol=1e-6
    )
    expected = lfilter([0.3], [1, -0.7], values, axis=0, zi=0.7 * np.ones((1, 6)))[0]
    np.testing.assert_allclose(recursive(values.copy(), 0.7, np.ones(6, np.float32)), expected, rtol=1e-5)


def test_the_quietest_pieces():
    powers = np.random.default_rng(0).exponential(1, (120, 64)).astype(np.float32)
    powers[30:60] *= 100
    assert abs(db(quietest(powers).mean())) < 1.5


def test_minimum_statistics_bears_recordings_far_above_full_scale():
    powers = powers_of(white(3))
    scale = np.float32(2.0**60)
    expected = track("minimum-statistics", powers)
    np.testing.assert_allclose(track("minimum-statistics", scale * powers) / scale, expected, rtol=1e-5)
