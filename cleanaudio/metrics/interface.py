"""The contract of a metric: what it says about itself, what it is given, and what it may answer.

A metric answers with a number or with :class:`NotMeasurable` and the reason; never with a stand-in number and never
with NaN. Infinity is a number here (the SI-SDR of identical signals); JSON writes it as null and the reason "inf".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.array import as_audio
from cleanaudio.audio.resample import resampled
from cleanaudio.errors import InputError

Audio = NDArray[np.float32]
Vector = NDArray[np.float32]


@dataclass(frozen=True)
class NotMeasurable:
    """Why there is no number.

    Parameters
    ----------
    reason : str
        For the user, without a final stop: ``reference is silent``.
    """

    reason: str


Measured = float | NotMeasurable


def measurable(signal: NDArray, what: str) -> Audio:
    """Return a signal as float32 (channels, frames); NaN may be in it, which a metric tells.

    Parameters
    ----------
    signal : ndarray, shape (frames,) or (channels, frames)
    what : str
        How errors call it.

    Raises
    ------
    InputError
        It is empty, or no audio.
    """
    audio = as_audio(signal, what, finite=False)
    if not audio.size:
        raise InputError(f"{what} is empty")
    return audio


@dataclass(frozen=True)
class Signals:
    """What is judged, and what it is compared with: aligned, of one rate and one length.

    Parameters
    ----------
    enhanced : ndarray, shape (channels, frames), float32
    rate : int
        Frames per second of all three.
    reference : ndarray, optional
        The clean signal; its channel count may differ, metrics compare channel means.
    noisy : ndarray, optional
        What was cleaned.
    channel_mask : int
        Loudspeaker positions of the channels of ``enhanced``, as in an extensible WAV header; 0 if unknown.
    gain : float or None
        With which the enhanced signal was written after cleaning, linear; None where nobody has said. What is compared
        with the noisy input has it taken out.
    """

    enhanced: Audio
    rate: int
    reference: Audio | None = None
    noisy: Audio | None = None
    channel_mask: int = 0
    gain: float | None = 1.0
    _derived: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        for what in ("enhanced", "reference", "noisy"):
            signal = getattr(self, what)
            if signal is None:
                continue
            audio = measurable(signal, what)
            object.__setattr__(self, what, audio)
            if audio.shape[1] != self.enhanced.shape[1]:
                raise InputError(f"{what} has {audio.shape[1]} frames, enhanced has {self.enhanced.shape[1]}")

    def derived(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return what ``make`` returned when the key was first asked for."""
        if key not in self._derived:
            self._derived[key] = make()
        return self._derived[key]

    def mono(self, what: str, rate: int | None = None) -> Vector:
        """Return the channel mean of ``enhanced``, ``reference`` or ``noisy``, at another rate if asked (soxr, HQ).

        A channel that is upside down on the recording is turned over first, or the mean would be silence.

        Returns
        -------
        ndarray, shape (frames,), float32
        """
        rate = rate or self.rate

        def make() -> Vector:
            audio = getattr(self, what)
            if audio is None:
                raise KeyError(what)
            if rate == self.rate:
                return audio[0] if len(audio) == 1 else (audio * self._signs(what)).mean(axis=0)
            return resampled(self.mono(what), self.rate, rate)

        return self.derived((what, rate), make)

    def _signs(self, what: str) -> NDArray[np.float32]:
        """Return ±1 for each channel: as the recording that was cleaned has them, where it has as many."""
        count = len(getattr(self, what))
        others = (
            side for side in ("noisy", "reference") if (one := getattr(self, side)) is not None and len(one) == count
        )
        leading = next(others, what)
        return self.derived((leading, "signs"), lambda: polarity(getattr(self, leading)))

    def finite(self, what: str) -> bool:
        """Return whether a signal has neither NaN nor infinite samples."""
        return self.derived((what, "finite"), lambda: bool(np.isfinite(getattr(self, what)).all()))

    def of_noisy(self) -> Signals:
        """Return the same comparison with the noisy signal in the place of the enhanced one."""
        noisy = self.noisy
        if noisy is None:
            raise KeyError("noisy")
        return self.derived("of noisy", lambda: Signals(noisy, self.rate, self.reference, None, self.channel_mask))

    def without_gain(self) -> Signals:
        """Return the same comparison with the enhanced signal as it was before its gain, where that is known."""
        gain = self.gain
        if gain is None or gain == 1.0:
            return self
        return self.derived("without gain", lambda: self.of_another(self.enhanced / np.float32(gain)))

    def of_another(self, enhanced: Audio) -> Signals:
        """Return the comparison of another output, with no gain, with the same input; what is known of that is kept."""
        other = Signals(enhanced, self.rate, self.reference, self.noisy, self.channel_mask)
        if self.noisy is not None:
            other.derived("of noisy", self.of_noisy)
        return other


def polarity(audio: Audio) -> NDArray[np.float32]:
    """Return −1 for channels that are upside down against the first, else 1: shape (channels, 1)."""
    from cleanaudio.metrics.inspect.wiring import WiringMeter

    meter = WiringMeter(len(audio))
    meter.add(audio)
    signs = np.ones((len(audio), 1), np.float32)
    signs[[fault.channel for fault in meter.faults() if fault.kind == "inverted"]] = -1
    return signs


Computed = Mapping[str, Measured]


@dataclass(frozen=True)
class Metric:
    """A frozen description, and the function that measures.

    Parameters
    ----------
    name : str
    keys : tuple of str
        Names of the numbers that it gives; most metrics give one, called as the metric.
    compute : callable
        Takes :class:`Signals` that have what the metric needs; returns all its keys.
    needs : frozenset of {"reference", "noisy"}
    higher_is_better : bool or None
        None: neither, as for a loudness.
    unit : str
    low, high : float
        Range of the numbers.
    extra : str, optional
        The pip extra that it needs.
    modules : tuple of str
        What it imports of that.
    summary : str
        One line for tables.
    """

    name: str
    keys: tuple[str, ...]
    compute: Callable[[Signals], Computed] = field(repr=False)
    needs: frozenset[str] = frozenset()
    higher_is_better: bool | None = True
    unit: str = ""
    low: float = -math.inf
    high: float = math.inf
    extra: str | None = None
    modules: tuple[str, ...] = ()
    summary: str = ""

    def __call__(self, signals: Signals) -> dict[str, Measured]:
        """Measure; the answer of the same metric on the same signals is kept."""
        return dict(signals.derived(("metric", self.name), lambda: self._measure(signals)))

    @property
    def installed(self) -> bool:
        """Whether what it imports is there."""
        return all(find_spec(module) is not None for module in self.modules)

    def _measure(self, signals: Signals) -> dict[str, Measured]:
        for what in ("enhanced", *sorted(self.needs)):
            if getattr(signals, what) is None:
                return self.refuse(f"needs the {what} signal")
            if not signals.finite(what):
                return self.refuse(f"{what} has NaN or infinite samples")
        try:
            measured = self.compute(signals)
        except ImportError as error:
            if self.extra is None:
                raise
            return self.refuse(f"needs pip install 'cleanaudio-cli[{self.extra}]' ({error})")
        return {key: _no_nan(measured[key]) for key in self.keys}

    def refuse(self, reason: str) -> dict[str, Measured]:
        """Return every key as not measurable, for one reason."""
        return dict.fromkeys(self.keys, NotMeasurable(reason))


def _no_nan(value: Measured) -> Measured:
    if isinstance(value, NotMeasurable):
        return value
    return NotMeasurable("the result is not a number") if math.isnan(value) else float(value)


def single(name: str, compute: Callable[[Signals], Measured], **described: Any) -> Metric:
    """Return a metric of one number, its key called as itself."""
    return Metric(name=name, keys=(name,), compute=lambda signals: {name: compute(signals)}, **described)


def delta(metric: Metric) -> Metric:
    """Return the metric "enhanced minus noisy input" of another metric, keys ``<key>_delta``.

    The sign is not turned: where lower is better, a negative difference is an improvement. A known gain is taken out
    of the enhanced signal first. Where both are infinite the difference is not measurable.
    """

    def compute(signals: Signals) -> Computed:
        after, before = metric(signals.without_gain()), metric(signals.of_noisy())
        return {f"{key}_delta": _difference(after[key], before[key]) for key in metric.keys}

    span = metric.high - metric.low
    return replace(
        metric,
        name=f"{metric.name}_delta",
        keys=tuple(f"{key}_delta" for key in metric.keys),
        compute=compute,
        needs=metric.needs | {"noisy"},
        low=-span,
        high=span,
        summary=f"{metric.summary}, enhanced minus noisy input",
    )


def _difference(after: Measured, before: Measured) -> Measured:
    if isinstance(after, NotMeasurable):
        return after
    if isinstance(before, NotMeasurable):
        return NotMeasurable(f"noisy input: {before.reason}")
    if math.isinf(after) and after == before:
        return NotMeasurable("enhanced and noisy input are both infinite")
    return after - before
