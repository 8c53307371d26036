"""Voices and noises by the stock: cut out of the recordings, coloured and placed in rooms, ready to be mixed."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from cleanaudio.train import augment, synthetic
from cleanaudio.train.corpus import Corpus, Track
from cleanaudio.train.mix import MixConfig


@dataclass(frozen=True)
class Stock:
    """Voices as the microphone hears them, what is wanted of them, and noises; none of them levelled yet.

    Parameters
    ----------
    voice, target : Tensor, shape (count, samples)
        At the levels of the recordings, of full scale ±1.
    bandwidth_hz : Tensor, shape (count,)
        Up to where the target is known.
    noise : Tensor, shape (count, samples)
        Of about unit RMS: more or less, where it was coloured or a second one came to it.
    """

    voice: Tensor
    target: Tensor
    bandwidth_hz: Tensor
    noise: Tensor


class Pool:
    """The tracks of a corpus with the chance of each group and track, and the samples on the device.

    Parameters
    ----------
    corpus : Corpus
    device : torch.device
    power : float
        A group is drawn with a weight of its length to this power: 0 favours none, 1 goes by length.
    """

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
        """Return excerpts of tracks.

        Parameters
        ----------
        tracks : list of Track
        offsets : list of int
            Where in each track to begin, in its samples.
        speeds : list of float
            Above 1 shorter and higher.
        samples, rate : int
            How many to return of each, at which rate in Hz.

        Returns
        -------
        Tensor, shape (count, samples), float32, ±1
        """
        device = self.samples.device
        whole = [[t.start, t.length, offset] for t, offset in zip(tracks, offsets, strict=True)]
        start, length, offset = torch.tensor(whole, dtype=torch.int64, device=device).reshape(-1, 3).T
        steps = [track.rate / rate * speed for track, speed in zip(tracks, speeds, strict=True)]
        step = torch.tensor(steps, dtype=torch.float64, device=device)
        return augment.excerpts(self.samples, start, length, offset, step, samples)


class Studio:
    """Makes stocks; see :class:`cleanaudio.train.data.Mixer` for the parameters."""

    def __init__(
        self, speech: Corpus, noise: Corpus, rooms: np.ndarray, config: MixConfig, seed: int, device: torch.device
    ) -> None:
        self.config, self.seed, self.device = config, seed, device
        self._speech = Pool(speech, device, power=0.25)
        self._noise = Pool(noise, device, power=0.5)
        self._rooms = torch.from_numpy(rooms).to(device)
        self._mixed_bands = self._speech.has(True) and self._speech.has(False) and config.rate > 16000
        self.samples = round(config.rate * config.seconds)
        self.bins = self.samples // 2 + 1

    def stock(self, number: int, count: int) -> Stock:
        """Return stock ``number``: enough for ``config.stock`` batches of ``count``, always the same for one seed."""
        parts = [self._part(number * self.config.stock + part, count) for part in range(self.config.stock)]
        return Stock(*(torch.cat([getattr(part, item.name) for part in parts]) for item in fields(Stock)))

    def _part(self, number: int, count: int) -> Stock:
        choose = np.random.default_rng((self.seed, 0, number))
        paint = torch.Generator(self.device).manual_seed(int(choose.integers(2**62)))
        voice, bandwidth = self._voices(choose, count)
        if self.config.formant_share:
            voice = self._move_formants(voice, choose)
        voice, target = self._through_rooms(voice, choose, paint, bandwidth)
        return Stock(voice, target, bandwidth, self._coloured(self._noises(choose, paint, count), choose, paint))

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
        chosen = flags(self.device, choose, len(voice), self.config.formant_share)[:, 0].nonzero()[:, 0]
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
            gain = column(self.device, 10 ** (choose.uniform(-12, 3, len(second)) / 20))
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
            out[member] = (voices / level * column(self.device, 10 ** (choose.uniform(-8, 0, talkers) / 20))).sum(0)
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
        spectrum = torch.fft.rfft(voice) * augment.low_pass(bandwidth, self.bins, c.rate)
        coloured = flags(self.device, choose, count, c.equaliser_share)
        curve = augment.equaliser(paint, count, self.bins, c.rate, 3.0, min(16000.0, c.rate / 2))
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
        curve = augment.equaliser(paint, len(changed), self.bins, c.rate, 4.0, min(16000.0, c.rate / 2))
        spectrum = torch.fft.rfft(noise[index]) * curve
        inside = np.flatnonzero(choose.random(len(changed)) < c.noise_room_share)
        if len(inside):
            picked = torch.from_numpy(choose.integers(len(self._rooms), size=len(inside))).to(self.device)
            room = torch.fft.rfft(self._rooms[picked][:, : self.samples], self.samples)
            within = torch.from_numpy(inside).to(self.device)
            spectrum = spectrum.index_copy(0, within, spectrum[within] * room)
        return noise.index_copy(0, index, torch.fft.irfft(spectrum, self.samples))


def flags(device: torch.device, choose: np.random.Generator, count: int, share: float) -> Tensor:
    """Return which of ``count`` examples something happens to, shape (count, 1)."""
    return torch.from_numpy(choose.random(count) < share).to(device)[:, None]


def column(device: torch.device, values: np.ndarray) -> Tensor:
    """Return one number for each example, shape (count, 1)."""
    return torch.from_numpy(np.asarray(values, np.float32)).to(device)[:, None]
