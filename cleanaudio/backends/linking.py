"""Several channels, one decision: so that cleaning does not make the stereo image wander.

The feed is the mean of the channels, which favours a voice in the middle. Where the channels cancel each other (an
inverted cable, one dead side, frequencies at which a voice reaches one microphone half a period after the other) it
slides over to the stronger channel, so that the voice is never lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import gcd

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.processor import Processor
from cleanaudio.audio.queue import Queue
from cleanaudio.audio.stft import Istft, Stft, synthesis_window, window
from cleanaudio.backends.interface import Setup

# Power of the mean of n channels relative to the strongest, times n: identical channels give n, unrelated ones 1, one
# dead side of two 1/2, an inverted side 0. Between these marks the feed slides from the strongest channel to the mean.
_STRONGEST_BELOW, _MEAN_ABOVE = 0.2, 0.4
_SMOOTHING_S = 0.3
_SMOOTHING_BINS = 5
_TINY = np.float32(1e-30)
"""Keeps what silence leaves of a mean from becoming denormal, which is slow."""


def cancels(mean: float, strongest: float, channels: int) -> bool:
    """Return whether channels cancel each other so far that the strongest one must stand for them, not their mean.

    Parameters
    ----------
    mean, strongest : float
        Power or energy of the mean of the channels, and of the strongest channel.
    channels : int
    """
    return channels * mean < _STRONGEST_BELOW * strongest


class Feed:
    """The mono signal that linked channels are judged by, chosen bin by bin in the STFT domain.

    Parameters
    ----------
    channels : int
    hop_s : float
        Seconds from frame to frame.
    """

    def __init__(self, channels: int, hop_s: float) -> None:
        self._channels = channels
        self._step = np.float32(1 - np.exp(-hop_s / _SMOOTHING_S))
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._state: NDArray[np.floating] | None = None

    def __call__(self, spectra: NDArray[np.complex64]) -> NDArray[np.complex64]:
        """Take (channels, frames, bins), return the feed: (1, frames, bins)."""
        if self._channels == 1 or not spectra.shape[1]:
            return spectra[:1]
        mean = spectra.mean(axis=0)
        of_mean, of_each = np.split(self._smoothed(np.concatenate([mean[None], spectra])), [1])
        ratio = self._channels * of_mean[0] / of_each.max(axis=0)
        t, bin = np.nonzero(ratio < _MEAN_ABOVE)
        strongest = of_each[:, t, bin].argmax(axis=0)
        share = ((ratio[t, bin] - _STRONGEST_BELOW) / (_MEAN_ABOVE - _STRONGEST_BELOW)).clip(0, None)
        mean[t, bin] = share * mean[t, bin] + (1 - share) * spectra[strongest, t, bin]
        return mean[None]

    def _smoothed(self, spectra: NDArray[np.complex64]) -> NDArray[np.float32]:
        """Return powers that are smoothed over time and neighbouring bins, above zero, (signals, frames, bins)."""
        powers = spectra.real**2 + spectra.imag**2
        bins, reach = powers.shape[-1], _SMOOTHING_BINS // 2
        wider = np.pad(powers, ((0, 0), (0, 0), (reach, reach)), mode="edge")
        powers += _TINY  # of the centre
        for shift in (*range(reach), *range(reach + 1, _SMOOTHING_BINS)):
            powers += wider[..., shift : shift + bins]
        first, state = 0, self._state
        if state is None:
            sounds = (powers > _TINY).any(axis=(0, 2))
            if not sounds.any():
                return powers
            first = int(sounds.argmax())  # all bins begin with what the whole band says
            state = powers[:, first].mean(axis=-1, keepdims=True).repeat(bins, axis=-1)
        for t in range(first, powers.shape[1]):
            state = powers[:, t] = state + self._step * (powers[:, t] - state)
        self._state = state
        return powers


class LinkedTransform:
    """A :class:`~cleanaudio.audio.transform.Transform` that decides once on the feed and applies it to all channels.

    Parameters
    ----------
    decide : Transform
        Takes and returns the feed's spectra, or gains, (1, frames, bins).
    channels : int
    hop_s : float
    """

    def __init__(self, decide, channels: int, hop_s: float) -> None:
        self._decide = decide
        self._feed = Feed(channels, hop_s)
        self._channels = channels
        self.look_ahead = decide.look_ahead
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._decide.reset()
        self._feed.reset()
        self._waiting = Queue(np.zeros((self._channels, 0, 1), np.complex64), axis=-2)
        self._fed = Queue(np.zeros((1, 0, 1), np.complex64), axis=-2)

    def __call__(self, spectra: NDArray[np.complex64]) -> NDArray[np.complex64]:
        """Take and return (channels, frames, bins)."""
        feed = self._feed(spectra)
        self._waiting.push(spectra)
        self._fed.push(feed)
        return self._apply(self._decide(feed))

    def flush(self) -> NDArray[np.complex64]:
        """Return the frames that still waited."""
        return self._apply(self._decide.flush())

    def _apply(self, decided: NDArray[np.complex64]) -> NDArray[np.complex64]:
        count = decided.shape[1]
        heard = np.abs(self._fed.pop(count))
        gain = np.minimum(np.abs(decided) / np.maximum(heard, 1e-12), 1.0)
        return self._waiting.pop(count) * gain


class Linked:
    """A backend that only gives samples, linked: its STFT ratio |out| / |feed|, capped at 1, applied to all channels.

    Parameters
    ----------
    mono : Processor
        For one channel, at ``rate``.
    channels : int
    rate : int
    step : int
        Frames that ``mono`` waits for before it gives what belongs to them, as far as its latency includes them; 0
        where that is not known.
    """

    WINDOW_S, HOP_S = 0.02, 0.01

    def __init__(self, mono: Processor, channels: int, rate: int, step: int = 0) -> None:
        self._mono, self._channels = mono, channels
        hop = max(1, round(self.HOP_S * rate))
        size = 2 * hop
        analysis = window("sqrt-hann", size)
        synthesis = synthesis_window(analysis, hop)
        self._feed = Feed(channels, hop / rate)
        self._of_input = Stft(channels, analysis, hop)
        self._to_feed = Istft(1, synthesis, hop)
        self._of_feed = Stft(1, analysis, hop)
        self._of_output = Stft(1, analysis, hop)
        self._out = Istft(channels, synthesis, hop)
        self._hop, self._size = hop, size
        # A hop is waited for; the feed, which comes in whole hops, and the output are a hop behind by the overlap of
        # the windows. Of so many frames mono keeps back less than its latency, and of its output whole hops count.
        kept = mono.latency - (gcd(step, hop) if step else 0)
        self.latency = 3 * hop + -(-kept // hop) * hop
        self._clear()

    def _clear(self) -> None:
        self._taken = self._given = self._fed = 0
        bins = self._size // 2 + 1
        self._inputs = Queue(np.zeros((self._channels, 0, bins), np.complex64), axis=-2)
        self._feeds, self._outputs = (Queue(np.zeros((1, 0, bins), np.complex64), axis=-2) for _ in range(2))

    def reset(self) -> None:
        """Forget the signal."""
        for part in (self._mono, self._feed, self._of_input, self._to_feed, self._of_feed, self._of_output, self._out):
            part.reset()
        self._clear()

    def process(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take (channels, n), return (channels, m)."""
        self._taken += block.shape[1]
        return self._advance(block)

    def flush(self) -> NDArray[np.float32]:
        """Return the frames that are still owed."""
        pad = self._size - self._hop + -self._taken % self._hop
        parts = [self._advance(np.zeros((self._channels, pad), np.float32))]
        self._outputs.push(self._of_output.push(self._mono.flush()))
        tail = np.zeros((1, self._size), np.float32)
        self._feeds.push(self._of_feed.push(tail))
        self._outputs.push(self._of_output.push(tail))
        parts.append(self._combine())
        return np.concatenate(parts, axis=1)

    def _advance(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        spectra = self._of_input.push(block)
        self._inputs.push(spectra)
        feed = self._to_feed.push(self._feed(spectra))[:, : self._taken - self._fed]
        self._fed += feed.shape[1]
        self._feeds.push(self._of_feed.push(feed))
        self._outputs.push(self._of_output.push(self._mono.process(feed)))
        return self._combine()

    def _combine(self) -> NDArray[np.float32]:
        count = min(len(self._inputs), len(self._feeds), len(self._outputs))
        gain = np.abs(self._outputs.pop(count)) / np.maximum(np.abs(self._feeds.pop(count)), 1e-12)
        samples = self._out.push(self._inputs.pop(count) * np.minimum(gain, 1.0))
        samples = samples[:, : self._taken - self._given]
        self._given += samples.shape[1]
        return samples


class Independent:
    """One processor for each channel.

    Parameters
    ----------
    processors : sequence of Processor
        Each for one channel.
    """

    def __init__(self, processors: Sequence[Processor]) -> None:
        self._processors = processors
        self.latency = processors[0].latency

    def reset(self) -> None:
        """Forget the signal."""
        for processor in self._processors:
            processor.reset()

    def process(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take (channels, n), return (channels, m)."""
        return np.concatenate([p.process(row[None]) for p, row in zip(self._processors, block, strict=True)])

    def flush(self) -> NDArray[np.float32]:
        """Return the frames that are still owed."""
        return np.concatenate([processor.flush() for processor in self._processors])


def together_or_each(make: Callable[[int], Processor], setup: Setup) -> Processor:
    """Serve all channels of ``setup`` with a backend whose processors decide once on all channels that they take.

    Parameters
    ----------
    make : callable
        Takes a number of channels, returns a fresh processor.
    setup : Setup
    """
    if setup.linked or setup.channels == 1:
        return make(setup.channels)
    return Independent([make(1) for _ in range(setup.channels)])


def spread(processors: Sequence[Processor], setup: Setup, rate: int, step: int = 0) -> Processor:
    """Serve all channels of ``setup`` with a backend whose processors take one.

    Parameters
    ----------
    processors : sequence of Processor
        Fresh, each for one channel, as many as ``setup.decisions``.
    setup : Setup
    rate : int
        The processors' rate, Hz.
    step : int
        As of :class:`Linked`.
    """
    if setup.channels == 1:
        return processors[0]
    if setup.linked:
        return Linked(processors[0], setup.channels, rate, step)
    return Independent(processors)
