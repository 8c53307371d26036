"""Noisy and clean pairs, mixed on the fly on the training device.

Voices and noises are cut out, coloured and placed in rooms by the stock; a stock is then mixed several times over, each
time with other partners, levels, clipping and band limits: most of the work saved, at next to no loss of variety.

Batch number ``n`` of a seed is always the same, so that a resumed run goes on exactly where it stopped, and nothing
but the step needs to be remembered.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cleanaudio.train import augment
from cleanaudio.train.corpus import Corpus
from cleanaudio.train.mix import MixConfig
from cleanaudio.train.stock import Stock, Studio, column, flags

Parts = tuple[Tensor, Tensor, Tensor]
"""Voices, noises and targets of a batch, each (count, samples)."""


@dataclass(frozen=True)
class Batch:
    """Pairs.

    Parameters
    ----------
    noisy, target : Tensor, shape (count, samples), ±1
    bandwidth_hz : Tensor, shape (count,)
        Up to where the target is known.
    """

    noisy: Tensor
    target: Tensor
    bandwidth_hz: Tensor


class Mixer:
    """Makes batches.

    Parameters
    ----------
    speech, noise : Corpus
        At any rates.
    rooms : ndarray, shape (count, taps)
        Responses at ``config.rate``; the direct sound is within the first millisecond.
    config : MixConfig
    seed : int
    device : torch.device
    """

    def __init__(
        self,
        speech: Corpus,
        noise: Corpus,
        rooms: np.ndarray,
        config: MixConfig,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self.config, self.seed, self.device = config, seed, torch.device(device)
        self._studio = Studio(speech, noise, rooms, config, seed, self.device)
        self._kept: tuple[tuple[int, int], Stock] | None = None

    def batch(self, step: int, count: int) -> Batch:
        """Return batch ``step``: ``count`` pairs, always the same for one seed."""
        c = self.config
        number, use = divmod(step, c.stock * c.remix)
        stock = self._stocked(number, count)
        turn, place = divmod(use, c.stock)
        # Another order of the voices and of the noises for each turn through the stock.
        order = np.random.default_rng((self.seed, 2, number, turn))
        mine = slice(place * count, (place + 1) * count)
        voices = torch.from_numpy(order.permutation(len(stock.voice))[mine]).to(self.device)
        noises = torch.from_numpy(order.permutation(len(stock.noise))[mine]).to(self.device)
        choose = np.random.default_rng((self.seed, 1, step))
        voice, target = stock.voice[voices], stock.target[voices]
        noisy, target = self._mix(voice, stock.noise[noises], target, choose)
        return Batch(*self._narrowed(noisy, target, choose), stock.bandwidth_hz[voices])

    def _stocked(self, number: int, count: int) -> Stock:
        """Return stock ``number`` for batches of ``count``; the last one is kept."""
        if self._kept is None or self._kept[0] != (number, count):
            self._kept = None  # so that two never stand in memory
            self._kept = (number, count), self._studio.stock(number, count)
        return self._kept[1]

    def _narrowed(self, noisy: Tensor, target: Tensor, choose: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Narrow the band of a few pairs, as telephones and old recorders do."""
        c = self.config
        narrowed = np.flatnonzero(choose.random(len(noisy)) < c.low_pass_share)
        if not len(narrowed):
            return noisy, target
        index = torch.from_numpy(narrowed).to(self.device)
        cutoff = np.exp(choose.uniform(np.log(3400), np.log(min(16000, c.rate / 2)), len(narrowed)))
        gain = augment.low_pass(column(self.device, cutoff)[:, 0], self._studio.bins, c.rate)

        def limited(signal: Tensor) -> Tensor:
            spectrum = torch.fft.rfft(signal[index]) * gain
            return signal.index_copy(0, index, torch.fft.irfft(spectrum, self._studio.samples))

        return limited(noisy), limited(target)

    def _mix(self, voice: Tensor, noise: Tensor, target: Tensor, choose: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return noisy signals and targets at their levels, within full scale."""
        voice, noise, target = self._levelled(voice, noise, target, choose)
        voice, noise, target = self._left_alone(voice, noise, target, choose)
        noisy = voice + noise
        peak = torch.maximum(noisy.abs().amax(1, keepdim=True), target.abs().amax(1, keepdim=True))
        down = (0.99 / peak.clamp(min=1e-9)).clamp(max=1.0)
        return self._clipped(noisy * down, peak * down, choose), target * down

    def _levelled(self, voice: Tensor, noise: Tensor, target: Tensor, choose: np.random.Generator) -> Parts:
        """Bring voices to levels of speech, and noises to SNRs below them; targets go with their voices."""
        c = self.config
        count = len(voice)
        level = augment.active_level(voice, c.rate)
        wanted = column(self.device, 10 ** (choose.uniform(*c.speech_dbfs, count) / 20))
        gain = torch.where(level > 1e-5, wanted / level.clamp(min=1e-5), 0.0)
        snr_db = c.snr_db[0] + (c.snr_db[1] - c.snr_db[0]) * choose.random(count) ** c.snr_lean
        power = noise.square().mean(1, keepdim=True).sqrt().clamp(min=1e-4)
        return voice * gain, noise / power * wanted * column(self.device, 10 ** (-snr_db / 20)), target * gain

    def _left_alone(self, voice: Tensor, noise: Tensor, target: Tensor, choose: np.random.Generator) -> Parts:
        """Take the voice, the noise or both out of a few examples."""
        c = self.config
        draw = choose.random(len(voice))
        silent = draw < c.silent_share
        no_noise = silent | ((draw >= c.silent_share) & (draw < c.silent_share + c.clean_share))
        with_voice = column(self.device, ~(silent | (draw > 1 - c.noise_share)))
        return voice * with_voice, noise * column(self.device, ~no_noise), target * with_voice

    def _clipped(self, noisy: Tensor, peak: Tensor, choose: np.random.Generator) -> Tensor:
        """Clip a few signals, 1 to 10 dB below their peaks, softly or hard."""
        count = len(noisy)
        clipped = flags(self.device, choose, count, self.config.clip_share)
        threshold = peak * column(self.device, 10 ** (choose.uniform(-10, -1, count) / 20))
        hard = flags(self.device, choose, count, 0.5)
        return torch.where(clipped, augment.clip_softly(noisy, threshold.clamp(min=1e-6), hard), noisy)
