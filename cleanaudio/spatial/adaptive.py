"""Beamformers that learn from the recording, block by block: MVDR, GEV and multichannel Wiener filter.

A block of spectra is heard, its mask refined by spatial clustering, the covariances brought up to date with what is
remembered of the blocks before, the weights computed, and only then the block itself is filtered: a recording that
fits one block is filtered as a whole. From block to block the weights slide, so that nothing jumps: a mean of two
filters that leave the source alone leaves it alone.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.stft import Stft, window
from cleanaudio.errors import InputError, RecipeError
from cleanaudio.spatial import beamformers
from cleanaudio.spatial.clustering import cacgmm
from cleanaudio.spatial.covariance import Covariance, Recursive, condition, less_noise, loaded, rank_one, weighted_sum
from cleanaudio.spatial.masks import Mask, MaskEstimator
from cleanaudio.spatial.stream import Audio, Log, Spectra, SpectralStream, check_block, stft_sizes
from cleanaudio.spatial.threads import one_thread

Method = Literal["mvdr", "gev", "mwf"]
METHODS: tuple[Method, ...] = ("mvdr", "gev", "mwf")

WINDOW_S = 0.064
"""Of the STFT: as long as a room's early echoes, so that one weight a bin can follow them."""

_LEAST_S = 1.0  # a last block shorter than this is heard together with the one before
_LOADING = 1e-3


def beamforming_stft(rate: int) -> tuple[int, int]:
    """Return window and hop, in samples, of the STFT that :class:`MaskBeamformer` works in."""
    return stft_sizes(rate, WINDOW_S)


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
            raise InputError(f"the noise stretch {start_s:g} … {end_s:g} s ends after the recording of {seconds:.3f} s")
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


class MaskBeamformer(SpectralStream):
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
    reference : int, optional
        The microphone that the output is aligned with, counted from 0. Without one the first block decides.
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
        Of ``mwf``: more takes away more noise and more speech.
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
        reference: int | None = 0,
        steering: NDArray[np.complex128] | None = None,
        clustering: int = 3,
        block_s: float = 10.0,
        memory_s: float = 20.0,
        fade_s: float = 1.0,
        mu: float = 1.0,
        rank1: bool = False,
        every: bool = False,
        log: Log | None = None,
    ) -> None:
        if channels < 2:
            raise InputError(f"{method} needs two microphones or more, not {channels}")
        if method not in METHODS:
            raise RecipeError(f"no beamformer {method!r}", remedy=f"one of {', '.join(METHODS)}")
        if reference is not None and not 0 <= reference < channels:
            raise RecipeError(f"reference microphone {reference + 1} of {channels}")
        if (masks is None) == (noise is None):
            raise RecipeError(f"{method} learns from a mask or from a noise stretch: give one of them")
        if not (block_s >= 0.25 and memory_s > 0 and fade_s >= 0):
            raise RecipeError("a block is 0.25 s or longer, the memory more than 0 s")
        size, hop = beamforming_stft(rate)
        core = _Blocks(channels, size // 2 + 1, rate / hop, block_s, memory_s, fade_s)
        core.method, core.noise, core.steering, core.mu, core.rank1 = method, noise, steering, mu, rank1
        core.clustering, core.fixed_reference, core.every, core.log = clustering, reference, every, log
        core.reset()
        super().__init__(core, channels, channels if every else 1, size, hop)
        self._blocks, self._masks = core, masks

    @property
    def reference(self) -> int | None:
        """The reference microphone, counted from 0; None while the first block has not been heard."""
        return self._blocks.reference

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


class _Blocks:
    method: Method
    noise: Covariance | None
    steering: NDArray[np.complex128] | None
    mu: float
    rank1: bool
    clustering: int
    fixed_reference: int | None
    every: bool
    log: Log | None

    def __init__(
        self, channels: int, bins: int, frame_rate: float, block_s: float, memory_s: float, fade_s: float
    ) -> None:
        self._channels, self._bins, self._frame_rate = channels, bins, frame_rate
        self._block, self._fade = round(block_s * frame_rate), round(fade_s * frame_rate)
        self._least = round(min(_LEAST_S, block_s) * frame_rate)
        self.look_ahead = self._block + self._least
        self._speech = Recursive(channels, bins, memory_s * frame_rate)
        self._noise = Recursive(channels, bins, memory_s * frame_rate)

    def reset(self) -> None:
        """Forget the signal."""
        self._speech.reset()
        self._noise.reset()
        self._spectra: list[Spectra] = []
        self._masks: list[Mask] = []
        self._weights: NDArray[np.complex128] | None = None
        self._done = 0
        self.reference = self.fixed_reference

    def hear(self, masks: Mask) -> None:
        """Take the next masks."""
        self._masks.append(masks)

    def __call__(self, spectra: Spectra) -> Spectra:
        """Take (channels, frames, bins), return (outputs, frames, bins)."""
        self._spectra.append(spectra)
        return self._work(self._block + self._least)

    def flush(self) -> Spectra:
        """Return the rest."""
        return self._work(0)

    def _work(self, wanted: int) -> Spectra:
        out = [np.zeros((self._channels if self.every else 1, 0, self._bins), np.complex64)]
        while (ready := self._ready()) >= max(wanted, 1):
            count = self._block if ready >= self._block + self._least else ready
            spectra = np.concatenate(self._spectra, axis=1)
            self._spectra = [spectra[:, count:]]
            mask = None
            if self.noise is None:
                masks = np.concatenate(self._masks)
                mask, self._masks = masks[:count], [masks[count:]]
            with one_thread():
                out.append(self._filter(spectra[:, :count], mask))
        return np.concatenate(out, axis=1)

    def _ready(self) -> int:
        spectra = sum(part.shape[1] for part in self._spectra)
        return spectra if self.noise is not None else min(spectra, sum(len(part) for part in self._masks))

    def _filter(self, spectra: Spectra, mask: Mask | None) -> Spectra:
        speech, noise, share = self._covariances(spectra, mask)
        new = self._solve(speech, noise)
        old, self._weights = self._weights, new
        out = _filtered(new, spectra)
        count = spectra.shape[1]
        if old is not None and self._fade:
            fade = min(self._fade, count)
            # Raised cosine: it starts so gently that even what the old filter had cancelled does not step up.
            slide = (0.5 - 0.5 * np.cos(np.pi * (np.arange(fade) + 0.5) / fade)).astype(np.float32)[:, None]
            out[:, :fade] = slide * out[:, :fade] + (1 - slide) * _filtered(old, spectra[:, :fade])
        if self.log is not None:
            entry = {
                "start_s": self._done / self._frame_rate,
                "end_s": (self._done + count) / self._frame_rate,
                "reference": self.reference,
                "condition": float(np.median(condition(loaded(noise, _LOADING)))),
                "speech": share,
            }
            self.log(entry)
        self._done += count
        return out

    def _covariances(self, spectra: Spectra, mask: Mask | None) -> tuple[Covariance, Covariance, float | None]:
        if mask is None:
            assert self.noise is not None, "one of masks and noise is given"
            everything = np.ones(spectra.shape[1:], np.float32)
            noisy = self._speech.push(spectra, everything)
            return less_noise(noisy, loaded(self.noise, _LOADING, 1e-8)), self.noise, None
        if self.clustering:
            classes = np.stack([mask, 1 - mask])
            mask = cacgmm(spectra, classes, classes, self.clustering)[0]
        return self._speech.push(spectra, mask), self._noise.push(spectra, 1 - mask), float(mask.mean())

    def _solve(self, speech: Covariance, noise: Covariance) -> NDArray[np.complex128]:
        """Return the weights of each output, (outputs, bins, channels)."""
        if self.reference is None:
            self.reference = beamformers.best_reference(speech, noise, _LOADING)
        if self.rank1:
            speech = rank_one(speech, loaded(noise, _LOADING))
        references = range(self._channels) if self.every else (self.reference,)
        return np.stack([self._weights_for(reference, speech, noise) for reference in references])

    def _weights_for(self, reference: int, speech: Covariance, noise: Covariance) -> NDArray[np.complex128]:
        if self.steering is not None and self.method == "mvdr":
            return beamformers.capon(noise, self.steering / self.steering[:, reference, None], _LOADING)
        if self.method == "gev":
            return beamformers.gev(speech, noise, reference, _LOADING)
        if self.method == "mwf":
            return beamformers.multichannel_wiener(speech, noise, reference, self.mu, _LOADING)
        return beamformers.souden(speech, noise, reference, _LOADING)


def _filtered(weights: NDArray[np.complex128], spectra: Spectra) -> Spectra:
    """Return (outputs, frames, bins) of weights (outputs, bins, channels) and spectra (channels, frames, bins)."""
    return np.stack([beamformers.apply(one, spectra) for one in weights])
