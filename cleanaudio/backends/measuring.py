"""Noise profiles measured on recordings: on all of one, on its stretches without speech, and the mean of several."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.pauses import Pause, Piece, pieces, quietest, sizes
from cleanaudio.backends.profile import LEAST, NoiseProfile
from cleanaudio.errors import InputError

_BANDS = 12


def measure(
    blocks: Iterable[NDArray[np.float32]], rate: int, *, source: str = "", start_s: float = 0.0
) -> NoiseProfile:
    """Measure a profile on material that is noise throughout.

    Parameters
    ----------
    blocks : iterable of ndarray, shape (channels, n)
        Read once; memory does not grow with the length.
    rate : int
        Hz.
    source : str
        A name to show.
    start_s : float
        Where the material begins in its recording.

    Raises
    ------
    InputError
        Digital silence, or less than 50 ms.
    """
    total = _Total()
    for piece in pieces(blocks, rate, rest=True):
        total.add(piece)
    return total.profile(rate, source, start_s)


def measure_quiet(blocks: Iterable[NDArray[np.float32]], rate: int, *, source: str = "") -> NoiseProfile:
    """Measure a profile on those stretches of a recording that hold no speech, as far as can be told.

    Parameters
    ----------
    blocks, rate, source
        As for :func:`measure`.

    Raises
    ------
    InputError
        Digital silence, or less than 50 ms.
    """
    total = _Total()
    for piece in quietest(pieces(blocks, rate)):
        total.add(piece)
    return total.profile(rate, source)


def average(profiles: Sequence[NoiseProfile]) -> NoiseProfile:
    """Return one profile for the noise of several recordings, each weighed by how much of it was measured.

    Parameters
    ----------
    profiles : sequence of NoiseProfile
        At least one; the result has the highest of their rates, a density for each channel where all have as many, and
        no stretches unless it is the only one.
    """
    if len(profiles) == 1:
        return profiles[0]
    finest = max(profiles, key=lambda profile: profile.rate)
    seconds = [profile.seconds for profile in profiles]
    counts = {len(profile.psd) for profile in profiles}
    channels = counts.pop() if len(counts) == 1 else 1
    psd, common = (
        np.average([profile.at(finest.frequencies, of) for profile in profiles], axis=0, weights=seconds)
        for of in (channels, 1)
    )
    levels = np.array([profile.level_db for profile in profiles])
    between = np.average((levels - np.average(levels, weights=seconds)) ** 2, weights=seconds)
    within = [profile.stationarity_db or 0.0 for profile in profiles]
    steady = math.sqrt(float(np.average(np.square(within), weights=seconds) + between))
    names = "; ".join(profile.source for profile in profiles)
    return NoiseProfile(psd, common[0], finest.rate, finest.window_s, sum(seconds), names, (), steady)


class _Total:
    """Means over pieces, and the stretches that they make up, in flat memory."""

    def __init__(self) -> None:
        self._count = 0
        self._runs: list[tuple[int, int, float]] = []  # start, end, energy

    def add(self, piece: Piece) -> None:
        bands = 10 * np.log10([part.mean() + LEAST for part in np.array_split(piece.psd, _BANDS, axis=1)])
        if not self._count:
            self._psd, self._common = np.zeros_like(piece.psd), np.zeros_like(piece.common)
            self._mean, self._squares = np.zeros_like(bands), np.zeros_like(bands)
        self._count += 1
        self._psd += piece.psd * piece.frames
        self._common += piece.common * piece.frames
        difference = bands - self._mean  # Welford's update
        self._mean += difference / self._count
        self._squares += difference * (bands - self._mean)
        energy = piece.frames * 10 ** (piece.level_db / 10)
        start = piece.start
        if self._runs and self._runs[-1][1] == start:
            start, _, before = self._runs.pop()
            energy += before
        self._runs.append((start, piece.start + piece.frames, energy))

    def profile(self, rate: int, source: str, start_s: float = 0.0) -> NoiseProfile:
        frames = sum(end - start for start, end, _ in self._runs)
        if not frames:
            raise InputError(
                "nothing to measure: digital silence, or shorter than 50 ms",
                remedy="choose a stretch in which there is noise",
            )
        parts = tuple(
            Pause(start_s + start / rate, start_s + end / rate, 10 * math.log10(energy / (end - start)))
            for start, end, energy in self._runs
        )
        steady = float(np.mean(np.sqrt(self._squares / (self._count - 1)))) if self._count > 1 else None
        psd, common = self._psd / frames, self._common / frames
        return NoiseProfile(psd, common, rate, sizes(rate)[0] / rate, frames / rate, source, parts, steady)
