"""RNNoise: a small recurrent network on band energies and pitch, in C, at 48 kHz.

J.-M. Valin, "A hybrid DSP/deep learning approach to real-time full-band speech enhancement", MMSP 2018. The library
comes with the package pyrnnoise; only its shared object is used, because importing the package pulls plotting
packages in.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.processor import Processor
from cleanaudio.audio.queue import Queue
from cleanaudio.backends.blocks import Undelayed
from cleanaudio.backends.interface import Analysis, Backend, Resolved, Setup, Value
from cleanaudio.backends.linking import spread
from cleanaudio.errors import BackendUnavailable, ModelError
from cleanaudio.models.catalog import digest, find_rnnoise

Audio = NDArray[np.float32]

PACKAGE = "pyrnnoise"
RATE = 48000
FRAME = 480
DELAY = 2 * FRAME
"""Frames that the library's output lags behind its input, measured by cross-correlation."""
_FULL_SCALE = np.float32(32768)  # the library works on 16-bit values


class Frames:
    """RNNoise on one channel, its output as late as the library gives it.

    Parameters
    ----------
    library : ctypes.CDLL
    """

    latency = FRAME

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._start()

    def _start(self) -> None:
        state = self._library.rnnoise_create(None)
        if not state:
            raise MemoryError("rnnoise_create")
        self._state = ctypes.c_void_p(state)
        self._release = weakref.finalize(self, self._library.rnnoise_destroy, self._state)
        self._pending = Queue(np.zeros(0, np.float32))
        self._taken = self._given = 0

    def reset(self) -> None:
        """Forget the signal."""
        self._release()
        self._start()

    def process(self, block: Audio) -> Audio:
        """Take (1, n), return (1, m)."""
        self._taken += block.shape[1]
        return self._run(block[0])

    def flush(self) -> Audio:
        """Return the frames that are still owed."""
        rest = self._run(np.zeros(-self._taken % FRAME, np.float32))
        return rest[:, : rest.shape[1] - (self._given - self._taken)]

    def _run(self, samples: Audio) -> Audio:
        self._pending.push(samples * _FULL_SCALE)
        samples = self._pending.pop(len(self._pending) // FRAME * FRAME)
        out = np.empty_like(samples)
        source, target = samples.ctypes.data, out.ctypes.data
        for at in range(0, out.nbytes, FRAME * out.itemsize):
            self._library.rnnoise_process_frame(self._state, target + at, source + at)
        self._given += len(out)
        return out[None] / _FULL_SCALE


class RnNoise(Backend):
    """The backend ``rnnoise``."""

    name = "rnnoise"
    summary = "RNNoise (Valin 2018): small and light recurrent network in C, 48 kHz, 30 ms"
    kind = "neural"
    extra = "rnnoise"

    def require(self) -> None:
        """Raise BackendUnavailable where the library is missing."""
        self._path()

    def resolve(self, setup: Setup, options: Mapping[str, Value], argument: str | None = None) -> Resolved:
        """Find the library."""
        return Resolved(
            rate=RATE,
            latency=FRAME + DELAY,
            options=self.complete(options),
            hashes={"library": digest(self._path())},
            libraries=("numpy", PACKAGE),
        )

    def open(self, setup: Setup, resolved: Resolved, analysis: Analysis | None = None) -> Processor:
        """Return a fresh processor."""
        library = _load(self._path())
        voices = [Undelayed(Frames(library), DELAY, channels=1) for _ in range(setup.decisions)]
        return spread(voices, setup, RATE, FRAME)

    def _path(self) -> Path:
        path = find_rnnoise()
        if path is None:
            raise BackendUnavailable(self.name, "rnnoise", f"the package {PACKAGE} is not installed")
        return path


@lru_cache(maxsize=1)
def _load(path: Path) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(str(path))
        library.rnnoise_create.restype = ctypes.c_void_p
        library.rnnoise_create.argtypes = [ctypes.c_void_p]
        library.rnnoise_destroy.restype = None
        library.rnnoise_destroy.argtypes = [ctypes.c_void_p]
        library.rnnoise_process_frame.restype = ctypes.c_float
        library.rnnoise_process_frame.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
        frame = library.rnnoise_get_frame_size()
    except (OSError, AttributeError) as error:
        raise ModelError(f"cannot be loaded: {error}", path=path) from error
    if frame != FRAME:
        raise ModelError(f"works on frames of {frame} samples, not {FRAME}", path=path)
    return library


RNNOISE = RnNoise()
