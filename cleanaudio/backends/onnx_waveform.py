"""The contract ``waveform``: a network from samples to samples, run on a fixed grid of overlapping chunks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.processor import Processor
from cleanaudio.backends.blocks import FiniteOutput, Undelayed
from cleanaudio.backends.contract import MonoContract
from cleanaudio.backends.session import Port, Session, listed
from cleanaudio.errors import ModelError, RecipeError

Audio = NDArray[np.float32]

CHUNK_S, LIVE_CHUNK_S = 1.0, 0.032
FADE_S = 0.02
OWN_CHUNK_S = 8.0
"""What our own networks that hear past and future are given at once, with context besides: the less of it twice."""


@dataclass(frozen=True)
class Grid:
    """How a recording is cut for a model.

    Parameters
    ----------
    chunk, overlap : int
        Samples; neighbouring chunks share the overlap, at most half a chunk.
    before, after : int
        Samples that are heard besides, on each side of a chunk.
    whole : bool
        Whether the model hears nothing but the recording: near its ends it gets less, instead of silence around it.
    """

    chunk: int
    overlap: int
    before: int
    after: int
    whole: bool = False

    @property
    def latency(self) -> int:
        """Return the delay in samples."""
        return self.chunk + self.after


def own_grid(rate: int, context: int, ahead: int, live: bool) -> Grid:
    """Return the grid of our own networks, which hear recordings of any length.

    Parameters
    ----------
    rate : int
        Hz.
    context, ahead : int
        Samples that the network wants before and after a stretch.
    live : bool
        Less is computed and heard at once: an eighth of the context after a chunk must do.
    """
    chunk = max(2, context // 4 if live else round(OWN_CHUNK_S * rate))
    return Grid(
        chunk, min(round(FADE_S * rate), chunk // 2), context, min(ahead, context // 8) if live else ahead, whole=True
    )


def samples_port(ports: list[Port]) -> Port | None:
    """Return the port that holds samples, (1, n) or (1, 1, n), if it is the only one."""
    if len(ports) != 1 or len(ports[0].shape) not in (2, 3):
        return None
    return ports[0] if all(size in (1, None) for size in ports[0].shape[:-1]) else None


class Chunks:
    """A waveform model on one channel.

    The model hears a chunk and what lies around it at once; only the chunk is used. One chunk fades into the next with
    weights that add up to one.

    Parameters
    ----------
    session : Session
    grid : Grid
    rate : int
        Hz.
    """

    def __init__(self, session: Session, grid: Grid, rate: int) -> None:
        source = samples_port(session.inputs)
        if source is None:
            raise ModelError(f"is not of the contract waveform: it takes {listed(session.inputs)}", path=session.origin)
        self._session, self._source, self._grid = session, source, grid
        self._span, self._hop = grid.before + grid.chunk + grid.after, grid.chunk - grid.overlap
        ramp = (np.arange(grid.overlap) + 0.5) / max(grid.overlap, 1)
        self._rise = (0.5 - 0.5 * np.cos(np.pi * ramp)).astype(np.float32)
        self._finite = FiniteOutput(session.origin, max(rate, grid.chunk))
        self.latency = grid.latency
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._first = self._grid.overlap + self._grid.before  # of the window, where the recording begins
        self._window = np.zeros(self._span, np.float32)
        self._filled = self._first
        self._tail = np.zeros(self._grid.overlap, np.float32)
        self._skip = self._grid.overlap
        self._taken = self._given = 0
        self._finite.reset()

    def process(self, block: Audio) -> Audio:
        """Take (1, n), return (1, m)."""
        self._taken += block.shape[1]
        return self._advance(block[0], ended=False)

    def flush(self) -> Audio:
        """Return the frames that are still owed."""
        pieces = [np.zeros((1, 0), np.float32)]
        while self._given < self._taken:
            pieces.append(self._advance(np.zeros(self._span - self._filled, np.float32), ended=True))
        self._finite.check()
        return np.concatenate(pieces, axis=1)

    def _advance(self, samples: Audio, ended: bool) -> Audio:
        pieces = [np.zeros(0, np.float32)]
        while True:
            room = self._span - self._filled
            self._window[self._filled : self._filled + len(samples[:room])] = samples[:room]
            self._filled += len(samples[:room])
            if self._filled < self._span:
                break
            samples = samples[room:]
            clean = self._run(ended)
            faded = self._tail * (1 - self._rise) + clean[: self._grid.overlap] * self._rise
            pieces += [faded, clean[self._grid.overlap : self._hop]]
            self._tail = clean[self._hop :].copy()  # so that the rest can go
            self._window[: self._span - self._hop] = self._window[self._hop :]
            self._filled -= self._hop
            self._first -= self._hop
        out = np.concatenate(pieces)
        skip = min(self._skip, len(out))
        self._skip -= skip
        out = out[skip : skip + self._taken - self._given]
        self._given += len(out)
        return out[None]

    def _run(self, ended: bool) -> Audio:
        """Clean the chunk in the window."""
        first, last = 0, self._span
        if self._grid.whole:
            first = max(0, self._first)
            last = min(self._span, self._first + self._taken) if ended else self._span
        samples = self._window[first:last]
        shape = [1] * (len(self._source.shape) - 1) + [len(samples)]
        out = self._session.run(None, {self._source.name: samples.reshape(shape)})[0]
        if out.size != len(samples):
            raise ModelError(
                f"gives {out.size} samples for {len(samples)}",
                path=self._session.origin,
                remedy="choose the option chunk so that it fits the model's own frames",
            )
        clean = np.zeros(self._span, np.float32)
        clean[first:last] = self._finite(out.reshape(-1))
        return clean[self._grid.before : self._grid.before + self._grid.chunk]


class WaveformContract(MonoContract):
    """A model of this contract with its grid.

    Parameters
    ----------
    session : Session
    rate : int
        Hz.
    grid, live : Grid
        Of recordings, and of live use, whose latency counts.
    delay : int
        Samples by which the model's output lags.
    """

    def __init__(self, session: Session, rate: int, grid: Grid, live: Grid, delay: int = 0) -> None:
        self._session, self._grid, self.rate, self._delay = session, grid, rate, delay
        self.latency = live.latency + delay
        self._make()  # which looks whether the model is of this contract

    def _make(self) -> Processor:
        return Undelayed(Chunks(self._session, self._grid, self.rate), self._delay, channels=1)


def foreign_grid(session: Session, rate: int, chunk: int, overlap: int, context: int, live: bool) -> Grid:
    """Return the grid for a model that the user brings.

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

    Raises
    ------
    RecipeError
        The figures do not go together, or not with the model.
    """
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
    return Grid(chunk, overlap, context, context)
