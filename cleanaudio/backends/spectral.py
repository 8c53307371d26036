"""The classical table: a noise tracker times a gain rule, driven by one streaming STFT."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.stft import window
from cleanaudio.backends.gains import LogMmse
from cleanaudio.backends.interface import Analysis, Backend, Option, Processor, Resolved, Setup, Value
from cleanaudio.backends.linking import Feed
from cleanaudio.backends.noise.spp import SpeechPresence
from cleanaudio.backends.transform import SpectralProcessor

_OPTIONS = (
    Option("window_s", 0.032, "analysis window", "s", 0.004, 0.2),
    Option("hop_s", 0.008, "from frame to frame", "s", 0.001, 0.1),
    Option("limit_db", 15.0, "at most so much is taken away", "dB", 0.0, 100.0),
)


class _Enhancer:
    look_ahead = 0

    def __init__(self, tracker, rule, feed) -> None:
        self._tracker, self._rule, self._feed = tracker, rule, feed

    def reset(self) -> None:
        for part in (self._tracker, self._rule, self._feed):
            if part is not None:
                part.reset()

    def __call__(self, spectra: NDArray[np.complex64]) -> NDArray[np.complex64]:
        heard = spectra if self._feed is None else self._feed(spectra)
        powers = heard.real**2 + heard.imag**2
        return spectra * self._rule(powers, self._tracker(powers))

    def flush(self) -> NDArray[np.complex64]:
        return np.zeros((1, 0, 1), np.complex64)


class Spectral(Backend):
    """A row of the table."""

    kind = "classical"
    options = _OPTIONS
    takes_profile = True

    def __init__(self, name: str, summary: str) -> None:
        self.name, self.summary = name, summary

    def resolve(self, setup: Setup, options: Mapping[str, Value], argument: str | None = None) -> Resolved:
        """Complete the options."""
        full = self.complete(options)
        hop, periods = self._sizes(setup, full)
        return Resolved(rate=setup.rate, latency=hop * periods, options=full)

    def _sizes(self, setup: Setup, options: Mapping[str, Value]) -> tuple[int, int]:
        return max(2, round(options["hop_s"] * setup.rate / 2) * 2), max(2, round(options["window_s"] / options["hop_s"]))

    def open(self, setup: Setup, resolved: Resolved, analysis: Analysis | None = None) -> Processor:
        """Return a fresh processor."""
        hop, periods = self._sizes(setup, resolved.options)
        analysis_window = window("hann", hop * periods)
        hop_s = hop / setup.rate
        feed = Feed(setup.channels, hop_s) if setup.linked and setup.channels > 1 else None
        tracker = SpeechPresence(hop_s, 1e-16 * float(np.sum(analysis_window**2)))
        enhancer = _Enhancer(tracker, LogMmse(10 ** (-float(resolved.options["limit_db"]) / 20)), feed)
        return _Flushing(enhancer, setup.channels, analysis_window, hop)


class _Flushing(SpectralProcessor):
    def flush(self) -> NDArray[np.float32]:
        tail = np.zeros((self._channels, self._window - self._hop + -self._taken % self._hop), np.float32)
        return self._give(self._istft.push(self._transform(self._stft.push(tail))))


SPECTRAL_SUBTRACTION = Spectral("spectral-subtraction", "spectral subtraction (Boll 1979, Berouti 1979)")
WIENER = Spectral("wiener", "Wiener filter")
MMSE_STSA = Spectral("mmse-stsa", "short-time spectral amplitude estimator (Ephraim & Malah 1984)")
LOG_MMSE = Spectral("log-mmse", "log-spectral amplitude estimator (Ephraim & Malah 1985)")
OMLSA = Spectral("omlsa", "optimally modified log-spectral amplitude estimator (Cohen & Berdugo 2001)")
