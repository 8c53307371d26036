"""The contract ``waveform`` with caches: a causal network from samples to samples, fed as they come."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.processor import Processor
from cleanaudio.audio.queue import Queue
from cleanaudio.backends.blocks import FiniteOutput, Undelayed
from cleanaudio.backends.contract import MonoContract
from cleanaudio.backends.session import Port, Session, StatefulModel, listed
from cleanaudio.errors import ModelError

Audio = NDArray[np.float32]

_HOPS = 100  # at once


def stream_port(ports: list[Port]) -> Port | None:
    """Return the port that holds any number of samples, (1, n), if it is the only one beside caches of fixed sizes."""
    free = [port for port in ports if None in port.shape]
    return free[0] if len(ports) > 1 and len(free) == 1 and free[0].shape in ((1, None), (None, None)) else None


class Stream:
    """A causal model on one channel; its output lags as the model's does.

    Parameters
    ----------
    session : Session
    hop : int
        Samples; the model is given a multiple of it.
    patience : int
        How many samples from the start may be not finite before that is an error.

    Raises
    ------
    ModelError
        Not of this contract.
    """

    def __init__(self, session: Session, hop: int, patience: int) -> None:
        source, clean = stream_port(session.inputs), stream_port(session.outputs)
        if source is None or clean is None:
            ports = f"it takes {listed(session.inputs)} and gives {listed(session.outputs)}"
            raise ModelError(f"is not of the contract waveform: {ports}", path=session.origin)
        self._step, self._hop, self._origin = StatefulModel(session, source, clean), hop, session.origin
        self._finite = FiniteOutput(session.origin, patience)
        self.latency = hop
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._step.reset()
        self._finite.reset()
        self._waiting = Queue(np.zeros((1, 0), np.float32))
        self._owed = 0

    def process(self, block: Audio) -> Audio:
        """Take (1, n), return (1, m)."""
        self._owed += block.shape[1]
        return self._advance(block)

    def flush(self) -> Audio:
        """Return the frames that are still owed: the model hears silence after the end."""
        last = self._advance(np.zeros((1, -len(self._waiting) % self._hop), np.float32))
        self._finite.check()
        return last

    def _advance(self, block: Audio) -> Audio:
        self._waiting.push(block)
        ready = self._waiting.pop(len(self._waiting) // self._hop * self._hop)
        pieces = np.split(ready, range(_HOPS * self._hop, ready.shape[1], _HOPS * self._hop), axis=1)
        out = np.concatenate([self._run(piece) for piece in pieces if piece.size] or [ready], axis=1)
        out = out[:, : self._owed]
        self._owed -= out.shape[1]
        return out

    def _run(self, piece: Audio) -> Audio:
        clean = self._step(piece)
        if clean.shape != piece.shape:
            raise ModelError(f"gives {clean.size} samples for {piece.size}", path=self._origin)
        healthy = self._finite(clean)
        if healthy is not clean:  # the caches are not finite either
            self._step.reset()
        return healthy


class CausalContract(MonoContract):
    """A model of this contract.

    Parameters
    ----------
    session : Session
    rate : int
        Hz.
    hop, delay : int
        Samples that it is given a multiple of, and by which its output lags.
    """

    def __init__(self, session: Session, rate: int, hop: int, delay: int) -> None:
        self._session, self.rate, self.step, self._delay = session, rate, max(1, hop), delay
        self.latency = self._make().latency

    def _make(self) -> Processor:
        return Undelayed(Stream(self._session, self.step, patience=self.rate), self._delay, channels=1)
