"""The band above a model's own: kept, and quietened where the model finds noise in the top of its band.

The output of a model at 16 kHz ends at 8 kHz, whatever the rate of the recording, and any resampler loses a little
below the lower of two Nyquist frequencies. Without the rest speech would be dull, and unchanged it would hiss. So it is
scaled, frame by frame and bin by bin, with the smaller of

* what the model leaves of the top of its band, |U| / |D| (``D`` its input, ``U`` its output), to the power 3/4, and
* a Wiener gain with a decision-directed prior. The noise of the band is learnt from the frames in which the model
  removes the top of its own band, each counting by how much it loses there.

Both are 1 for a model that changes nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.queue import Queue
from cleanaudio.audio.snr import decision_directed
from cleanaudio.audio.stft import Istft, Stft, synthesis_window, window

Audio = NDArray[np.float32]

HOP_S = 0.01
_TOP = (0.6, 0.95)  # of the band that recording and model share: where the guide compares input and output
_GUIDE_POWER = 0.75
_LEARN = 0.1  # share of a frame that holds nothing but noise in the noise PSD
_CARRY = 0.92  # of the last frame's estimate in the decision-directed prior
_LEAST_PRIOR = 0.3  # a priori SNR; a Wiener gain of -12.7 dB
_NOTHING = 1e-12  # power of a bin that counts as silence


class Guide:
    """How much a model leaves of the top of its band, one number a frame and channel.

    Parameters
    ----------
    channels : int
    rate : int
        The model's, Hz.
    band_hz : float
        Highest frequency of the recording in the input of the model.
    linked : bool
        One number for all channels.
    """

    def __init__(self, channels: int, rate: int, band_hz: float, linked: bool) -> None:
        self.hop = max(1, round(HOP_S * rate))
        analysis = window("sqrt-hann", 2 * self.hop)
        self._of_input, self._of_output = (Stft(channels, analysis, self.hop) for _ in range(2))
        self._linked, self._rows = linked, 1 if linked else channels
        self._top = slice(*(round(share * band_hz / rate * 2 * self.hop) for share in _TOP))
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._of_input.reset()
        self._of_output.reset()
        self._heard, self._left = (Queue(np.zeros((self._rows, 0), np.float32)) for _ in range(2))

    def push(self, heard: Audio, left: Audio) -> NDArray[np.float32]:
        """Take what went into the model and what came out, (channels, any); return (1 or channels, frames)."""
        self._heard.push(self._power(self._of_input.push(heard)))
        self._left.push(self._power(self._of_output.push(left)))
        count = min(len(self._heard), len(self._left))
        before, after = self._heard.pop(count), self._left.pop(count)
        share = np.where(before > _NOTHING, after / np.maximum(before, _NOTHING), 1.0)
        return np.sqrt(np.minimum(share, 1.0)).astype(np.float32)

    def _power(self, spectra: NDArray[np.complex64]) -> NDArray[np.float32]:
        top = spectra[..., self._top]
        power: NDArray[np.float32] = np.sum(top.real**2 + top.imag**2, axis=-1)
        return power.sum(axis=0, keepdims=True) if self._linked else power


class BandAbove:
    """Reduces the noise in the band above a model's, guided by what the model does in its own.

    Parameters
    ----------
    channels : int
    rate : int
        The recording's, Hz.
    model_rate : int
        Hz.
    linked : bool
        One gain for all channels.
    live : bool
        Use the guide's number of a window ago instead of waiting for the present one.

    Attributes
    ----------
    window : int
        Samples at ``rate`` that a decision needs.
    wait : int
        How many of these the model must have given back too.
    """

    def __init__(self, channels: int, rate: int, model_rate: int, linked: bool, live: bool = False) -> None:
        hop = max(1, round(HOP_S * rate))
        analysis = window("sqrt-hann", 2 * hop)
        self.window, self._channels = 2 * hop, channels
        self._late = 2 if live else 0
        self.wait = self.window - self._late * hop
        self._guide = Guide(channels, model_rate, min(rate, model_rate) / 2, linked)
        self._stft = Stft(channels, analysis, hop)
        self._istft = Istft(channels, synthesis_window(analysis, hop), hop)
        self._linked = linked
        self._pace = hop * model_rate / (rate * self._guide.hop)  # frames of the guide per frame of the band
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        for part in (self._guide, self._stft, self._istft):
            part.reset()
        rows, bins = 1 if self._linked else self._channels, self.window // 2 + 1
        self._frames = Queue(np.zeros((self._channels, 0, bins), np.complex64), axis=-2)
        self._guidance = Queue(np.ones((rows, self._late), np.float32))
        self._noise = self._last = np.zeros((rows, bins), np.float32)
        self._done = self._dropped = 0

    def push(self, high: Audio, heard: Audio, left: Audio) -> Audio:
        """Take samples of the band above, and of the model's input and output at its rate; return what is decided.

        Parameters
        ----------
        high : ndarray, shape (channels, n)
        heard, left : ndarray, shape (channels, any)

        Returns
        -------
        ndarray, shape (channels, m)
        """
        self._frames.push(self._stft.push(high))
        self._guidance.push(self._guide.push(heard, left))
        wanted = np.rint(np.arange(self._done, self._done + len(self._frames)) * self._pace).astype(int)
        wanted = wanted[wanted < self._dropped + len(self._guidance)] - self._dropped
        frames = self._frames.pop(len(wanted))
        gains = self._gains(frames, self._guidance.peek(len(self._guidance))[:, wanted])
        self._done += len(wanted)
        drop = min(len(self._guidance), max(0, round(self._done * self._pace) - self._dropped))
        self._guidance.pop(drop)
        self._dropped += drop
        return self._istft.push(frames * gains)

    def _gains(self, frames: NDArray[np.complex64], guide: NDArray[np.float32]) -> NDArray[np.float32]:
        powers = frames.real**2 + frames.imag**2
        if self._linked:
            powers = powers.sum(axis=0, keepdims=True)
        gains = np.empty_like(powers)
        learn = np.float32(_LEARN) * (1 - guide**2)
        limits = guide ** np.float32(_GUIDE_POWER)
        for t in range(frames.shape[1]):
            power = powers[:, t]
            self._noise = self._noise + learn[:, t, None] * (power - self._noise)
            noise = np.maximum(self._noise, np.float32(_NOTHING))
            prior = np.maximum(decision_directed(self._last, power, noise, _CARRY), np.float32(_LEAST_PRIOR))
            gain = prior / (1 + prior)
            self._last = gain**2 * power
            gains[:, t] = np.where(self._noise > _NOTHING, np.minimum(gain, limits[:, t, None]), limits[:, t, None])
        return gains
