"""Noisy and clean pairs, mixed on the fly on the training device.

Voices and noises are cut out, coloured and placed in rooms by the stock; a stock is then mixed several times over, each
time with other partners, levels, clipping and band limits: most of the work saved, at next to no loss of variety.

Batch number ``n`` of a seed is always the same, so that a resumed run goes on exactly where it stopped, and nothing
but the step needs to be remembered.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from cleanaudio.train import augment, synthetic
from cleanaudio.train.corpus import Corpus, Track


@dataclass(frozen=True)
class MixConfig:
    """How pairs are made. Probabilities are 0 … 1.

    Parameters
    ----------
    rate : int
        Hz.
    seconds : float
        Length of an excerpt.
    wide_share : float
        Share of the voices that reach beyond half of 16 kHz, where there are such.
    speech_dbfs, snr_db : tuple of float
        Ranges of the active speech level and of active speech over mean noise.
    snr_lean : float
        Above 1 favours low SNR: the range is drawn with the power of a uniform number.
    speed : tuple of float
        Range of the change of pitch, formants and tempo together.
    formant_share, formants
        How often, and how far the formants move by themselves.
    room_share, noise_room_share : float
        How often the voice, and the noise, stand in a room.
    target : {"room", "early"}
        Whether the target keeps the room or only its first 50 ms.
    two_noises, synthetic_share, babble_share : float
    equaliser_share, low_pass_share, clip_share : float
    clean_share, noise_share, silent_share : float
        Examples without noise, without voice, without both.
    stock : int
        Batches whose voices and noises are prepared together.
    remix : int
        How often each of them is mixed.
    """

    rate: int = 48000
    seconds: float = 3.0
    wide_share: float = 0.4
    speech_dbfs: tuple[float, float] = (-40.0, -12.0)
    snr_db: tuple[float, float] = (-8.0, 30.0)
    snr_lean: float = 1.3
    speed: tuple[float, float] = (0.84, 1.19)
    formant_share: float = 0.25
    formants: tuple[float, float] = (0.87, 1.15)
    room_share: float = 0.35
    noise_room_share: float = 0.3
    target: str = "room"
    two_noises: float = 0.3
    synthetic_share: float = 0.15
    babble_share: float = 0.07
    equaliser_share: float = 0.6
    low_pass_share: float = 0.12
    clip_share: float = 0.05
    clean_share: float = 0.04
    noise_share: float = 0.04
    silent_share: float = 0.005
    stock: int = 8
    remix: int = 4


@dataclass(frozen=True)
class Batch:
    """Pairs.

    Parameters
    ----------
    noisy, target : Tensor, shape (count, samples)
    bandwidth_hz : Tensor, shape (count,)
        Up to where the target is known.
    """

    noisy: Tensor
    target: Tensor
    bandwidth_hz: Tensor


@dataclass(frozen=True)
class _Stock:
    """Voices as the microphone hears them, what is wanted of them, and noises; none of them levelled yet."""

    voice: Tensor
    target: Tensor
    bandwidth_hz: Tensor
    noise: Tensor


class _Pool:
    """The tracks of a corpus with the chance of each group and track, and the samples on the device."""

    def __init__(self, corpus: Corpus, device: torch.device, power: float) -> None:
        self.samples = torch.from_numpy(np.asarray(corpus.samples)).to(device)
        groups: dict[str, list[Track]] = {}
        for track in corpus.tracks:
            groups.setdefault(track.group, []).append(track)
        self.groups = list(groups.values())
        seconds = np.array([sum(t.length / t.rate for t in group) for group in self.groups])
        self.chances = seconds**power / np.sum(seconds**power)

    def draw(self, generator: np.random.Generator, wide: bool | None = None) -> Track:
        """Return a track: a group first, then one of its tracks by length (a minute counts as much as an hour)."""
        while True:
            group = self.groups[generator.choice(len(self.groups), p=self.chances)]
            if wide is not None:
                group = [track for track in group if (track.bandwidth_hz > 8000) == wide]
            if group:
                weights = np.array([min(track.length / track.rate, 60.0) for track in group])
                return group[generator.choice(len(group), p=weights / weights.sum())]

    def has(self, wide: bool) -> bool:
        """Whether there are tracks on this side of 8 kHz."""
        return any((track.bandwidth_hz > 8000) == wide for group in self.groups for track in group)

    def read(self, tracks: list[Track], offsets: list[int], speeds: list[float], samples: int, rate: int) -> Tensor:
        """Return excerpts, (count, samples)."""
        device = self.samples.device
        whole = [[t.start, t.length, offset] for t, offset in zip(tracks, offsets, strict=True)]
        start, length, offset = torch.tensor(whole, dtype=torch.int64, device=device).reshape(-1, 3).T
        steps = [track.rate / rate * speed for track, speed in zip(tracks, speeds, strict=True)]
        step = torch.tensor(steps, dtype=torch.float64, device=device)
        return augment.excerpts(self.samples, start, length, offset, step, samples)


class Mixer:
    """Makes batches.

    Parameters
    ----------
    speech, noise : Corpus
        At any rates.
    rooms : ndarray, shape (count, taps)
        Responses at ``config.rate``, the direct sound first.
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
        self._speech = _Pool(speech, self.device, power=0.25)
        self._noise = _Pool(noise, self.device, power=0.5)
        self._rooms = torch.from_numpy(rooms).to(self.device)
        self._mixed_bands = self._speech.has(True) and self._speech.has(False) and config.rate > 16000
        self.samples = round(config.rate * config.seconds)
        self._bins = self.samples // 2 + 1
        self._kept: tuple[tuple[int, int], _Stock] | None = None

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

    def _stocked(self, number: int, count: int) -> _Stock:
        """Return stock ``number`` for batches of ``count``; the last one is kept."""
        if self._kept is None or self._kept[0] != (number, count):
            self._kept = None  # so that two never stand in memory
            parts = [self._prepared(number * self.config.stock + part, count) for part in range(self.config.stock)]
            whole = (torch.cat([getattr(part, item.name) for part in parts]) for item in fields(_Stock))
            self._kept = (number, count), _Stock(*whole)
        return self._kept[1]

    def _prepared(self, number: int, count: int) -> _Stock:
        """Make ``count`` voices and noises."""
        choose = np.random.default_rng((self.seed, 0, number))
        paint = torch.Generator(self.device).manual_seed(int(choose.integers(2**62)))
        voice, bandwidth = self._voices(choose, count)
        if self.config.formant_share:
            voice = self._move_formants(voice, choose)
        voice, target = self._through_rooms(voice, choose, paint, bandwidth)
        return _Stock(voice, target, bandwidth, self._coloured(self._noises(choose, paint, count), choose, paint))

    def _voices(self, choose: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
        c = self.config
        tracks, offsets, speeds = [], [], []
        for _ in range(count):
            wide = bool(choose.random() < c.wide_share) if self._mixed_bands else None
            track = self._speech.draw(choose, wide)
            tracks.append(track)
            offsets.append(int(choose.integers(track.length)))
            speeds.append(float(np.exp(choose.uniform(*np.log(c.speed)))))
        band = [min(t.bandwidth_hz * s, c.rate / 2) for t, s in zip(tracks, speeds, strict=True)]
        voice = self._speech.read(tracks, offsets, speeds, self.samples, c.rate)
        return voice, torch.tensor(band, device=self.device)

    def _move_formants(self, voice: Tensor, choose: np.random.Generator) -> Tensor:
        chosen = self._flags(choose, len(voice), self.config.formant_share)[:, 0].nonzero()[:, 0]
        if not len(chosen):
            return voice
        low, high = np.log(self.config.formants)
        ratios = np.exp(choose.uniform(low, high, len(chosen)))
        ratio = torch.tensor(ratios, dtype=torch.float32, device=self.device)
        return voice.index_copy(0, chosen, augment.shift_formants(voice[chosen], ratio, self.config.rate))

    def _noises(self, choose: np.random.Generator, paint: torch.Generator, count: int) -> Tensor:
        total = self._one_noise(choose, paint, count)
        second = np.flatnonzero(choose.random(count) < self.config.two_noises)
        if len(second):
            more = self._one_noise(choose, paint, len(second))
            gain = self._column(10 ** (choose.uniform(-12, 3, len(second)) / 20))
            index = torch.from_numpy(second).to(self.device)
            total = total.index_add(0, index, more * gain)
        return total

    def _one_noise(self, choose: np.random.Generator, paint: torch.Generator, count: int) -> Tensor:
        """Return noises of unit RMS: recorded, made, or babble of the training voices."""
        c = self.config
        draws = choose.random(count)
        out = torch.zeros(count, self.samples, device=self.device)
        made = np.flatnonzero(draws < c.synthetic_share)
        babble = np.flatnonzero((draws >= c.synthetic_share) & (draws < c.synthetic_share + c.babble_share))
        recorded = np.flatnonzero(draws >= c.synthetic_share + c.babble_share)
        kinds = choose.integers(len(synthetic.KINDS), size=len(made))
        for kind in np.unique(kinds):
            members = made[kinds == kind]
            out[torch.from_numpy(members)] = synthetic.KINDS[kind](paint, len(members), self.samples, c.rate)
        for member in babble:
            talkers = int(choose.integers(4, 9))
            tracks = [self._speech.draw(choose) for _ in range(talkers)]
            offsets = [int(choose.integers(t.length)) for t in tracks]
            speeds = [float(choose.uniform(0.85, 1.2)) for _ in tracks]
            voices = self._speech.read(tracks, offsets, speeds, self.samples, c.rate)
            level = augment.active_level(voices, c.rate).clamp(min=1e-4)
            out[member] = (voices / level * self._column(10 ** (choose.uniform(-8, 0, talkers) / 20))).sum(0)
        if len(recorded):
            tracks = [self._noise.draw(choose) for _ in recorded]
            offsets = [int(choose.integers(t.length)) for t in tracks]
            speeds = [float(np.exp(choose.uniform(np.log(0.75), np.log(1.33)))) for _ in tracks]
            out[torch.from_numpy(recorded)] = self._noise.read(tracks, offsets, speeds, self.samples, c.rate)
        out = out - out.mean(1, keepdim=True)
        return out / out.square().mean(1, keepdim=True).sqrt().clamp(min=1e-4)

    def _through_rooms(
        self,
        voice: Tensor,
        choose: np.random.Generator,
        paint: torch.Generator,
        bandwidth: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Band-limit, colour and place the voice; returns what the microphone hears of it, and the target."""
        c = self.config
        count = len(voice)
        spectrum = torch.fft.rfft(voice) * augment.low_pass(bandwidth, self._bins, c.rate)
        coloured = self._flags(choose, count, c.equaliser_share)
        curve = augment.equaliser(paint, count, self._bins, c.rate, 3.0, min(16000.0, c.rate / 2))
        spectrum = spectrum * torch.where(coloured, curve, 1.0)
        spectrum[:, 0] = 0
        heard, target = spectrum, spectrum
        inside = np.flatnonzero(choose.random(count) < c.room_share)
        if len(inside):
            index = torch.from_numpy(inside).to(self.device)
            rooms = self._rooms[torch.from_numpy(choose.integers(len(self._rooms), size=len(inside))).to(self.device)]
            room = torch.fft.rfft(rooms[:, : self.samples], self.samples)
            heard = spectrum.index_copy(0, index, spectrum[index] * room)
            target = heard
            if c.target == "early":
                early = rooms[:, : self.samples].clone()
                early[:, int(0.05 * c.rate) :] = 0
                target = spectrum.index_copy(0, index, spectrum[index] * torch.fft.rfft(early, self.samples))
        out = torch.fft.irfft(heard, self.samples)
        return out, out if target is heard else torch.fft.irfft(target, self.samples)

    def _coloured(self, noise: Tensor, choose: np.random.Generator, paint: torch.Generator) -> Tensor:
        """Colour most noises, and place some of them in a room."""
        c = self.config
        changed = np.flatnonzero(choose.random(len(noise)) < c.equaliser_share)
        if not len(changed):
            return noise
        index = torch.from_numpy(changed).to(self.device)
        curve = augment.equaliser(paint, len(changed), self._bins, c.rate, 4.0, min(16000.0, c.rate / 2))
        spectrum = torch.fft.rfft(noise[index]) * curve
        inside = np.flatnonzero(choose.random(len(changed)) < c.noise_room_share)
        if len(inside):
            picked = torch.from_numpy(choose.integers(len(self._rooms), size=len(inside))).to(self.device)
            room = torch.fft.rfft(self._rooms[picked][:, : self.samples], self.samples)
            within = torch.from_numpy(inside).to(self.device)
            spectrum = spectrum.index_copy(0, within, spectrum[within] * room)
        return noise.index_copy(0, index, torch.fft.irfft(spectrum, self.samples))

    def _narrowed(self, noisy: Tensor, target: Tensor, choose: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Narrow the band of a few pairs, as telephones and old recorders do."""
        c = self.config
        narrowed = np.flatnonzero(choose.random(len(noisy)) < c.low_pass_share)
        if not len(narrowed):
            return noisy, target
        index = torch.from_numpy(narrowed).to(self.device)
        cutoff = np.exp(choose.uniform(np.log(3400), np.log(min(16000, c.rate / 2)), len(narrowed)))
        gain = augment.low_pass(self._column(cutoff)[:, 0], self._bins, c.rate)

        def limited(signal: Tensor) -> Tensor:
            spectrum = torch.fft.rfft(signal[index]) * gain
            return signal.index_copy(0, index, torch.fft.irfft(spectrum, self.samples))

        return limited(noisy), limited(target)

    def _mix(self, voice: Tensor, noise: Tensor, target: Tensor, choose: np.random.Generator) -> tuple[Tensor, Tensor]:
        c = self.config
        count = len(voice)
        level = augment.active_level(voice, c.rate)
        wanted = self._column(10 ** (choose.uniform(*c.speech_dbfs, count) / 20))
        gain = torch.where(level > 1e-5, wanted / level.clamp(min=1e-5), 0.0)
        snr_db = c.snr_db[0] + (c.snr_db[1] - c.snr_db[0]) * choose.random(count) ** c.snr_lean
        power = noise.square().mean(1, keepdim=True).sqrt().clamp(min=1e-4)
        noise = noise / power * wanted * self._column(10 ** (-snr_db / 20))
        draw = choose.random(count)
        silent = draw < c.silent_share
        no_voice = silent | (draw > 1 - c.noise_share)
        no_noise = silent | ((draw >= c.silent_share) & (draw < c.silent_share + c.clean_share))
        gain = gain * self._column(~no_voice)
        noise = noise * self._column(~no_noise)
        target = target * gain
        noisy = voice * gain + noise
        peak = torch.maximum(noisy.abs().amax(1, keepdim=True), target.abs().amax(1, keepdim=True))
        down = (0.99 / peak.clamp(min=1e-9)).clamp(max=1.0)
        noisy, target = noisy * down, target * down
        clipped = self._flags(choose, count, c.clip_share)
        threshold = peak * down * self._column(10 ** (choose.uniform(-10, -1, count) / 20))
        hard = self._flags(choose, count, 0.5)
        return torch.where(clipped, augment.clip_softly(noisy, threshold.clamp(min=1e-6), hard), noisy), target

    def _flags(self, choose: np.random.Generator, count: int, share: float) -> Tensor:
        return torch.from_numpy(choose.random(count) < share).to(self.device)[:, None]

    def _column(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.asarray(values, np.float32)).to(self.device)[:, None]
