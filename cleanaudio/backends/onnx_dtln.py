"""The contract ``dtln``: two networks in a row, one on magnitudes and one on samples.

N. L. Westhausen & B. T. Meyer, "Dual-signal transformation LSTM network for real-time noise suppression", Interspeech
2020: blocks of 512 samples every 128, without a window; the first network gives a mask for the magnitudes, the second
takes the block that comes back and gives the clean block; blocks are added up.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.processor import Processor
from cleanaudio.audio.transform import SpectralProcessor
from cleanaudio.backends.blocks import FiniteOutput, Undelayed
from cleanaudio.backends.contract import MonoContract
from cleanaudio.backends.session import Port, Session, listed
from cleanaudio.errors import ModelError

Complex = NDArray[np.complex64]


class Stage:
    """One of the two networks: a block (1, 1, size) and a state in and out.

    Parameters
    ----------
    session : Session

    Raises
    ------
    ModelError
        Not of this form.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._in, self._state_in = _block_and_state(session.inputs, session)
        self._out, self._state_out = _block_and_state(session.outputs, session)
        if self._in.shape != self._out.shape or self._state_in.shape != self._state_out.shape:
            raise ModelError("is not a stage of a DTLN: its outputs differ from its inputs", path=session.origin)
        self.size = self._in.shape[2] or 0
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._state = self._state_in.zeros()

    def __call__(self, blocks: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take and return (count, size)."""
        out = np.empty_like(blocks)
        names = [self._out.name, self._state_out.name]
        for t, block in enumerate(blocks):
            out[t], self._state = self._session.run(
                names, {self._in.name: block[None, None], self._state_in.name: self._state}
            )
        return out


class Dtln:
    """Both stages on spectra: a :class:`~cleanaudio.audio.transform.Transform` for one channel."""

    look_ahead = 0

    def __init__(self, first: Session, second: Session, patience: int) -> None:
        self._mask, self._refine = Stage(first), Stage(second)
        self.size = self._refine.size
        if self._mask.size != self.size // 2 + 1:
            raise ModelError(
                f"its {self._mask.size} bins do not go with the second stage's {self.size} samples",
                path=first.origin,
                remedy="name the two files of one DTLN, the first stage first",
            )
        self._finite = FiniteOutput(second.origin, patience * self.size)

    def reset(self) -> None:
        """Forget the signal."""
        self._mask.reset()
        self._refine.reset()
        self._finite.reset()

    def __call__(self, spectra: Complex) -> Complex:
        """Take and return (1, blocks, bins)."""
        masks = self._mask(np.abs(spectra[0]))
        blocks = np.fft.irfft(spectra[0] * masks, self.size, axis=-1).astype(np.float32, copy=False)
        refined = self._refine(blocks)
        healthy = self._finite(refined)
        if healthy is not refined:
            self._mask.reset()
            self._refine.reset()
        return np.fft.rfft(healthy, axis=-1).astype(np.complex64, copy=False)[None]

    def flush(self) -> Complex:
        """Return nothing: no block waits."""
        self._finite.check()
        return np.zeros((1, 0, self.size // 2 + 1), np.complex64)


class DtlnContract(MonoContract):
    """A pair of models of this contract.

    Parameters
    ----------
    first, second : Session
    rate : int
        Hz.
    hop : int
        Samples; 0 is a quarter of the block.
    delay : int
        Samples by which the output lags.
    """

    def __init__(self, first: Session, second: Session, rate: int, hop: int, delay: int = 0) -> None:
        self._sessions, self.rate, self._delay = (first, second), rate, delay
        self._size = Dtln(first, second, 0).size
        self.step = hop or self._size // 4
        if not 0 < self.step <= self._size:
            raise ModelError(f"a shift of {self.step} does not go with its block of {self._size}", path=second.origin)
        self.latency = self._size + delay

    def _make(self) -> Processor:
        flat = np.ones(self._size, np.float32)
        dtln = Dtln(*self._sessions, patience=self.rate // self.step)
        return Undelayed(SpectralProcessor(dtln, 1, flat, self.step, flat), self._delay, channels=1)


def _block_and_state(ports: list[Port], session: Session) -> tuple[Port, Port]:
    blocks = [port for port in ports if len(port.shape) == 3 and port.shape[2] is not None]
    states = [port for port in ports if len(port.shape) == 4]
    if len(ports) != 2 or len(blocks) != 1 or len(states) != 1:
        raise ModelError(f"is not a stage of a DTLN: a block and a state, not {listed(ports)}", path=session.origin)
    return blocks[0], states[0]
