from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanaudio.audio.limits import RATES
from cleanaudio.audio.resample import Resampler, resampled
from cleanaudio.errors import FormatError

USUAL = [8000, 11025, 16000, 22050, 32000, 44100, 48000, 88200, 96000, 192000]


def streamed(
    signal: np.ndarray, rate_in: int, rate_out: int, blocks: list[int] | None = None, live: bool = False
) -> np.ndarray:
    resampler = Resampler(rate_in, rate_out, len(signal), live)
    pieces = np.split(signal, np.cumsum(blocks or []), axis=1)
    return np.concatenate([*(resampler.process(piece) for piece in pieces), resampler.flush()], axis=1)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(USUAL), st.sampled_from(USUAL), st.integers(0, 5000), st.integers(1, 3), st.booleans())
def test_the_length_is_exact(rate_in: int, rate_out: int, frames: int, channels: int, live: bool) -> None:
    out = streamed(np.zeros((channels, frames), np.float32), rate_in, rate_out, live=live)
    assert out.shape == (channels, round(Fraction(frames * rate_out, rate_in)))
    assert out.dtype == np.float32


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize(("rate_in", "rate_out"), [(48000, 16000), (44100, 48000), (16000, 44100), (8000, 48000)])
def test_a_tone_keeps_its_phase_and_level(rate_in: int, rate_out: int, live: bool) -> None:
    hertz = 1234.5
    tone = np.sin(2 * np.pi * hertz * np.arange(rate_in) / rate_in).astype(np.float32)
    out = streamed(tone[None], rate_in, rate_out, live=live)[0]
    wanted = np.sin(2 * np.pi * hertz * np.arange(rate_out) / rate_out)
    middle = slice(rate_out // 10, -rate_out // 10)
    np.testing.assert_allclose(out[middle], wanted[middle], atol=3e-4 if live else 2e-5)  # a lag of a sample: 0.05


@pytest.mark.parametrize(("rate_in", "rate_out"), [(48000, 16000), (16000, 48000), (44100, 16000), (22050, 48000)])
def test_noise_comes_without_a_lag(rate_in: int, rate_out: int) -> None:
    noise = np.random.default_rng(0).standard_normal((1, rate_in)).astype(np.float32)
    there = streamed(noise, rate_in, rate_out)
    back = streamed(there, rate_out, rate_in)[0, :rate_in]
    size = 1 << 18
    correlation = np.fft.irfft(np.fft.rfft(back, size) * np.conj(np.fft.rfft(noise[0], size)))
    assert int(np.argmax(correlation)) == 0


def test_it_agrees_with_another_resampler() -> None:
    from scipy.signal import resample_poly

    rng = np.random.default_rng(1)
    smooth = np.convolve(rng.standard_normal(48000), np.hanning(30) / 15, "same").astype(np.float32)
    ours = streamed(smooth[None], 48000, 16000)[0]
    theirs = resample_poly(smooth, 1, 3)
    np.testing.assert_allclose(ours[500:-500], theirs[500:-500], atol=2e-3)


def test_what_the_lower_rate_cannot_hold_is_gone_live_as_well() -> None:
    tones = np.sin(2 * np.pi * np.array([[8010.0], [11000.0], [23000.0]]) * np.arange(48000) / 48000)
    out = streamed(tones.astype(np.float32), 48000, 16000, live=True)
    assert np.abs(out[:, 100:-100]).max() < 10 ** (-66 / 20)


@pytest.mark.parametrize(("rate_in", "rate_out"), [(48000, 16000), (16000, 48000), (44100, 48000)])
def test_live_it_takes_less_than_two_milliseconds(rate_in: int, rate_out: int) -> None:
    assert (
        Resampler(rate_in, rate_out, 1, live=True).latency < 0.002 * rate_in < Resampler(rate_in, rate_out, 1).latency
    )


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, 3000), max_size=12),
    st.sampled_from([(48000, 16000), (44100, 48000), (16000, 22050)]),
    st.booleans(),
)
def test_the_cutting_into_blocks_does_not_show(blocks: list[int], rates: tuple[int, int], live: bool) -> None:
    noise = np.random.default_rng(2).standard_normal((2, 12000)).astype(np.float32)
    whole = streamed(noise, *rates, live=live)
    np.testing.assert_allclose(streamed(noise, *rates, blocks, live), whole, rtol=0, atol=2e-6 if live else 0)


@pytest.mark.parametrize("live", [False, True])
def test_reset_starts_anew(live: bool) -> None:
    noise = np.random.default_rng(3).standard_normal((1, 9000)).astype(np.float32)
    resampler = Resampler(48000, 44100, 1, live)
    first = np.concatenate([resampler.process(noise), resampler.flush()], axis=1)
    resampler.reset()
    resampler.process(noise[:, :777])
    resampler.reset()
    np.testing.assert_array_equal(np.concatenate([resampler.process(noise), resampler.flush()], axis=1), first)


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize(("rate_in", "rate_out"), [(48000, 16000), (16000, 48000), (44100, 48000), (8000, 48000)])
def test_the_latency_is_what_it_takes_and_no_more(rate_in: int, rate_out: int, live: bool) -> None:
    resampler = Resampler(rate_in, rate_out, 1, live)
    given_out, worst = 0, 0.0
    for fed in range(1, 20 * resampler.latency):
        worst = max(worst, fed - 1 - given_out * rate_in / rate_out)
        given_out += resampler.process(np.zeros((1, 1), np.float32)).shape[1]
    assert worst <= resampler.latency <= 1.04 * worst + rate_in / 1000


@pytest.mark.parametrize("rates", [(0, 16000), (16000, 0), (-8000, 16000), (16000, RATES[-1] + 1)])
def test_a_rate_that_is_not_served_is_a_format_error(rates: tuple[int, int]) -> None:
    with pytest.raises(FormatError, match="cannot resample"):
        Resampler(*rates, channels=1, live=True)
    with pytest.raises(FormatError, match="cannot resample") as caught:
        Resampler(*rates, channels=1)
    assert "48000" in caught.value.remedy


def test_odd_rates_are_served() -> None:
    assert streamed(np.ones((1, 5), np.float32), 1, 8000).shape == (1, 40000)
    for live in (False, True):
        assert streamed(np.ones((1, 44099), np.float32), 44099, 47997, live=live).shape == (1, 47997)


@pytest.mark.parametrize("channels", [None, 2])
@pytest.mark.parametrize("rates", [(48000, 16000), (16000, 44100)])
def test_a_whole_signal_is_what_libsoxr_makes_of_it_at_once(channels: int | None, rates: tuple[int, int]) -> None:
    shape = (100_000,) if channels is None else (channels, 100_000)
    signal = np.random.default_rng(2).standard_normal(shape).astype(np.float32)
    np.testing.assert_array_equal(resampled(signal, *rates), soxr.resample(signal.T, *rates).T)
    assert resampled(signal, rates[0], rates[0]) is signal
