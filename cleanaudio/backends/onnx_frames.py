"""The contract ``stft-frames``: a network that takes one STFT frame and its caches, and gives both back.

The form in which GTCRN and UL-UNAS are published: an input (1, bins, 1, 2) of real and imaginary parts, any number of
further inputs that start from zeros, an output of the first one's shape, and one output for each cache. A network that
hears past and future has no caches, and any number of frames: :mod:`cleanaudio.backends.onnx_frame_chunks`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.processor import Processor
from cleanaudio.audio.stft import WindowName, synthesis_window, window
from cleanaudio.audio.transform import SpectralProcessor
from cleanaudio.backends.blocks import FiniteOutput
from cleanaudio.backends.interface import Setup
from cleanaudio.backends.level_normalised import LevelNormalised
from cleanaudio.backends.linking import LinkedTransform, together_or_each
from cleanaudio.backends.onnx_frame_chunks import FrameChunks, latency
from cleanaudio.backends.onnx_waveform import Grid
from cleanaudio.backends.session import Port, Session, StatefulModel, listed
from cleanaudio.errors import ModelError

Complex = NDArray[np.complex64]

_FRAMES = 100  # at once, where the network takes any number


def spectrum_port(ports: list[Port]) -> Port | None:
    """Return the port that holds a frame: (1, bins, 1, 2), where the frames may also be free."""
    for port in ports:
        shape = port.shape
        if (
            len(shape) == 4
            and shape[3] == 2
            and shape[0] in (1, None)
            and shape[2] in (1, None)
            and (shape[1] or 0) > 2
        ):
            return port
    return None


class FrameNet:
    """Spectra in, clean spectra out: a :class:`~cleanaudio.audio.transform.Transform` for one channel.

    Parameters
    ----------
    session : Session
    look_ahead : int
        Frames that the network's output lags behind its input.
    patience : int
        How many frames from the start may be not finite before that is an error.

    Raises
    ------
    ModelError
        Not of this contract.
    """

    def __init__(self, session: Session, look_ahead: int = 0, patience: int = 0) -> None:
        mix, clean = spectrum_port(session.inputs), spectrum_port(session.outputs)
        if mix is None or clean is None or mix.shape[1] != clean.shape[1]:
            ports = f"it takes {listed(session.inputs)} and gives {listed(session.outputs)}"
            raise ModelError(f"is not of the contract stft-frames: {ports}", path=session.origin)
        self._step = StatefulModel(session, mix, clean)
        self.bins = mix.shape[1] or 0
        self._at_once = mix.shape[2] is None  # the network takes any number of frames
        self._finite = FiniteOutput(session.origin, 2 * patience * self.bins)
        self.look_ahead = look_ahead
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._step.reset()
        self._finite.reset()
        self._skip = self.look_ahead

    def __call__(self, spectra: Complex) -> Complex:
        """Take (1, frames, bins), return the frames that are decided."""
        clean = self._run(spectra)
        skip = min(self._skip, clean.shape[1])
        self._skip -= skip
        return clean[:, skip:]

    def flush(self) -> Complex:
        """Return the last frames: the network hears silence after the end."""
        last = self(np.zeros((1, self.look_ahead, self.bins), np.complex64))
        self._finite.check()
        return last

    def _run(self, spectra: Complex) -> Complex:
        count = spectra.shape[1]
        parts = np.ascontiguousarray(spectra[0]).view(np.float32).reshape(count, self.bins, 2)
        clean = np.empty_like(parts)
        if self._at_once:
            for at in range(0, count, _FRAMES):
                piece = slice(at, at + _FRAMES)
                clean[piece] = self._step(parts[piece].transpose(1, 0, 2)[None])[0].transpose(1, 0, 2)
        else:
            for t in range(count):
                clean[t] = self._step(parts[t][None, :, None])[0, :, 0]
        healthy = self._finite(clean)
        if healthy is not clean:  # the caches are not finite either
            self._step.reset()
        return np.ascontiguousarray(healthy).view(np.complex64)[..., 0][None]


class FrameContract:
    """A model of this contract with its STFT.

    Parameters
    ----------
    session : Session
    rate : int
        Hz.
    hop : int
        Samples; 0 is half the window.
    window_name : {"hann", "sqrt-hann", "vorbis"}
    delay : int
        Samples that the output lags, a multiple of the hop.
    grids : tuple of Grid
        How a network without caches is run here, and how live, whose latency counts.

    Raises
    ------
    ModelError
        Figures that do not go together.
    """

    def __init__(
        self,
        session: Session,
        rate: int,
        hop: int,
        window_name: WindowName,
        delay: int,
        grids: tuple[Grid, Grid],
    ) -> None:
        size = 2 * (FrameNet(session).bins - 1)
        self._session, self.rate = session, rate
        self._hop = hop or size // 2
        if not 0 < self._hop <= size // 2:  # with less overlap the ends of the window would be raised without bound
            raise ModelError(
                f"its hop of {self._hop} samples does not go with a window of {size}",
                path=session.origin,
                remedy=f"--set hop=N, up to {size // 2}",
            )
        if delay % self._hop:
            raise ModelError(
                f"its delay of {delay} samples is no multiple of its hop of {self._hop}", path=session.origin
            )
        self._analysis, self._look_ahead = window(window_name, size), delay // self._hop
        in_chunks = len(session.inputs) == 1 and session.inputs[0].shape[2] is None
        if in_chunks and delay:
            raise ModelError("a network without caches has no delay", path=session.origin)
        self._grid = grids[0] if in_chunks else None
        self.latency = latency(grids[1], size, self._hop) if in_chunks else size + delay

    def open(self, setup: Setup) -> Processor:
        """Return a fresh processor for all channels of ``setup``."""
        return together_or_each(lambda channels: self._make(channels, setup.live), setup)

    def _make(self, channels: int, live: bool) -> Processor:
        patience = self.rate // self._hop
        net: FrameNet | FrameChunks
        if self._grid is None:
            net = FrameNet(self._session, self._look_ahead, patience)
        else:
            net = FrameChunks(self._session, self._grid, self._hop, patience)
        transform = net if channels == 1 else LinkedTransform(net, channels, self._hop / self.rate)
        normalised = LevelNormalised(transform, len(self._analysis), self._hop, self.rate, live)
        synthesis = synthesis_window(self._analysis, self._hop)
        return SpectralProcessor(normalised, channels, self._analysis, self._hop, synthesis)
