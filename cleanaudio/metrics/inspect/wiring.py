"""Channels that are dead, copies of each other, upside down, or exchanged."""

from __future__ import annotations

import numpy as np

from cleanaudio.errors import InputError
from cleanaudio.metrics.interface import Audio

DEAD_DBFS = -80.0
DEAD_BELOW_DB = 50.0
"""A channel this far below the loudest one carries nothing but crosstalk."""
INVERTED = -0.9
SAME = 1e-4
"""Largest difference, of the peak, of channels that are one signal twice."""


def name(channel: int, channels: int) -> str:
    """Return how people call a channel."""
    if channels == 2:
        return ("left", "right")[channel]
    return f"channel {channel + 1}"


def faults(audio: Audio) -> tuple[str, ...]:
    """Return what is wrong with the wiring, in words; nothing for most recordings.

    A channel is dead below −80 dBFS or 50 dB below the loudest; inverted where its correlation with the first live
    channel is under −0.9; a copy where it differs from it by less than 10⁻⁴ of the peak.

    Parameters
    ----------
    audio : ndarray, shape (channels, frames)
    """
    with np.errstate(divide="ignore"):
        level = 10 * np.log10(np.mean(audio.astype(np.float64) ** 2, axis=1))
    alive = (level > DEAD_DBFS) & (level > level.max() - DEAD_BELOW_DB)
    count = len(audio)
    said = [f"{name(k, count)} is dead" for k in range(count) if not alive[k]]
    live = np.flatnonzero(alive)
    for k in live[1:]:
        first = audio[live[0]]
        against = name(int(live[0]), count)
        if np.abs(audio[k] - first).max() <= SAME * np.abs(first).max():
            said.append(f"{name(int(k), count)} is a copy of {against}")
        elif correlation(audio[k], first) < INVERTED:
            said.append(f"{name(int(k), count)} is inverted against {against}")
    return tuple(said)


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Return the correlation coefficient of two signals, 0 where one is constant."""
    a, b = (signal.astype(np.float64) - signal.mean(dtype=np.float64) for signal in (first, second))
    energy = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / energy) if energy else 0.0


def exchanged(audio: Audio, original: Audio) -> bool:
    """Return whether left and right of a stereo recording changed places against what it was made of.

    Raises
    ------
    InputError
        One of them is not stereo, or they differ in length.
    """
    if audio.shape != original.shape or len(audio) != 2:
        raise InputError(f"two stereo signals of one length are compared, not {audio.shape} and {original.shape}")
    straight = correlation(audio[0], original[0]) + correlation(audio[1], original[1])
    crossed = correlation(audio[0], original[1]) + correlation(audio[1], original[0])
    return crossed > straight + 0.2
