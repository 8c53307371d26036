"""Delay-and-sum without a geometry: the delays are found in the recording and followed over time.

After BeamformIt (Anguera, Wooters & Hernando, TASLP 15(7), 2007): windows of half a second, the N best GCC-PHAT
delays of each channel to the reference, a Viterbi search over the windows, weights from the correlations between the
channels, overlap-add under triangular windows. Beyond it: a mask says where the voice is, in time and frequency, and
decides on the delays, which are applied as fractions of a sample; the search follows a channel whose clock drifts; the
aligned channels get their weights band by band (:mod:`cleanaudio.spatial.bandweights`); and the sum has to prove
itself: where it is estimated to be no better than the reference microphone, that microphone is what comes out.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from cleanaudio.audio.array import check_block
from cleanaudio.audio.transform import Spectra
from cleanaudio.errors import InputError, RecipeError
from cleanaudio.spatial.bandweights import BandWeights
from cleanaudio.spatial.masks import Mask, MaskEstimator, MeanMask
from cleanaudio.spatial.salience import SalienceMask
from cleanaudio.spatial.stream import Audio, Log
from cleanaudio.spatial.tdoa import DelayTrack, band, best_peaks, correlation, phat

WINDOW_S = 0.5
"""Of an estimate of the delays; the step is half of it."""
MAX_DELAY_S = 0.015
"""Largest delay between microphones: 5 m. Larger ones are for :class:`cleanaudio.spatial.health.Repair` to take out."""

_UPSAMPLING = 4
_LOOK_AHEAD = 8  # windows
_REMEMBER = 0.7  # of the correlations, from window to window
_MEMORY_S = 15.0  # of what decides on the weights


def delay_stft(rate: int) -> tuple[int, int]:
    """Return window and hop, in samples, of the STFT that :class:`BlindDelayAndSum` finds delays in.

    Its frames are long beside the delays, but no longer than a window of an estimate.
    """
    size = min(2 << round(2 * MAX_DELAY_S * rate - 1).bit_length(), 1 << round(WINDOW_S * rate).bit_length() - 1)
    return size, size // 4


class BlindDelayAndSum:
    """Delay-and-sum that finds its delays; one channel comes out.

    Parameters
    ----------
    rate : int
        Hz.
    channels : int
        At least 2.
    reference : int
        Microphone that the output is aligned with, counted from 0.
    masks : MaskEstimator, optional
        On the grid of :func:`delay_stft`: where the voice is. The geometric mean of it and of what stands out of
        steady noise (:class:`cleanaudio.spatial.salience.SalienceMask`) is taken; without one that alone decides, so
        that a loud unsteady source may draw the beam.
    spectral : float
        Power of the spectral weight, 0 … 1: 0 leaves the voice's spectrum as the reference microphone hears it.
    log : callable, optional
        Takes a dict per window: time_s, delays (samples), weights (one per channel, means over the bands), gain_db
        (estimated gain of SI-SDR, None where no voice was heard), beam (whether the beam came out).

    Raises
    ------
    InputError
        Fewer than two channels.
    RecipeError
        A reference that is none of them.
    """

    def __init__(
        self,
        rate: int,
        channels: int,
        reference: int = 0,
        masks: MaskEstimator | None = None,
        *,
        spectral: float = 0.5,
        log: Log | None = None,
    ) -> None:
        if channels < 2:
            raise InputError(f"delay-and-sum needs two microphones or more, not {channels}")
        if not 0 <= reference < channels:
            raise RecipeError(f"reference microphone {reference + 1} of {channels}")
        self._rate, self._channels, self._reference = rate, channels, reference
        self._reach = MAX_DELAY_S * rate
        self._size, self._step = delay_stft(rate)
        self._hop = max(self._size // (2 * self._step), round(WINDOW_S * rate / 2 / self._step)) * self._step
        self._farthest = self._hop  # how far a drift is followed
        salience = SalienceMask(rate, channels, self._size, self._step)
        self._masks = salience if masks is None else MeanMask((masks, salience), self._size // 2 + 1)
        self._band = band(self._size, rate)
        self._hann = (0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(self._size) + 0.5) / self._size)).astype(np.float32)
        self._margin = self._size // 2  # on each side of a piece: what shifts and weights would wrap around
        self._track = DelayTrack(channels, 4, rate, _LOOK_AHEAD)
        self._weigh = BandWeights(channels, reference, self._size, rate, _MEMORY_S * rate / self._hop, spectral)
        self._log = log
        self.latency = (2 * _LOOK_AHEAD + 3) * self._hop + self._farthest + self._masks.latency
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._track.reset()
        self._weigh.reset()
        self._masks.reset()
        self._cross: NDArray[np.complexfloating] | None = None
        self._sum = 0.0
        self._mask = np.zeros((0, self._size // 2 + 1), np.float32)
        self._mask_first = 1 - self._size // self._step  # frames, counted from the one that starts at sample 0
        self._held: list[Audio] = []
        self._first = self._taken = self._given = 0
        self._heard = self._formed = self._mixed = 0  # windows
        self._centres = np.zeros(self._channels, np.int64)
        self._candidates = (np.zeros((self._channels, 4)), np.ones((self._channels, 4)))
        self._waiting: deque[tuple[Spectra, dict]] = deque()
        self._overlap = np.zeros(self._hop, np.float32)
        self._fallen_back = 0

    @property
    def fallen_back(self) -> float:
        """Share of the windows so far in which the reference microphone came out instead of the beam."""
        return self._fallen_back / max(self._mixed, 1)

    def process(self, block: Audio) -> Audio:
        """Take (channels, n), return (1, m)."""
        check_block(block, self._channels)
        self._taken += block.shape[1]
        self._held.append(block)
        self._mask = np.concatenate([self._mask, self._masks.process(block)])
        out = []
        while self._taken >= (self._heard + 1) * self._hop + self._farthest and self._masked():
            out.append(self._hear())
        return self._join(out)

    def _masked(self) -> bool:
        """Whether the masks reach to the end of the next window."""
        last = ((self._heard + 1) * self._hop - self._size) // self._step
        return self._mask_first + len(self._mask) > last

    def flush(self) -> Audio:
        """Return the frames that are still owed."""
        last = -(-self._taken // self._hop) if self._taken else -1  # the window whose centre is at or after the end
        self._mask = np.concatenate([self._mask, self._masks.flush()])
        out = []
        while self._heard <= last:
            out.append(self._hear())
        out.extend(self._form(delays) for delays in self._track.flush())
        while self._waiting:
            out.append(self._mix())
        return self._join(out)

    def _join(self, parts: list[Audio]) -> Audio:
        samples = np.concatenate([np.zeros(0, np.float32), *parts])[: self._taken - self._given]
        self._given += len(samples)
        return samples[None]

    def _piece(self, channel: int, start: int, end: int) -> Audio:
        """Samples start … end of a channel, zeros outside of what is held."""
        signal = self._signal[channel]
        low, high = np.clip([start - self._first, end - self._first], 0, len(signal))
        piece = np.zeros(end - start, np.float32)
        offset = self._first + low - start
        if high > low:
            piece[offset : offset + high - low] = signal[low:high]
        return piece

    def _hear(self) -> Audio:
        """Find the candidate delays of the next window; form the beam of the one that is decided by it."""
        oldest = (self._formed - 1) * self._hop - self._farthest - self._margin
        signal = np.concatenate(self._held, axis=1)
        drop = min(max(0, oldest - self._first), signal.shape[1])
        self._signal = signal[:, drop:]
        self._held, self._first = [self._signal], self._first + drop
        start = (self._heard - 1) * self._hop
        pieces = np.stack(
            [self._piece(m, start + c, start + c + 2 * self._hop) for m, c in enumerate(self._centres.tolist())]
        )
        frames = sliding_window_view(pieces, self._size, axis=1)[:, :: self._step]
        spectra = np.fft.rfft(frames * self._hann, axis=-1)
        mask = self._mask_from(start, spectra.shape[1])
        cross = np.mean(mask * phat(spectra * spectra[self._reference].conj()), axis=1)
        self._cross = cross if self._cross is None else _REMEMBER * self._cross + cross
        self._sum = _REMEMBER * self._sum + 1
        curves = correlation(self._cross / self._sum, self._size, self._band, _UPSAMPLING)
        # What the highest of many lags reaches by chance, in the sum of so many turned vectors.
        chance = 4 * np.sqrt(np.sum((mask * self._band) ** 2)) / (self._band.sum() * len(mask))
        lags, heights = (values.copy() for values in self._candidates)
        for m in range(self._channels):
            if m == self._reference:
                continue
            found, high = best_peaks(curves[m], 0.0, self._reach, lags.shape[1], _UPSAMPLING)
            if high[0] > chance:
                lags[m], heights[m] = found + self._centres[m], high
            else:  # nothing to go by: the delays stay what they were
                heights[m] = 0.0
        self._candidates = lags, heights
        self._heard += 1
        decided = self._track.push(lags, heights)
        return np.zeros(0, np.float32) if decided is None else self._form(decided)

    def _mask_from(self, start: int, count: int) -> Mask:
        """Return the masks of the frames from a sample on; outside of the signal there is no voice."""
        mask = np.zeros((count, self._size // 2 + 1), np.float32)
        first = start // self._step - self._mask_first
        known = self._mask[max(first, 0) : max(first + count, 0)]
        mask[max(-first, 0) : max(-first, 0) + len(known)] = known
        return mask

    def _form(self, delays: NDArray[np.float64]) -> Audio:
        """Align the channels of the next window, and mix the one that has been waiting for what comes after it."""
        start = (self._formed - 1) * self._hop
        aligned = np.stack([self._aligned(m, start, delay) for m, delay in enumerate(delays.tolist())])
        inner = np.fft.irfft(aligned, 2 * (self._hop + self._margin))[:, self._margin : -self._margin]
        frames = sliding_window_view(inner, self._size, axis=1)[:, :: self._step]
        spectra = np.fft.rfft(frames * self._hann, axis=-1).astype(np.complex64, copy=False)
        self._weigh.push(spectra, self._mask_from(start, frames.shape[1]))
        over = start // self._step - self._mask_first
        if over > 0:
            self._mask, self._mask_first = self._mask[over:], self._mask_first + over
        entry = {"time_s": self._formed * self._hop / self._rate, "delays": delays.tolist()}
        self._waiting.append((aligned, entry))
        self._formed += 1
        drifted = np.abs(delays - self._centres) > self._reach / 2
        limit = self._farthest - round(self._reach) - self._margin
        self._centres = np.where(drifted, np.clip(np.round(delays), -limit, limit), self._centres).astype(np.int64)
        return self._mix() if len(self._waiting) > _LOOK_AHEAD else np.zeros(0, np.float32)

    def _aligned(self, channel: int, start: int, delay: float) -> Spectra:
        """Return the spectrum of the window of a channel, with its margins, advanced by its delay."""
        whole = int(np.round(delay))
        piece = self._piece(channel, start + whole - self._margin, start + whole + 2 * self._hop + self._margin)
        ramp = np.sin(np.pi / 2 * (np.arange(self._margin // 2) + 0.5) / (self._margin // 2)).astype(np.float32) ** 2
        piece[: len(ramp)] *= ramp
        piece[-len(ramp) :] *= ramp[::-1]
        turn = np.exp(2j * np.pi * np.arange(len(piece) // 2 + 1) / len(piece) * (delay - whole))
        return np.fft.rfft(piece) * turn.astype(np.complex64)

    def _mix(self) -> Audio:
        aligned, entry = self._waiting.popleft()
        weights, gain = self._weigh.solve()
        formed = gain is not None and gain > 0
        if not formed:
            weights = np.zeros_like(weights)
            weights[:, self._reference] = 1.0
        self._mixed += 1
        self._fallen_back += not formed
        if self._log is not None:
            self._log(entry | {"weights": weights.mean(axis=0).tolist(), "gain_db": gain, "beam": formed})
        hertz = np.arange(aligned.shape[1]) * self._rate / (2 * (self._hop + self._margin))
        summed = np.zeros(aligned.shape[1], np.complex64)
        for channel, by_band in zip(aligned, weights.T, strict=True):
            summed += channel * np.interp(hertz, self._weigh.centres_hz, by_band).astype(np.float32)
        chosen = np.fft.irfft(summed, 2 * (self._hop + self._margin))[self._margin : -self._margin].astype(np.float32)
        rise = ((np.arange(self._hop) + 0.5) / self._hop).astype(np.float32)
        out = self._overlap + rise * chosen[: self._hop]
        self._overlap = rise[::-1] * chosen[self._hop :]
        # The first window's first half lies before the signal.
        return out if self._mixed > 1 else np.zeros(0, np.float32)
