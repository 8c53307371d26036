"""Channels that are dead, copies of each other, upside down, or exchanged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cleanaudio.errors import InputError

Audio = NDArray[np.float32]

DEAD_DBFS = -80.0
DEAD_BELOW_DB = 50.0
"""A channel this far below the loudest one carries nothing but crosstalk."""
INVERTED = -0.9
SAME = 1e-3
"""Largest difference, of the RMS, of channels that are one signal twice."""


def name(channel: int, channels: int) -> str:
    """Return how people call a channel."""
    if channels == 2:
        return ("left", "right")[channel]
    return f"channel {channel + 1}"


@dataclass(frozen=True)
class Fault:
    """What is wrong with one channel.

    Parameters
    ----------
    kind : {"dead", "copy", "inverted"}
    channel, channels : int
        Which one, from 0, of how many.
    against : int, optional
        The channel that it is a copy of, or upside down against.
    """

    kind: str
    channel: int
    channels: int
    against: int | None = None

    def __str__(self) -> str:
        who = name(self.channel, self.channels)
        if self.against is None:
            return f"{who} is dead"
        link = "a copy of" if self.kind == "copy" else "inverted against"
        return f"{who} is {link} {name(self.against, self.channels)}"


class WiringMeter:
    """Compares the channels of a recording as it streams by.

    Parameters
    ----------
    channels : int
    """

    def __init__(self, channels: int) -> None:
        self._frames = 0
        self._sums = np.zeros(channels)
        self._products = np.zeros((channels, channels))

    def add(self, block: Audio) -> None:
        """Take the next frames, (channels, n)."""
        samples = block.astype(np.float64)
        self._frames += samples.shape[1]
        self._sums += samples.sum(axis=1)
        self._products += samples @ samples.T

    @property
    def offset(self) -> float:
        """The largest constant offset of a channel, linear, 0 … 1."""
        return float(np.abs(self._sums).max()) / max(1, self._frames)

    def faults(self) -> tuple[Fault, ...]:
        """Return what is wrong with the channels seen so far.

        A channel is dead below −80 dBFS or 50 dB below the loudest, its constant offset left out; inverted where its
        correlation with the first live channel is under −0.9; a copy where it differs from it by less than −60 dB.
        """
        count, frames = len(self._sums), max(1, self._frames)
        means = self._sums / frames
        power = np.maximum(np.diag(self._products) / frames - means**2, 0)
        with np.errstate(divide="ignore"):
            level = 10 * np.log10(power)
        alive = (level > DEAD_DBFS) & (level > level.max() - DEAD_BELOW_DB)
        found = [Fault("dead", k, count) for k in range(count) if not alive[k]]
        live = [int(k) for k in np.flatnonzero(alive)]
        for k in live[1:]:
            first = live[0]
            shared = self._products[first, k] / frames - means[first] * means[k]
            if power[k] + power[first] - 2 * shared <= SAME**2 * power[first]:
                found.append(Fault("copy", k, count, first))
            elif shared < INVERTED * np.sqrt(power[first] * power[k]):
                found.append(Fault("inverted", k, count, first))
        return tuple(found)


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
