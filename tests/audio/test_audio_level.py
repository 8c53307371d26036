"""The streaming meters against numpy on the whole signal."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanaudio.audio.level import LevelMeter

RATE = 16000


def measure(signal, lengths=(), rate=RATE):
    meter = LevelMeter(rate, signal.shape[0])
    start = 0
    for length in [*lengths, signal.shape[1]]:
        meter.add(signal[:, start : start + length])
        start += length
    return meter.result()


def noise(frames, level, channels=1, seed=0):
    return (np.random.default_rng(seed).standard_normal((channels, frames)) * level).astype(np.float32)


def speech_like(seconds=20, level=0.1, seed=1):
    """Bursts of 0.3 s with pauses, as syllables come."""
    frames = seconds * RATE
    gate = (np.arange(frames) // int(0.3 * RATE)) % 2
    return noise(frames, level, seed=seed) * gate.astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(lengths=st.lists(st.integers(0, 2000), max_size=8), channels=st.integers(1, 3), level=st.floats(0.01, 2))
def test_peak_rms_and_the_rest_do_not_depend_on_the_blocks(lengths, channels, level):
    signal = noise(7001, level, channels)
    got, whole = measure(signal, lengths), measure(signal)
    assert got.peak_dbfs == pytest.approx(20 * np.log10(np.abs(signal).max()), abs=0.01)
    assert got.rms_dbfs == pytest.approx(10 * np.log10(np.mean(np.square(signal, dtype=np.float64))), abs=0.01)
    assert (got.clipped_samples, got.noise_floor_dbfs) == (whole.clipped_samples, whole.noise_floor_dbfs)


def slow_count(signal):
    """Clipped samples by walking each channel."""
    total = 0
    for channel in np.abs(signal) >= 32767 / 32768:
        run = 0
        for hit in [*channel, False]:
            total += run if not hit and run >= 2 else 0
            run = run + 1 if hit else 0
    return total


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_clipped_samples_are_runs_at_full_scale(data):
    pattern = data.draw(st.lists(st.sampled_from([0.0, 0.5, 1.0, -1.0, 1.5, 32767 / 32768]), max_size=60))
    lengths = data.draw(st.lists(st.integers(0, 9), max_size=12))
    signal = np.array([pattern, pattern[::-1]], dtype=np.float32)
    assert measure(signal, lengths).clipped_samples == slow_count(signal)


@pytest.mark.parametrize("signal", [np.zeros((2, RATE)), np.zeros((1, 0)), np.zeros((1, 1))])
def test_digital_silence_has_no_level(signal):
    levels = measure(signal.astype(np.float32))
    assert (levels.peak_dbfs, levels.rms_dbfs, levels.noise_floor_dbfs, levels.snr_db) == (None,) * 4
    assert levels.clipped_samples == 0


def test_an_offset_is_no_noise():
    levels = measure(np.full((1, RATE), 0.5, dtype=np.float32))
    assert levels.rms_dbfs == pytest.approx(-6.02, abs=0.01)
    assert levels.noise_floor_dbfs is None


def test_a_full_scale_square_wave_is_zero_dbfs_and_clipped():
    signal = np.where(np.arange(RATE) // 8 % 2, 1.0, -1.0).astype(np.float32)[None]
    levels = measure(signal)
    assert (levels.peak_dbfs, levels.rms_dbfs, levels.clipped_samples) == (0, 0, RATE)


@pytest.mark.parametrize("level_db", [-80, -50, -20])
@pytest.mark.parametrize("rate", [8000, 48000])
def test_the_floor_of_steady_noise_is_its_level(level_db, rate):
    levels = measure(noise(rate * 10, 10 ** (level_db / 20)), rate=rate)
    assert levels.noise_floor_dbfs == pytest.approx(level_db, abs=1.0)
    assert levels.snr_db is None  # nothing stands out


@pytest.mark.parametrize("snr_db", [5, 15, 30, 45])
def test_the_snr_of_bursts_in_noise(snr_db):
    speech = speech_like()
    levels = measure(speech + noise(speech.shape[1], 0.1 * 10 ** (-snr_db / 20)))
    assert levels.noise_floor_dbfs == pytest.approx(-20 - snr_db, abs=1.0)
    assert levels.snr_db == pytest.approx(snr_db, abs=1.5)


@pytest.mark.parametrize("bits", [16, 24, 32])
def test_floating_point_at_the_scale_of_integers_has_the_same_snr(bits):
    signal = speech_like() + noise(20 * RATE, 0.001)
    as_it_is, scaled = measure(signal), measure(signal * np.float32(2 ** (bits - 1)))
    higher_db = 20 * np.log10(2 ** (bits - 1))
    assert scaled.noise_floor_dbfs == pytest.approx(as_it_is.noise_floor_dbfs + higher_db, abs=0.11)  # a bin
    assert scaled.snr_db == pytest.approx(as_it_is.snr_db, abs=0.11)


def test_gated_silence_does_not_count_as_the_room():
    speech = speech_like() + noise(20 * RATE, 0.001)
    speech[:, : 10 * RATE] = 0
    assert measure(speech).noise_floor_dbfs == pytest.approx(-60, abs=1.0)
