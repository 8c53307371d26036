"""What a noise tracker is, and what all of them share: where to start, and what to do in digital silence."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Power = NDArray[np.float32]


class Tracker(Protocol):
    """From the powers |Y|² of one channel's frames to the noise PSD under each of them.

    Attributes
    ----------
    look_ahead : int
        Frames that it wants to hear before it decides on one.
    """

    look_ahead: int

    def __call__(self, powers: Power) -> Power:
        """Take (frames, bins), return the noise PSD of the frames that are decided, in order: (m, bins)."""
        ...

    def flush(self) -> Power:
        """Return the noise PSD of the frames that still waited."""
        ...

    def reset(self) -> None:
        """Forget the signal."""
        ...


class Recursion(Protocol):
    """A tracker's core: decides on every frame at once, needs a PSD to start from, is never given digital silence."""

    def start(self, psd: Power) -> None:
        """Forget the signal and begin with the PSD (bins,)."""
        ...

    def __call__(self, powers: Power) -> Power:
        """Take (frames, bins), return the noise PSD of the same shape."""
        ...


class Causal:
    """Runs a :class:`Recursion` over a recording.

    Frames without any sound, and the first, half-empty ones, are not given to the recursion; the estimate is held. With
    a start-up, the first frames are kept back and the recursion begins with the quietest stretch among them, so that a
    voice at the very beginning is not taken for noise; without, it begins with the first full frame.

    Parameters
    ----------
    recursion : Recursion
    partial : int
        Frames at the beginning that reach back before the signal.
    tiny : float
        Power of a bin that counts as nothing.
    start_up : int
        Frames to hear before the first decision; 0 to decide at once.
    """

    def __init__(self, recursion: Recursion, partial: int, tiny: float, start_up: int = 0) -> None:
        self._recursion, self._partial, self._tiny = recursion, partial, np.float32(tiny)
        self.look_ahead = start_up
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._silence = -1  # the last silent frame, counted from the next one to come
        self._psd: Power | None = None
        self._first: list[Power] | None = [] if self.look_ahead else None

    def __call__(self, powers: Power) -> Power:
        """Take (frames, bins), return (m, bins)."""
        if self._first is None:
            return self._follow(powers)
        self._first.append(powers)
        return self._begin() if sum(map(len, self._first)) >= self.look_ahead else powers[:0]

    def flush(self) -> Power:
        """Return what still waited."""
        return self._begin() if self._first else np.zeros((0, 0), np.float32)

    def _begin(self) -> Power:
        powers = np.concatenate(self._first or [])
        self._first = None
        first = powers[: self.look_ahead]
        heard = self._heard(first)
        if heard.any():
            self._psd = np.maximum(quietest(first[heard]), self._tiny)
            self._recursion.start(self._psd)
        return self._follow(powers)

    def _heard(self, powers: Power) -> NDArray[np.bool_]:
        """Return which of the next frames hold sound and do not reach back into silence."""
        silent = powers.max(axis=1, initial=0) <= self._tiny
        index = np.arange(len(powers))
        last = np.maximum.accumulate(np.where(silent, index, self._silence))
        return index - last > self._partial

    def _follow(self, powers: Power) -> Power:
        if not len(powers):
            return powers
        heard = self._heard(powers)
        silent = np.flatnonzero(powers.max(axis=1) <= self._tiny)
        self._silence = (int(silent[-1]) if len(silent) else self._silence) - len(powers)
        psd = self._psd
        if psd is None:
            psd = np.full(powers.shape[1], self._tiny)
            if not heard.any():
                return np.tile(psd, (len(powers), 1))
            self._recursion.start(np.maximum(powers[int(np.argmax(heard))], self._tiny))
        if heard.all():
            noise = self._recursion(powers)
        else:
            known = np.concatenate([psd[None], self._recursion(powers[heard])])
            noise = known[np.cumsum(heard)]
        if len(noise):
            self._psd = noise[-1].copy()
        return noise


def quietest(powers: Power, piece: int = 12) -> Power:
    """Return the mean power (bins,) of the two quietest pieces of some frames (frames, bins), bin by bin."""
    count = len(powers) // piece
    if count < 2:
        return powers.mean(axis=0)
    pieces = powers[: count * piece].reshape(count, piece, -1).mean(axis=1)
    pieces.sort(axis=0)
    return 1.5 * pieces[:2].mean(axis=0)  # the lowest of a dozen lie so much below the mean
