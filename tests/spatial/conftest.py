"""Signals at arrays, made here and now."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from cleanaudio.spatial.geometry import Direction, Geometry, circular

SPEED = 343.0


def plane_wave(geometry: Geometry, azimuth_deg: float, signal: np.ndarray, rate: int = 16000) -> np.ndarray:
    """A far-field source at each microphone, delays exact in the frequency domain, 0 at the first; (channels, n)."""
    tau = geometry.delays(Direction(azimuth_deg).unit, SPEED, 0)
    pad = 2048
    padded = np.pad(np.asarray(signal, np.float64), (pad, pad))
    hertz = np.fft.rfftfreq(len(padded), 1 / rate)
    moved = np.fft.irfft(np.fft.rfft(padded) * np.exp(-2j * np.pi * hertz * tau[:, None]), len(padded))
    return moved[:, pad:-pad].astype(np.float32)


def drive(stream, signal: np.ndarray, block: int = 1777) -> np.ndarray:
    """Feed a stream block by block, to the end."""
    parts = [stream.process(signal[:, k : k + block]) for k in range(0, signal.shape[1], block)]
    return np.concatenate([*parts, stream.flush()], axis=1)


def si_sdr(reference: np.ndarray, estimate: np.ndarray) -> float:
    reference, estimate = (np.asarray(v, np.float64) - np.mean(v) for v in (reference, estimate))
    target = (reference @ estimate) / (reference @ reference) * reference
    return float(10 * np.log10((target @ target) / np.sum((estimate - target) ** 2)))


class Known:
    """An enhancer that knows the answer: gives a prepared signal for what it is fed."""

    latency = 0

    def __init__(self, answer: np.ndarray) -> None:
        self.answer, self.at = answer, 0

    def process(self, block):
        self.at += block.shape[1]
        return self.answer[:, self.at - block.shape[1] : self.at]

    def flush(self):
        return np.zeros((len(self.answer), 0), np.float32)

    def reset(self):
        self.at = 0


@pytest.fixture(scope="session")
def wave() -> Callable[..., np.ndarray]:
    return plane_wave


@pytest.fixture(scope="session")
def run() -> Callable[..., np.ndarray]:
    return drive


@pytest.fixture(scope="session")
def sdr() -> Callable[..., float]:
    return si_sdr


@pytest.fixture(scope="session")
def known() -> type[Known]:
    return Known


@pytest.fixture(scope="session")
def scene(speech_like, noise_like):
    """A voice from 60°, pink noise from 200°, a little noise of the microphones' own; circular array of 4.

    A dict: mixture, voice, noise (channels, n), geometry.
    """
    geometry = circular(4, 0.05)
    voice = plane_wave(geometry, 60, speech_like(5.0, 16000, 3))
    noise = plane_wave(geometry, 200, noise_like(5.0, 16000, "pink", 4))
    own = np.random.default_rng(5).standard_normal(voice.shape).astype(np.float32)
    noise = noise * 0.06 + own * 0.002
    return {"mixture": voice + noise, "voice": voice, "noise": noise, "geometry": geometry}


@pytest.fixture(scope="session")
def room(speech_like):
    """A voice in a small simulated room, T60 about 0.5 s, at four microphones: a dict of reverberant, direct (one)."""
    import pyroomacoustics as pra

    dry = speech_like(6.0, 16000, 8)
    absorption, order = pra.inverse_sabine(0.5, [5, 4, 3])
    place = np.array([[2.0, 2.1, 1.4], [2.06, 2.1, 1.4], [2.12, 2.1, 1.4], [2.18, 2.1, 1.4]]).T
    heard = []
    for reach in (min(order, 18), 0):
        box = pra.ShoeBox([5, 4, 3], fs=16000, materials=pra.Material(absorption), max_order=reach)
        box.add_source([3.6, 3.0, 1.6], signal=dry)
        box.add_microphone_array(place)
        box.simulate()
        heard.append(box.mic_array.signals[:, : len(dry)].astype(np.float32))
    return {"reverberant": heard[0], "direct": heard[1]}
