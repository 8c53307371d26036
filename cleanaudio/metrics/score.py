"""Measure one recording: line up the signals, run the metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cleanaudio.errors import InputError
from cleanaudio.metrics import registry
from cleanaudio.metrics.align import LIMIT_S, find_lag, shift
from cleanaudio.metrics.interface import Audio, Measured, Signals, Vector, measurable, polarity

LENGTH_LIMIT_S = 0.25
"""Lengths may differ by so much (what encoders and resamplers add); more means that they are different recordings."""


@dataclass(frozen=True)
class LinedUp:
    """Signals ready to be compared, and what had to be done to them.

    Parameters
    ----------
    signals : Signals
    lag_ms : float or None
        How much later than the reference (without one: than the noisy input) the enhanced signal came; None where
        there is nothing to compare with, or alignment was forbidden; 0 where no delay stands out.
    notes : tuple of str
        For the user: delays taken out, lengths cut or filled up.
    """

    signals: Signals
    lag_ms: float | None
    notes: tuple[str, ...]


def line_up(
    enhanced: NDArray,
    rate: int,
    reference: NDArray | None = None,
    noisy: NDArray | None = None,
    align: bool = True,
    gain: float | None = None,
) -> LinedUp:
    """Bring signals to one length and take constant delays of up to 0.1 s out.

    The reference stays where it is and the others are moved onto it; without one, the enhanced signal is moved onto the
    noisy one.

    Parameters
    ----------
    enhanced, reference, noisy : ndarray, shape (frames,) or (channels, frames)
        All at ``rate``.
    rate : int
    align : bool
        False: lengths only.
    gain : float, optional
        With which the enhanced signal was written after cleaning, linear, if that is known.

    Raises
    ------
    InputError
        A signal is empty, or lengths differ by more than 0.25 s.
    """
    given = {"enhanced": enhanced, "reference": reference, "noisy": noisy}
    signals = {what: measurable(signal, what) for what, signal in given.items() if signal is not None}
    anchor = next(what for what in ("reference", "noisy", "enhanced") if what in signals)
    frames = signals[anchor].shape[1]
    notes = []
    for what, signal in signals.items():
        missing = frames - signal.shape[1]
        if not missing:
            continue
        if abs(missing) > LENGTH_LIMIT_S * rate:
            raise InputError(
                f"{what} has {signal.shape[1]} frames, {anchor} has {frames}: more than {LENGTH_LIMIT_S} s apart",
                remedy="compare recordings of the same length",
            )
        signals[what] = np.pad(signal[:, :frames], ((0, 0), (0, max(0, missing))))
        did = "filled up with silence" if missing > 0 else "cut"
        notes.append(f"{what} {did} to the length of the {anchor} ({-missing:+d} frames)")
    lag_ms = None
    if align and len(signals) > 1:
        first = _mono(signals[anchor])
        for what in signals:
            if what == anchor:
                continue
            lag = _lag(first, _mono(signals[what]), rate)
            if lag is None:
                notes.append(
                    f"no delay of {what} against the {anchor} found within {LIMIT_S:g} s: are they the same recording?"
                )
            elif lag:
                signals[what] = shift(signals[what], lag)
                notes.append(f"{what} came {1000 * lag / rate:+.3g} ms after the {anchor}; taken out")
            if what == "enhanced":
                lag_ms = 1000 * (lag or 0) / rate
    ready = Signals(signals["enhanced"], rate, signals.get("reference"), signals.get("noisy"), gain=gain)
    return LinedUp(ready, lag_ms, tuple(notes))


def _mono(audio: Audio) -> Vector:
    return (audio * polarity(audio)).mean(axis=0)


def _lag(first: Vector, second: Vector, rate: int) -> int | None:
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        return 0  # the metrics say what is wrong
    return find_lag(first, second, rate)


def score(
    enhanced: NDArray,
    rate: int,
    reference: NDArray | None = None,
    noisy: NDArray | None = None,
    metrics: Sequence[str] | None = None,
    align: bool = True,
    gain: float | None = None,
) -> dict[str, Measured]:
    """Measure a recording.

    Parameters
    ----------
    enhanced : ndarray, shape (frames,) or (channels, frames)
        Nominal range ±1.
    rate : int
        Frames per second of all signals.
    reference : ndarray, optional
        The clean signal.
    noisy : ndarray, optional
        What was cleaned.
    metrics : sequence of str, optional
        Names of metrics or of single numbers, with ``_delta`` behind for the difference to the noisy input; default:
        all that the given signals allow.
    align : bool
        Take a constant delay out first.
    gain : float, optional
        With which the enhanced signal was written after cleaning, linear, if that is known.

    Returns
    -------
    dict
        Each key a number (possibly infinite) or :class:`NotMeasurable`; ``lag_ms`` first, where there is something to
        compare with and ``align`` is true.

    Raises
    ------
    InputError
        A signal is empty, or lengths differ by more than 0.25 s.
    RecipeError
        There is no such metric.
    """
    registry.select(metrics, frozenset())  # names that are none, before the work
    return measure(line_up(enhanced, rate, reference, noisy, align, gain), metrics)


def measure_before(lined_up: LinedUp, metrics: Sequence[str] | None = None) -> dict[str, Measured]:
    """Return the numbers of the noisy input whose differences :func:`measure` gives."""
    signals = lined_up.signals
    if signals.noisy is None:
        return {}
    out: dict[str, Measured] = {}
    for metric, keys in registry.select(metrics, _given(signals)):
        if metric.name.endswith(registry.SUFFIX):
            measured = registry.get(metric.name.removesuffix(registry.SUFFIX))(signals.of_noisy())
            out |= {bare: measured[bare] for bare in (key.removesuffix(registry.SUFFIX) for key in keys)}
    return out


def _given(signals: Signals) -> frozenset[str]:
    return frozenset(what for what in ("reference", "noisy") if getattr(signals, what) is not None)


def measure(lined_up: LinedUp, metrics: Sequence[str] | None = None) -> dict[str, Measured]:
    """Measure signals that are lined up; see :func:`score`."""
    signals = lined_up.signals
    out: dict[str, Measured] = {} if lined_up.lag_ms is None else {"lag_ms": lined_up.lag_ms}
    for metric, keys in registry.select(metrics, _given(signals)):
        measured = metric(signals)
        out |= {key: measured[key] for key in keys}
    return out
