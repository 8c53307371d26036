"""Dereverberation of a recording, streaming: WPE block by block, and late-reverberation suppression.

WPE needs several microphones, or a long recording, to learn the room; what is left of the reverberation, all of it
where a clip is too short to learn anything, is taken by the suppressor where there is one channel. Frame by frame there
is the suppressor alone: recursive WPE, with it or without, was worse by every measure.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from cleanaudio.audio.processor import Processor, Series
from cleanaudio.audio.queue import Queue
from cleanaudio.audio.stft import sizes, window
from cleanaudio.audio.transform import Spectra, SpectralProcessor
from cleanaudio.errors import RecipeError
from cleanaudio.spatial.late_reverb import LateReverb
from cleanaudio.spatial.wpe import FRAMES_PER_TAP, affordable_taps, check, wpe

WINDOW_S, HOP_S = 0.032, 0.008
DELAY = 5
"""Frames between the present and the past that predicts it: the two share no sample (a window is four), and what
arrives within 40 ms of the direct sound, which helps a listener, stays. Three are usual; five are better by
measurement, the more the microphones."""
REVISION = 3
"""Raised whenever the samples that come out change; part of the recipe's hash."""
_OVERLAP_S = 1.0  # of two blocks, over which one filter gives way to the next


class BlockWpe:
    """WPE over blocks with an overlap in which the two estimates cross over; a short recording is one block.

    Parameters
    ----------
    channels, bins : int
    frame_rate : float
        Frames per second.
    taps, delay, iterations : int
    strength : float
        0 … 1: share of the predicted reverberation that is taken away.
    block_s : float
        Made longer where so many taps and channels need more frames, and never shorter than 2 s.
    """

    def __init__(
        self,
        channels: int,
        bins: int,
        frame_rate: float,
        taps: int = 10,
        delay: int = DELAY,
        iterations: int = 3,
        strength: float = 1.0,
        block_s: float = 15.0,
    ) -> None:
        check(taps, delay, iterations)
        self._parameters = taps, delay, iterations
        self._channels, self._bins, self._strength = channels, bins, np.float32(strength)
        self._overlap = round(_OVERLAP_S * frame_rate)
        enough = FRAMES_PER_TAP * taps * channels + delay
        self._block = max(round(block_s * frame_rate), enough, 2 * self._overlap)
        self.look_ahead = self._block + self._overlap
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._held = Queue(np.zeros((self._channels, 0, self._bins), np.complex64), axis=-2)
        self._fading: Spectra | None = None

    def __call__(self, spectra: Spectra) -> Spectra:
        """Take and return (channels, frames, bins)."""
        self._held.push(spectra)
        out = [np.zeros((self._channels, 0, self._bins), np.complex64)]
        # What follows a block is at least an overlap long, so that no filter is learned from a mere rest.
        while len(self._held) >= self._block + self._overlap:
            out.append(self._clean(self._block, last=False))
        return np.concatenate(out, axis=1)

    def flush(self) -> Spectra:
        """Return the rest."""
        return self._clean(len(self._held), last=True)

    def _clean(self, count: int, last: bool) -> Spectra:
        if not count:
            return self._held.pop(0)
        taps, delay, iterations = self._parameters
        taps = affordable_taps(taps, self._channels, count, delay)
        block = self._held.peek(count)
        cleaned = block.copy()
        if taps:
            cleaned -= self._strength * wpe(block, taps, delay, iterations).astype(np.complex64)
        if self._fading is not None:
            fade = min(self._fading.shape[1], count)
            slide = ((np.arange(fade) + 0.5) / fade).astype(np.float32)[:, None]
            cleaned[:, :fade] = slide * cleaned[:, :fade] + (1 - slide) * self._fading[:, :fade]
        done = count if last else count - self._overlap
        self._fading = None if last else cleaned[:, done:]
        self._held.pop(done)
        return cleaned[:, :done]


def check_strength(strength: float) -> None:
    """Raise RecipeError unless the strength is 0 … 1."""
    if not 0 <= strength <= 1:
        raise RecipeError(f"a dereverberation strength of {strength:g} is outside 0 … 1")


def default_taps(channels: int) -> int:
    """Return the length of the prediction filter, in frames: one channel wants more past than many."""
    return {1: 30, 2: 20, 3: 14}.get(channels, 10)


def dereverb(
    rate: int,
    channels: int,
    strength: float = 1.0,
    *,
    method: Literal["auto", "wpe", "suppress"] = "auto",
    taps: int | None = None,
    delay: int = DELAY,
    iterations: int = 3,
    t60_s: float | None = None,
    linked: bool = False,
    block_s: float = 15.0,
) -> Processor:
    """Return a stream that takes reverberation away: as many channels come out as go in, aligned.

    Parameters
    ----------
    rate, channels : int
    strength : float
        0 … 1; 0 leaves the signal as it is.
    method : {"auto", "wpe", "suppress"}
        ``wpe`` in blocks, ``suppress`` late reverberation by spectral subtraction, frame by frame; ``auto`` is ``wpe``,
        followed by ``suppress`` where there is one channel.
    taps, delay, iterations : int
        Of WPE, in frames of 8 ms.
    t60_s : float, optional
        For ``suppress``; estimated without it.
    linked : bool
        For ``suppress``: one gain for all channels.
    block_s : float

    Raises
    ------
    RecipeError
        Parameters out of range, or another method.
    """
    check_strength(strength)
    size, hop = sizes(rate, WINDOW_S, HOP_S)
    analysis = window("sqrt-hann", size)
    bins, taps = size // 2 + 1, default_taps(channels) if taps is None else taps

    def suppressor() -> Processor:
        rule = LateReverb(rate, channels, size, hop, strength, t60_s, linked)
        return SpectralProcessor(rule, channels, analysis, hop)

    if method == "suppress":
        return suppressor()
    if method not in ("auto", "wpe"):
        raise RecipeError(f"no dereverberation {method!r}", remedy="auto, wpe or suppress")
    blocks = BlockWpe(channels, bins, rate / hop, taps, delay, iterations, strength, block_s)
    by_wpe = SpectralProcessor(blocks, channels, analysis, hop)
    return Series([by_wpe, suppressor()]) if method == "auto" and channels == 1 else by_wpe
