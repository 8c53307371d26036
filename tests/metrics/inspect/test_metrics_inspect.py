"""What is on a recording: hum, bandwidth, offset, room, wiring, spectral shape."""

from __future__ import annotations

import numpy as np
import pytest

from cleanaudio.errors import InputError
from cleanaudio.metrics.inspect.hum import find_hum
from cleanaudio.metrics.inspect.reverberation import reverberation
from cleanaudio.metrics.inspect.shape import spectral_shape
from cleanaudio.metrics.inspect.sides import SidesMeter
from cleanaudio.metrics.inspect.spectrum import bandwidth, long_term
from cleanaudio.metrics.inspect.wiring import WiringMeter, exchanged
from cleanaudio.metrics.interface import NotMeasurable


def test_long_term_spectrum_reads_one_for_a_sine_of_full_scale(tone):
    sine = tone(48000 * 100 / 4096, 3.0, 48000, 1.0)
    assert long_term(sine)[100] == pytest.approx(1, abs=1e-3)
    assert long_term(sine[:100]).shape == (2049,)


@pytest.mark.parametrize(("rate", "was"), [(48000, 16000), (48000, 8000), (44100, 22050)])
def test_bandwidth_of_an_upsampled_recording_is_what_it_was(rate, was, speech_like, noise_like):
    import soxr

    narrow = speech_like(3.0, was, 2) + 0.001 * noise_like(3.0, was, "white")
    wide = soxr.resample(narrow, was, rate)
    rounded = np.round(wide * 32768).astype(np.float32) / 32768
    assert bandwidth(rounded, rate) == pytest.approx(was / 2, rel=0.06)
    assert bandwidth(narrow, was) == pytest.approx(was / 2, rel=0.01)


def test_bandwidth_of_nothing():
    assert isinstance(bandwidth(np.zeros(9000, np.float32), 48000), NotMeasurable)
    assert isinstance(bandwidth(np.full(9000, 1e-8, np.float32), 48000), NotMeasurable)


def test_offset_is_the_largest_mean():
    meter = WiringMeter(2)
    meter.add(np.stack([np.full(100, 0.01), np.full(100, -0.02)]))
    assert meter.offset == pytest.approx(0.02)


@pytest.mark.parametrize("base", [50, 60])
def test_hum_is_found_with_its_level_under_speech(base, speech_like, noise_like):
    t = np.arange(5 * 16000) / 16000
    hum = sum(
        10 ** (-(46 + 6 * k) / 20) * np.sqrt(2) * np.sin(2 * np.pi * 1.0005 * base * k * t + k) for k in (1, 2, 3)
    )
    signal = (speech_like(5.0) + 0.001 * noise_like(5.0) + hum).astype(np.float32)
    found = find_hum(signal, 16000)
    assert find_hum(np.append(signal, np.zeros(80000, np.float32)), 16000).base_hz == base, "silence hides no hum"
    assert found.base_hz == base and set(found.lines_hz) >= {base, 2 * base}
    expected = 10 * np.log10(sum(10 ** (-(46 + 6 * k) / 10) for k in (1, 2, 3)))
    assert found.level_dbfs == pytest.approx(expected, abs=1.5)


def test_voices_noise_and_silence_do_not_hum(speech_like, noise_like):
    for signal in (speech_like(6.0), 0.1 * noise_like(6.0), 0.1 * noise_like(6.0, 16000, "white"), np.zeros(96000)):
        assert find_hum(signal.astype(np.float32), 16000) is None
    assert find_hum(np.zeros(96000, np.float32), 16000) is None
    assert isinstance(find_hum(np.zeros(100, np.float32), 16000), NotMeasurable)


def faults(audio):
    meter = WiringMeter(len(audio))
    meter.add(audio)
    return tuple(map(str, meter.faults()))


def test_wiring(speech_like, noise_like):
    voice, noise = speech_like(2.0), 0.01 * noise_like(2.0)
    room = voice + noise
    assert faults(np.stack([room, 0.8 * room + 0.02 * noise[::-1]])) == ()
    assert faults(room[None]) == ()
    assert faults(np.stack([-room, room])) == ("right is inverted against left",)
    assert faults(np.stack([room, 0 * room])) == ("right is dead",)
    assert faults(np.stack([room, room])) == ("right is a copy of left",)
    assert faults(np.stack([1e-4 * noise, room, -0.5 * room])) == (
        "channel 1 is dead",
        "channel 3 is inverted against channel 2",
    )
    assert faults(np.zeros((2, 100))) == ("left is dead", "right is dead")


def test_exchanged_channels(speech_like):
    stereo = np.stack([speech_like(2.0, seed=1), speech_like(2.0, seed=2)])
    assert exchanged(0.5 * stereo[::-1], stereo)
    assert not exchanged(0.5 * stereo, stereo)
    with pytest.raises(InputError):
        exchanged(stereo[:1], stereo)


def test_reverberation_rises_with_the_room(speech_like):
    rng, dry, found = np.random.default_rng(4), speech_like(8.0, 16000, 3), []
    for seconds in (0.2, 0.6, 1.5):
        tail = rng.standard_normal(int(16000 * seconds)) * 10 ** (
            -3 * np.arange(int(16000 * seconds)) / 16000 / seconds
        )
        room = 0.7 * tail / np.sqrt(np.sum(tail**2))
        room[0] += 1
        wet = np.fft.irfft(np.fft.rfft(dry, 1 << 18) * np.fft.rfft(room, 1 << 18))[: len(dry)]
        wet = wet + 10 ** (-55 / 20) * np.std(wet) * rng.standard_normal(len(wet))
        found.append(reverberation(wet.astype(np.float32), 16000))
    assert 0.1 <= found[0] < found[1] < found[2] <= 2
    assert found[0] < 0.4 and found[2] > 0.8


def test_reverberation_of_steady_noise_is_not_measurable(noise_like):
    assert isinstance(reverberation(noise_like(4.0, 16000, "white"), 16000), NotMeasurable)
    assert isinstance(reverberation(np.zeros(100, np.float32), 16000), NotMeasurable)


def test_shape_of_white_noise_and_of_a_tone(noise_like, tone):
    white = spectral_shape(0.1 * noise_like(2.0, 16000, "white"), 16000)
    assert white["spectral_centroid_hz"] == pytest.approx(4000, rel=0.03)
    assert white["spectral_rolloff_hz"] == pytest.approx(0.95 * 8000, rel=0.03)
    assert white["spectral_flatness"] > 0.5
    sine = spectral_shape(tone(1000.0, 2.0), 16000)
    assert sine["spectral_centroid_hz"] == pytest.approx(1000, rel=0.05)
    assert sine["spectral_flatness"] < 1e-3
    assert all(isinstance(value, NotMeasurable) for value in spectral_shape(np.zeros(9000, np.float32), 16000).values())
    assert all(isinstance(value, NotMeasurable) for value in spectral_shape(np.ones(9, np.float32), 16000).values())


def test_sides_are_the_same_in_any_blocks_and_at_any_gain(speech_like, noise_like):
    both = np.stack([speech_like(4.0, 16000, seed) + 0.01 * noise_like(4.0, 16000, seed=seed) for seed in (1, 2)])
    whole, pieces, louder = SidesMeter(16000), SidesMeter(16000), SidesMeter(16000)
    whole.add(both)
    for piece in np.array_split(both, 77, axis=1):
        pieces.add(piece)
    louder.add(both * np.float32([[1.0], [0.01]]) + np.float32(0.2))
    assert pieces.result() == whole.result()
    assert louder.result().apart == whole.result().apart
    assert louder.result().uneven_db == pytest.approx(whole.result().uneven_db, abs=0.1)
    assert SidesMeter(16000).result() is None
