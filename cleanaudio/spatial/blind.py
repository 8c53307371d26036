"""Delay-and-sum without a geometry: the delays are found in the recording and followed over time.

After BeamformIt (Anguera, Wooters & Hernando, TASLP 15(7), 2007): windows of half a second, the N best GCC-PHAT
delays of each channel to the reference, a Viterbi search over the windows, weights by the correlation of each channel
with the others, overlap-add under triangular windows. Beyond it: what stands out from the steady noise, in time and
frequency, decides on the delays, which are applied as fractions of a sample; the search follows a channel whose clock
drifts; every channel is brought to the level of the reference; and the beam has to prove itself: where its estimated
SNR is lower than the reference microphone's, that microphone is what comes out.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from cleanaudio.errors import InputError, RecipeError
from cleanaudio.spatial.masks import MaskEstimator
from cleanaudio.spatial.quality import BeamJudge
from cleanaudio.spatial.stream import Audio, Log, check_block
from cleanaudio.spatial.tdoa import DelayTrack, band, best_peaks, correlation, phat

_UPSAMPLING = 4
_TAPER = 64  # samples on each side of a piece that is shifted by a fraction of a sample
_LOOK_AHEAD = 8  # windows
_REMEMBER = 0.7  # of the correlations, from window to window
_ADAPT = 0.1  # share of the newest window in weights and levels
_OUTSIDE = 0.25  # a channel less correlated than this share of the best is left out
_FLOOR_S, _FLOOR_BIAS = 3.0, 4.0  # the least of many frames lies well below their mean
# Estimated gains from which the beam is taken, and below which it is left; without masks the estimate is rough.
_WORTH_DB, _WORTH_DB_MASKED, _HYSTERESIS_DB = 1.0, 0.2, 0.5


def delay_stft(rate: int, window_s: float = 0.5, max_delay_s: float = 0.015) -> tuple[int, int]:
    """Return window and hop, in samples, of the STFT that :class:`BlindDelayAndSum` finds delays in.

    Its frames are long beside the delays, but no longer than a window of an estimate.
    """
    size = min(2 << round(2 * max_delay_s * rate - 1).bit_length(), 1 << round(window_s * rate).bit_length() - 1)
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
        On the grid of :func:`delay_stft`: the voice alone decides on the delays. Without one it is whatever stands
        out from steady noise, so that a loud second source may draw the beam.
    window_s : float
        Of an estimate; the step is half of it.
    max_delay_s : float
        Largest delay between microphones; 0.015 s are 5 m. Larger offsets are for
        :class:`cleanaudio.spatial.health.Repair` to take out first.
    fall_back : bool
        Give the reference microphone where the beam is estimated to be worse.
    log : callable, optional
        Takes a dict per window: time_s, delays (samples), weights, gain_db (estimated SNR gain or None), beam (whether
        the beam came out).

    Raises
    ------
    InputError
        Fewer than two channels.
    RecipeError
        Lengths or a reference that make no sense.
    """

    def __init__(
        self,
        rate: int,
        channels: int,
        reference: int = 0,
        masks: MaskEstimator | None = None,
        *,
        window_s: float = 0.5,
        max_delay_s: float = 0.015,
        fall_back: bool = True,
        log: Log | None = None,
    ) -> None:
        if channels < 2:
            raise InputError(f"delay-and-sum needs two microphones or more, not {channels}")
        if not 0 <= reference < channels:
            raise RecipeError(f"reference microphone {reference + 1} of {channels}")
        if not (0.1 <= window_s <= 5 and 0 < max_delay_s <= window_s / 2):
            raise RecipeError("a window is 0.1 … 5 s long, the largest delay at most half of it")
        self._rate, self._channels, self._reference = rate, channels, reference
        self._reach = max_delay_s * rate
        self._size, self._step = delay_stft(rate, window_s, max_delay_s)
        self._hop = max(self._size // (2 * self._step), round(window_s * rate / 2 / self._step)) * self._step
        self._farthest = self._hop  # how far a drift is followed
        self._masks = masks
        self._band = band(self._size, rate)
        self._hann, self._long_hann = (
            (0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(n) + 0.5) / n)).astype(np.float32)
            for n in (self._size, 2 * self._hop)
        )
        self._floors: deque[NDArray[np.float64]] = deque(maxlen=max(2, round(_FLOOR_S * rate / self._hop)))
        self._track = DelayTrack(channels, 4, rate, _LOOK_AHEAD)
        self._judge = BeamJudge(rate)
        self._fall_back, self._log = fall_back, log
        self.latency = (2 * _LOOK_AHEAD + 3) * self._hop + self._farthest
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._track.reset()
        self._judge.reset()
        if self._masks is not None:
            self._masks.reset()
        self._floors.clear()
        self._cross: NDArray[np.complexfloating] | None = None
        self._sum = 0.0
        self._mask = np.zeros((0, self._size // 2 + 1), np.float32)
        self._mask_first = 1 - self._size // self._step  # frames, counted from the one that starts at sample 0
        self._held: list[Audio] = []
        self._first = self._taken = self._given = 0
        self._heard = self._formed = self._mixed = 0  # windows
        self._centres = np.zeros(self._channels, np.int64)
        self._candidates = (np.zeros((self._channels, 4)), np.ones((self._channels, 4)))
        self._correlations: NDArray[np.float64] | None = None
        self._powers: NDArray[np.float64] | None = None
        self._waiting: deque[tuple[Audio, Audio, dict]] = deque()
        self._overlap = np.zeros(self._hop, np.float32)
        self._proven = False
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
        if self._masks is not None:
            self._mask = np.concatenate([self._mask, self._masks.process(block)])
        out = []
        while self._taken >= (self._heard + 1) * self._hop + self._farthest and self._masked():
            out.append(self._hear())
        return self._join(out)

    def _masked(self) -> bool:
        """Whether the masks reach to the end of the next window."""
        last = ((self._heard + 1) * self._hop - self._size) // self._step
        return self._masks is None or self._mask_first + len(self._mask) > last

    def flush(self) -> Audio:
        """Return the frames that are still owed."""
        last = -(-self._taken // self._hop) if self._taken else -1  # the window whose centre is at or after the end
        if self._masks is not None:
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
        oldest = (self._formed - 1) * self._hop - self._farthest - _TAPER
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
        salience = self._salience(start, np.mean(np.abs(spectra) ** 2, axis=0, dtype=np.float64))
        cross = np.mean(salience * phat(spectra * spectra[self._reference].conj()), axis=1)
        self._cross = cross if self._cross is None else _REMEMBER * self._cross + cross
        self._sum = _REMEMBER * self._sum + 1
        curves = correlation(self._cross / self._sum, self._size, self._band, _UPSAMPLING)
        # What the highest of many lags reaches by chance, in the sum of so many turned vectors.
        chance = 4 * np.sqrt(np.sum((salience * self._band) ** 2)) / (self._band.sum() * len(salience))
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

    def _salience(self, start: int, power: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how far each bin (frames, bins) belongs to the voice or stands out of the steady noise, 0 … 1."""
        if self._masks is not None:
            return self._mask_from(start, len(power))
        smooth = power.copy()
        for t in range(1, len(smooth)):
            smooth[t] = 0.5 * smooth[t - 1] + 0.5 * power[t]
        self._floors.append(smooth.min(axis=0))
        floor = _FLOOR_BIAS * np.min(np.stack(list(self._floors)), axis=0)
        return np.clip(1 - floor / np.maximum(power, 1e-20), 0.0, 1.0)

    def _mask_from(self, start: int, count: int) -> NDArray[np.float64]:
        """Return the masks of the frames from a sample on; outside of the signal there is no voice."""
        mask = np.zeros((count, self._size // 2 + 1))
        first = start // self._step - self._mask_first
        known = self._mask[max(first, 0) : max(first + count, 0)]
        mask[max(-first, 0) : max(-first, 0) + len(known)] = known
        return mask

    def _form(self, delays: NDArray[np.float64]) -> Audio:
        """Make the beam of the next window, and mix the one that has been waiting for judgement."""
        start = (self._formed - 1) * self._hop
        aligned = np.stack([self._shifted(m, start, delay) for m, delay in enumerate(delays.tolist())])
        weights = self._weights(aligned)
        beam = (weights @ aligned).astype(np.float32)
        reference = aligned[self._reference]
        if self._masks is None:
            self._judge.push(beam[: self._hop], reference[: self._hop])
        else:
            both = sliding_window_view(np.stack([beam, reference]), self._size, axis=1)[:, :: self._step]
            powers = np.abs(np.fft.rfft(both * self._hann, axis=-1)) ** 2 * self._band
            self._judge.push_masked(powers, self._mask_from(start, powers.shape[1]))
            over = start // self._step - self._mask_first
            if over > 0:
                self._mask, self._mask_first = self._mask[over:], self._mask_first + over
        entry = {
            "time_s": self._formed * self._hop / self._rate,
            "delays": delays.tolist(),
            "weights": weights.tolist(),
        }
        self._waiting.append((beam, reference, entry))
        self._formed += 1
        drifted = np.abs(delays - self._centres) > self._reach / 2
        limit = self._farthest - round(self._reach) - _TAPER
        self._centres = np.where(drifted, np.clip(np.round(delays), -limit, limit), self._centres).astype(np.int64)
        return self._mix() if len(self._waiting) > _LOOK_AHEAD else np.zeros(0, np.float32)

    def _shifted(self, channel: int, start: int, delay: float) -> Audio:
        """Return the window of a channel, advanced by its delay."""
        whole = int(np.round(delay))
        rest = delay - whole
        piece = self._piece(channel, start + whole - _TAPER, start + whole + 2 * self._hop + _TAPER)
        if abs(rest) < 1e-6:
            return piece[_TAPER:-_TAPER]
        ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(_TAPER // 2) + 0.5) / (_TAPER // 2))).astype(np.float32)
        piece[: _TAPER // 2] *= ramp
        piece[-(_TAPER // 2) :] *= ramp[::-1]
        turn = np.exp(2j * np.pi * np.arange(len(piece) // 2 + 1) / len(piece) * rest)
        return np.fft.irfft(np.fft.rfft(piece) * turn, len(piece)).astype(np.float32)[_TAPER:-_TAPER]

    def _weights(self, aligned: Audio) -> NDArray[np.float64]:
        spectra = np.fft.rfft(aligned * self._long_hann, axis=-1)
        hertz = np.arange(spectra.shape[1]) * self._rate / aligned.shape[1]
        spectra = spectra[:, (hertz >= 200) & (hertz <= 4000)]
        cross = (spectra @ spectra.conj().T).real.astype(np.float64)
        powers = np.diagonal(cross).copy()
        if powers[self._reference] > 0:
            size = np.sqrt(np.maximum(powers, 1e-30))
            normal = cross / (size[:, None] * size)
            likeness = np.clip((normal.sum(axis=1) - 1) / (self._channels - 1), 0.0, 1.0)
            old = self._correlations
            self._correlations = likeness if old is None else (1 - _ADAPT) * old + _ADAPT * likeness
            self._powers = powers if self._powers is None else (1 - _ADAPT) * self._powers + _ADAPT * powers
        shares = np.zeros(self._channels)
        if self._correlations is None or self._powers is None or not self._correlations.max() > 0:
            shares[self._reference] = 1.0
            return shares
        shares = np.where(self._correlations >= _OUTSIDE * self._correlations.max(), self._correlations, 0.0)
        level = np.sqrt(np.maximum(self._powers, 1e-30) / max(self._powers[self._reference], 1e-30))
        return shares / shares.sum() / np.clip(level, 0.03, 30.0)

    def _mix(self) -> Audio:
        beam, reference, entry = self._waiting.popleft()
        gain = self._judge.gain_db()
        worth = _WORTH_DB if self._masks is None else _WORTH_DB_MASKED
        self._proven = gain is not None and gain > worth - _HYSTERESIS_DB * self._proven
        formed = self._proven or gain is None or not self._fall_back
        self._mixed += 1
        self._fallen_back += not formed
        if self._log is not None:
            self._log(entry | {"gain_db": gain, "beam": formed})
        rise = ((np.arange(self._hop) + 0.5) / self._hop).astype(np.float32)
        chosen = beam if formed else reference
        out = self._overlap + rise * chosen[: self._hop]
        self._overlap = rise[::-1] * chosen[self._hop :]
        # The first window's first half lies before the signal.
        return out if self._mixed > 1 else np.zeros(0, np.float32)
