"""Beamformers that learn from the recording, block by block: MVDR, GEV and multichannel Wiener filter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.array import check_block
from cleanaudio.audio.stft import Stft, sizes, window
from cleanaudio.audio.transform import SpectralProcessor
from cleanaudio.errors import InputError, RecipeError
from cleanaudio.spatial.blocks import Blocks, Method, Rule
from cleanaudio.spatial.covariance import Covariance, weighted_sum
from cleanaudio.spatial.masks import MaskEstimator
from cleanaudio.spatial.stream import Audio, Log

METHODS: tuple[Method, ...] = ("mvdr", "gev", "mwf")

WINDOW_S, HOP_S = 0.064, 0.016
"""Of the STFT: windows as long as a room's early echoes, so that one weight a bin can follow them."""


def beamforming_stft(rate: int) -> tuple[int, int]:
    """Return window and hop, in samples, of the STFT that :class:`MaskBeamformer` works in."""
    return sizes(rate, WINDOW_S, HOP_S)


class NoiseStretch:
    """The covariance of a stretch of the recording that holds noise only (``--noise-from``).

    Parameters
    ----------
    rate, channels : int
    start_s, end_s : float
    seconds : float
        Length of the recording.

    Raises
    ------
    InputError
        A stretch that is empty, outside the recording, or shorter than a window of the STFT.
    """

    def __init__(self, rate: int, channels: int, start_s: float, end_s: float, seconds: float) -> None:
        if not 0 <= start_s < end_s:
            raise InputError(
                f"the noise stretch {start_s:g} … {end_s:g} s is empty", remedy="give START-END in seconds"
            )
        if end_s > seconds + 1e-6:
            raise InputError(
                f"the noise stretch {start_s:g} … {end_s:g} s ends after the recording of {seconds:.3f} s",
                remedy="give START-END within the recording",
            )
        size, hop = beamforming_stft(rate)
        self.first, self.last = round(start_s * rate), round(end_s * rate)
        if self.last - self.first < size:
            raise InputError(
                f"the noise stretch {start_s:g} … {end_s:g} s is too short",
                remedy=f"at least {size / rate:.3f} s; half a second or more is better",
            )
        self._channels, self._at, self._count = channels, 0, 0
        self._stft = Stft(channels, window("sqrt-hann", size), hop)
        self._warm_up = size // hop - 1  # the frames that reach back before the stretch
        self._sum = np.zeros((size // 2 + 1, channels, channels), np.complex128)

    def push(self, block: Audio) -> None:
        """Take the next block of the recording, from its start on."""
        check_block(block, self._channels)
        inside = block[:, max(self.first - self._at, 0) : max(self.last - self._at, 0)]
        self._at += block.shape[1]
        spectra = self._stft.push(inside)
        skip = min(self._warm_up, spectra.shape[1])
        self._warm_up -= skip
        self._sum += weighted_sum(spectra[:, skip:])
        self._count += spectra.shape[1] - skip

    def mean(self) -> Covariance:
        """Return the covariance, (bins, channels, channels)."""
        return self._sum / max(self._count, 1)


class MaskBeamformer(SpectralProcessor):
    """MVDR, GEV or multichannel Wiener beamformer, from a mask or a noise stretch; one channel comes out, or all.

    Parameters
    ----------
    rate : int
        Hz.
    channels : int
        At least 2.
    masks : MaskEstimator, optional
        On the grid of :func:`beamforming_stft`.
    noise : ndarray, shape (bins, channels, channels), optional
        A fixed noise covariance (:class:`NoiseStretch`) instead of masks.
    method : {"mvdr", "gev", "mwf"}
    reference : int
        The microphone that the output is aligned with, counted from 0.
    steering : ndarray, shape (bins, channels), optional
        Known transfer function of the source, 1 at the reference: then ``mvdr`` is Capon's.
    clustering : int
        Iterations of spatial clustering on each block, guided by the mask; 0 uses the mask as it is.
    block_s : float
        Seconds that are heard before they are filtered, ≥ 0.25: the look-ahead.
    memory_s : float
        Time constant with which the past is forgotten.
    fade_s : float
        Over which the weights slide from those of the block before.
    mu : float
        Of ``mwf``: more takes away more noise and more speech. 1: least squared error; 5: better by measurement.
    rank1 : bool
        Reduce the speech covariance to rank one: a single source without reverberation.
    every : bool
        The source as each microphone hears it, a channel each, with a filter for each (the way of binaural
        beamformers: Doclo et al., IEEE Signal Processing Magazine 32(2), 2015).
    log : callable, optional
        Takes a dict per block: start_s, end_s, reference, condition (median over the bins), speech (mean mask).

    Raises
    ------
    InputError
        Fewer than two channels.
    RecipeError
        A method, reference or length that makes no sense, or neither masks nor noise.
    """

    def __init__(
        self,
        rate: int,
        channels: int,
        masks: MaskEstimator | None = None,
        *,
        noise: Covariance | None = None,
        method: Method = "mvdr",
        reference: int = 0,
        steering: NDArray[np.complex128] | None = None,
        clustering: int = 3,
        block_s: float = 10.0,
        memory_s: float = 20.0,
        fade_s: float = 1.0,
        mu: float = 5.0,
        rank1: bool = False,
        every: bool = False,
        log: Log | None = None,
    ) -> None:
        if channels < 2:
            raise InputError(f"{method} needs two microphones or more, not {channels}")
        if method not in METHODS:
            raise RecipeError(f"no beamformer {method!r}", remedy=f"one of {', '.join(METHODS)}")
        if not 0 <= reference < channels:
            raise RecipeError(f"reference microphone {reference + 1} of {channels}")
        if (masks is None) == (noise is None):
            raise RecipeError(f"{method} learns from a mask or from a noise stretch: give one of them")
        if not (block_s >= 0.25 and memory_s > 0 and fade_s >= 0):
            raise RecipeError("a block is 0.25 s or longer, the memory more than 0 s")
        size, hop = beamforming_stft(rate)
        rule = Rule(method, steering, mu, rank1, reference, every)
        core = Blocks(channels, size // 2 + 1, rule, rate / hop, block_s, memory_s, fade_s, noise, clustering, log)
        super().__init__(core, channels, window("sqrt-hann", size), hop, outputs=channels if every else 1)
        self._blocks, self._masks = core, masks
        if masks is not None:
            self.latency += masks.latency - size  # the window counts in both

    def process(self, block: Audio) -> Audio:
        """Take (channels, n), return (1, m), or (channels, m)."""
        check_block(block, self._channels)
        if self._masks is not None:
            self._blocks.hear(self._masks.process(block))
        return super().process(block)

    def flush(self) -> Audio:
        """Return the frames that are still owed."""
        if self._masks is not None:
            self._blocks.hear(self._masks.flush())
        return super().flush()

    def reset(self) -> None:
        """Forget the signal."""
        if self._masks is not None:
            self._masks.reset()
        super().reset()
