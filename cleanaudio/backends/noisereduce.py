"""Spectral gating by the package noisereduce (Sainburg 2019), run over a recording of any length.

The package cuts long signals into chunks of 600 000 samples with 30 000 samples of context on either side; this runs
the package itself over the same grid as the samples stream by, so that the result is that of the whole file.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleanaudio.backends.interface import Analysis, Backend, Option, Processor, Resolved, Setup, Value
from cleanaudio.backends.linking import Linked

Audio = NDArray[np.float32]

CHUNK, CONTEXT = 600_000, 30_000

# Where a signal is digitally silent the package divides zero by zero; this is far below every bit depth.
_FLOOR = 1e-10
_SILENT = 1e-8


@cache
def _package() -> Any:
    """Return the package, imported without torch: it would be loaded for seconds and never be used."""
    with _hidden("torch"):
        import noisereduce
        import noisereduce.spectralgate
    return noisereduce


@contextmanager
def _hidden(name: str) -> Iterator[None]:
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment] # makes its import fail
    try:
        yield
    finally:
        del sys.modules[name]


class NoiseReduce(Backend):
    """The package's spectral gate, stationary and non-stationary."""

    name = "noisereduce"
    summary = "spectral gating by the package noisereduce (Sainburg 2019)"
    kind = "classical"
    live = False
    options = (
        Option("stationary", False, "thresholds from the whole recording instead of following the noise"),
        Option("prop_decrease", 1.0, "share of the noise that is taken away", "", 0.0, 1.0),
        Option("n_std_thresh", 1.5, "stationary: threshold above the mean, in standard deviations", "", 0.0, 10.0),
        Option("time_constant_s", 2.0, "non-stationary: how slowly the noise floor follows", "s", 0.01, 60.0),
        Option("thresh_n_mult", 2.0, "non-stationary: threshold above the floor, as a multiple", "", 0.0, 20.0),
        Option("sigmoid_slope", 10.0, "non-stationary: steepness of the threshold", "", 0.1, 100.0),
        Option("freq_mask_smooth_hz", 500.0, "smoothing of the mask over frequency", "Hz", 375.0, 20000.0),
        Option("time_mask_smooth_ms", 50.0, "smoothing of the mask over time", "ms", 32.0, 5000.0),
        Option("n_fft", 1024, "window of the transform", "samples", 256, 8192),
    )

    def resolve(self, setup: Setup, options: Mapping[str, Value], argument: str | None = None) -> Resolved:
        """Complete the options."""
        full = self.complete(options)
        return Resolved(
            rate=setup.rate,
            latency=CHUNK + 2 * CONTEXT,
            options=full,
            libraries=("numpy", "scipy", "noisereduce"),
            needs_analysis=bool(full["stationary"]),
        )

    def analyse(self, blocks: Iterable[Audio], setup: Setup, resolved: Resolved) -> Analysis:
        """Return the threshold of each bin in dB; as the package does, from the first chunk, channels averaged."""
        heard: list[Audio] = []
        frames = 0
        for block in blocks:
            if frames < CHUNK:
                heard.append(block[:, : CHUNK - frames].mean(axis=0))
                frames += len(heard[-1])
        shortest = int(resolved.options["n_fft"])
        noise = np.concatenate([*heard, np.zeros(max(0, shortest - frames), np.float32)])
        return {"threshold_db": _stationary(noise, noise, setup.rate, resolved.options).noise_thresh.tolist()}

    def open(self, setup: Setup, resolved: Resolved, analysis: Analysis | None = None) -> Processor:
        """Return a fresh processor."""
        threshold = None if analysis is None else np.array(analysis["threshold_db"])

        def gate(chunk: NDArray[np.float64]) -> NDArray[np.float64]:
            if threshold is None:
                return _nonstationary(chunk, setup.rate, resolved.options)
            spectral_gate = _stationary(chunk, chunk[0, : int(resolved.options["n_fft"])], setup.rate, resolved.options)
            spectral_gate.noise_thresh = threshold
            return spectral_gate.get_traces()

        if setup.linked and setup.channels > 1:
            return Linked(_Chunks(gate, 1), setup.channels, setup.rate)
        return _Chunks(gate, setup.channels)


def _common(options: Mapping[str, Value]) -> dict[str, Any]:
    return {
        "prop_decrease": options["prop_decrease"],
        "time_constant_s": options["time_constant_s"],
        "freq_mask_smooth_hz": options["freq_mask_smooth_hz"],
        "time_mask_smooth_ms": options["time_mask_smooth_ms"],
        "n_fft": options["n_fft"],
        "chunk_size": None,
        "padding": 0,
    }


def _nonstationary(chunk: NDArray[np.float64], rate: int, options: Mapping[str, Value]) -> NDArray[np.float64]:
    return _package().reduce_noise(
        chunk,
        rate,
        stationary=False,
        thresh_n_mult_nonstationary=options["thresh_n_mult"],
        sigmoid_slope_nonstationary=options["sigmoid_slope"],
        **_common(options),
    )


def _stationary(chunk: NDArray, noise: NDArray, rate: int, options: Mapping[str, Value]) -> Any:
    """Return the package's stationary gate for a chunk, its thresholds taken from ``noise``, (frames,)."""
    return _package().spectralgate.SpectralGateStationary(
        y=chunk,
        sr=rate,
        y_noise=noise,
        n_std_thresh_stationary=options["n_std_thresh"],
        clip_noise_stationary=False,
        win_length=None,
        hop_length=None,
        tmp_folder=None,
        use_tqdm=False,
        n_jobs=1,
        **_common(options),
    )


class _Chunks:
    """Cuts a stream into the package's chunks with context.

    Parameters
    ----------
    gate : callable
        Takes and returns a chunk with its context, (channels, n).
    channels : int
    """

    latency = CHUNK + 2 * CONTEXT

    def __init__(self, gate: Any, channels: int) -> None:
        self._gate, self._channels = gate, channels
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._kept = [np.zeros((self._channels, CONTEXT), np.float32)]
        self._frames = CONTEXT
        self._first = True

    def process(self, block: Audio) -> Audio:
        """Take (channels, n), return (channels, m)."""
        self._kept.append(block)
        self._frames += block.shape[1]
        # One frame more than a chunk: only then is it certain that the recording is longer than one.
        done = [np.zeros((self._channels, 0), np.float32)]
        while self._frames > CONTEXT + CHUNK + CONTEXT:
            joined = np.concatenate(self._kept, axis=1)
            done.append(self._clean(joined[:, : CHUNK + 2 * CONTEXT]))
            self._kept = [joined[:, CHUNK:]]
            self._frames -= CHUNK
            self._first = False
        return np.concatenate(done, axis=1)

    def flush(self) -> Audio:
        """Return the frames that are still owed."""
        joined = np.concatenate(self._kept, axis=1)
        done = []
        while (left := joined.shape[1] - CONTEXT) > 0:
            # As in the package: a recording within one chunk has context only, the last of several is filled up.
            length = left if self._first and left <= CHUNK else CHUNK
            chunk = joined[:, : length + 2 * CONTEXT]
            chunk = np.pad(chunk, ((0, 0), (0, length + 2 * CONTEXT - chunk.shape[1])))
            done.append(self._clean(chunk)[:, :left])
            joined, self._first = joined[:, length:], False
        return np.concatenate([np.zeros((self._channels, 0), np.float32), *done], axis=1)

    def _clean(self, chunk: Audio) -> Audio:
        if not chunk.any():
            return chunk[:, CONTEXT:-CONTEXT]
        floor = np.where(np.arange(chunk.shape[1]) % 2, _FLOOR, -_FLOOR) * np.cos(np.arange(chunk.shape[1]) ** 2 * 0.1)
        out = self._gate(chunk.astype(np.float64) + floor)[:, CONTEXT:-CONTEXT]
        out[np.abs(out) < _SILENT] = 0.0
        return out.astype(np.float32)


NOISEREDUCE = NoiseReduce()
