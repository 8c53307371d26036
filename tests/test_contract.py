"""Every backend that is installed, and blends, through the promises of a processor.

Length, lag 0, independence of the cutting into blocks, silence, full scale, short inputs, rates, channel counts, the
stereo image, inverted sides, determinism, reset, flat memory, and a truthful latency.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from cleanaudio.backends import chain, registry
from cleanaudio.backends.interface import Setup
from cleanaudio.backends.spec import parse
from cleanaudio.errors import RecipeError

RATES = (8000, 11025, 16000, 22050, 44100, 48000, 96000, 192000)
NAMES = [n for n in registry.names() if registry.available(n) and not registry.get(n).takes_argument]
BLENDS = ["0.7*log-mmse+0.3*omlsa", *[registry.AUTO_ORDER[0]] * (registry.auto()[0] == registry.AUTO_ORDER[0])]
SPECS = [*NAMES, *BLENDS]
CLEANING = [spec for spec in SPECS if spec != "none"]
VARIANTS = [
    (name, f"{option.name}={choice}")
    for name in NAMES
    for option in registry.get(name).options
    for choice in option.choices
    if choice != option.default
]


@cache
def built(spec: str, rate: int, channels: int, live: bool = False, mode: str | None = None, option: str = ""):
    """Return the resolved chain; one for all tests, since a chain only makes processors."""
    options = dict([option.split("=")]) if option else {}
    settings = chain.Settings(parse(spec), options, channels=mode)
    return chain.resolve(settings, Setup(rate, channels, live=live))


def cut(signal: np.ndarray, sizes: Sequence[int]) -> list[np.ndarray]:
    """Cut into blocks of these sizes, then one block of the rest."""
    return np.split(signal, np.minimum(np.cumsum(sizes), signal.shape[1]), axis=1)


def opened(path: chain.Chain, signal: np.ndarray):
    return path.open(path.analyse(lambda: iter([signal])) if path.needs_analysis else None)


def walk(processor, blocks: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([*(processor.process(block) for block in blocks), processor.flush()], axis=1)


def clean(path: chain.Chain, signal: np.ndarray) -> np.ndarray:
    return walk(opened(path, signal), [signal])


def tolerance(spec: str) -> float:
    return 1e-4 if any(registry.get(term.name).kind == "neural" for term in parse(spec)) else 1e-6


def level(x: np.ndarray) -> float:
    """RMS in dB."""
    return 10 * float(np.log10(np.mean(np.square(x, dtype=np.float64)) + 1e-20))


def lag(x: np.ndarray, y: np.ndarray) -> int:
    """Frames by which y comes after x, by cross-correlation."""
    size = 1 << (2 * len(x)).bit_length()
    correlation = np.fft.irfft(np.fft.rfft(y, size) * np.conj(np.fft.rfft(x, size)), size)
    best = int(np.argmax(correlation))
    return best if best < size // 2 else best - size


@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (44100, 2), (48000, 1)])
@pytest.mark.parametrize("spec", SPECS)
def test_the_cutting_into_blocks_does_not_show(spec: str, rate: int, channels: int, noisy_speech) -> None:
    signal = np.stack([noisy_speech(1.4, rate, seed=1 + c) for c in range(channels)])
    path = built(spec, rate, channels)
    whole = clean(path, signal)
    assert whole.shape == signal.shape
    assert whole.dtype == np.float32
    random = np.random.default_rng(5).integers(0, rate // 20, 60)
    cuttings = {
        "10 ms": [rate // 100] * 140,
        "2 s": [2 * rate],
        "random, some empty": [*random, 0, 0, 1],
        "single frames at first": [1] * 300 + [7] * 100,
    }
    for name, sizes in cuttings.items():
        pieces = walk(opened(path, signal), cut(signal, sizes))
        assert pieces.shape == whole.shape, name
        assert np.max(np.abs(pieces - whole)) <= tolerance(spec), name


@pytest.mark.parametrize(("name", "option"), VARIANTS)
def test_nor_does_it_with_any_other_choice_of_an_option(name: str, option: str, noisy_speech) -> None:
    signal = noisy_speech(1.2, 16000)[None]
    path = built(name, 16000, 1, option=option)
    whole = clean(path, signal)
    pieces = walk(opened(path, signal), cut(signal, [1, 5, 0, 333, 1600, 4001]))
    assert whole.shape == pieces.shape == signal.shape
    assert np.max(np.abs(pieces - whole)) <= tolerance(name)
    assert np.all(np.isfinite(whole))
    assert np.any(whole != signal)


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
@pytest.mark.parametrize("spec", SPECS)
def test_the_output_is_aligned_with_the_input(spec: str, rate: int, noisy_speech) -> None:
    signal = noisy_speech(2.5, rate, snr_db=15)
    assert lag(signal, clean(built(spec, rate, 1), signal[None])[0]) == 0


@pytest.mark.parametrize("spec", CLEANING)
def test_steady_noise_goes_and_the_voice_stays(spec: str, speech_like, noise_like) -> None:
    voice, noise = speech_like(4.0, 48000), 0.02 * noise_like(4.0, 48000, "white")
    out = clean(built(spec, 48000, 1), (voice + noise)[None])[0]
    pause = slice(round(2.35 * 48000), round(2.5 * 48000))
    assert level(voice[pause]) < -80
    assert level(out[pause]) < level(noise[pause]) - 6
    assert np.dot(out, voice) / np.sqrt(np.dot(out, out) * np.dot(voice, voice)) > 0.9
    assert abs(level(out) - level(voice)) < 5


@pytest.mark.parametrize("spec", SPECS)
def test_silence_stays_silence(spec: str, noise_like) -> None:
    path = built(spec, 16000, 1)
    assert np.max(np.abs(clean(path, np.zeros((1, 16000), np.float32)))) <= 1e-6
    after_noise = np.concatenate([0.1 * noise_like(1.0, 16000), np.zeros(16000, np.float32)])[None]
    assert np.max(np.abs(clean(path, after_noise)[:, -4000:])) <= 1e-5


@pytest.mark.parametrize("spec", SPECS)
def test_a_sample_that_is_no_number_is_taken_for_silence(spec: str, noise_like) -> None:
    path = built(spec, 16000, 1)
    signal = noise_like(2.0, 16000)[None]
    signal[:, 12000] = 0
    broken = signal.copy()
    broken[:, 12000] = np.nan
    for chosen in (path, replace(path, dry=0.5)):
        np.testing.assert_array_equal(clean(chosen, broken), clean(chosen, signal))


@pytest.mark.parametrize("kind", ["square", "constant", "clipped noise", "alternating"])
@pytest.mark.parametrize("spec", SPECS)
def test_full_scale_stays_finite_and_bounded(spec: str, kind: str, noise_like) -> None:
    frames = np.arange(24000)
    signal = {
        "square": np.where(frames % 480 < 240, 1.0, -1.0),
        "constant": np.ones(24000),
        "clipped noise": np.clip(4 * noise_like(0.5, 48000), -1, 1),
        "alternating": np.where(frames % 2, 1.0, -1.0),
    }[kind].astype(np.float32)[None]
    out = clean(built(spec, 48000, 1), signal)
    assert np.all(np.isfinite(out))
    assert np.max(np.abs(out)) <= 2.0


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("spec", SPECS)
def test_short_inputs(spec: str, channels: int, noise_like) -> None:
    for rate in (16000, 44100):
        noise = 0.1 * noise_like(0.1, rate)
        for frames in (0, 1, 2, round(0.003 * rate), round(0.033 * rate)):
            signal = np.stack([noise[:frames]] * channels)
            out = clean(built(spec, rate, channels), signal)
            assert out.shape == signal.shape
            assert np.all(np.isfinite(out))


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("spec", SPECS)
def test_every_rate(spec: str, rate: int, noise_like) -> None:
    signal = 0.1 * noise_like(0.313, rate)[None]
    out = clean(built(spec, rate, 1), signal)
    assert out.shape == signal.shape
    assert np.all(np.isfinite(out))
    assert np.max(np.abs(out)) <= 1.0


@pytest.mark.parametrize("spec", SPECS)
def test_eight_channels_are_eight_signals(spec: str, noisy_speech) -> None:
    signal = np.stack([noisy_speech(1.0, 16000, seed=c) for c in range(8)])
    out = clean(built(spec, 16000, 8), signal)
    assert out.shape == signal.shape
    if not built(spec, 16000, 8).needs_analysis:
        for c in (0, 7):
            alone = clean(built(spec, 16000, 1), signal[c : c + 1])
            assert np.max(np.abs(out[c] - alone[0])) <= tolerance(spec)


@pytest.mark.parametrize("spec", SPECS)
def test_the_stereo_image_holds(spec: str, noisy_speech) -> None:
    """One source, the right side 6 dB softer and 0.3 ms later: the ratio of the sides is the same after cleaning."""
    rate = 48000
    left = noisy_speech(2.5, rate)
    right = 0.5 * np.concatenate([np.zeros(14, np.float32), left[:-14]])
    signal = np.stack([left, right])
    out = clean(built(spec, rate, 2), signal)
    for low in (100, 200, 400, 800, 1600, 3200):
        ratios = []
        for sides in (signal, out):
            power = np.abs(np.fft.rfft(sides[:, rate // 2 :])) ** 2
            band = slice(*(round(hertz / rate * sides[:, rate // 2 :].shape[1]) for hertz in (low, 2 * low)))
            ratios.append(10 * np.log10(power[0, band].sum() / power[1, band].sum()))
        assert abs(ratios[0] - ratios[1]) < 0.3, f"{low} Hz"


@pytest.mark.parametrize("mode", ["linked", "independent", "mid-side"])
@pytest.mark.parametrize("spec", SPECS)
def test_an_inverted_side_does_not_silence_the_voice(spec: str, mode: str, noisy_speech) -> None:
    voice = noisy_speech(2.5, 48000)
    out = clean(built(spec, 48000, 2, mode=mode), np.stack([voice, -voice]))
    mono = clean(built(spec, 48000, 1), voice[None])[0]
    assert abs(level(out[0, 24000:]) - level(mono[24000:])) < 1.5
    if mode == "linked":  # a network of its own for each side may hear the sign
        assert np.max(np.abs(out[0] + out[1])) < 1e-3


@pytest.mark.parametrize("spec", SPECS)
def test_a_dead_side_stays_dead(spec: str, noisy_speech) -> None:
    voice = noisy_speech(2.5, 48000)
    out = clean(built(spec, 48000, 2), np.stack([voice, np.zeros_like(voice)]))
    assert np.max(np.abs(out[1])) <= 1e-6
    assert level(out[0, 24000:]) > level(voice[24000:]) - 6


@pytest.mark.parametrize("spec", SPECS)
def test_the_same_again_and_after_reset(spec: str, noisy_speech) -> None:
    signal = np.stack([noisy_speech(1.0, 16000, seed=c) for c in (1, 2)])
    path = built(spec, 16000, 2)
    first = opened(path, signal)
    expected = walk(first, [signal])
    second = opened(path, signal)
    second.process(np.ascontiguousarray(signal[::-1, 2000:9000]))
    for processor in (first, second):
        processor.reset()
        assert np.array_equal(walk(processor, [signal]), expected)
    assert np.array_equal(walk(opened(path, signal), [signal]), expected)


@pytest.mark.parametrize("spec", SPECS)
def test_the_input_is_not_written_to(spec: str, noisy_speech) -> None:
    signal = noisy_speech(1.0, 16000)[None]
    kept = signal.copy()
    signal.flags.writeable = False
    clean(built(spec, 16000, 1), signal)
    assert np.array_equal(signal, kept)


@pytest.mark.parametrize("strength", [1.0, 0.5])
@pytest.mark.parametrize("spec", SPECS)
def test_a_block_may_be_filled_anew(spec: str, strength: float, noisy_speech) -> None:
    """As programs that read into one buffer do, and sound cards."""
    signal = noisy_speech(1.0, 16000)[None]
    path = replace(built(spec, 16000, 1), dry=1 - strength)
    processor, buffer, given = opened(path, signal), np.empty((1, 160), np.float32), []
    for piece in np.split(signal, 100, axis=1):
        buffer[:] = piece
        given.append(processor.process(buffer).copy())
        buffer[:] = 0.7
    given.append(processor.flush())
    np.testing.assert_allclose(np.concatenate(given, axis=1), clean(path, signal), atol=tolerance(spec))


@pytest.mark.slow
@pytest.mark.parametrize("spec", SPECS)
def test_memory_is_flat(spec: str, noisy_speech) -> None:
    """Over as long as is waited for there is a look at which no more is held: all of it would be 256 kB more."""
    signal = noisy_speech(2.0, 16000)[None]
    processor = opened(built(spec, 16000, 1), signal)
    blocks = cut(signal, [1600] * 20)
    looks, held = max(2, 1 + processor.latency // signal.size), []
    tracemalloc.start()
    try:
        for _ in range(2 + 2 * looks):
            for block in blocks:
                processor.process(block)
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert min(held[-looks:]) - held[-looks - 1] < 64_000


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [16000, 44100, 48000])
@pytest.mark.parametrize("spec", SPECS)
def test_the_latency_is_what_it_says(spec: str, rate: int, channels: int, noise_like) -> None:
    """Fed live, a millisecond at a time, a frame never comes out later than the latency says."""
    try:
        path = built(spec, rate, channels, live=True)
    except RecipeError:
        assert not all(registry.get(term.name).live for term in parse(spec))
        return
    processor, signal = path.open(), 0.1 * np.stack([noise_like(0.6, rate, seed=1 + c) for c in range(channels)])
    taken = given = most = 0
    for block in cut(signal, [rate // 1000] * 600):
        taken += block.shape[1]
        given += processor.process(block).shape[1]
        most = max(most, taken - given)
    assert most <= processor.latency
    assert given + processor.flush().shape[1] == taken


@pytest.mark.parametrize("spec", CLEANING)
def test_strength_and_limit(spec: str, noise_like) -> None:
    """Strength 0 gives the input back; a limit of 6 dB takes 6 dB of pure noise at most."""
    signal, setup = 0.05 * noise_like(2.0, 48000, "white")[None], Setup(48000, 1)
    untouched = clean(chain.resolve(chain.Settings(parse(spec), strength=0.0), setup), signal)
    assert np.max(np.abs(untouched - signal)) <= 1e-6
    limited = clean(chain.resolve(chain.Settings(parse(spec), limit_db=6.0), setup), signal)
    assert -7 < level(limited[:, 48000:]) - level(signal[:, 48000:]) < -2
