from __future__ import annotations

import numpy as np
import pytest

from cleanaudio.audio.stft import window
from cleanaudio.audio.transform import SpectralProcessor
from cleanaudio.backends.rate import AtRate


class Scale:
    """Scales every spectrum; 1 changes nothing."""

    look_ahead = 0

    def __init__(self, gain: float) -> None:
        self.gain = np.float32(gain)

    def __call__(self, spectra: np.ndarray) -> np.ndarray:
        return spectra * self.gain

    def flush(self) -> np.ndarray:
        return np.zeros((1, 0, 1), np.complex64)

    def reset(self) -> None:
        pass


class Flush(Scale):
    """The same for any channel count."""

    def __init__(self, gain: float, channels: int, bins: int) -> None:
        super().__init__(gain)
        self.rest = np.zeros((channels, 0, bins), np.complex64)

    def flush(self) -> np.ndarray:
        return self.rest


def at_rate(gain: float, rate: int, native: int, channels: int = 1, linked: bool = True, live: bool = False) -> AtRate:
    size = 2 * (native // 100)
    transform = Flush(gain, channels, size // 2 + 1)
    inner = SpectralProcessor(transform, channels, window("sqrt-hann", size), size // 2)
    return AtRate(inner, rate, native, channels, linked, live)


def run(processor: AtRate, signal: np.ndarray, block: int = 4096) -> np.ndarray:
    pieces = [processor.process(signal[:, at : at + block]) for at in range(0, signal.shape[1], block)]
    return np.concatenate([*pieces, processor.flush()], axis=1)


def noise(channels: int, frames: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal((channels, frames))).astype(np.float32)


PAIRS = [(48000, 16000), (44100, 16000), (22050, 16000), (8000, 48000), (16000, 48000), (44100, 48000), (192000, 48000)]


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize(("rate", "native"), PAIRS)
def test_a_processor_that_changes_nothing_gives_the_recording_back(rate: int, native: int, live: bool) -> None:
    signal = noise(2, rate // 2 + 3)
    np.testing.assert_allclose(run(at_rate(1.0, rate, native, 2, live=live), signal), signal, atol=2e-6)


@pytest.mark.parametrize(("rate", "native"), PAIRS)
@pytest.mark.parametrize("frames", [0, 1, 7, 479, 5001])
def test_the_length_is_kept(rate: int, native: int, frames: int) -> None:
    for live in (False, True):
        assert run(at_rate(0.5, rate, native, live=live), noise(1, frames)).shape == (1, frames)


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize(("rate", "native"), [(48000, 16000), (44100, 16000), (16000, 48000)])
def test_neither_blocks_nor_a_run_before_show(rate: int, native: int, live: bool) -> None:
    signal, processor = noise(1, rate), at_rate(0.4, rate, native, live=live)
    whole = run(processor, signal, rate)
    processor.reset()
    np.testing.assert_allclose(run(processor, signal, 161), whole, atol=1e-6)


@pytest.mark.parametrize("live", [False, True])
def test_the_band_above_follows_the_gains_below(live: bool) -> None:
    signal = noise(1, 96000)
    spectrum = np.abs(np.fft.rfft(signal[0]))
    above = slice(len(spectrum) * 10 // 24, None)  # from 10 kHz
    for gain, least, most in ((1.0, 0.99, 1.01), (0.5, 0.2, 0.62), (0.1, 0.05, 0.25)):
        out = np.abs(np.fft.rfft(run(at_rate(gain, 48000, 16000, live=live), signal)[0]))
        ratio = np.linalg.norm(out[above]) / np.linalg.norm(spectrum[above])
        assert least <= ratio <= most


def test_linked_channels_share_the_gain_of_the_band_above() -> None:
    mono = noise(1, 48000)[0]
    out = run(at_rate(0.3, 48000, 16000, 2), np.stack([mono, 0.25 * mono]))
    np.testing.assert_allclose(out[1], 0.25 * out[0], atol=1e-6)


def test_unlinked_channels_do_not_hear_each_other() -> None:
    both = noise(2, 48000)
    out = run(at_rate(0.3, 48000, 16000, 2, linked=False), both)
    for channel in range(2):
        alone = run(at_rate(0.3, 48000, 16000, 1, linked=False), both[channel : channel + 1])
        np.testing.assert_allclose(out[channel], alone[0], atol=1e-6)


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize(("rate", "native"), [(48000, 16000), (16000, 48000), (44100, 48000)])
def test_no_more_than_the_latency_is_held_back(rate: int, native: int, live: bool) -> None:
    processor, block = at_rate(0.7, rate, native, live=live), rate // 100
    given = worst = 0
    for fed in range(block, 2 * rate, block):
        given += processor.process(np.zeros((1, block), np.float32)).shape[1]
        worst = max(worst, fed - given)
    assert worst <= processor.latency


@pytest.mark.parametrize(("rate", "native"), [(48000, 16000), (16000, 48000), (44100, 48000)])
def test_live_another_rate_costs_less_than_five_milliseconds(rate: int, native: int) -> None:
    own = 0.02  # of the processor inside
    assert at_rate(0.7, rate, native, live=True).latency / rate <= own + 0.005
