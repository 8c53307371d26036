"""How much a listener is disturbed, in the manner of PESQ (ITU-T P.862), such that a network can learn from it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanaudio.train.bands import gathering

BANDS = 49  # as in the wide-band form of the standard
HIGHEST_HZ = 8000.0
SPEECH_HZ = 300.0, 3400.0  # where levels are compared
SPEECH_DB = 79.0  # sound pressure level at which everything is heard
LOUDNESS = 0.1866  # so that a tone of 1 kHz and 40 dB has one sone
STRETCH_FRAMES = 20
SMOOTHING = 0.8, 0.16, 0.032, 0.008  # over frames, the newest first


class Disturbance(nn.Module):
    """Loudness of what was added to speech and of what was taken from it, weighted as listeners do.

    Powers are gathered in bands of equal width on the Bark scale, become loudness, and differ; what masks the
    difference is taken off, and what was added costs more than what was taken away. Left out of the standard are its
    alignment in time and its filter of the input: nothing here is late, and nothing comes out of a telephone.

    Sources: ITU-T P.862 (2001), sections 10.2.2 to 10.2.9; Beerends et al. (2002), "PESQ, Part II"; Martín-Doñas et
    al. (2018), "A Deep Learning Loss Function Based on the Perceptual Evaluation of the Speech Quality". The threshold
    in quiet is that of Terhardt (1979), the Bark scale that of Traunmüller (1990).

    Parameters
    ----------
    rate : int
        Hz.
    size : int
        Window of the spectra, in samples; about 32 ms serve best.
    hop : int
        Samples from frame to frame.
    """

    gather: Tensor
    quiet: Tensor
    exponent: Tensor
    speech: Tensor

    def __init__(self, rate: int, size: int, hop: int) -> None:
        super().__init__()
        self.stretch = max(2, round(STRETCH_FRAMES * 0.016 * rate / hop) // 2 * 2)
        edges = torch.linspace(_bark(0.0), _bark(min(HIGHEST_HZ, rate / 2)), BANDS + 1)
        centre = (edges[1:] + edges[:-1]) / 2
        self.width = float(edges[1] - edges[0])
        self.register_buffer("gather", gathering(rate, size, *_hertz(edges).unfold(0, BANDS, 1)), persistent=False)
        self.register_buffer("quiet", 10 ** (_quiet_db(_hertz(centre)) / 10), persistent=False)
        # Low bands grow louder faster (Zwicker's power is 0.23 above 4 Bark).
        steeper = torch.where(centre < 4, (6 / (centre.clamp(min=0) + 2)).clamp(max=2.0) ** 0.15, 1.0)
        self.register_buffer("exponent", 0.23 * steeper, persistent=False)
        frequency = torch.linspace(0, rate / 2, size // 2 + 1)
        speech = (frequency > SPEECH_HZ[0]) & (frequency < SPEECH_HZ[1])
        self.register_buffer("speech", speech.float(), persistent=False)

    def forward(self, power_e: Tensor, power_t: Tensor) -> Tensor:
        """Return by how much the score falls: about 0 for the same up to 4 and more, before it is mapped to opinions.

        Parameters
        ----------
        power_e, power_t : Tensor, shape (batch, frames, bins)
            Powers of the spectra of estimate and target, in any unit.

        Returns
        -------
        Tensor, shape (batch,)
            Zero where the target is silent.
        """
        alive = (power_t * self.speech).mean((1, 2)) > 1e-9
        heard_t, heard_e = (self._heard(power) for power in (power_t, power_e))
        heard_t = heard_t * self._colour(heard_e, heard_t)
        heard_e = heard_e * self._gain(heard_e, heard_t)
        loud_t, loud_e = (self._loudness(heard) for heard in (heard_t, heard_e))
        # What differs by less than a quarter of the softer one is masked by it.
        difference = ((loud_e - loud_t).abs() - 0.25 * torch.minimum(loud_e, loud_t)).clamp(min=0)
        added = ((heard_e + 50) / (heard_t + 50)) ** 1.2
        added = torch.where(added < 3, 0.0, added.clamp(max=12))
        total = self.width * BANDS
        both = total * (difference.square().mean(2) + 1e-12).sqrt()
        new = total * (difference * added).mean(2)
        # Disturbances count more where the voice pauses, and a frame can be no worse than lost.
        weight = ((heard_t.sum(2) + 1e5) / 1e7) ** 0.04
        both, new = ((frames / weight).clamp(max=45) for frames in (both, new))
        fall = 0.1 * self._over_time(both) + 0.0309 * self._over_time(new)
        return torch.where(alive, fall, torch.zeros_like(fall))

    def _colour(self, heard_e: Tensor, heard_t: Tensor) -> Tensor:
        """Return factors, (batch, 1, bands), that take the long-term spectrum of the target to that of the estimate."""
        clear_t, clear_e = (heard * (heard > 100 * self.quiet) for heard in (heard_t, heard_e))
        spoken = (clear_t.sum(2, keepdim=True) > 1e7).float()
        count = spoken.sum(1, keepdim=True).clamp(min=1)
        mean_t, mean_e = ((clear * spoken).sum(1, keepdim=True) / count for clear in (clear_t, clear_e))
        return ((mean_e + 1000) / (mean_t + 1000)).clamp(0.01, 100)

    def _gain(self, heard_e: Tensor, heard_t: Tensor) -> Tensor:
        """Return factors, (batch, frames, 1), that take the estimate through the target's changes of level."""
        audible_t, audible_e = ((heard * (heard > self.quiet)).sum(2) for heard in (heard_t, heard_e))
        ratio = (audible_t + 5e3) / (audible_e + 5e3)
        before = functional.pad(ratio[:, None], (len(SMOOTHING) - 1, 0), mode="replicate")
        smooth = functional.conv1d(before, ratio.new_tensor(SMOOTHING[::-1])[None, None])[:, 0]
        return smooth.clamp(3e-4, 5)[:, :, None]

    def _heard(self, power: Tensor) -> Tensor:
        """Return power in bands, (batch, frames, bands), with speech at the level at which it is listened to."""
        level = (power * self.speech).sum(2).mean(1)
        scale = 10 ** (SPEECH_DB / 10) / (level + 1e-9)
        return torch.matmul(power * scale[:, None, None], self.gather)

    def _loudness(self, heard: Tensor) -> Tensor:
        """Return loudness in sone per Bark (Zwicker & Feldtkeller 1967)."""
        above = (0.5 + 0.5 * heard / self.quiet).clamp(min=1.0)
        return LOUDNESS * (self.quiet / 0.5) ** self.exponent * (above**self.exponent - 1)

    def _over_time(self, frames: Tensor) -> Tensor:
        """Return one number for each of (batch, frames): stretches count by their worst moments."""
        length = min(self.stretch, frames.shape[1])
        stretches = frames.unfold(1, length, max(length // 2, 1)) + 1e-4
        return stretches.pow(6).mean(2).pow(1 / 6).square().mean(1).sqrt()


def _bark(hertz: float) -> float:
    """Traunmüller (1990), eq. 6."""
    return 26.81 * hertz / (1960 + hertz) - 0.53


def _hertz(bark: Tensor) -> Tensor:
    return 1960 * (bark + 0.53) / (26.28 - bark)


def _quiet_db(hertz: Tensor) -> Tensor:
    """Return the threshold in quiet in dB SPL (Terhardt 1979, eq. 1)."""
    kilo = (hertz / 1000).clamp(min=0.02)
    return 3.64 * kilo**-0.8 - 6.5 * torch.exp(-0.6 * (kilo - 3.3) ** 2) + 1e-3 * kilo**4
