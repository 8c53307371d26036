"""Simulated rooms for the benchmark of arrays: a synthetic voice and two noises, seeded (pyroomacoustics)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import fixture_maker

RATE = 16000
SECONDS = 7.0
ARRAYS = ("linear:4:0.05", "circular:6:0.0463", "linear:8:0.08")
SEED = 2026
"""Of the rooms that are reported. What is tuned is tuned on rooms of other seeds."""


@dataclass(frozen=True)
class Scene:
    """A simulated recording: signals (channels, frames), azimuth in degrees, places (sources, 3) in metres."""

    array: Any
    mixture: NDArray[np.float32]
    voice: NDArray[np.float32]
    direct: NDArray[np.float32]
    azimuth: float
    places: NDArray[np.float64]
    microphones: NDArray[np.float64]


def simulated(count: int, seed: int = SEED, with_noise: bool = True) -> Iterator[Scene]:
    """Yield rooms of T60 0.2–0.6 s with noise 0–10 dB below the voice, three arrays in turn."""
    import pyroomacoustics as pra

    from cleanaudio.spatial.geometry import parse_array

    make = fixture_maker()
    rng = np.random.default_rng(seed)
    first = 0 if seed == SEED else seed  # of the seeds of the sounds
    for k in range(count):
        array = parse_array(ARRAYS[k % 3])
        size = rng.uniform([4.5, 4.5, 2.6], [7, 6, 3.2])
        absorption, order = pra.inverse_sabine(rng.uniform(0.2, 0.6), size)
        centre = size / 2 + rng.uniform(-0.4, 0.4, 3) * [1, 1, 0.2]
        azimuth = rng.uniform(0, np.pi)
        angles = [azimuth, *(azimuth + side * rng.uniform(np.pi / 5, np.pi * 0.9) for side in (1, -1))]
        distances = rng.uniform([1.0, 1.3, 1.3], [1.6, 2.0, 2.0])
        places = [
            np.clip(centre + d * np.array([np.cos(a), np.sin(a), 0.1]), 0.2, size - 0.2)
            for a, d in zip(angles, distances, strict=True)
        ]
        sources = [
            make.speech(first + 100 + k, SECONDS, RATE, 100 + 110 * (k % 2), 1 + 0.15 * (k % 2)),
            make.noise(first + 200 + k, SECONDS, RATE, "pink"),
            make.noise(first + 300 + k, SECONDS, RATE, ("fan", "white")[k % 2]),
        ]

        def heard(place, signal, reach, size=size, absorption=absorption, array=array, centre=centre):
            box = pra.ShoeBox(size, fs=RATE, materials=pra.Material(absorption), max_order=reach)
            box.add_source(place, signal=signal)
            box.add_microphone_array((centre + array.positions).T)
            box.simulate()
            return box.mic_array.signals[:, : len(signal)].astype(np.float32)

        voice, direct = (heard(places[0], sources[0], reach) for reach in (order, 0))
        mixture = voice.copy()
        if with_noise:
            parts = [heard(place, signal, order) for place, signal in zip(places[1:], sources[1:], strict=True)]
            noise = sum(part / np.std(part[0]) for part in parts)
            active = np.std(voice[0][np.abs(voice[0]) > 0.02 * np.abs(voice[0]).max()])
            noise *= active * 10 ** (-rng.uniform(0, 10) / 20) / np.std(noise[0])
            own = rng.standard_normal(voice.shape) * active * 10 ** (-35 / 20)
            mixture = (voice + noise + own).astype(np.float32)
        scale = np.float32(0.3 / np.abs(mixture).max())
        seen = np.degrees(np.arctan2(*(places[0] - centre)[1::-1]))
        microphones = centre + array.positions
        yield Scene(array, scale * mixture, scale * voice, scale * direct, float(seen), np.array(places), microphones)
