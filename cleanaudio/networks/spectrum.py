"""The short-time Fourier transform of ``cleanaudio.audio.stft`` for torch: batches of whole signals, differentiable."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Spectrum(nn.Module):
    """Analysis and synthesis with half-overlapping frames, or any other overlap that divides the window.

    Parameters
    ----------
    window : ndarray or Tensor, shape (window,)
        Analysis window.
    hop : int
        Samples from frame to frame; divides the window.
    """

    analysis: Tensor
    synthesis: Tensor

    def __init__(self, window: Tensor, hop: int) -> None:
        super().__init__()
        analysis = torch.as_tensor(window, dtype=torch.float32)
        self.size, self.hop = len(analysis), hop
        if self.size % hop:
            raise ValueError(f"hop {hop} does not divide the window {self.size}")
        energy = analysis.double().square().reshape(-1, hop).sum(0).repeat(self.size // hop)
        self.register_buffer("analysis", analysis, persistent=False)
        self.register_buffer("synthesis", (analysis / energy).float(), persistent=False)

    def frames(self, samples: int) -> int:
        """Return how many frames cover a signal of so many samples."""
        return -(-samples // self.hop) + self.size // self.hop - 1

    def forward(self, signal: Tensor) -> Tensor:
        """Analyse.

        Parameters
        ----------
        signal : Tensor, shape (batch, samples)

        Returns
        -------
        Tensor, shape (batch, frames, bins), complex64
            Frame ``t`` covers the samples from ``t * hop - (window - hop)`` on.
        """
        lead = self.size - self.hop
        tail = (self.frames(signal.shape[1]) - 1) * self.hop + self.size - lead - signal.shape[1]
        padded = functional.pad(signal.float(), (lead, tail))
        return torch.fft.rfft(padded.unfold(1, self.size, self.hop) * self.analysis)

    def inverse(self, spectra: Tensor, samples: int) -> Tensor:
        """Return the signal of shape (batch, samples) of spectra of shape (batch, frames, bins)."""
        pieces = torch.fft.irfft(spectra, self.size) * self.synthesis
        batch, count, _ = pieces.shape
        periods = self.size // self.hop
        pieces = pieces.reshape(batch, count, periods, self.hop)
        shifted = [functional.pad(pieces[:, :, p], (0, 0, p, periods - 1 - p)) for p in range(periods)]
        return torch.stack(shifted).sum(0).reshape(batch, -1)[:, self.size - self.hop :][:, :samples]


class RealSpectrum(nn.Module):
    """The same transform as products with cosines and sines: slower, but every ONNX runtime can do it.

    Parameters
    ----------
    window : ndarray or Tensor, shape (window,)
        Analysis window.
    hop : int
        Divides the window.
    """

    forth: Tensor
    back: Tensor

    def __init__(self, window: Tensor, hop: int) -> None:
        super().__init__()
        pair = Spectrum(window, hop)
        self.size, self.hop = pair.size, hop
        basis = torch.fft.rfft(torch.eye(self.size, dtype=torch.float64))
        forth = torch.view_as_real(basis) * pair.analysis[:, None, None]
        inverse = torch.fft.irfft(torch.eye(self.size // 2 + 1, dtype=torch.complex128), self.size)
        inverse_imaginary = torch.fft.irfft(1j * torch.eye(self.size // 2 + 1, dtype=torch.complex128), self.size)
        back = torch.stack([inverse, inverse_imaginary], dim=1) * pair.synthesis
        self.register_buffer("forth", forth.reshape(self.size, -1).T[:, None].float().contiguous(), persistent=False)
        self.register_buffer("back", back.reshape(-1, self.size)[:, None].float().contiguous(), persistent=False)

    def forward(self, signal: Tensor) -> Tensor:
        """Take (batch, samples), return (batch, frames, bins, 2): as :class:`Spectrum`, and a frame more at the end."""
        padded = functional.pad(signal, (self.size - self.hop, self.size))
        spectra = functional.conv1d(padded[:, None], self.forth, stride=self.hop)
        return spectra.transpose(1, 2).reshape(spectra.shape[0], spectra.shape[2], -1, 2)

    def inverse(self, spectra: Tensor, samples: int | Tensor) -> Tensor:
        """Take (batch, frames, bins, 2), return (batch, samples)."""
        flat = spectra.reshape(spectra.shape[0], spectra.shape[1], -1).transpose(1, 2)
        signal = functional.conv_transpose1d(flat, self.back, stride=self.hop)[:, 0]
        return signal[:, self.size - self.hop :][:, :samples]


def band_mask(bandwidth_hz: Tensor, bins: int, rate: int) -> Tensor:
    """Return ones below each bandwidth and zeros above it, shape (batch, 1, bins)."""
    frequency = torch.linspace(0, rate / 2, bins, device=bandwidth_hz.device)
    return (frequency <= bandwidth_hz[:, None]).float()[:, None]
