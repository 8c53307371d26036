"""Quiet recordings, heard louder than they are.

A network knows speech at the levels that it was trained with. Some 20 dB below them it takes speech for noise, and
takes all of it: DeepFilterNet3 does at -45 dBFS. So what it is given is lifted to common levels, and what comes back is
lowered by as much, frame by frame; at common levels nothing is touched.

How loud a recording is says its loudest frame: of the seconds that come, where it is no live signal, and of those that
went, which are forgotten slowly.
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
"""By how much the level of what went sinks in a second."""
SEARCH_DB = 20.0
"""The same for a live signal of which nothing has been heard yet."""
FALL_DB = 3.0
"""By how much the lift of a frame is less than the last one's, at most: frames side by side are cleaned together."""


class Lift:
    """Lifts for frames in order.

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
        """Take the levels (n,) of the next frames in dBFS, return lifts in dB (m,) of those that are decided."""
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
        lifts = np.clip(COMMON_DB - loudest, 0.0, MOST_DB)
        for frame, lift in enumerate(lifts):
            lifts[frame] = self._last = max(lift, self._last - FALL_DB)
        return lifts

    def flush(self) -> Levels:
        """Return the lifts of the frames that still waited."""
        return self(np.full(self.ahead, -np.inf)) if len(self._heard) else np.zeros(0)


class Lifted:
    """A :class:`~cleanaudio.audio.transform.Transform` that hears quiet recordings louder than they are.

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
        self._transform, self._lift = transform, Lift(hop / rate, live)
        self._full_scale = 4 / size**2  # both halves of the spectrum; the squared window has a mean of one half
        self.look_ahead = transform.look_ahead + self._lift.ahead
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._transform.reset()
        self._lift.reset()
        self._waiting = Queue(np.zeros((0, 0, 1), np.complex64), axis=-2)
        self._gains = Queue(np.zeros((0, 1), np.float32), axis=-2)

    def __call__(self, spectra: Spectra) -> Spectra:
        """Take (channels, frames, bins), return the frames that are decided."""
        power = np.sum(spectra.real**2 + spectra.imag**2, axis=2, dtype=np.float64).max(axis=0)
        self._waiting.push(spectra)
        lifts = self._lift(10 * np.log10(power * self._full_scale + 1e-20))
        return self._cleaned(lifts) if len(lifts) else spectra[:, :0]

    def flush(self) -> Spectra:
        """Return the frames that still waited."""
        lifts = self._lift.flush()
        waited = [self._cleaned(lifts)] if len(lifts) else []
        return np.concatenate([*waited, self._lowered(self._transform.flush())], axis=1)

    def _cleaned(self, lifts: Levels) -> Spectra:
        gains = (10 ** (lifts / 20)).astype(np.float32)[:, None]
        self._gains.push(gains)
        louder = (self._waiting.pop(len(gains)) * gains).astype(np.complex64, copy=False)
        return self._lowered(self._transform(louder))

    def _lowered(self, clean: Spectra) -> Spectra:
        return (clean / self._gains.pop(clean.shape[1])).astype(np.complex64, copy=False)
