import math

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanaudio.audio.files import open_reader
from cleanaudio.audio.mixing import CEILING, SilentNoiseError, balance, generator
from cleanaudio.audio.noise_bed import NoiseBed, Place, draw_place
from cleanaudio.audio.p56 import SpeechLevelMeter, speech_level
from cleanaudio.errors import InputError


def p56_by_the_letter(x, rate, margin=15.9):
    """ITU-T P.56 sample by sample, as its paragraph 5.3 lists the steps."""
    g = math.exp(-1 / (rate * 0.03))
    hangover = math.ceil(0.2 * rate)
    thresholds = [2.0**e for e in range(-20, 3)]
    counts, waits = [0] * len(thresholds), [hangover] * len(thresholds)
    p = q = energy = 0.0
    for sample in x.astype(float):
        energy += sample * sample
        p = g * p + (1 - g) * abs(sample)
        q = g * q + (1 - g) * p
        for j, c in enumerate(thresholds):
            if q >= c:
                counts[j] += 1
                waits[j] = 0
            elif waits[j] < hangover:
                counts[j] += 1
                waits[j] += 1
    before = None
    for c, count in zip(thresholds, counts, strict=True):
        if not count:
            break
        level, threshold = 10 * math.log10(energy / count), 20 * math.log10(c)
        distance = level - threshold - margin
        if distance <= 0:
            share = before[1] / (before[1] - distance)
            return before[0] + share * (level - before[0])
        before = level, distance
    raise AssertionError("no threshold was near enough")


def test_the_active_level_is_that_of_the_recommendation_taken_by_the_letter(speech_like):
    voice = speech_like(2.0, 8000)
    assert speech_level(voice[None], 8000).active_dbfs == pytest.approx(p56_by_the_letter(voice, 8000), abs=1e-9)


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_a_steady_tone_is_active_all_the_time_at_its_own_level(tone, rate):
    found = speech_level(tone(440.0, 4.0, rate, 0.1)[None], rate)
    assert found.active_dbfs == pytest.approx(-23.01, abs=0.05)  # 0.1 / √2
    assert found.activity == pytest.approx(1.0, abs=0.01)


def test_pauses_do_not_lower_the_active_level(tone, speech_like):
    burst = tone(440.0, 2.0, 16000, 0.1)
    paused = np.concatenate([np.zeros(64000, np.float32), burst, np.zeros(64000, np.float32)])[None]
    found = speech_level(paused, 16000)
    assert found.active_dbfs == pytest.approx(-23.01 - 10 * math.log10(2.25 / 2), abs=0.15)  # 0.2 s of hangover count
    assert found.rms_dbfs == pytest.approx(-23.01 - 10 * math.log10(5), abs=0.01)
    assert found.activity == pytest.approx(0.225, abs=0.01)


@given(gain_db=st.floats(-40, 20), cuts=st.lists(st.integers(0, 24000), max_size=6))
@settings(max_examples=20, deadline=None)
def test_the_level_follows_the_gain_and_not_the_blocks(speech_like, gain_db, cuts):
    voice = speech_like(1.5, 16000)[None]
    meter = SpeechLevelMeter(16000, 1)
    for piece in np.split(np.float32(10 ** (gain_db / 20)) * voice, sorted(cuts), axis=1):
        meter.add(piece)
    plain, found = speech_level(voice, 16000), meter.result()
    assert found.active_dbfs == pytest.approx(plain.active_dbfs + gain_db, abs=0.3)  # thresholds stand 6 dB apart
    assert found.activity == pytest.approx(plain.activity, abs=0.06)


def test_silence_has_no_level_and_channels_are_averaged_by_power(speech_like):
    assert speech_level(np.zeros((1, 16000), np.float32), 16000).active_dbfs is None
    assert SpeechLevelMeter(16000, 1).result().rms_dbfs is None
    voice = speech_like(1.5, 16000)
    one = speech_level(voice[None], 16000).active_dbfs
    assert speech_level(np.stack([voice, -voice]), 16000).active_dbfs == pytest.approx(one)
    assert speech_level(np.stack([voice, 0 * voice]), 16000).active_dbfs == pytest.approx(one - 3.01, abs=0.01)


@pytest.mark.data
def test_the_pairs_that_were_mixed_elsewhere_have_the_snr_that_their_manifest_states(data_dir):
    import csv

    with open(data_dir / "dev" / "pairs-16k" / "manifest.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["reverb"] == "0"][:24]
    off = []
    for row in rows:
        clean, rate = soundfile.read(data_dir / "dev" / "pairs-16k" / row["clean"], dtype="float32")
        noisy, _ = soundfile.read(data_dir / "dev" / "pairs-16k" / row["noisy"], dtype="float32")
        noise_db = 10 * np.log10(np.mean((noisy - clean) ** 2, dtype=float))
        off.append(speech_level(clean[None], rate).active_dbfs - noise_db - float(row["snr_db"]))
    assert -1.5 < np.median(off) < 0 and np.std(off) < 0.6  # their rule, by frames and without hangover, lies higher


@pytest.fixture
def noise_file(tmp_path):
    def write(samples, rate=16000):
        soundfile.write(tmp_path / "noise.wav", samples, rate, subtype="FLOAT")
        return tmp_path / "noise.wav"

    return write


def test_noise_that_is_long_enough_is_cut_at_its_place(noise_file, noise_like):
    noise = 0.1 * noise_like(3.0, 16000, "white")
    with open_reader(noise_file(noise)) as reader:
        place = draw_place(reader.info, 1.0, generator(1, "a"))
        bed = NoiseBed(reader, place, 16000, 1)
        found = np.concatenate([bed.read(n) for n in (1, 5000, 0, 10999)], axis=1)[0]
    assert not place.looped and 0 < place.frame <= 32000
    assert np.array_equal(found, noise[place.frame : place.frame + 16000])


def test_short_noise_is_looped_without_a_seam(noise_file, tone, noise_like):
    noise = 0.1 * noise_like(1.0, 16000, "white")
    with open_reader(noise_file(noise)) as reader:
        assert draw_place(reader.info, 5.0, generator(1)).looped
        looped = NoiseBed(reader, Place(9000, True), 16000, 1).read(80000)[0]
    assert np.array_equal(looped[:6200], noise[9000:15200])
    assert np.array_equal(looped[7000:15200], noise[800:9000])
    period = 16000 - 800
    assert np.allclose(looped[:20000], looped[period : period + 20000])
    seam = looped[6200:7000].reshape(8, 100)  # constant power where end and beginning overlap
    assert np.sqrt(np.mean(seam**2)) == pytest.approx(np.sqrt(np.mean(noise**2)), rel=0.1)
    with open_reader(noise_file(tone(440.0, 1.003, 16000, 0.3))) as reader:
        looped = NoiseBed(reader, Place(0, True), 16000, 1).read(64000)[0]
    assert np.abs(np.diff(looped)).max() < 0.3 * 1.5 * 2 * np.pi * 440 / 16000  # no click


def test_noise_of_another_rate_and_channel_count(noise_file, tone):
    stereo = np.stack([tone(440.0, 2.0, 44100, 0.2), tone(1000.0, 2.0, 44100, 0.2)], axis=1)
    path = noise_file(stereo, 44100)
    with open_reader(path) as reader:
        three = NoiseBed(reader, Place(0, False), 16000, 3).read(16000)
    strongest = np.argmax(np.abs(np.fft.rfft(three[:, 1000:15000] * np.hanning(14000))), axis=1) * 16000 / 14000
    assert strongest == pytest.approx([440, 1000, 440], abs=2)
    with open_reader(path) as reader:
        mono = NoiseBed(reader, Place(0, False), 44100, 1).read(44100)
    assert np.allclose(mono[0], stereo[:44100].mean(axis=1), atol=1e-7)


def test_empty_and_broken_noise_is_an_error(noise_file):
    with open_reader(noise_file(np.zeros(0, np.float32))) as reader, pytest.raises(InputError, match="no samples"):
        draw_place(reader.info, 1.0, generator(0))
    with open_reader(noise_file(np.full(9000, np.nan, np.float32))) as reader:
        bed = NoiseBed(reader, Place(0, True), 16000, 1)
        with pytest.raises(InputError, match="not numbers"):
            bed.read(20000)


@pytest.mark.parametrize("looped", [True, False])
def test_noise_that_is_damaged_in_its_middle_is_an_error(tmp_path, noise_like, looped):
    path = tmp_path / "noise.flac"
    soundfile.write(path, 0.1 * noise_like(3.0, 16000, "white"), 16000)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4] = bytes(4)
    path.write_bytes(content)
    with open_reader(path) as reader, pytest.raises(InputError, match=r"damaged at \d\.\d\d s of 3\.00"):
        NoiseBed(reader, Place(0, looped), 16000, 1).read(48000)


@pytest.mark.parametrize("level", ["active", "power"])
@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 12.5])
def test_the_mix_has_the_snr_that_was_asked_for(speech_like, noise_like, level, snr_db):
    speech = 0.1 * np.stack([speech_like(3.0, 16000), speech_like(3.0, 16000, seed=2)])
    noise = np.stack([noise_like(3.0, 16000, "pink"), 0.2 * noise_like(3.0, 16000, "pink", seed=2)])
    found = balance(lambda: [(speech, noise)], 16000, 2, snr_db, level)
    added = found.mix(speech, noise) - speech
    assert found.scale == 1 and found.note is None
    mean = speech_level(speech, 16000).active_dbfs if level == "active" else 10 * np.log10(np.mean(speech**2))
    assert mean - 10 * np.log10(np.mean(added.astype(float) ** 2)) == pytest.approx(snr_db, abs=1e-3)


def test_a_mix_over_full_scale_brings_both_down(speech_like, noise_like):
    speech, noise = speech_like(2.0, 16000)[None], noise_like(2.0, 16000)[None]
    pairs = lambda: zip(np.split(speech, 4, axis=1), np.split(noise, 4, axis=1), strict=True)  # noqa: E731
    found = balance(pairs, 16000, 1, -10.0)
    mixed = found.mix(speech, noise)
    assert np.abs(mixed).max() == pytest.approx(CEILING, abs=1e-6)
    assert found.scale < 1 and found.note is not None and "full scale" in found.note
    left = mixed - found.scale * speech
    level = speech_level(found.scale * speech, 16000).active_dbfs
    assert level - 10 * np.log10(np.mean(left.astype(float) ** 2)) == pytest.approx(-10, abs=0.05)


def test_silence_on_either_side_is_an_error(speech_like, noise_like):
    voice, noise = speech_like(1.0, 16000)[None], noise_like(1.0, 16000)[None]
    with pytest.raises(InputError, match="silent"):
        balance(lambda: [(0 * voice, noise)], 16000, 1, 0.0)
    with pytest.raises(SilentNoiseError):
        balance(lambda: [(voice, 0 * noise)], 16000, 1, 0.0)


def test_random_numbers_belong_to_seed_and_names():
    draws = [generator(*key).random() for key in ((1, "a"), (1, "a"), (2, "a"), (1, "b"), (1, "a", "b"))]
    assert draws[0] == draws[1] and len(set(draws)) == 4
