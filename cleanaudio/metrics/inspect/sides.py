"""What the two sides of a stereo recording do not share: two microphones with a voice each, or noise on one of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]

FRAME_S = 0.1
LOUD_QUANTILE, LOUD_DB = 0.95, 20.0
"""A frame is loud that lies at most so far below the level that a twentieth of all exceed."""
APART_DB, APART_SHARE = 9.0, 0.1
"""A voice belongs to a side that is so much louder than the other in so many of the loud frames. Between the
microphones of two people at one table there are 10 dB and more, between the sides of a stereo microphone seldom 6."""
FLOOR_QUANTILE, UNEVEN_DB = 0.1, 10.0
"""Noise is uneven where the quiet frames of one side lie so much nearer to its loud ones than those of the other."""
_SILENCE = 1e-12


@dataclass(frozen=True)
class Sides:
    """What the sides do not share.

    Parameters
    ----------
    apart : bool
        Whether each side has a voice of its own.
    uneven_db : float
        By how much more noise there is on the right than on the left, each against its own voice.
    """

    apart: bool
    uneven_db: float

    @property
    def uneven(self) -> bool:
        """Whether one of them is much noisier."""
        return abs(self.uneven_db) >= UNEVEN_DB


class SidesMeter:
    """Compares the sides of a stereo recording as it streams by; keeps two numbers for each tenth of a second.

    Parameters
    ----------
    rate, channels : int
        Other than two channels have no sides.
    """

    def __init__(self, rate: int, channels: int = 2) -> None:
        self._stereo = channels == 2
        self._frame = max(1, round(FRAME_S * rate))
        self._rest = np.zeros((2, 0), np.float32)
        self._powers = [np.zeros((2, 0), np.float32)]

    def add(self, block: Audio) -> None:
        """Take the next frames, (channels, n)."""
        if not self._stereo:
            return
        joined = np.concatenate((self._rest, block), axis=1)
        whole = joined.shape[1] // self._frame
        self._rest = joined[:, whole * self._frame :].copy()
        frames = joined[:, : whole * self._frame].reshape(2, whole, self._frame)
        self._powers.append(frames.var(axis=2))  # an offset is neither voice nor noise

    def result(self) -> Sides | None:
        """Return what was found so far: None where there are no two sides, or one of them is silent."""
        powers = np.concatenate(self._powers, axis=1).astype(np.float64)
        sounds = powers > _SILENCE  # a gate says nothing about the noise
        if not np.all(np.any(sounds, axis=1)):
            return None
        levels = 10 * np.log10(np.maximum(powers, _SILENCE))
        heard = [side[sound] for side, sound in zip(levels, sounds, strict=True)]
        low, high = np.array([np.quantile(side, (FLOOR_QUANTILE, LOUD_QUANTILE)) for side in heard]).T
        levels -= high[:, None]  # microphones are seldom turned up alike
        left, right = levels[:, levels.max(axis=0) > -LOUD_DB]
        shares = np.mean(left - right > APART_DB), np.mean(right - left > APART_DB)
        return Sides(bool(min(shares) >= APART_SHARE), float(np.diff(low - high)[0]))
