"""The classical table: a noise tracker times a gain rule, driven by one streaming STFT."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.processor import Processor
from cleanaudio.audio.queue import Queue
from cleanaudio.audio.stft import sizes, window
from cleanaudio.audio.transform import SpectralProcessor
from cleanaudio.backends import noise as trackers
from cleanaudio.backends.estimators import AMPLITUDE, LOG_AMPLITUDE, Estimator
from cleanaudio.backends.gains import Estimate, OmLsa, Rule, Subtraction
from cleanaudio.backends.interface import Analysis, Backend, Option, Resolved, Setup, Value
from cleanaudio.backends.linking import Feed
from cleanaudio.backends.measuring import measure_quiet
from cleanaudio.backends.noise.fixed import Fixed
from cleanaudio.backends.noise.tracker import Tracker
from cleanaudio.backends.presence import SpeechAbsence
from cleanaudio.backends.prior import DecisionDirected, MaximumLikelihood, Noncausal, Prior
from cleanaudio.backends.profile import NoiseProfile
from cleanaudio.errors import InputError, RecipeError

Audio = NDArray[np.float32]
Power = NDArray[np.float32]
Spectra = NDArray[np.complex64]
MakeRule = Callable[[Mapping[str, Any], float, float], Rule]

_SILENT = 1e-16  # -160 dBFS: no recording's noise is so low
_AT_ONCE = 64
_LIVE = {"window_s": 0.02, "hop_s": 0.005}

_QUALITY = Option(
    "quality",
    "ahead",
    "ahead: hear up to four seconds ahead; live: only the past, in windows of 20 ms",
    choices=("ahead", "live"),
)
_TRACKER = Option(
    "tracker",
    "auto",
    "noise estimator; auto: the noise profile if there is one, else two-sided, live imcra",
    choices=("auto", "profile", "two-sided", *trackers.RECURSIONS),
)
_WINDOW = Option("window_s", 0.032, "analysis window", "s", 0.004, 0.2)
_HOP = Option("hop_s", 0.008, "from frame to frame, at most half a window", "s", 0.001, 0.1)
_SMOOTHING = Option("smoothing", 0.98, "weight of the last frame in the prior, for a hop of 8 ms", "", 0.0, 0.999)
_PRIOR_HELP = "a priori SNR: from the past, or noncausal from past and future"


def _limit(default: float) -> Option:
    return Option("limit_db", default, "at most so much is taken away", "dB", 0.0, 100.0)


class _Channel:
    """Powers of one channel in, gains out, both with their own look-ahead."""

    def __init__(self, tracker: Tracker, rule: Rule) -> None:
        self._tracker, self._rule = tracker, rule
        self.look_ahead = tracker.look_ahead + rule.look_ahead
        self.reset()

    def reset(self) -> None:
        self._tracker.reset()
        self._rule.reset()
        self._powers = Queue(np.zeros((0, 1), np.float32), axis=-2)

    def __call__(self, powers: Power) -> Power:
        self._powers.push(powers)
        return self._decide(self._tracker(powers))

    def flush(self) -> Power:
        return np.concatenate([part for part in (self._decide(self._tracker.flush()), self._rule.flush()) if len(part)])

    def _decide(self, noise: Power) -> Power:
        return self._rule(self._powers.pop(len(noise)), noise) if len(noise) else noise


class Gains:
    """The :class:`~cleanaudio.audio.transform.Transform` that multiplies spectra by real gains.

    Parameters
    ----------
    channels : sequence of _Channel
        One for each channel, or a single one whose gains go to all.
    count : int
        Channels of the recording.
    feed : Feed, optional
        What a single one listens to.
    """

    def __init__(self, channels: Sequence[_Channel], count: int, feed: Feed | None) -> None:
        self._channels, self._count, self._feed = channels, count, feed
        self.look_ahead = channels[0].look_ahead
        self._spectra = Queue(np.zeros((count, 0, 1), np.complex64), axis=-2)

    def reset(self) -> None:
        """Forget the signal."""
        for channel in self._channels:
            channel.reset()
        if self._feed is not None:
            self._feed.reset()
        self._spectra = Queue(np.zeros((self._count, 0, 1), np.complex64), axis=-2)

    def __call__(self, spectra: Spectra) -> Spectra:
        """Take (channels, frames, bins), return those that are decided."""
        if not spectra.shape[1]:
            return spectra
        self._spectra.push(spectra)
        heard = spectra if self._feed is None else self._feed(spectra)
        powers = np.square(heard.real)
        powers += np.square(heard.imag)
        gains = [channel(row) for channel, row in zip(self._channels, powers, strict=True)]
        return self._apply(gains) if len(gains[0]) else spectra[:, :0]

    def flush(self) -> Spectra:
        """Return the frames that still waited."""
        if not self._spectra:
            return self._spectra.pop(0)
        return self._apply([channel.flush() for channel in self._channels])

    def _apply(self, gains: Sequence[Power]) -> Spectra:
        spectra = self._spectra.pop(len(gains[0]))
        out = np.empty_like(spectra)
        for channel, row in enumerate(spectra):
            np.multiply(row, gains[channel if len(gains) > 1 else 0], out=out[channel])
        return out


class Spectral(Backend):
    """A row of the table: a gain rule that takes any tracker.

    Parameters
    ----------
    name, summary : str
    rule : callable
        Takes the options, seconds from frame to frame and Hz from bin to bin; returns a fresh rule for one channel.
    options : sequence of Option
        Its own.
    """

    kind = "classical"
    takes_profile = True
    revision = 1

    def __init__(self, name: str, summary: str, rule: MakeRule, options: Sequence[Option]) -> None:
        self.name, self.summary, self._rule = name, summary, rule
        self.options = (*options, _TRACKER, _QUALITY, _WINDOW, _HOP)

    def resolve(self, setup: Setup, options: Mapping[str, Value], argument: str | None = None) -> Resolved:
        """Complete the options: what ``auto`` means here, and what live use allows.

        Raises
        ------
        RecipeError
            A hop of more than half a window, or something live that must hear ahead.
        """
        full: dict[str, Any] = self.complete(options)
        live = setup.live or full["quality"] == "live"
        if live:
            full |= {"quality": "live"} | {name: options.get(name, value) for name, value in _LIVE.items()}
        if full["tracker"] == "auto":
            full["tracker"] = "profile" if setup.profile is not None else "imcra" if live else "two-sided"
        if live and full.get("prior") == "noncausal":
            if "prior" in options:
                raise RecipeError("a noncausal prior hears ahead and cannot run live", remedy="drop it")
            full["prior"] = "decision-directed"
        if live and full["tracker"] == "two-sided":
            raise RecipeError("the two-sided tracker hears ahead and cannot run live", remedy="use tracker=imcra")
        needs_analysis = full["tracker"] == "profile" and setup.profile is None
        if setup.live and needs_analysis:
            raise RecipeError(
                "tracker=profile needs a noise profile when live", remedy="measure one with profile-noise"
            )
        if full["hop_s"] > full["window_s"] / 2:
            raise RecipeError(f"hop_s {full['hop_s']:g} is more than half of window_s {full['window_s']:g}")
        size, hop = sizes(setup.rate, full["window_s"], full["hop_s"])
        hashes = {}
        if full["tracker"] == "profile" and setup.profile is not None:
            hashes["profile"] = setup.profile.hash
        latency = size + hop * self._channels(setup, full, None, 1)[0].look_ahead
        return Resolved(setup.rate, latency, full, hashes, needs_analysis=needs_analysis)

    def analyse(self, blocks: Iterable[Audio], setup: Setup, resolved: Resolved) -> Analysis:
        """Measure a noise profile on the stretches without speech."""
        try:
            return {"profile": measure_quiet(blocks, resolved.rate).to_dict()}
        except InputError:  # silence, or hardly anything: there is nothing to take away
            return {}

    def open(self, setup: Setup, resolved: Resolved, analysis: Analysis | None = None) -> Processor:
        """Return a fresh processor."""
        options = resolved.options
        size, hop = sizes(resolved.rate, float(options["window_s"]), float(options["hop_s"]))
        linked = setup.linked and setup.channels > 1
        channels = self._channels(setup, options, analysis, setup.decisions)
        gains = Gains(channels, setup.channels, Feed(setup.channels, hop / resolved.rate) if linked else None)
        return SpectralProcessor(gains, setup.channels, window("hann", size), hop, at_once=_AT_ONCE)

    def _channels(
        self, setup: Setup, options: Mapping[str, Any], analysis: Analysis | None, count: int
    ) -> list[_Channel]:
        rate = setup.rate
        size, hop = sizes(rate, options["window_s"], options["hop_s"])
        energy = float(np.sum(window("hann", size).astype(np.float64) ** 2))
        noise: list[Tracker]
        if options["tracker"] == "profile":
            profile = NoiseProfile.from_dict(analysis["profile"]) if analysis else setup.profile
            bins = size // 2 + 1
            silence = np.zeros((count, bins))
            densities = silence if profile is None else profile.at(np.linspace(0, rate / 2, bins), count)
            noise = [Fixed((np.maximum(row * rate, _SILENT) * energy).astype(np.float32)) for row in densities]
        else:
            ahead = options["quality"] == "ahead"
            name, least = options["tracker"], _SILENT * energy
            noise = [trackers.make(name, hop / rate, size // hop, least, ahead) for _ in range(count)]
        return [_Channel(tracker, self._rule(options, hop / rate, rate / size)) for tracker in noise]


def _floor(options: Mapping[str, Any]) -> float:
    return 10 ** (-options["limit_db"] / 20)


def _prior(options: Mapping[str, Any], hop_s: float, estimator: Estimator | None) -> Prior:
    if options["prior"] == "ml":
        return MaximumLikelihood()
    kind = Noncausal if options["prior"] == "noncausal" else DecisionDirected
    return kind(options["smoothing"], hop_s, estimator)


def _subtraction(options: Mapping[str, Any], hop_s: float, bin_hz: float) -> Rule:
    return Subtraction(options["domain"], options["alpha"], options["beta"], _floor(options))


def _estimate(estimator: Estimator | None) -> MakeRule:
    def rule(options: Mapping[str, Any], hop_s: float, bin_hz: float) -> Rule:
        return Estimate(_prior(options, hop_s, estimator), estimator, _floor(options))

    return rule


def _omlsa(options: Mapping[str, Any], hop_s: float, bin_hz: float) -> Rule:
    return OmLsa(_prior(options, hop_s, LOG_AMPLITUDE), SpeechAbsence(bin_hz, hop_s), _floor(options))


_SOFT_PRIORS = ("decision-directed", "noncausal")

SPECTRAL_SUBTRACTION = Spectral(
    "spectral-subtraction",
    "spectral subtraction (Boll 1979, Berouti 1979)",
    _subtraction,
    (
        Option("domain", "magnitude", "what is subtracted", choices=("magnitude", "power")),
        Option("alpha", 2.0, "over-subtraction: so many times the noise is subtracted", "", 0.0, 20.0),
        Option("beta", 0.002, "spectral floor: share of the noisy magnitude, or noise power, that stays", "", 0.0, 1.0),
        _limit(60.0),
    ),
)
WIENER = Spectral(
    "wiener",
    "Wiener filter (Lim & Oppenheim 1979, Scalart 1996)",
    _estimate(None),
    (
        Option("prior", "decision-directed", f"{_PRIOR_HELP}, or ml: this frame alone", choices=("ml", *_SOFT_PRIORS)),
        _SMOOTHING,
        _limit(20.0),
    ),
)
MMSE_STSA = Spectral(
    "mmse-stsa",
    "short-time spectral amplitude estimator (Ephraim & Malah 1984)",
    _estimate(AMPLITUDE),
    (Option("prior", "decision-directed", _PRIOR_HELP, choices=_SOFT_PRIORS), _SMOOTHING, _limit(20.0)),
)
LOG_MMSE = Spectral(
    "log-mmse",
    "log-spectral amplitude estimator (Ephraim & Malah 1985)",
    _estimate(LOG_AMPLITUDE),
    (Option("prior", "decision-directed", _PRIOR_HELP, choices=_SOFT_PRIORS), _SMOOTHING, _limit(20.0)),
)
OMLSA = Spectral(
    "omlsa",
    "optimally modified log-spectral amplitude estimator (Cohen & Berdugo 2001)",
    _omlsa,
    (Option("prior", "noncausal", _PRIOR_HELP, choices=_SOFT_PRIORS), _SMOOTHING, _limit(20.0)),
)
