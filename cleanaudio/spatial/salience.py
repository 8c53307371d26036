"""Where the voice is, told without a neural network: what stands out of the steady noise."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.stft import Stft, window
from cleanaudio.spatial.covariance import TINY
from cleanaudio.spatial.masks import Mask
from cleanaudio.spatial.stream import Audio, missing

_SMOOTH_S, _GROUP_S = 0.072, 0.25
_STRAY = 6.0
"""How far noise strays: the least of many smoothed powers is about half of their mean, the largest about three times as
much as that."""


class SalienceMask:
    """What stands out of steady noise, bin by bin, without a neural network.

    The floor of a bin is the least of its smoothed powers (mean of the channels) from ``reach_s`` before to half of
    that after, in the manner of minimum statistics (Martin, TSAP 9(5), 2001); the mask is 1 − 6 floor / power. Frames
    that reach out of the signal and digital silence are no floor.

    Parameters
    ----------
    rate : int
    channels : int
    size, hop : int
    reach_s : float
    """

    def __init__(self, rate: int, channels: int, size: int, hop: int, reach_s: float = 3.0) -> None:
        self._stft = Stft(channels, window("sqrt-hann", size), hop)
        self._size, self._hop, self._channels = size, hop, channels
        frame_rate = rate / hop
        self._keep = float(np.exp(-1 / (_SMOOTH_S * frame_rate)))
        self._unsettled = size // hop - 1 + round(_SMOOTH_S * frame_rate)  # first frames, which are no floor
        self._group = max(1, round(_GROUP_S * frame_rate))
        self._after = max(1, round(reach_s / 2 * frame_rate / self._group))
        self._before = 2 * self._after
        self.latency = size + (self._after + 1) * self._group * hop
        self._clear()

    def _clear(self) -> None:
        bins = self._size // 2 + 1
        self._taken = self._seen = self._heard = 0  # samples, frames, frames since the last silence
        self._smooth = np.zeros(bins)
        self._powers: deque[NDArray[np.float64]] = deque()  # smoothed, of groups of frames that have no mask yet
        self._floors: deque[NDArray[np.float64]] = deque()  # of those groups and of the ones before
        self._rows: list[NDArray[np.float64]] = []  # of the group that is not full yet
        self._floor = np.full(bins, np.inf)

    def reset(self) -> None:
        """Forget the signal."""
        self._stft.reset()
        self._clear()

    def process(self, block: Audio) -> Mask:
        """Take (channels, n), return (frames, bins)."""
        self._taken += block.shape[1]
        self._hear(block)
        return self._decide(self._after)

    def flush(self) -> Mask:
        """Return the masks that are still owed."""
        self._hear(np.zeros((self._channels, missing(self._taken, self._size, self._hop)), np.float32))
        if self._rows:
            self._close()
        return self._decide(0)

    def _hear(self, block: Audio) -> None:
        powers: NDArray[np.float64] = np.mean(np.abs(self._stft.push(block)) ** 2, axis=0, dtype=np.float64)
        for power in powers:
            self._seen += 1
            if not power.any():
                self._heard, self._smooth = 0, power
            else:
                self._smooth = power if not self._heard else self._keep * self._smooth + (1 - self._keep) * power
                self._heard += 1
                if self._heard > self._unsettled and self._seen * self._hop <= self._taken:
                    self._floor = np.minimum(self._floor, self._smooth)
            self._rows.append(self._smooth)
            if len(self._rows) == self._group:
                self._close()

    def _close(self) -> None:
        self._powers.append(np.stack(self._rows))
        self._floors.append(self._floor)
        self._rows, self._floor = [], np.full(len(self._floor), np.inf)

    def _decide(self, after: int) -> Mask:
        """Return the masks of the groups that so many more were heard after."""
        out = [np.zeros((0, self._size // 2 + 1), np.float32)]
        while len(self._powers) > after:
            power = self._powers.popleft()
            past = len(self._floors) - 1 - len(self._powers)  # floors of groups that have their mask
            floor = np.min(list(self._floors)[: past + 1 + self._after], axis=0)
            out.append(np.clip(1 - _STRAY * floor / np.maximum(power, TINY), 0.0, 1.0).astype(np.float32))
            if past >= self._before:
                self._floors.popleft()
        return np.concatenate(out)
