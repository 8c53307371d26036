"""Changes of a batch of signals, all on the device where the signals are."""

from __future__ import annotations

import torch
from scipy.fft import next_fast_len
from torch import Generator, Tensor


def excerpts(flat: Tensor, start: Tensor, length: Tensor, offset: Tensor, step: Tensor, samples: int) -> Tensor:
    """Cut excerpts out of one long row of samples, each read at its own speed, through the Fourier transform.

    What a track has below half of the lower rate comes out at its level, and nothing else: neither images of a track
    that was sampled more slowly, nor aliases of one that is read faster.

    Parameters
    ----------
    flat : Tensor, shape (all samples,), int16
    start, length : Tensor, shape (count,), int64
        Where each excerpt's track lies; reading wraps round at its end.
    offset : Tensor, shape (count,), int64
        Where in the track to begin.
    step : Tensor, shape (count,), float64
        Samples of the track for each sample that comes out; kept to some thousandths, for transforms of sizes that
        are fast.
    samples : int

    Returns
    -------
    Tensor, shape (count, samples), float32, ±1
    """
    rows = []
    for begin, size, first, speed in zip(*(each.tolist() for each in (start, length, offset, step)), strict=True):
        taken = next_fast_len(max(1, round(samples * speed)))
        index = (torch.arange(first, first + taken, device=flat.device) % size) + begin
        spectrum = torch.fft.rfft(flat[index].float())
        rows.append(torch.fft.irfft(spectrum, samples) * (samples / taken / 32768))
    return torch.stack(rows)


def equaliser(generator: Generator, count: int, bins: int, rate: int, spread_db: float, band_hz: float) -> Tensor:
    """Return random smooth frequency responses.

    Parameters
    ----------
    generator : Generator
    count, bins : int
        How many, and over how many bins from 0 to half the rate.
    rate : int
    spread_db : float
        Standard deviation of the knots of the curve, which are an octave apart.
    band_hz : float
        Knots stand from 50 Hz to here.

    Returns
    -------
    Tensor, shape (count, bins)
        Gains.
    """
    device = generator.device
    low, high = torch.tensor(50.0, device=device).log2(), torch.tensor(band_hz, device=device).log2()
    knots = int(torch.ceil(high - low)) + 1
    heights = spread_db * torch.randn(count, knots, generator=generator, device=device)
    frequency = torch.linspace(0, rate / 2, bins, device=device).clamp(min=50.0, max=band_hz)
    place = (frequency.log2() - low) / (high - low) * (knots - 1)
    left = place.long().clamp(max=knots - 2)
    part = place - left
    return 10 ** ((heights[:, left] * (1 - part) + heights[:, left + 1] * part) / 20)


def low_pass(cutoff_hz: Tensor, bins: int, rate: int) -> Tensor:
    """Return gains of shape (count, bins) that fall from one to zero over the last tenth below each cut-off."""
    frequency = torch.linspace(0, rate / 2, bins, device=cutoff_hz.device)
    return ((cutoff_hz[:, None] - frequency) / (0.1 * cutoff_hz[:, None])).clamp(0, 1)


def active_level(signal: Tensor, rate: int) -> Tensor:
    """Return the RMS of the frames of 32 ms that are less than 25 dB below the strongest; shape (count, 1)."""
    size = rate * 32 // 1000
    frames = signal[:, : signal.shape[1] // size * size].reshape(len(signal), -1, size)
    power = frames.square().mean(-1)
    active = power > power.amax(1, keepdim=True) * 10**-2.5
    return ((power * active).sum(1) / active.sum(1).clamp(min=1)).sqrt()[:, None]


def shift_formants(signal: Tensor, ratio: Tensor, rate: int) -> Tensor:
    """Move the spectral envelope and leave the pitch.

    The envelope is the smoothed log spectrum of each frame (cepstrum up to 1.2 ms); each frame is multiplied with its
    stretched envelope over the old one.

    Parameters
    ----------
    signal : Tensor, shape (count, samples)
    ratio : Tensor, shape (count,)
        Formants' new frequency over the old.
    rate : int

    Returns
    -------
    Tensor, shape (count, samples)
    """
    size = 2 ** round(torch.log2(torch.tensor(rate * 0.04)).item())
    hann = torch.hann_window(size, device=signal.device)
    spectra = torch.stft(signal, size, size // 4, window=hann, return_complex=True)
    logs = (spectra.abs() + 1e-5).log().transpose(1, 2)
    cepstra = torch.fft.irfft(logs, size)
    keep = int(rate * 0.0012)
    cepstra[..., keep : size - keep + 1] = 0
    envelope = torch.fft.rfft(cepstra).real
    bins = torch.arange(envelope.shape[-1], device=signal.device)
    place = (bins / ratio[:, None]).clamp(max=envelope.shape[-1] - 1.001)
    left = place.long()
    part = (place - left)[:, None]
    index = left[:, None].expand(envelope.shape)
    moved = envelope.gather(2, index) * (1 - part) + envelope.gather(2, index + 1) * part
    gain = (moved - envelope).clamp(-3, 3).exp().transpose(1, 2)
    return torch.istft(spectra * gain, size, size // 4, window=hann, length=signal.shape[1])


def clip_softly(signal: Tensor, threshold: Tensor, hard: Tensor) -> Tensor:
    """Limit each signal at ``threshold`` (count, 1): cut off where ``hard`` (count, 1) is true, rounded elsewhere."""
    cut = signal.clamp(-threshold, threshold)
    return torch.where(hard, cut, threshold * torch.tanh(signal / threshold))
