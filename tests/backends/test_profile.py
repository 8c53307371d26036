import numpy as np
import pytest
from scipy.signal import butter, resample_poly, sosfilt, welch

from cleanaudio import clean
from cleanaudio.backends.profile import NoiseProfile, average, measure, measure_quiet
from cleanaudio.errors import InputError, OutputError

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


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_a_print_serves_any_rate(rate):
    profile = measure([noise(10)], RATE, source="x")
    other = resample_poly(noise(10)[0], rate // 100, RATE // 100)
    frequencies, expected = welch(other, rate, nperseg=1024, return_onesided=False)
    band = (frequencies > 100) & (frequencies < 0.4 * min(rate, RATE))
    (ours,) = profile.at(frequencies[band])
    assert np.abs(np.mean(10 * np.log10(ours / expected[band]))) < 0.5


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


def test_saved_and_loaded_it_is_the_same(tmp_path):
    profile = measure([noise()], RATE, source="röom tone.wav")
    profile.save(tmp_path / "room.json")
    again = NoiseProfile.load(tmp_path / "room.json")
    assert again.to_dict() == profile.to_dict() and again.hash == profile.hash


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        measure([noise()], RATE, source="x").save(tmp_path / "none" / "p.json")


def test_another_noise_has_another_hash():
    assert measure([noise()], RATE, source="x").hash != measure([noise(seed=9)], RATE, source="x").hash


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "{}", '{"kind": "other"}', "nonsense", '{"kind": "cleanaudio noise print"}',
        '{"kind": "cleanaudio noise print", "version": 9}',
        '{"kind": "cleanaudio noise print", "version": 1, "psd": [1, NaN], "rate": 16000, "window_s": 1, "seconds": 1}',
        '{"kind": "cleanaudio noise print", "version": 1, "psd": [-1, 1], "rate": 16000, "window_s": 1, "seconds": 1}',
        '{"kind": "cleanaudio noise print", "version": 1, "psd": [1], "rate": 16000, "window_s": 1, "seconds": 1}',
        '{"kind": "cleanaudio noise print", "version": 1, "psd": [1, 1], "rate": 1, "window_s": 1, "seconds": 1}',
    ],
)  # fmt: skip
def test_what_is_no_print_is_refused_with_a_remedy(tmp_path, content):
    (tmp_path / "p.json").write_text(content)
    with pytest.raises(InputError) as caught:
        NoiseProfile.load(tmp_path / "p.json")
    assert "p.json" in caught.value.describe() and "profile-noise" in caught.value.describe()


def test_a_missing_print_is_named(tmp_path):
    with pytest.raises(InputError):
        NoiseProfile.load(tmp_path / "none.json")


@pytest.mark.parametrize("audio", [np.zeros((1, 0)), np.zeros((2, 9)), np.zeros((1, RATE))])
@pytest.mark.parametrize("how", [measure, measure_quiet])
def test_nothing_to_measure_is_an_error(audio, how):
    with pytest.raises(InputError):
        how([audio.astype(np.float32)], RATE, source="x")


def test_each_channel_has_its_own_density_and_one_decision_that_of_their_mean():
    left, right = noise(seed=1, level=0.1), noise(seed=2, level=0.001)
    both = measure([np.concatenate([left, right])], RATE)
    np.testing.assert_allclose(both.psd[:1], measure([left], RATE).psd, rtol=1e-6, atol=1e-19)
    np.testing.assert_allclose(both.at(both.frequencies, 2), both.psd, rtol=1e-6, atol=1e-19)
    np.testing.assert_allclose(
        both.at(both.frequencies), measure([(left + right) / 2], RATE).psd, rtol=1e-4, atol=1e-19
    )
    three = both.at(both.frequencies, 3)  # of another recording
    np.testing.assert_allclose(three, np.repeat(both.psd.mean(axis=0, keepdims=True), 3, axis=0), rtol=1e-6, atol=1e-19)


@pytest.mark.parametrize("angle", [0.0, 0.5, np.pi / 2, 3.0])
def test_a_print_of_mid_and_side_is_one_of_these_signals(angle):
    """Noises that are one signal, somewhat related, not related, nearly opposed."""
    one, other = noise(8, seed=1), noise(8, seed=2)
    left, right = one, np.cos(angle) * one + np.sin(angle) * other
    expected = measure([np.concatenate([left + right, left - right]) / np.float32(np.sqrt(2))], RATE)
    ours = measure([np.concatenate([left, right])], RATE).mid_side
    np.testing.assert_allclose(ours.psd, expected.psd, rtol=1e-3, atol=1e-7 * expected.psd.max())


def test_opposed_channels_are_judged_by_the_stronger_one():
    left = noise(seed=1)
    both = measure([np.concatenate([left, -0.9 * left])], RATE)
    np.testing.assert_allclose(both.at(both.frequencies), measure([left], RATE).psd, rtol=1e-6, atol=1e-19)


def test_a_print_does_not_make_linked_channels_worse(speech_like):
    """Of noises that are not related the mean of two channels has half."""
    voice = speech_like(6.0, RATE)
    room = [np.concatenate([noise(6, seed=seed), noise(6, seed=seed + 1)]) for seed in (3, 5)]
    noisy = room[0] + 0.05 * voice
    profile = measure([room[1]], RATE)
    for spec in ("omlsa", "wiener", "log-mmse", "spectral-subtraction"):
        error = [np.std(clean(noisy, RATE, spec, profile=p) - 0.05 * voice) for p in (None, profile)]
        assert error[1] < 1.01 * error[0], spec


def test_a_print_of_version_one_is_read():
    profile = measure([noise()], RATE)
    old = {**profile.to_dict(), "version": 1, "psd": profile.psd[0].tolist()}
    del old["common"]
    np.testing.assert_array_equal(NoiseProfile.from_dict(old).psd, profile.psd)


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


@pytest.mark.parametrize("name", ["seconds", "window_s", "stationarity_db"])
def test_a_print_with_a_number_that_is_none_is_broken(name):
    sound = NoiseProfile(np.ones((1, 9)), np.ones(9), 16000, 0.02, 1.0, "room", (), 1.0).to_dict()
    assert NoiseProfile.from_dict(sound).seconds == 1
    with pytest.raises(InputError, match="broken noise print"):
        NoiseProfile.from_dict({**sound, name: float("nan")})
