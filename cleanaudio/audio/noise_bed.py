"""As much noise as is wanted from a recording of it: cut at a place, or looped with a crossfade, at another rate.

Nothing is loaded whole: a noise of hours under speech of hours is read as it is needed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.queue import Queue
from cleanaudio.audio.recording import AudioInfo, Reader
from cleanaudio.audio.resample import Resampler
from cleanaudio.errors import InputError

Audio = NDArray[np.float32]

FADE_S = 0.05
_PIECE_S = 1.0


@dataclass(frozen=True)
class Place:
    """Where in a noise recording the piece begins.

    Parameters
    ----------
    frame : int
        Of the noise recording, at its own rate.
    looped : bool
        The recording is shorter than the piece and starts again at its end.
    """

    frame: int
    looped: bool


def draw_place(noise: AudioInfo, seconds: float, random: np.random.Generator) -> Place:
    """Draw where a piece of so many seconds begins: where it fits whole, else anywhere in a loop.

    Raises
    ------
    InputError
        The noise holds no samples.
    """
    if not noise.frames:
        raise InputError("holds no samples", path=noise.path)
    spare = noise.frames - math.ceil(seconds * noise.rate)
    looped = spare < 0
    return Place(int(random.integers(noise.frames if looped else spare + 1)), looped)


class NoiseBed:
    """The piece of noise that begins at a place, read forward.

    A loop's end is laid over its beginning for 50 ms with gains sin and cos, which keeps the power of what is not
    correlated. One channel serves all; several become one by their mean; else channel ``i`` is the recording's
    ``i`` modulo its count.

    Parameters
    ----------
    reader : Reader
        Of the noise; it is moved about.
    place : Place
    rate, channels : int
        Of the piece.
    """

    def __init__(self, reader: Reader, place: Place, rate: int, channels: int) -> None:
        info = reader.info
        self._reader, self._channels = reader, channels
        self._piece = math.ceil(info.rate * _PIECE_S)
        fade = min(round(FADE_S * info.rate), info.frames // 2) if place.looped else 0
        self._period = info.frames - fade
        angle = np.linspace(0, np.pi / 2, fade, dtype=np.float32)
        self._rise = np.sin(angle)
        reader.seek(self._period)
        self._tail = reader.read(fade) * np.cos(angle)
        self._next = place.frame % self._period
        self._resampler = None if info.rate == rate else Resampler(info.rate, rate, info.channels)
        self._waiting = Queue(np.zeros((info.channels, 0), np.float32))

    def read(self, frames: int) -> Audio:
        """Return the next frames, (channels, frames)."""
        while len(self._waiting) < frames:
            piece = self._source()
            self._waiting.push(piece if self._resampler is None else self._resampler.process(piece))
        return self._spread(self._waiting.pop(frames))

    def _source(self) -> Audio:
        """Return the next frames at the recording's own rate."""
        self._reader.seek(self._next)
        start = self._next
        piece = self._reader.read(min(self._piece, self._period - start))
        if self._reader.repaired:
            raise InputError("holds samples that are not numbers", path=self._reader.info.path)
        faded = len(self._rise) - start
        if faded > 0:
            part = slice(start, min(len(self._rise), start + piece.shape[1]))
            count = part.stop - part.start
            piece[:, :count] = piece[:, :count] * self._rise[part] + self._tail[:, part]
        self._next = (start + piece.shape[1]) % self._period
        return piece

    def _spread(self, noise: Audio) -> Audio:
        if len(noise) == self._channels:
            return noise
        if self._channels == 1:
            return noise.mean(axis=0, keepdims=True)
        return noise[np.arange(self._channels) % len(noise)]
