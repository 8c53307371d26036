"""The core of the beamformers that learn, in the domain of the STFT: a block is heard, learned from, then filtered.

A block's mask is refined by spatial clustering, the covariances are brought up to date with what is remembered of the
blocks before, the weights computed, and only then the block itself is filtered: a recording that fits one block is
filtered as a whole. From block to block the weights slide, so that nothing jumps: a mean of two filters that leave
the source alone leaves it alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.queue import Queue
from cleanaudio.audio.transform import Spectra
from cleanaudio.spatial import beamformers
from cleanaudio.spatial.clustering import cacgmm
from cleanaudio.spatial.covariance import Covariance, Recursive, condition, less_noise, loaded, power, rank_one
from cleanaudio.spatial.masks import Mask
from cleanaudio.spatial.stream import Log
from cleanaudio.spatial.threads import one_thread

Method = Literal["mvdr", "gev", "mwf"]

_LEAST_S = 1.0  # a last block shorter than this is heard together with the one before
_LOADING = 1e-3


@dataclass(frozen=True)
class Rule:
    """How weights are made of covariances: see :class:`cleanaudio.spatial.adaptive.MaskBeamformer`."""

    method: Method
    steering: NDArray[np.complex128] | None
    mu: float
    rank1: bool
    reference: int
    every: bool

    def weights(self, reference: int, speech: Covariance, noise: Covariance) -> NDArray[np.complex128]:
        """Return the weights, (bins, channels), that keep the voice as one microphone hears it."""
        if self.steering is not None and self.method == "mvdr":
            return beamformers.capon(noise, self.steering / self.steering[:, reference, None], _LOADING)
        if self.method == "gev":
            return beamformers.gev(speech, noise, reference, _LOADING)
        if self.method == "mwf":
            return beamformers.multichannel_wiener(speech, noise, reference, self.mu, _LOADING)
        return beamformers.souden(speech, noise, reference, _LOADING)


class Blocks:
    """The core: hears a block, learns from it, filters it."""

    def __init__(
        self,
        channels: int,
        bins: int,
        rule: Rule,
        frame_rate: float,
        block_s: float,
        memory_s: float,
        fade_s: float,
        noise: Covariance | None,
        clustering: int,
        log: Log | None,
    ) -> None:
        self._channels, self._outputs, self._bins = channels, channels if rule.every else 1, bins
        self._rule, self._known, self._clustering, self._log = rule, noise, clustering, log
        self._frame_rate = frame_rate
        seconds = block_s, fade_s, min(_LEAST_S, block_s)
        self._block, self._fade, self._least = (round(each * frame_rate) for each in seconds)
        self.look_ahead = self._block + self._least
        self._speech, self._noise = (Recursive(channels, bins, memory_s * frame_rate) for _ in range(2))
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._speech.reset()
        self._noise.reset()
        self._spectra = Queue(np.zeros((self._channels, 0, self._bins), np.complex64), axis=-2)
        self._masks = Queue(np.zeros((0, self._bins), np.float32), axis=-2)
        self._weights: NDArray[np.complex128] | None = None
        self._done = 0

    def hear(self, masks: Mask) -> None:
        """Take the next masks."""
        self._masks.push(masks)

    def __call__(self, spectra: Spectra) -> Spectra:
        """Take (channels, frames, bins), return (outputs, frames, bins)."""
        self._spectra.push(spectra)
        return self._work(self._block + self._least)

    def flush(self) -> Spectra:
        """Return the rest."""
        return self._work(0)

    def _work(self, wanted: int) -> Spectra:
        out = [np.zeros((self._outputs, 0, self._bins), np.complex64)]
        while (ready := self._ready()) >= max(wanted, 1):
            count = self._block if ready >= self._block + self._least else ready
            mask = self._masks.pop(count) if self._known is None else None
            with one_thread():
                out.append(self._filter(self._spectra.pop(count), mask))
        return np.concatenate(out, axis=1)

    def _ready(self) -> int:
        return len(self._spectra) if self._known is not None else min(len(self._spectra), len(self._masks))

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
        if self._log is not None:
            entry = {
                "start_s": self._done / self._frame_rate,
                "end_s": (self._done + count) / self._frame_rate,
                "reference": self._rule.reference,
                "condition": float(np.median(condition(loaded(noise, _LOADING)))),
                "speech": share,
            }
            self._log(entry)
        self._done += count
        return out

    def _covariances(self, spectra: Spectra, mask: Mask | None) -> tuple[Covariance, Covariance, float | None]:
        if mask is None:
            assert self._known is not None, "one of masks and noise is given"
            everything = np.ones(spectra.shape[1:], np.float32)
            noisy = self._speech.push(spectra, everything)
            # As in the filters: where the stretch is silent, the load comes from what is heard, far below it.
            noise = loaded(self._known, _LOADING, 1e-8 * power(noisy))
            return less_noise(noisy, noise), self._known, None
        if self._clustering:
            mask = cacgmm(spectra, np.stack([mask, 1 - mask]), self._clustering)[0]
        return self._speech.push(spectra, mask), self._noise.push(spectra, 1 - mask), float(mask.mean())

    def _solve(self, speech: Covariance, noise: Covariance) -> NDArray[np.complex128]:
        """Return the weights of each output, (outputs, bins, channels)."""
        if self._rule.rank1:
            speech = rank_one(speech, loaded(noise, _LOADING))
        references = range(self._outputs) if self._rule.every else (self._rule.reference,)
        return np.stack([self._rule.weights(reference, speech, noise) for reference in references])


def _filtered(weights: NDArray[np.complex128], spectra: Spectra) -> Spectra:
    """Return (outputs, frames, bins) of weights (outputs, bins, channels) and spectra (channels, frames, bins)."""
    return np.stack([beamformers.apply(one, spectra) for one in weights])
