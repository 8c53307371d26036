"""Loudness and true peak against pyloudnorm, FFmpeg, the standard's own numbers, scipy and soxr."""

from __future__ import annotations

import re
import subprocess

import numpy as np
import pyloudnorm
import pytest
import scipy.signal
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanaudio.audio.files import open_reader
from cleanaudio.audio.loudness import LoudnessMeter, k_weighting
from cleanaudio.audio.true_peak import TruePeakMeter


def integrated(audio, rate, cuts=()):
    meter = LoudnessMeter(rate, len(audio))
    for block in np.split(audio, cuts, axis=1):
        meter.add(block)
    return meter.integrated()


def true_peak(audio, rate, cuts=()):
    meter = TruePeakMeter(rate, len(audio))
    for block in np.split(audio, cuts, axis=1):
        meter.add(block)
    return meter.finish()


def test_filters_are_those_of_the_standard():
    # BS.1770-4, annex 1, tables 1 and 2
    shelf = [1.53512485958697, -2.69169618940638, 1.19839281085285, 1, -1.69065929318241, 0.73248077421585]
    high_pass = [1, -2, 1, 1, -1.99004745483398, 0.99007225036621]
    assert np.allclose(k_weighting(48000), [shelf, high_pass], atol=1e-10)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_loudness_equals_pyloudnorm(rate, channels, noise_like, speech_like):
    speech = speech_like(5.0, rate, 4)
    audio = np.stack([0.3 / (k + 1) * speech + 0.001 * noise_like(5.0, rate, "pink", k) for k in range(channels)])
    audio = audio.astype(np.float32)
    expected = pyloudnorm.Meter(rate).integrated_loudness(audio.T.astype(float))
    assert integrated(audio, rate) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("rate", [16000, 22050, 96000])
def test_the_rate_does_not_change_the_loudness(rate, speech_like):
    import soxr

    speech = speech_like(5.0, rate, 4)
    at_48k = soxr.resample(speech, rate, 48000, quality="VHQ")
    assert integrated(speech[None], rate) == pytest.approx(integrated(at_48k[None], 48000), abs=0.1)


def test_a_sine_at_full_scale_reads_the_standards_number(tone):
    sine = tone(997.0, 5.0, 48000, 1.0)
    assert integrated(sine[None], 48000) == pytest.approx(-3.01, abs=0.01)
    assert integrated(np.stack([sine, sine]), 48000) == pytest.approx(0.0, abs=0.01)


def test_gates_leave_silence_and_the_quiet_out(tone):
    loud = tone(1000.0, 4.0, 48000, 0.1)
    quiet = tone(1000.0, 8.0, 48000, 0.01)
    alone = integrated(loud[None], 48000)
    assert integrated(np.concatenate([loud, 0 * quiet, quiet])[None], 48000) == pytest.approx(alone, abs=0.2)


def test_surround_weights_and_no_lfe(tone):
    sine, nothing = tone(1000.0, 2.0, 48000, 0.1), np.zeros(96000, np.float32)

    def only(channel):
        return integrated(np.stack([sine if k == channel else nothing for k in range(6)]), 48000)

    assert only(4) - only(0) == pytest.approx(10 * np.log10(1.41), abs=1e-3)
    assert only(3) == -np.inf


def ffmpeg_loudness(path):
    command = ["ffmpeg", "-nostats", "-i", path, "-af", "ebur128", "-f", "null", "-"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    return float(re.findall(r"I: +(\S+) LUFS", said)[-1])


def ffmpeg_wav(path, layout, levels):
    """A file with a low and a high tone in each channel, of a level of its own."""
    tones = "|".join(f"{level}*(sin(2*PI*60*t)+sin(2*PI*{500 + 300 * k}*t))" for k, level in enumerate(levels))
    source = f"aevalsrc='{tones}':s=48000:d=2:c='{layout}'"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-c:a", "pcm_f32le", path], check=True)
    return path


LAYOUTS = {"2.1": 3, "3.0": 3, "quad": 4, "4.0": 4, "5.0": 5, "5.1": 6, "5.1(side)": 6, "hexagonal": 6, "6.1": 7}
LAYOUTS |= {"7.1": 8, "7.1(wide)": 8}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("loud", [1, 2, 3, -1])
def test_weights_go_by_the_loudspeakers_as_in_ffmpeg(tmp_path, layout, loud):
    levels = [0.05] * LAYOUTS[layout]
    levels[loud % len(levels)] = 0.3
    path = ffmpeg_wav(tmp_path / "a.wav", layout, levels)
    with open_reader(path) as reader:
        meter = LoudnessMeter(48000, reader.info.channels, reader.info.channel_mask)
        for block in reader.blocks():
            meter.add(block)
    assert meter.integrated() == pytest.approx(ffmpeg_loudness(path), abs=0.1)


@pytest.mark.parametrize("channels", range(1, 9))
def test_without_positions_ffmpegs_defaults_count(tmp_path, channels, noise_like):
    audio = np.stack([0.05 * (k + 1) * noise_like(1.0, 48000, "pink", k) for k in range(channels)]).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", audio.T, 48000, "FLOAT")
    assert integrated(audio, 48000) == pytest.approx(ffmpeg_loudness(tmp_path / "a.wav"), abs=0.1)


def test_what_has_no_loudness():
    assert integrated(np.ones((1, 4799), np.float32), 12000) is None
    assert integrated(np.zeros((2, 48000), np.float32), 48000) == -np.inf


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 33000), max_size=8), st.sampled_from([11025, 16000]))
def test_neither_meter_sees_how_the_stream_is_cut(cuts, rate):
    audio = np.random.default_rng(1).standard_normal((2, 33000)).astype(np.float32) * 0.1
    assert integrated(audio, rate, sorted(cuts)) == pytest.approx(integrated(audio, rate), abs=1e-9)
    assert true_peak(audio, rate, sorted(cuts)) == pytest.approx(true_peak(audio, rate), abs=1e-6)


@pytest.mark.parametrize("rate", [16000, 48000, 96000])
def test_a_peak_between_the_samples_is_found(rate):
    # the standard's example: a quarter of the rate, sampled at 45 degrees, reads 3 dB low without oversampling
    sine = np.sin(np.pi / 2 * np.arange(4000) + np.pi / 4)
    fade = np.minimum(1, np.minimum(np.arange(4000), np.arange(4000)[::-1]) / 500)
    audio = (0.5 * fade * sine).astype(np.float32)[None]
    assert np.abs(audio).max() == pytest.approx(0.5 / np.sqrt(2), abs=1e-3)
    assert 20 * np.log10(true_peak(audio, rate) / 0.5) == pytest.approx(0, abs=0.02)


def test_true_peak_of_speech_equals_a_resampler(speech_like):
    import soxr

    speech = speech_like(3.0, 16000, 2)
    expected = np.abs(soxr.resample(speech, 16000, 64000, quality="VHQ")).max()
    assert 20 * np.log10(true_peak(speech[None], 16000) / expected) == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("rate", [8000, 16000, 32000])
def test_at_low_rates_the_highest_octave_counts_too(rate):
    random = np.random.default_rng(rate)
    spectrum = np.zeros(16001, complex)
    spectrum[12000:14800] = np.exp(2j * np.pi * random.random(2800))  # up to 0.46 of the rate
    periodic = np.fft.irfft(spectrum)
    expected = np.abs(scipy.signal.resample(periodic, 16 * len(periodic))).max()
    audio = np.tile(periodic, 2)[None].astype(np.float32)
    assert 20 * np.log10(true_peak(audio, rate) / expected) == pytest.approx(0, abs=0.2)


def test_a_click_at_either_end_counts():
    audio = np.zeros((2, 5000), np.float32)
    audio[0, 0] = audio[1, -1] = 0.7
    assert true_peak(audio, 44100) == pytest.approx(0.7, abs=1e-6)
    audio[1, -1] = audio[1, -2] = 0.7
    assert true_peak(audio, 44100) > 0.8


def test_at_192_khz_samples_are_dense_enough():
    assert true_peak(np.full((1, 10), 0.25, np.float32), 192000) == 0.25


def test_nothing_has_no_peak():
    assert true_peak(np.zeros((1, 0), np.float32), 48000) == 0
