"""The guard: cleaning that would harm a recording is taken back, step by step, before anything is written.

A few excerpts are cleaned and compared with what they were. Where the speech loses level, sounds worse to DNSMOS, or
there was nothing to clean, the output is mixed with the input, down to the input itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cleanaudio.backends.interface import Processor
from cleanaudio.metrics import registry
from cleanaudio.metrics.interface import Measured, Signals

Audio = NDArray[np.float32]

STEPS = (1.0, 0.75, 0.5, 0.25)
"""Shares of the cleaned signal that are tried; below the last one the original passes through."""

LEVEL_LOSS_DB, LEVEL_PER_SIG_DB = 3.0, 2.5
"""Speech may lose so much level, and more for each point that SIG gains: noise that goes takes level with it."""
USUAL_SIG_GAIN = 1.2
"""What SIG is taken to gain where DNSMOS is not installed: the mean on noisy development recordings."""
SIG_LOSS = 0.3
"""DNSMOS SIG may fall so far."""
CLEAN_BAK, CLEAN_GAIN = 3.9, 0.1
"""An input with this DNSMOS BAK, whose OVRL cleaning would not raise by so much, is clean already."""

EXCERPTS, EXCERPT_S = 6, 10.0
_SILENT = 1e-4


@dataclass(frozen=True)
class Decision:
    """What the guard says.

    Parameters
    ----------
    share : float
        Of the cleaned signal in the output, 1 … 0.
    reason : str or None
        Why it is below 1.
    """

    share: float
    reason: str | None = None


def excerpts(frames: int, rate: int) -> list[tuple[int, int]]:
    """Return the stretches that are listened to: start and length in frames, spread evenly over the recording."""
    length = min(frames, round(EXCERPT_S * rate))
    if frames <= EXCERPTS * length:
        return [(start, min(length, frames - start)) for start in range(0, frames, length)] if length else []
    return [(round(k * (frames - length) / (EXCERPTS - 1)), length) for k in range(EXCERPTS)]


def decide(
    read: Callable[[int, int], Audio], frames: int, rate: int, open_processor: Callable[[], Processor]
) -> Decision:
    """Find how much cleaning a recording bears.

    Parameters
    ----------
    read : callable
        Takes start and length in frames, returns (channels, length).
    frames, rate : int
        Of the recording.
    open_processor : callable
        Makes a fresh processor.
    """
    pairs = list(_pairs(read, frames, rate, open_processor))
    if not pairs:
        return Decision(1.0)
    reason = None
    for share in STEPS:
        why = _harm(pairs, share, rate)
        if why is None:
            return Decision(share, reason)
        if why == _CLEAN:
            return Decision(0.0, why)
        reason = reason or why
    return Decision(0.0, reason)


def _pairs(
    read: Callable[[int, int], Audio], frames: int, rate: int, open_processor: Callable[[], Processor]
) -> Iterator[tuple[Audio, Audio]]:
    for start, length in excerpts(frames, rate):
        noisy = read(start, length)
        if np.max(np.abs(noisy), initial=0.0) < _SILENT:
            continue
        processor = open_processor()
        yield noisy, np.concatenate([processor.process(noisy), processor.flush()], axis=1)


_CLEAN = "the input is clean already"


def _harm(pairs: list[tuple[Audio, Audio]], share: float, rate: int) -> str | None:
    """Return how cleaning with this share harms, or None."""
    signals = [Signals(noisy + np.float32(share) * (out - noisy), rate, noisy=noisy) for noisy, out in pairs]
    sig, ovrl = _mean(signals, "dnsmos_delta", "dnsmos_sig_delta"), _mean(signals, "dnsmos_delta", "dnsmos_ovrl_delta")
    bak = _mean([one.of_noisy() for one in signals], "dnsmos", "dnsmos_bak")
    change = _mean(signals, "speech_level_change", "speech_level_change")
    allowed = LEVEL_LOSS_DB + LEVEL_PER_SIG_DB * (max(0.0, sig) if sig is not None else USUAL_SIG_GAIN)
    if change is not None and change < -allowed:
        return f"the speech lost {-change:.1f} dB"
    if sig is not None and sig < -SIG_LOSS:
        return f"DNSMOS SIG fell by {-sig:.2f}"
    if bak is not None and ovrl is not None and bak >= CLEAN_BAK and ovrl < CLEAN_GAIN:
        return _CLEAN
    return None


def _mean(signals: list[Signals], metric: str, key: str) -> float | None:
    """Return the mean of a number over the excerpts where it can be measured."""
    values: list[Measured] = [registry.get(metric)(one)[key] for one in signals]
    numbers = [value for value in values if isinstance(value, float) and np.isfinite(value)]
    return float(np.mean(numbers)) if numbers else None
