"""The contract ``waveform``: a network from samples to samples, run on a fixed grid of overlapping chunks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.backends.blocks import Sane
from cleanaudio.backends.interface import Processor, Setup
from cleanaudio.backends.linking import spread
from cleanaudio.backends.session import Port, Session
from cleanaudio.errors import ModelError, RecipeError

Audio = NDArray[np.float32]

CHUNK_S, LIVE_CHUNK_S = 1.0, 0.032


def samples_port(ports: list[Port]) -> Port | None:
    """Return the port that holds samples, (1, n) or (1, 1, n), if it is the only one."""
    if len(ports) != 1 or len(ports[0].shape) not in (2, 3):
        return None
    return ports[0] if all(size in (1, None) for size in ports[0].shape[:-1]) else None


class Chunks:
    """A waveform model on one channel.

    The model hears ``context`` + ``chunk`` + ``context`` samples at once; only the chunk is used. Neighbouring chunks
    share ``overlap`` samples, over which one fades into the next with weights that add up to one.

    Parameters
    ----------
    session : Session
    chunk, overlap, context : int
        Samples; the overlap is at most half a chunk.
    rate : int
        Hz.
    """

    def __init__(self, session: Session, chunk: int, overlap: int, context: int, rate: int) -> None:
        source = samples_port(session.inputs)
        if source is None:
            listed = ", ".join(map(str, session.inputs))
            raise ModelError(f"is not of the contract waveform: it takes {listed}", path=session.origin)
        self._session, self._source = session, source
        self._chunk, self._overlap, self._context, self._hop = chunk, overlap, context, chunk - overlap
        self._rise = (0.5 - 0.5 * np.cos(np.pi * (np.arange(overlap) + 0.5) / max(overlap, 1))).astype(np.float32)
        self._sane = Sane(session.origin, max(rate, chunk))
        self.latency = chunk + context
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._waiting = np.zeros(self._overlap + self._context, np.float32)
        self._tail = np.zeros(self._overlap, np.float32)
        self._skip = self._overlap
        self._taken = self._given = 0
        self._sane.reset()

    def process(self, block: Audio) -> Audio:
        """Take (1, n), return (1, m)."""
        self._taken += block.shape[1]
        return self._advance(block[0])

    def flush(self) -> Audio:
        """Return the frames that are still owed."""
        span = self._chunk + 2 * self._context
        out = self._advance(np.zeros(span + self._overlap + self._hop, np.float32))
        self._sane.check()
        return out

    def _advance(self, samples: Audio) -> Audio:
        self._waiting = np.concatenate([self._waiting, samples])
        span = self._chunk + 2 * self._context
        count = max(0, (len(self._waiting) - span) // self._hop + 1)
        pieces = [np.zeros(0, np.float32)]
        for at in range(0, count * self._hop, self._hop):
            clean = self._run(self._waiting[at : at + span])
            faded = self._tail * (1 - self._rise) + clean[: self._overlap] * self._rise
            pieces += [faded, clean[self._overlap : self._hop]]
            self._tail = clean[self._hop :]
        self._waiting = self._waiting[count * self._hop :]
        out = np.concatenate(pieces)
        skip = min(self._skip, len(out))
        self._skip -= skip
        out = out[skip : skip + self._taken - self._given]
        self._given += len(out)
        return out[None]

    def _run(self, samples: Audio) -> Audio:
        shape = [1] * (len(self._source.shape) - 1) + [len(samples)]
        out = self._session.run(None, {self._source.name: samples.reshape(shape)})[0]
        if out.size != len(samples):
            raise ModelError(
                f"gives {out.size} samples for {len(samples)}",
                path=self._session.origin,
                remedy="choose the option chunk so that it fits the model's own frames",
            )
        return self._sane(out.reshape(-1))[self._context : self._context + self._chunk]


class WaveformContract:
    """A model of this contract with its grid.

    Parameters
    ----------
    session : Session
    rate : int
        Hz.
    chunk : int
        Samples; 0 is what the model wants, else one second, or 32 ms when live.
    overlap : int
        Samples; -1 is half a chunk.
    context : int
        Samples heard on each side of a chunk.
    live : bool
    """

    def __init__(self, session: Session, rate: int, chunk: int, overlap: int, context: int, live: bool) -> None:
        source = samples_port(session.inputs)
        fixed = source.shape[-1] if source else None
        if fixed is not None and chunk not in (0, fixed - 2 * context):
            raise RecipeError(f"this model takes {fixed} samples: chunk + 2 × context must be as many")
        if fixed is not None:
            chunk = fixed - 2 * context
        chunk = chunk or max(1, round((LIVE_CHUNK_S if live else CHUNK_S) * rate))
        overlap = chunk // 2 if overlap < 0 else overlap
        if chunk <= 0 or overlap > chunk // 2:
            raise RecipeError(f"a chunk of {chunk} samples cannot overlap by {overlap}: at most by half")
        self._grid, self.rate, self._session = (chunk, overlap, context), rate, session
        self.latency = self._make().latency

    def open(self, setup: Setup) -> Processor:
        """Return a fresh processor for all channels of ``setup``."""
        return spread(self._make, setup, self.rate)

    def _make(self) -> Chunks:
        return Chunks(self._session, *self._grid, self.rate)
