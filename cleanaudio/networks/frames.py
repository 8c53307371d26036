"""What networks on spectra have in common: frames and states in, clean frames and new states out."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from cleanaudio.audio.stft import WindowName, window
from cleanaudio.networks.interface import Network
from cleanaudio.networks.spectrum import Spectrum, band_mask


class FrameNetwork(Network):
    """A network on spectra.

    With states it is causal, and runs frame by frame with the same result as over a whole recording; without, it is
    given as much as it wants to hear.

    ``forward(spectra, *states)`` takes spectra of shape (batch, bins, frames, 2) and returns the clean spectra of
    frames that are ``look_ahead`` earlier, then the new states.

    Attributes
    ----------
    window_name : {"hann", "sqrt-hann", "vorbis"}
    size, hop : int
        Window and step in samples.
    look_ahead : int
        Frames.
    """

    window_name: ClassVar[WindowName]
    size: ClassVar[int]
    hop: int
    look_ahead: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.delay = self.look_ahead * self.hop
        self.spectrum = Spectrum(torch.from_numpy(window(self.window_name, self.size)), self.hop)

    @abstractmethod
    def state_shapes(self, batch: int = 1) -> dict[str, tuple[int, ...]]:
        """Return names and shapes of the states of so many signals."""

    def spectra(self, noisy: Tensor) -> Tensor:
        """Return the clean spectra of whole signals: (batch, samples) to (batch, frames, bins), complex64."""
        spectra = torch.view_as_real(self.spectrum(noisy).transpose(1, 2))
        ahead = functional.pad(spectra, (0, 0, 0, self.look_ahead))
        clean = self(ahead, *self.start(len(noisy)))[0][:, :, self.look_ahead :]
        return torch.view_as_complex(clean.float().contiguous()).transpose(1, 2)

    def enhance(self, noisy: Tensor, bandwidth_hz: Tensor | None = None) -> Tensor:
        """Clean whole signals.

        Parameters
        ----------
        noisy : Tensor, shape (batch, samples)
        bandwidth_hz : Tensor, shape (batch,), optional
            Leave out what lies above.

        Returns
        -------
        Tensor, shape (batch, samples)
        """
        spectra = self.spectra(noisy)
        if bandwidth_hz is not None:
            spectra = spectra * band_mask(bandwidth_hz, spectra.shape[-1], self.rate)
        return self.spectrum.inverse(spectra, noisy.shape[1])
