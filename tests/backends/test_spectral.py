"""The classical backends end to end."""

import numpy as np
import pytest

from cleanaudio.backends import registry
from cleanaudio.backends.interface import Setup
from cleanaudio.backends.measuring import measure
from cleanaudio.errors import RecipeError

NAMES = ["spectral-subtraction", "wiener", "mmse-stsa", "log-mmse", "omlsa"]
TRACKERS = ["profile", "two-sided", "minimum-statistics", "mcra", "imcra", "mmse-spp"]
RATE = 16000


def clean(name, audio, rate=RATE, profile=None, linked=True, block=None, live=False, **options):
    backend = registry.get(name)
    setup = Setup(rate, len(audio), linked=linked, profile=profile, live=live)
    resolved = backend.resolve(setup, backend.validate(options))
    analysis = backend.analyse([audio], setup, resolved) if resolved.needs_analysis else None
    processor = backend.open(setup, resolved, analysis)
    step = block or max(1, audio.shape[1])
    parts = [processor.process(audio[:, at : at + step]) for at in range(0, audio.shape[1], step)]
    return np.concatenate([*parts, processor.flush()], axis=1)


def snr(reference, estimate):
    """Scale-invariant signal-to-distortion ratio in dB (Le Roux 2019)."""
    target = (estimate @ reference) / (reference @ reference) * reference
    return 10 * np.log10(np.sum(target**2) / np.sum((estimate - target) ** 2))


@pytest.fixture(scope="module")
def voice_and_noise(speech_like, noise_like):
    voice = speech_like(5.0, RATE).reshape(-1)[: 5 * RATE]
    noise = noise_like(5.0, RATE, kind="pink").reshape(-1)[: len(voice)]
    noise *= np.sqrt(np.mean(voice**2) / np.mean(noise**2)) * 10 ** (-5 / 20)
    return voice, noise.astype(np.float32)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("tracker", TRACKERS)
def test_every_cell_of_the_table_takes_noise_away(name, tracker, voice_and_noise):
    voice, noise = voice_and_noise
    out = clean(name, (voice + noise)[None], tracker=tracker)[0]
    assert snr(voice, out) > snr(voice, voice + noise) + 1.5


@pytest.mark.parametrize("options", [{"prior": "ml"}, {"prior": "noncausal"}])
def test_wieners_priors(options, voice_and_noise):
    voice, noise = voice_and_noise
    assert snr(voice, clean("wiener", (voice + noise)[None], **options)[0]) > snr(voice, voice + noise) + 2


def test_subtraction_of_powers(voice_and_noise):
    voice, noise = voice_and_noise
    out = clean("spectral-subtraction", (voice + noise)[None], domain="power", beta=0.01)[0]
    assert snr(voice, out) > snr(voice, voice + noise) + 2


@pytest.mark.parametrize("name", NAMES)
def test_the_limit_limits(name, noise_like):
    noise = (0.05 * noise_like(4.0, RATE).reshape(1, -1)).astype(np.float32)
    taken = [10 * np.log10(np.mean(noise**2) / np.mean(clean(name, noise, limit_db=db) ** 2)) for db in (0, 6, 12)]
    assert taken[0] == pytest.approx(0, abs=0.01)
    assert 4 < taken[1] < 6.01
    assert taken[1] + 2 < taken[2] < 12.01


@pytest.mark.parametrize("name", NAMES)
def test_a_print_of_the_noise_is_used(name, voice_and_noise):
    voice, noise = voice_and_noise
    profile = measure([noise[None]], RATE)
    out = clean(name, (voice + noise)[None], profile=profile)
    assert snr(voice, out[0]) > snr(voice, voice + noise) + 3
    louder = measure([4 * noise[None]], RATE)
    assert np.mean(clean(name, (voice + noise)[None], profile=louder) ** 2) < 0.8 * np.mean(out**2)


@pytest.mark.parametrize("name", ["omlsa", "noisereduce"])
def test_unlinked_channels_are_judged_by_their_own_noise(name, voice_and_noise):
    voice, noise = voice_and_noise
    sides = np.stack([voice + noise, 0.01 * (voice + noise[::-1])])  # the second would drown in the first one's noise
    both = measure([np.stack([noise, 0.01 * noise[::-1]])], RATE)
    options = {"stationary": True} if name == "noisereduce" else {}
    out = clean(name, sides, profile=both, linked=False, **options)
    for number, own in enumerate((noise, 0.01 * noise[::-1])):
        alone = clean(name, sides[number : number + 1], profile=measure([own[None]], RATE), **options)
        np.testing.assert_allclose(out[number : number + 1], alone, atol=1e-4 * np.abs(alone).max())


def test_a_print_is_part_of_the_recipe(voice_and_noise):
    profile = measure([voice_and_noise[1][None]], RATE)
    resolved = registry.get("omlsa").resolve(Setup(RATE, 1, profile=profile), {})
    assert resolved.hashes == {"profile": profile.hash} and resolved.options["tracker"] == "profile"
    assert registry.get("omlsa").resolve(Setup(RATE, 1), {}).hashes == {}


@pytest.mark.parametrize("name", NAMES)
def test_a_print_found_in_a_first_pass(name):
    backend = registry.get(name)
    assert backend.resolve(Setup(RATE, 1), {"tracker": "profile"}).needs_analysis
    assert not backend.resolve(Setup(RATE, 1), {}).needs_analysis


def test_live_is_quick_and_hears_nothing_ahead(voice_and_noise):
    voice, noise = voice_and_noise
    for name in NAMES:
        for rate in (8000, 16000, 44100, 48000):
            resolved = registry.get(name).resolve(Setup(rate, 1, live=True), {})
            assert resolved.latency <= 0.02 * rate
            assert resolved.options["tracker"] == "imcra"
    noisy = (voice + noise)[None]
    whole = clean("omlsa", noisy, live=True)
    cut = clean("omlsa", noisy[:, :40000], live=True)
    np.testing.assert_array_equal(whole[:, : 40000 - 320], cut[:, : 40000 - 320])
    assert snr(voice, whole[0]) > snr(voice, noisy[0]) + 1.5


@pytest.mark.parametrize("options", [{"tracker": "two-sided"}, {"prior": "noncausal"}, {"tracker": "profile"}])
def test_live_refuses_what_hears_ahead(options):
    with pytest.raises(RecipeError):
        registry.get("omlsa").resolve(Setup(RATE, 1, live=True), options)


def test_quality_live_is_for_files_too(voice_and_noise):
    voice, noise = voice_and_noise
    noisy = (voice + noise)[None]
    np.testing.assert_array_equal(clean("omlsa", noisy, quality="live"), clean("omlsa", noisy, live=True))


def test_a_hop_of_more_than_half_a_window_is_refused():
    with pytest.raises(RecipeError, match="half"):
        registry.get("wiener").resolve(Setup(RATE, 1), {"hop_s": 0.02})


def test_an_inverted_side_is_not_silenced_and_stays_inverted(voice_and_noise):
    voice, noise = voice_and_noise
    both = np.stack([voice + noise, -(voice + noise)])
    out = clean("omlsa", both)
    np.testing.assert_allclose(out[0], -out[1], atol=1e-6)
    assert snr(voice, out[0]) > snr(voice, both[0]) + 2


def test_linked_gains_are_one_decision(voice_and_noise):
    voice, noise = voice_and_noise
    left = voice + noise
    out = clean("omlsa", np.stack([left, 0.5 * left]))
    np.testing.assert_allclose(out[1], 0.5 * out[0], atol=1e-6)


@pytest.mark.parametrize("delay", [3, 8, 16])
def test_a_voice_that_comes_to_one_side_later_is_cleaned_as_well_as_by_each_side_alone(voice_and_noise, delay):
    """The mean of both sides lacks the voice wherever the delay is half a period."""
    voice, noise = voice_and_noise
    sides = np.stack([voice, np.roll(voice, delay)])
    noisy = sides + np.stack([noise, np.roll(noise, RATE)])
    linked, alone = (
        np.mean([snr(side, out) for side, out in zip(sides, clean("omlsa", noisy, linked=linked), strict=True)])
        for linked in (True, False)
    )
    assert linked > alone - 0.6


def test_independent_channels_are_cleaned_as_if_alone(voice_and_noise):
    voice, noise = voice_and_noise
    both = np.stack([voice + noise, 0.3 * voice + np.roll(noise, 999)])
    out = clean("omlsa", both, linked=False)
    for channel in range(2):
        np.testing.assert_array_equal(out[channel : channel + 1], clean("omlsa", both[channel : channel + 1]))


def test_a_voice_at_the_very_beginning_is_kept(speech_like):
    voice = speech_like(4.0, RATE).reshape(-1)
    first = int(np.argmax(np.abs(voice) > 0.1))
    voice = voice[first:]
    noisy = (voice + 0.003 * np.random.default_rng(0).standard_normal(len(voice))).astype(np.float32)
    out = clean("omlsa", noisy[None])[0]
    start = slice(0, RATE // 4)
    assert np.sum(out[start] ** 2) > 0.9 * np.sum(voice[start] ** 2)


@pytest.mark.parametrize("name", NAMES)
def test_the_default_settings_hold_for_every_option_that_is_shown(name):
    backend = registry.get(name)
    assert backend.validate({option.name: option.default for option in backend.options}) == backend.complete({})
