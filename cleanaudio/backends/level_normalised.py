"""Quiet recordings, raised to the level that a network expects, and lowered again behind it.

A network knows speech at the levels that it was trained with. Some 20 dB below them it takes speech for noise and
removes all of it: DeepFilterNet3 does so at -45 dBFS. So its input is raised to a common level and its output lowered
by as much, frame by frame; recordings that are loud enough are left as they are.

The level of a recording is that of its loudest frame: of the next seconds, unless the signal is live, and of the past,
whose level sinks slowly.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from cleanaudio.audio.queue import Queue
from cleanaudio.audio.transform import Spectra, Transform

Levels = NDArray[np.float64]

COMMON_DB = -21.0
"""Level of the loudest frames, in dBFS, of speech that is loud enough: of about -30 dBFS."""
MOST_DB = 40.0
AHEAD_S = 3.0
SINK_DB = 2.0
"""By how much the level of the past sinks in a second."""
SEARCH_DB = 20.0
"""The same for a live signal of which nothing has been heard yet."""
FALL_DB = 3.0
"""By how much less than the frame before a frame may be amplified: neighbouring frames are cleaned together."""


class LevelGains:
    """By how many dB the frames of a recording are raised, in order.

    Parameters
    ----------
    hop_s : float
        Seconds from frame to frame.
    live : bool
        Nothing may be known ahead.

    Attributes
    ----------
    ahead : int
        Frames that are known ahead.
    """

    def __init__(self, hop_s: float, live: bool) -> None:
        self._hop_s, self._live = hop_s, live
        self.ahead = 0 if live else round(AHEAD_S / hop_s)
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._loudest = COMMON_DB if self._live else -np.inf
        self._found = False
        self._heard: Levels = np.zeros(0)
        self._last = 0.0

    def __call__(self, levels: Levels) -> Levels:
        """Take the levels (n,) of the next frames in dBFS, return gains in dB (m,) of those that are decided."""
        tracked = np.empty(len(levels))
        for frame, level in enumerate(levels):
            sunk = self._loudest - self._hop_s * (SINK_DB if self._found else SEARCH_DB)
            self._found |= bool(level > sunk)
            tracked[frame] = self._loudest = max(level, sunk)
        self._heard = np.concatenate([self._heard, tracked])
        decided = len(self._heard) - self.ahead
        if decided <= 0:
            return np.zeros(0)
        loudest = sliding_window_view(self._heard, self.ahead + 1).max(axis=1)
        self._heard = self._heard[decided:]
        gains_db = np.clip(COMMON_DB - loudest, 0.0, MOST_DB)
        for frame, gain_db in enumerate(gains_db):
            gains_db[frame] = self._last = max(gain_db, self._last - FALL_DB)
        return gains_db

    def flush(self) -> Levels:
        """Return the gains of the frames that still waited."""
        return self(np.full(self.ahead, -np.inf)) if len(self._heard) else np.zeros(0)


class LevelNormalised:
    """A :class:`~cleanaudio.audio.transform.Transform` around another one that is given quiet recordings raised.

    Parameters
    ----------
    transform : Transform
    size, hop : int
        Window and step in samples.
    rate : int
        Hz.
    live : bool
        Nothing may be known ahead.
    """

    def __init__(self, transform: Transform, size: int, hop: int, rate: int, live: bool) -> None:
        self._transform, self._level = transform, LevelGains(hop / rate, live)
        self._full_scale = 4 / size**2  # both halves of the spectrum; the squared window has a mean of one half
        self.look_ahead = transform.look_ahead + self._level.ahead
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._transform.reset()
        self._level.reset()
        self._waiting = Queue(np.zeros((0, 0, 1), np.complex64), axis=-2)
        self._gains = Queue(np.zeros((0, 1), np.float32), axis=-2)

    def __call__(self, spectra: Spectra) -> Spectra:
        """Take (channels, frames, bins), return the frames that are decided."""
        power = np.sum(spectra.real**2 + spectra.imag**2, axis=2, dtype=np.float64).max(axis=0)
        self._waiting.push(spectra)
        gains_db = self._level(10 * np.log10(power * self._full_scale + 1e-20))
        return self._cleaned(gains_db) if len(gains_db) else spectra[:, :0]

    def flush(self) -> Spectra:
        """Return the frames that still waited."""
        gains_db = self._level.flush()
        waited = [self._cleaned(gains_db)] if len(gains_db) else []
        return np.concatenate([*waited, self._lowered(self._transform.flush())], axis=1)

    def _cleaned(self, gains_db: Levels) -> Spectra:
        gains = (10 ** (gains_db / 20)).astype(np.float32)[:, None]
        self._gains.push(gains)
        louder = (self._waiting.pop(len(gains)) * gains).astype(np.complex64, copy=False)
        return self._lowered(self._transform(louder))

    def _lowered(self, clean: Spectra) -> Spectra:
        return (clean / self._gains.pop(clean.shape[1])).astype(np.complex64, copy=False)
