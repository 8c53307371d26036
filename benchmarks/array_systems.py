"""The systems that the benchmark of arrays compares: ours, single channels, pyroomacoustics, and two ceilings."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.array_rooms import RATE, Scene

PEERS = os.environ.get("CLEANAUDIO_PEERS")
"""A folder with models/ulunas/ulunas.onnx, the best public network for one channel at 16 kHz; left out without it."""


def network() -> str:
    """Return the backend that makes the masks and filters one channel: deepfilternet where it is installed."""
    from cleanaudio.backends import registry

    return "deepfilternet" if registry.available("deepfilternet") else "log-mmse"


def cleaner(spec: str | None = None, strength: float = 1.0):
    """Return a backend for one channel as a stream."""
    import cleanaudio

    return cleanaudio.open_chain(spec or network(), rate=RATE, channels=1, strength=strength, live=False)


def single_channel() -> dict[str, str]:
    """Return what single-channel systems there are: names and specs."""
    found = {f"{network()} on microphone 1": network()}
    if PEERS and (model := Path(PEERS) / "models/ulunas/ulunas.onnx").exists():
        found["UL-UNAS on microphone 1"] = f"onnx:{model}"
    return found


def mask(channels: int, grid: tuple[int, int]):
    """Return the mask estimator of the product for an STFT."""
    from cleanaudio.batch.masking import Masking

    return Masking(network()).open(RATE, channels, grid, lambda: iter(()))


def learning(channels: int, **options):
    """Return a mask-based beamformer."""
    from cleanaudio.spatial.adaptive import MaskBeamformer, beamforming_stft

    return MaskBeamformer(RATE, channels, mask(channels, beamforming_stft(RATE)), **options)


def blind(channels: int, masked: bool = False, **options):
    """Return delay-and-sum that finds its delays."""
    from cleanaudio.spatial.blind import BlindDelayAndSum, delay_stft

    return BlindDelayAndSum(RATE, channels, 0, mask(channels, delay_stft(RATE)) if masked else None, **options)


LEARNING: dict[str, Callable] = {
    "delay-and-sum, blind": blind,
    "delay-and-sum, blind, mask": lambda m: blind(m, True),
    "delay-and-sum, blind, mask, no spectral weight": lambda m: blind(m, True, spectral=0.0),
    "mvdr": learning,
    "mvdr, no clustering": lambda m: learning(m, clustering=0),
    "mvdr, blocks of 2 s": lambda m: learning(m, block_s=2.0),
    "mvdr, rank 1": lambda m: learning(m, rank1=True),
    "gev": lambda m: learning(m, method="gev"),
    "mwf, μ = 1": lambda m: learning(m, method="mwf", mu=1.0),
    "mwf, μ = 5": lambda m: learning(m, method="mwf"),
}
"""Makers of streams, for so many channels."""

POSTFILTERED = {
    "mvdr + post-filter": (0.95, {}),
    "mvdr + post-filter, strength 0.7": (0.7, {}),
    "mwf, μ = 5 + post-filter": (0.95, {"method": "mwf"}),
}
"""Strength of the post-filter, and options of the beamformer before it."""


def drive(stream, signal, block: int = 4096):
    """Feed a stream to the end."""
    parts = [stream.process(signal[:, k : k + block]) for k in range(0, signal.shape[1], block)]
    return np.concatenate([*parts, stream.flush()], axis=1)


def systems() -> dict[str, Callable]:
    """Return every system that needs nothing but the recording: (channels, n) in, (1, n) out."""
    found: dict[str, Callable] = {
        "microphone 1": lambda x: x[:1],
        "mean of the channels": lambda x: x.mean(axis=0, keepdims=True),
    }
    for name, spec in single_channel().items():
        found[name] = lambda x, spec=spec: drive(cleaner(spec), x[:1])
    for name, make in LEARNING.items():
        found[name] = lambda x, make=make: drive(make(len(x)), x)
    for name, (strength, options) in POSTFILTERED.items():
        found[name] = lambda x, s=strength, o=options: drive(cleaner(strength=s), drive(learning(len(x), **o), x))
    return found


def steered(method: str) -> Callable[[Scene], np.ndarray]:
    """Return our beamformer for a known array and direction."""

    def system(scene: Scene):
        from cleanaudio.spatial.fixed import fixed_beamformer
        from cleanaudio.spatial.geometry import Direction

        beam = fixed_beamformer(method, RATE, len(scene.mixture), scene.array, Direction(scene.azimuth), 343.0)
        return drive(beam, scene.mixture)

    return system


def pyroomacoustics(kind: str) -> Callable[[Scene], np.ndarray]:
    """Return theirs, which is told where voice and noises are, to the centimetre; any lag of it is taken out."""
    plain = {"generators": np.zeros(2), "walls": np.zeros(2)}

    def system(scene: Scene):
        import pyroomacoustics as pra

        taps = 1024 if kind == "delay-and-sum" else 400  # theirs is a matrix of microphones × taps
        beam = pra.Beamformer(scene.microphones.T, RATE, N=1024, Lg=taps)
        beam.signals = scene.mixture.astype(np.float64)
        voice = pra.SoundSource(scene.places[0])
        if kind == "delay-and-sum":
            beam.rake_delay_and_sum_weights(voice)
            beam.weights /= beam.M
            beam.filters_from_weights()
        else:
            noises = pra.SoundSource(scene.places[1], images=scene.places[1:].T, orders=np.zeros(2), **plain)
            beam.rake_mvdr_filters(voice, noises, 1e-4 * np.eye(beam.M * beam.Lg), delay=0.02)
        out = beam.process(FD=False)
        lags = np.arange(-1600, 1600)
        both = [np.fft.rfft(v, 1 << 18) for v in (out, scene.direct[0])]
        likeness = np.fft.irfft(both[0] * both[1].conj())
        return np.roll(out, -lags[np.argmax(np.abs(likeness[lags]))])[None, : scene.mixture.shape[1]]

    return system


def ceiling_of_delay_and_sum(scene: Scene):
    """Return the sum with the true delays and the best constant weights ≥ 0 in hindsight, at least squares."""
    from scipy.optimize import nnls

    from cleanaudio.spatial.fixed import FilterAndSum, delay_filters

    delays = np.linalg.norm(scene.microphones - scene.places[0], axis=1) / 343.0 * RATE
    filters = len(delays) * delay_filters(delays - delays[0])
    aligned = np.concatenate(
        [drive(FilterAndSum(f[None]), x[None]) for f, x in zip(filters, scene.mixture, strict=True)]
    )
    return (nnls(aligned.T.astype(float), scene.voice[0].astype(float))[0] @ aligned)[None].astype(np.float32)


def ideal_mvdr(noisy, voice):
    """Return Souden's MVDR with the ideal ratio mask of microphone 1, one static filter: the ceiling."""
    from cleanaudio.audio.stft import Istft, Stft, synthesis_window, window
    from cleanaudio.spatial.beamformers import apply, souden
    from cleanaudio.spatial.covariance import weighted_sum

    size, hop = 1024, 256
    analysis = window("sqrt-hann", size)
    padded = np.pad(np.concatenate([noisy, voice[None]]), ((0, 0), (0, size)))
    spectra = Stft(len(padded), analysis, hop).push(padded.astype(np.float32))
    heard, clean = spectra[:-1], np.abs(spectra[-1]) ** 2
    rest = np.abs(spectra[0] - spectra[-1]) ** 2
    ideal = (clean / np.maximum(clean + rest, 1e-12)).astype(np.float32)
    means = [weighted_sum(heard, m) / np.maximum(m.sum(axis=0), 1e-6)[:, None, None] for m in (ideal, 1 - ideal)]
    out = apply(souden(means[0], means[1], 0, 1e-6), heard)[None]
    return Istft(1, synthesis_window(analysis, hop), hop).push(out)[:, : noisy.shape[1]]
