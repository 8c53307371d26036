"""Noises made from a seed: coloured, hum, fans, clicks and wind, in batches on the training device."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor


def _uniform(generator: Generator, count: int, low: float, high: float) -> Tensor:
    return torch.rand(count, 1, generator=generator, device=generator.device) * (high - low) + low


def _shaped(generator: Generator, gain: Tensor, samples: int) -> Tensor:
    """Return Gaussian noise whose spectrum has the given magnitudes, shape (count, samples // 2 + 1)."""
    shape = (*gain.shape, 2)
    spectrum = torch.view_as_complex(torch.randn(shape, generator=generator, device=generator.device))
    return torch.fft.irfft(spectrum * gain, samples)


def _frequency(samples: int, rate: int, generator: Generator) -> Tensor:
    return torch.fft.rfftfreq(samples, 1 / rate, device=generator.device)[None].clamp(min=20.0)


def coloured(generator: Generator, count: int, samples: int, rate: int) -> Tensor:
    """Noise that falls or rises by −12 … +3 dB per octave."""
    slope = _uniform(generator, count, -2.0, 0.5)
    return _shaped(generator, (_frequency(samples, rate, generator) / 1000) ** slope, samples)


def hum(generator: Generator, count: int, samples: int, rate: int) -> Tensor:
    """Mains hum of 50 or 60 Hz with harmonics of random strength, over a little hiss."""
    time = torch.arange(samples, device=generator.device) / rate
    mains = torch.where(_uniform(generator, count, 0, 1) < 0.5, 50.0, 60.0) * _uniform(generator, count, 0.998, 1.002)
    total = 0.02 * torch.randn(count, samples, generator=generator, device=generator.device)
    fall = _uniform(generator, count, 0.3, 1.2)
    for harmonic in range(1, 25):
        strength = _uniform(generator, count, 0, 1) ** 2 * harmonic**-fall
        phase = _uniform(generator, count, 0, 2 * math.pi)
        total = total + strength * torch.sin(2 * math.pi * harmonic * mains * time + phase)
    return total


def fan(generator: Generator, count: int, samples: int, rate: int) -> Tensor:
    """A band of noise with a few steady tones and a slow beat."""
    frequency = _frequency(samples, rate, generator)
    centre, width = _uniform(generator, count, math.log(80), math.log(3000)), _uniform(generator, count, 0.4, 1.5)
    band = _shaped(generator, torch.exp(-(((frequency.log() - centre) / width) ** 2)) + 0.01, samples)
    band = band / band.square().mean(1, keepdim=True).sqrt()
    time = torch.arange(samples, device=generator.device) / rate
    beat = 1 + _uniform(generator, count, 0, 0.4) * torch.sin(2 * math.pi * _uniform(generator, count, 0.3, 12) * time)
    for _ in range(3):
        tone = torch.exp(_uniform(generator, count, math.log(60), math.log(6000)))
        band = band + _uniform(generator, count, 0, 0.6) * torch.sin(2 * math.pi * tone * time)
    return band * beat


def clicks(generator: Generator, count: int, samples: int, rate: int) -> Tensor:
    """Taps at random moments: each a short resonance, as keys, clicks and knocks make."""
    density = torch.exp(_uniform(generator, count, math.log(0.5), math.log(12))) / rate
    device = generator.device
    moments = torch.rand(count, samples, generator=generator, device=device) < density
    strength = torch.randn(count, samples, generator=generator, device=device) * moments
    time = torch.arange(samples, device=device) / rate
    pitch = torch.exp(_uniform(generator, count, math.log(200), math.log(6000)))
    decay = torch.exp(_uniform(generator, count, math.log(30), math.log(800)))
    ring = torch.sin(2 * math.pi * pitch * time) * torch.exp(-decay * time)
    ring = ring + 0.5 * torch.randn(count, samples, generator=generator, device=device) * torch.exp(-4 * decay * time)
    return torch.fft.irfft(torch.fft.rfft(strength) * torch.fft.rfft(ring), samples)


def wind(generator: Generator, count: int, samples: int, rate: int) -> Tensor:
    """Low rumble in gusts."""
    frequency = _frequency(samples, rate, generator)
    corner = _uniform(generator, count, 60, 400)
    rumble = _shaped(generator, 1 / (1 + (frequency / corner) ** 2), samples)
    rumble = rumble / rumble.square().mean(1, keepdim=True).sqrt()
    slow = torch.randn(count, 12, generator=generator, device=generator.device)
    gust = torch.nn.functional.interpolate(slow[:, None], samples, mode="linear", align_corners=True)[:, 0]
    return rumble * torch.exp(_uniform(generator, count, 0.3, 1.5) * gust)


KINDS = (coloured, hum, fan, clicks, wind)
