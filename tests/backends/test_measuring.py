import numpy as np
import pytest
from scipy.signal import butter, sosfilt, welch

from cleanaudio.backends.measuring import average, measure, measure_quiet
from cleanaudio.errors import InputError

RATE = 16000


def noise(seconds=4.0, level=0.01, seed=0, rate=RATE):
    sos = butter(2, 2000, fs=rate, output="sos")
    white = np.random.default_rng(seed).standard_normal((1, round(seconds * rate)))
    return (level * sosfilt(sos, white)).astype(np.float32)


def test_the_density_equals_welchs():
    audio = noise(20)
    profile = measure([audio], RATE, source="x")
    frequencies, expected = welch(audio[0], RATE, nperseg=512, return_onesided=False)
    band = (frequencies > 100) & (frequencies < 7000)
    (ours,) = profile.at(frequencies[band])
    assert np.max(np.abs(10 * np.log10(ours / expected[band]))) < 1.0
    assert profile.level_db == pytest.approx(10 * np.log10(np.mean(audio**2)), abs=0.3)
    assert profile.seconds == pytest.approx(20, abs=0.5)
    assert profile.stationarity_db < 2


def test_it_does_not_matter_how_the_signal_was_cut():
    audio = noise(3)
    pieces = measure([audio[:, a : a + 777] for a in range(0, audio.shape[1], 777)], RATE, source="x")
    np.testing.assert_allclose(pieces.psd, measure([audio], RATE, source="x").psd, rtol=1e-4)


@pytest.mark.parametrize("seconds", [0.1, 0.5, 1.4])
def test_all_of_what_was_chosen_is_measured(seconds):
    """But the first window's worth, which would reach back before it, and a rest shorter than a hop."""
    profile = measure([noise(seconds)], RATE)
    assert seconds - 0.04 < profile.seconds <= seconds


def test_stretches_without_speech_are_found(speech_like):
    voice = speech_like(6.0, RATE)
    audio = np.concatenate([noise(2), noise(6, seed=1) + 0.3 * voice[None], noise(1.5, seed=2)], axis=1)
    profile = measure_quiet([audio], RATE, source="x")
    alone = measure([noise(10, seed=3)], RATE, source="x")
    assert np.abs(profile.level_db - alone.level_db) < 1.5
    assert any(part.start_s < 2 and part.end_s <= 2.6 for part in profile.stretches)


@pytest.mark.parametrize("audio", [np.zeros((1, 0)), np.zeros((2, 9)), np.zeros((1, RATE))])
@pytest.mark.parametrize("how", [measure, measure_quiet])
def test_nothing_to_measure_is_an_error(audio, how):
    with pytest.raises(InputError):
        how([audio.astype(np.float32)], RATE, source="x")


def test_an_average_weighs_by_length_also_how_steady_it_is():
    long, short = noise(60, seed=4), 10 ** (30 / 20) * noise(1, seed=5)
    together = measure([np.concatenate([long, short], axis=1)], RATE)
    apart = average([measure([long], RATE), measure([short], RATE)])
    assert apart.stationarity_db == pytest.approx(together.stationarity_db, abs=0.8)


def test_an_average_of_recordings_with_as_many_channels_keeps_them():
    stereo = measure([np.concatenate([noise(seed=1), noise(seed=2)])], RATE)
    assert average([stereo, stereo]).psd.shape == stereo.psd.shape
    assert len(average([stereo, measure([noise()], RATE)]).psd) == 1


def test_an_average_lies_between():
    quiet, loud = measure([noise(level=0.01)], RATE, source="a"), measure([noise(level=0.03, seed=2)], RATE, source="b")
    both = average([quiet, loud])
    assert quiet.level_db < both.level_db < loud.level_db
    assert both.seconds == pytest.approx(quiet.seconds + loud.seconds)
    assert both.source == "a; b" and average([quiet]) is quiet
