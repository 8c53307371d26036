"""The package noisereduce (Sainburg, Thielk & Gentner 2020) as a backend: spectral gating with its own functions.

The package works through a recording in chunks of 600,000 frames with 30,000 frames of context on both sides. The same
grid is walked here as the samples come, so that the result is the package's for the whole file and memory stays
flat. Its stationary threshold is measured on the first chunk, as there (``clip_noise_stationary``), in a first pass; or
follows from a noise profile.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.processor import Processor
from cleanaudio.audio.queue import Queue
from cleanaudio.audio.stft import hann
from cleanaudio.backends.interface import Analysis, Backend, Option, Resolved, Setup, Value
from cleanaudio.backends.linking import cancels, spread
from cleanaudio.errors import BackendUnavailable

if TYPE_CHECKING:
    from cleanaudio.backends.profile import NoiseProfile

Audio = NDArray[np.float32]

CHUNK, CONTEXT = 600_000, 30_000
"""Frames of a chunk and of its context: the package's defaults."""
# Of a periodogram bin of Gaussian noise about its expectation, in dB (its power is distributed exponentially).
_MEAN_DB, _STD_DB = -10 * np.euler_gamma / np.log(10), 10 / np.log(10) * np.pi / np.sqrt(6)


class NoiseReduce(Backend):
    """Spectral gating, stationary or not."""

    name = "noisereduce"
    summary = "spectral gating by the package noisereduce (Sainburg 2020)"
    kind = "classical"
    live = False
    takes_profile = True
    options = (
        Option("stationary", False, "one threshold for the whole recording, instead of one that follows it"),
        Option("prop_decrease", 1.0, "share of the noise that is taken away", "", 0.0, 1.0),
        Option("n_std_thresh", 1.5, "stationary: standard deviations above the mean level of the noise", "", 0.0, 10.0),
        Option("time_constant_s", 2.0, "non-stationary: how slowly the noise floor follows", "s", 0.01, 60.0),
        Option("thresh_n_mult", 2.0, "non-stationary: threshold above the floor, as a multiple", "", 0.0, 20.0),
        Option("sigmoid_slope", 10.0, "non-stationary: steepness of the threshold", "", 0.1, 100.0),
        Option(
            "freq_mask_smooth_hz", 500.0, "smoothing of the mask over frequency, a bin at least", "Hz", 1.0, 20000.0
        ),
        Option("time_mask_smooth_ms", 50.0, "smoothing of the mask over time, a frame at least", "ms", 1.0, 5000.0),
        Option("n_fft", 1024, "window of the transform", "samples", 256, 8192),
    )

    def require(self) -> None:
        """Raise BackendUnavailable where the package is missing."""
        if find_spec("noisereduce") is None:
            raise BackendUnavailable(self.name, "all", "the package noisereduce is not installed")

    def resolve(self, setup: Setup, options: Mapping[str, Value], argument: str | None = None) -> Resolved:
        """Complete the options."""
        full = self.complete(options)
        by_print = bool(full["stationary"]) and setup.profile is not None
        return Resolved(
            rate=setup.rate,
            latency=CHUNK + CONTEXT,
            options=full,
            hashes={"profile": setup.profile.hash} if by_print and setup.profile is not None else {},
            libraries=("numpy", "scipy", "noisereduce"),
            needs_analysis=bool(full["stationary"]) and not by_print,
        )

    def analyse(self, blocks: Iterable[Audio], setup: Setup, resolved: Resolved) -> Analysis:
        """Return the stationary thresholds of each bin in dB, measured on the first chunk, for each decision."""
        parts: list[Audio] = []
        missing = CHUNK
        for block in blocks:
            parts.append(block[:, :missing])
            missing -= parts[-1].shape[1]
            if missing <= 0:
                break
        whole = np.concatenate([np.zeros((setup.channels, 0), np.float32), *parts], axis=1)
        window = int(resolved.options["n_fft"])
        noises = [_feed(whole)] if setup.decisions == 1 else list(whole.astype(np.float64))
        thresholds = []
        for noise in noises:
            noise = np.pad(noise, (0, max(0, window - len(noise))))  # the package refuses what is shorter
            measured = np.zeros(window // 2 + 1)
            if np.any(noise):
                measured = _gate(resolved.options, resolved.rate, noise).noise_thresh
            thresholds.append([float(value) for value in measured])
        return {"threshold_db": thresholds}

    def open(self, setup: Setup, resolved: Resolved, analysis: Analysis | None = None) -> Processor:
        """Return a fresh processor."""
        thresholds: Iterable[NDArray[np.float64] | None] = [None] * setup.decisions
        if resolved.options["stationary"]:
            if analysis is not None:
                thresholds = np.array(analysis["threshold_db"])
            elif setup.profile is not None:
                thresholds = _thresholds(setup.profile, resolved, setup.decisions)
        gates = [_Gating(resolved.options, resolved.rate, threshold) for threshold in thresholds]
        return spread(gates, setup, resolved.rate)


class _Gating:
    """One channel through the package, on its grid of chunks."""

    latency = CHUNK + CONTEXT

    def __init__(self, options: Mapping[str, Value], rate: int, threshold: NDArray[np.float64] | None) -> None:
        self._gate = _gate(options, rate, None if threshold is None else np.zeros(int(options["n_fft"])))
        if threshold is not None:
            self._gate.noise_thresh = threshold
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._held = Queue(np.zeros((1, CONTEXT), np.float32))  # the context before the next chunk included
        self._chunks = 0

    def process(self, block: Audio) -> Audio:
        """Take (1, n), return (1, m)."""
        self._held.push(block)
        done = [block[:, :0]]
        while len(self._held) > CONTEXT + CHUNK + CONTEXT:  # a recording of one chunk is not padded to the grid
            done.append(self._chunk(CHUNK))
        return np.concatenate(done, axis=1)

    def flush(self) -> Audio:
        """Return the frames that are still owed."""
        done = [np.zeros((1, 0), np.float32)]
        while (rest := len(self._held) - CONTEXT) > 0:
            done.append(self._chunk(min(rest, CHUNK)))
        return np.concatenate(done, axis=1)

    def _chunk(self, count: int) -> Audio:
        """Clean the next ``count`` frames."""
        alone = count == len(self._held) - CONTEXT and self._chunks == 0
        chunk = np.zeros((1, (count if alone else CHUNK) + 2 * CONTEXT))
        seen = self._held.peek(min(chunk.shape[1], len(self._held)))
        chunk[:, : seen.shape[1]] = seen
        self._held.pop(count)
        self._chunks += 1
        if not chunk.any():
            return np.zeros((1, count), np.float32)
        with np.errstate(all="ignore"):  # a bin without any sound is 0/0 in the package
            cleaned = self._gate._do_filter(chunk)
            if not np.all(np.isfinite(cleaned)):
                dither = np.random.default_rng(0).standard_normal(chunk.shape) * 1e-9
                cleaned = np.where(chunk == 0, 0.0, self._gate._do_filter(chunk + dither))
        return cleaned[:, CONTEXT : CONTEXT + count].astype(np.float32)


def _feed(whole: Audio) -> NDArray[np.float64]:
    """Return the signal that is measured: the mean of the channels, or the strongest where they cancel."""
    mean = whole.mean(axis=0, dtype=np.float64)
    powers = np.sum(whole.astype(np.float64) ** 2, axis=1)
    strongest = int(np.argmax(powers))
    return whole[strongest].astype(np.float64) if cancels(mean @ mean, powers[strongest], len(whole)) else mean


def _thresholds(profile: NoiseProfile, resolved: Resolved, channels: int) -> NDArray[np.float64]:
    """Return the thresholds in dB that Gaussian noise of this profile would give, (channels, bins)."""
    window = int(resolved.options["n_fft"])
    shape = hann(window)
    density = profile.at(np.linspace(0, resolved.rate / 2, window // 2 + 1), channels)
    power = density * resolved.rate * np.sum(shape**2) / np.sum(shape) ** 2  # scipy's scaling "spectrum"
    level = 10 * np.log10(np.maximum(power, 1e-30))
    return level + _MEAN_DB + float(resolved.options["n_std_thresh"]) * _STD_DB


def _gate(options: Mapping[str, Value], rate: int, noise: NDArray[np.float64] | None) -> Any:
    """Return the package's gate: stationary with a threshold from ``noise``, or not stationary without."""
    stationary, moving = _classes()
    window = int(options["n_fft"])
    common: dict[str, Any] = {
        "y": np.zeros((1, window)),
        "sr": rate,
        "prop_decrease": options["prop_decrease"],
        "chunk_size": CHUNK,
        "padding": CONTEXT,
        "n_fft": window,
        "win_length": None,
        "hop_length": None,
        "time_constant_s": options["time_constant_s"],
        # The package refuses less than two bins, or than a frame.
        "freq_mask_smooth_hz": max(float(options["freq_mask_smooth_hz"]), 2.0001 * rate / window),
        "time_mask_smooth_ms": max(float(options["time_mask_smooth_ms"]), 1000.1 * (window // 4) / rate),
        "tmp_folder": None,
        "use_tqdm": False,
        "n_jobs": 1,
    }
    if noise is None:
        return moving(
            **common,
            thresh_n_mult_nonstationary=options["thresh_n_mult"],
            sigmoid_slope_nonstationary=options["sigmoid_slope"],
        )
    return stationary(
        **common, y_noise=noise, n_std_thresh_stationary=options["n_std_thresh"], clip_noise_stationary=True
    )


@cache
def _classes() -> tuple[Any, Any]:
    import scipy.signal  # noqa: F401 - before torch is hidden: it looks whether torch is loaded

    with _without_torch():
        from noisereduce.spectralgate.nonstationary import SpectralGateNonStationary
        from noisereduce.spectralgate.stationary import SpectralGateStationary
    return SpectralGateStationary, SpectralGateNonStationary


@contextmanager
def _without_torch() -> Iterator[None]:
    """Hide torch from the package, which would spend seconds on importing it, for nothing here.

    That holds for the imports here only: another import of the package, later, finds torch.
    """
    if "torch" in sys.modules or "noisereduce" in sys.modules:
        yield
        return
    sys.modules["torch"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["torch"]
        for name in [name for name in sys.modules if name.split(".")[0] == "noisereduce"]:
            del sys.modules[name]


NOISEREDUCE = NoiseReduce()
