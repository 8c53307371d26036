import numpy as np
import pytest
from scipy.signal import butter, resample_poly, sosfilt, welch

from cleanaudio import clean
from cleanaudio.backends.measuring import measure
from cleanaudio.backends.profile import NoiseProfile
from cleanaudio.errors import InputError, OutputError

RATE = 16000


def noise(seconds=4.0, level=0.01, seed=0, rate=RATE):
    sos = butter(2, 2000, fs=rate, output="sos")
    white = np.random.default_rng(seed).standard_normal((1, round(seconds * rate)))
    return (level * sosfilt(sos, white)).astype(np.float32)


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_a_print_serves_any_rate(rate):
    profile = measure([noise(10)], RATE, source="x")
    other = resample_poly(noise(10)[0], rate // 100, RATE // 100)
    frequencies, expected = welch(other, rate, nperseg=1024, return_onesided=False)
    band = (frequencies > 100) & (frequencies < 0.4 * min(rate, RATE))
    (ours,) = profile.at(frequencies[band])
    assert np.abs(np.mean(10 * np.log10(ours / expected[band]))) < 0.5


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
        "", "[]", "{}", '{"kind": "other"}', "nonsense", '{"kind": "cleanaudio noise profile"}',
        '{"kind": "cleanaudio noise profile", "version": 9}',
        '{"kind": "cleanaudio noise profile", "version": 1, "psd":[1, NaN], "rate": 16000, "window_s": 1, "seconds":1}',
        '{"kind": "cleanaudio noise profile", "version": 1, "psd": [-1, 1], "rate": 16000, "window_s": 1, "seconds":1}',
        '{"kind": "cleanaudio noise profile", "version": 1, "psd": [1], "rate": 16000, "window_s": 1, "seconds":1}',
        '{"kind": "cleanaudio noise profile", "version": 1, "psd": [1, 1], "rate": 1, "window_s": 1, "seconds": 1}',
    ],
)  # fmt: skip
def test_what_is_no_noise_profile_is_refused_with_a_remedy(tmp_path, content):
    (tmp_path / "p.json").write_text(content)
    with pytest.raises(InputError) as caught:
        NoiseProfile.load(tmp_path / "p.json")
    assert "p.json" in caught.value.describe() and "profile-noise" in caught.value.describe()


def test_a_missing_print_is_named(tmp_path):
    with pytest.raises(InputError):
        NoiseProfile.load(tmp_path / "none.json")


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


@pytest.mark.parametrize("name", ["seconds", "window_s", "stationarity_db"])
def test_a_print_with_a_number_that_is_none_is_broken(name):
    sound = NoiseProfile(np.ones((1, 9)), np.ones(9), 16000, 0.02, 1.0, "room", (), 1.0).to_dict()
    assert NoiseProfile.from_dict(sound).seconds == 1
    with pytest.raises(InputError, match="broken noise profile"):
        NoiseProfile.from_dict({**sound, name: float("nan")})
