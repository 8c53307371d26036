"""Training losses. All losses take (batch, samples) or spectra of it and stay finite on silence."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cleanaudio.networks.spectrum import band_mask
from cleanaudio.train.config import WINDOW_SECONDS, TrainConfig
from cleanaudio.train.disturbance import Disturbance
from cleanaudio.train.intelligibility import Intelligibility


def si_snr(energy_e: Tensor, energy_t: Tensor, cross: Tensor, floor: float = 1e-3) -> Tensor:
    """Return the scale-invariant signal-to-noise ratio in dB (Le Roux et al. 2019, eq. 1), without removing the mean.

    Parameters
    ----------
    energy_e, energy_t, cross : Tensor, shape (batch,)
        Energies of estimate and target, and their inner product, of signals or of spectra.
    floor : float
        Share of the explained energy that is added to the error's, so that a perfect estimate has a finite value.

    Returns
    -------
    Tensor, shape (batch,)
        Zero where the target is silent.
    """
    explained = cross.square() / (energy_t + 1e-8)
    error = (energy_e - explained).clamp(min=0)
    ratio = (explained + 1e-6 * energy_t) / (error + floor * explained + 1e-6 * energy_t + 1e-12)
    return torch.where(energy_t > 1e-6, 10 * torch.log10(ratio + 1e-9), torch.zeros_like(ratio))


def level_error(energy_t: Tensor, cross: Tensor) -> Tensor:
    """Return by how many dB the voice is too loud or too soft: (batch,), zero where the target is silent.

    Neither spectra nor SI-SNR mind the level much, and a network that leaves some noise everywhere gains by turning
    everything down.

    Parameters
    ----------
    energy_t, cross : Tensor, shape (batch,)
        Energy of the target, and inner product of estimate and target.
    """
    along = (cross / (energy_t + 1e-8)).clamp(min=0.03)
    return torch.where(energy_t > 1e-6, (20 * torch.log10(along)).abs(), torch.zeros_like(along))


def compressed(
    estimate: Tensor, target: Tensor, weight: Tensor | None = None, power: float = 0.3
) -> tuple[Tensor, Tensor]:
    """Return the mean squared errors of compressed magnitudes and of compressed complex spectra.

    Braun & Tashev 2021, eqs. 4 and 5.

    Parameters
    ----------
    estimate, target : Tensor, shape (batch, frames, bins), complex
    weight : Tensor, broadcast with (batch, frames, bins), optional
        Mean one over what counts.
    power : float

    Returns
    -------
    tuple of Tensor
        Magnitude error, complex error.
    """
    size_e, size_t = (_power(estimate) + 1e-8).sqrt(), (_power(target) + 1e-8).sqrt()
    small_e, small_t = size_e**power, size_t**power
    magnitude = (small_e - small_t).square()
    scale_e, scale_t = small_e / size_e, small_t / size_t
    parts = (estimate.real * scale_e - target.real * scale_t).square()
    parts = parts + (estimate.imag * scale_e - target.imag * scale_t).square()
    if weight is not None:
        magnitude, parts = magnitude * weight, parts * weight
    return magnitude.mean(), parts.mean()


class SpectralLoss(nn.Module):
    """Compressed spectral errors in several resolutions, with more weight where hearing resolves more.

    Parameters
    ----------
    sizes : sequence of int
        Windows in samples; the hop is half of it.
    rate : int
    complex_share : float
        Weight of the complex error; the magnitude's is one minus it.
    """

    def __init__(self, sizes: Sequence[int], rate: int, complex_share: float) -> None:
        super().__init__()
        self.sizes, self.rate, self.complex_share = tuple(sizes), rate, complex_share
        for size in self.sizes:
            self.register_buffer(f"window_{size}", torch.hann_window(size), persistent=False)
            self.register_buffer(f"weight_{size}", erb_weights(size // 2 + 1, rate), persistent=False)

    def forward(self, estimate: Tensor, target: Tensor) -> Tensor:
        """Take (batch, samples) of about unit level, return the loss."""
        total = estimate.new_zeros(())
        for size in self.sizes:
            whole = estimate.shape[1] // size * size
            hann = getattr(self, f"window_{size}")
            spectra_e, spectra_t = (_spectra(signal[:, :whole], hann) for signal in (estimate, target))
            magnitude, parts = compressed(spectra_e, spectra_t, getattr(self, f"weight_{size}"))
            total = total + (1 - self.complex_share) * magnitude + self.complex_share * parts
        return total / len(self.sizes)


class Listener(nn.Module):
    """What a listener would miss and mind: measures after PESQ and ESTOI, which networks learn from where they weigh.

    Parameters
    ----------
    rate : int
    size, hop : int
        Of the spectra, in samples.
    config : TrainConfig
        What the parts weigh.
    """

    def __init__(self, rate: int, size: int, hop: int, config: TrainConfig) -> None:
        super().__init__()
        self.config = config
        self.disturbance = Disturbance(rate, size, hop)
        self.intelligibility = Intelligibility(rate, size, hop)

    @property
    def minds(self) -> bool:
        """Whether anything weighs."""
        return self.config.disturbance_weight > 0 or self.config.intelligibility_weight > 0

    def forward(self, power_e: Tensor, power_t: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Take powers of spectra of about unit level, (batch, frames, bins); return the loss and its parts."""
        loss, parts = power_e.new_zeros(()), {}
        if self.config.disturbance_weight:
            parts["disturbance"] = self.disturbance(power_e, power_t).mean()
            loss = loss + self.config.disturbance_weight * parts["disturbance"]
        if self.config.intelligibility_weight:
            parts["intelligibility"] = self.intelligibility(power_e, power_t).mean()
            loss = loss + self.config.intelligibility_weight * (1 - parts["intelligibility"])
        return loss, {name: part.detach() for name, part in parts.items()}


class EnhancementLoss(nn.Module):
    """Spectral loss plus SI-SNR and level, over the whole band: the network leaves out what lies above the target's.

    Parameters
    ----------
    rate : int
    sizes : sequence of int
        Windows of the spectral loss.
    config : TrainConfig
        What the parts weigh.
    """

    window: Tensor

    def __init__(self, rate: int, sizes: Sequence[int], config: TrainConfig) -> None:
        super().__init__()
        self.config = config
        self.spectral = SpectralLoss(sizes, rate, config.complex_share)
        size = int(WINDOW_SECONDS / 2 * rate) * 2
        self.register_buffer("window", torch.hann_window(size), persistent=False)
        self.listener = Listener(rate, size, size // 2, config)

    def forward(self, estimate: Tensor, target: Tensor, noisy: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss and its parts.

        Parameters
        ----------
        estimate, target, noisy : Tensor, shape (batch, samples)
        """
        level = (target.square().mean(1) + 0.01 * noisy.square().mean(1) + 1e-7).sqrt()[:, None]
        estimate, target = estimate.float() / level, target / level
        spectral = self.spectral(estimate, target)
        energy_t, cross = target.square().sum(1), (estimate * target).sum(1)
        loss, parts = _weighed(self.config, spectral, estimate.square().sum(1), energy_t, cross)
        if self.listener.minds:  # its spectra cost something
            missed, heard = self.listener(*(_power(_spectra(signal, self.window)) for signal in (estimate, target)))
            loss, parts = loss + missed, parts | heard
        return loss, parts


class FrameLoss(nn.Module):
    """The same on the very spectra that a network makes: no way back and forth, so it costs a fraction.

    Parameters
    ----------
    rate : int
    size : int
        Window of the spectra, in samples.
    config : TrainConfig
        What the parts weigh.
    hop : int, optional
        Samples from frame to frame; half the window where it is left out.
    """

    weight: Tensor

    def __init__(self, rate: int, size: int, config: TrainConfig, hop: int | None = None) -> None:
        super().__init__()
        self.rate, self.config = rate, config
        self.register_buffer("weight", erb_weights(size // 2 + 1, rate), persistent=False)
        self.listener = Listener(rate, size, hop or size // 2, config)

    def forward(
        self, estimate: Tensor, target: Tensor, noisy: Tensor, bandwidth_hz: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss and its parts.

        Parameters
        ----------
        estimate, target, noisy : Tensor, shape (batch, frames, bins), complex
        bandwidth_hz : Tensor, shape (batch,)
            What the estimate holds above it does not count.
        """
        counts = self.weight * band_mask(bandwidth_hz, self.weight.shape[0], self.rate)
        power_t = _power(target)
        level = power_t.mean((1, 2)) + 0.01 * _power(noisy).mean((1, 2)) + 1e-7
        scale = (counts > 0) / level[:, None, None]
        power_e, power_t = _power(estimate) * scale, power_t * scale
        cross = (estimate.real * target.real + estimate.imag * target.imag) * scale
        # As ``compressed``, with the squares multiplied out: the spectra themselves are not needed any more.
        small_e, factor_e = _compressed_power(power_e)
        small_t, factor_t = _compressed_power(power_t)
        share = self.config.complex_share
        common = (1 - share) * small_e * small_t + share * factor_e * factor_t * cross
        spectral = (counts * (small_e.square() + small_t.square() - 2 * common)).mean()
        energy_t, cross = power_t.sum((1, 2)), cross.sum((1, 2))
        loss, parts = _weighed(self.config, spectral, power_e.sum((1, 2)), energy_t, cross)
        missed, heard = self.listener(power_e, power_t)
        return loss + missed, parts | heard


def _weighed(
    config: TrainConfig, spectral: Tensor, energy_e: Tensor, energy_t: Tensor, cross: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return spectral error, SI-SNR and level as one loss, and each; the energies as :func:`si_snr` takes them."""
    ratio = si_snr(energy_e, energy_t, cross).mean()
    error = level_error(energy_t, cross).mean()
    loss = spectral - config.si_snr_weight * ratio + config.level_weight * error
    return loss, {"spectral": spectral.detach(), "si_snr_db": ratio.detach(), "level_db": error.detach()}


def _spectra(signal: Tensor, window: Tensor) -> Tensor:
    """Return spectra of half-overlapping frames, of about unit level for (batch, samples) of it."""
    size = len(window)
    return torch.fft.rfft(signal.unfold(1, size, size // 2) * window) * (2 / size) ** 0.5


def _compressed_power(power: Tensor) -> tuple[Tensor, Tensor]:
    """Return magnitudes to the power 0.3 of spectra, and the factors that take the spectra there."""
    power = power + 1e-8
    factor = power**-0.35
    return power.sqrt() * factor, factor


def erb_weights(bins: int, rate: int) -> Tensor:
    """Return weights of mean one for bins from zero to half the rate: the root of how densely hearing resolves there.

    The density is that of the equivalent rectangular bandwidths of Glasberg & Moore (1990), eq. 3.
    """
    frequency = torch.linspace(0, rate / 2, bins)
    weight = (24.7 * (4.37 * frequency / 1000 + 1)) ** -0.5
    return weight / weight.mean()


def ideal_mask(kind: str, target: Tensor, noisy: Tensor) -> Tensor:
    """Return what a mask should be.

    Parameters
    ----------
    kind : {"irm", "ibm", "psm"}
        Ideal ratio mask (Wang & Chen 2018, eq. 3, β = 0.5), ideal binary mask (eq. 2, at 0 dB), phase-sensitive mask
        (Erdogan et al. 2015, eq. 5) cut to 0 … 1.
    target, noisy : Tensor, complex
        Spectra.

    Returns
    -------
    Tensor
        Real, of the same shape.
    """
    speech, noise = _power(target), _power(noisy - target)
    if kind == "irm":
        return (speech / (speech + noise + 1e-10)).sqrt()
    if kind == "ibm":
        return (speech > noise).float()
    along = target.real * noisy.real + target.imag * noisy.imag
    return (along / (_power(noisy) + 1e-10)).clamp(0, 1)


def _power(spectra: Tensor) -> Tensor:
    return spectra.real.square() + spectra.imag.square()
