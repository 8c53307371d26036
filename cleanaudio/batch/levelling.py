"""The level of a result: one gain, found by a first pass, for a loudness that is wanted or to fit below full scale."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.limiter import Limiter
from cleanaudio.audio.loudness import LoudnessMeter
from cleanaudio.audio.processor import Processor, Wrapper
from cleanaudio.audio.true_peak import TruePeakMeter
from cleanaudio.batch.outcome import Fields
from cleanaudio.errors import RecipeError

Audio = NDArray[np.float32]

COLUMNS = ("gain_db", "loudness_out_lufs", "true_peak_out_dbtp")
"""What a row says besides where the loudness is set."""
Outputs = Callable[[Processor], Iterable[Audio]]
"""Walks the recording through a processor: all that it gives, in blocks of (channels, frames)."""

_MISSED_LU = 0.5
_CLOSE_LU = 0.1
_MAKE_UPS = 4
_LEAST_SLOPE = 0.2
_MOST_MAKE_UP_DB = 6.0  # beyond it the limiter would be heard all the time


@dataclass(frozen=True)
class Loudness:
    """What is wanted.

    Parameters
    ----------
    lufs : float
        Integrated loudness (ITU-R BS.1770-4), −50 … −5.
    true_peak_dbtp : float
        Highest level between the samples, −20 … 0.

    Raises
    ------
    RecipeError
        Out of these ranges.
    """

    lufs: float
    true_peak_dbtp: float = -1.0

    def __post_init__(self) -> None:
        if not -50 <= self.lufs <= -5:
            raise RecipeError(f"a loudness of {self.lufs:g} LUFS", remedy="-50 to -5; podcasts: -16, mono -19")
        if not -20 <= self.true_peak_dbtp <= 0:
            raise RecipeError(f"a true peak of {self.true_peak_dbtp:g} dBTP", remedy="-20 to 0; usual: -1")


class Gained(Wrapper):
    """A processor whose output has a gain, so that peaks fit below full scale.

    Parameters
    ----------
    processor : Processor
    gain : float
        Linear; kept by a reset.

    Attributes
    ----------
    limited : int
        Samples that a limiter of its own has changed.
    """

    limited = 0

    def __init__(self, processor: Processor, gain: float = 1.0) -> None:
        super().__init__(processor)
        self.gain = gain

    def _after(self, out: Audio) -> Audio:
        return out if self.gain == 1.0 else out * np.float32(self.gain)

    def fields(self) -> Fields:
        """Return the columns of the row, once everything went by."""
        return {}

    def notes(self) -> list[str]:
        """Return what the user should know, once everything went by."""
        scaled = f"scaled by {20 * math.log10(self.gain):.2f} dB to fit below full scale"
        return [] if self.gain == 1.0 else [scaled]


def fitting(processor: Processor, outputs: Outputs) -> Gained:
    """Return the processor with a gain below one where its output rises above full scale.

    Parameters
    ----------
    processor : Processor
    outputs : callable
    """
    peak = max((float(np.max(np.abs(block), initial=0.0)) for block in outputs(processor)), default=0.0)
    processor.reset()
    return Gained(processor, 1.0 / max(1.0, peak))


class Levelled(Gained):
    """A processor whose output has a loudness, and a ceiling.

    Parameters
    ----------
    processor : Processor
    outputs : callable
    rate, channels : int
    wanted : Loudness
    limits : bool
        Whether peaks over the ceiling are limited, and what that takes is given back; else the gain stays so low that
        there are none.
    channel_mask : int
        Loudspeaker positions, 0 if unknown.
    """

    def __init__(
        self,
        processor: Processor,
        outputs: Outputs,
        rate: int,
        channels: int,
        wanted: Loudness,
        limits: bool,
        channel_mask: int = 0,
    ) -> None:
        super().__init__(processor)
        self._rate, self._channels, self._mask, self._wanted = rate, channels, channel_mask, wanted
        self._ceiling = self._limit = 10 ** (wanted.true_peak_dbtp / 20)
        loudness, peak = LoudnessMeter(rate, channels, channel_mask), TruePeakMeter(rate, channels)
        for block in outputs(processor):
            loudness.add(block)
            peak.add(block)
        self.reset()
        found, highest = loudness.integrated(), peak.finish()
        missing = None if found is None or not math.isfinite(found) else wanted.lufs - found
        if missing is not None:
            self.gain = 10 ** (missing / 20)
        if self.gain * highest > self._ceiling and not limits:
            self.gain = self._ceiling / highest
        elif self.gain * highest > self._ceiling and missing is not None:
            self._make_up(outputs)
        self.latency += self._limiter.latency

    def _make_up(self, outputs: Outputs) -> None:
        """Raise the gain until the limiter takes no more than it gives: by secants, in decibels."""
        start, raised, step, slope = self.gain, 0.0, 0.0, 1.0
        loud = -math.inf
        for _ in range(_MAKE_UPS):
            for _ in outputs(self):
                pass
            before, loud = loud, self._loudness.integrated() or -math.inf
            # between its samples a signal that is limited hard swings a little higher than the limiter foresees
            self._limit *= self._ceiling / max(self._ceiling, self._peak.finish())
            self.reset()
            missed = self._wanted.lufs - loud
            if missed < _CLOSE_LU or raised > _MOST_MAKE_UP_DB - _CLOSE_LU:
                break
            if math.isfinite(before):
                slope = min(1.0, max(_LEAST_SLOPE, (loud - before) / step))
            step = min(missed / slope, _MOST_MAKE_UP_DB - raised)
            raised += step
            self.gain = start * 10 ** (raised / 20)

    @property
    def limited(self) -> int:  # type: ignore[override]
        """Samples that were above the ceiling so far."""
        return self._limiter.limited

    def reset(self) -> None:
        """Forget the signal, but not the gain."""
        super().reset()
        self._limiter = Limiter(self._rate, self._channels, self._limit, true_peak=True)
        self._loudness = LoudnessMeter(self._rate, self._channels, self._mask)
        self._peak = TruePeakMeter(self._rate, self._channels)

    def process(self, block: Audio) -> Audio:
        """Take (channels, n), return (channels, m)."""
        return self._seen(self._limiter.process(super().process(block)))

    def flush(self) -> Audio:
        """Return the frames that are still owed."""
        rest = self._limiter.process(super().flush())
        return self._seen(np.concatenate([rest, self._limiter.flush()], axis=1))

    def _seen(self, block: Audio) -> Audio:
        self._loudness.add(block)
        self._peak.add(block)
        return block

    def fields(self) -> Fields:
        """Return the columns of the row, once everything went by."""
        peak, found = self._peak.finish(), self._loudness.integrated()
        return {
            "gain_db": round(20 * math.log10(self.gain), 2),
            "loudness_out_lufs": round(found, 2) if found is not None and math.isfinite(found) else None,
            "true_peak_out_dbtp": round(20 * math.log10(peak), 2) if peak else None,
        }

    def notes(self) -> list[str]:
        """Return what the user should know, once everything went by."""
        found = self._loudness.integrated()
        if found is None or not math.isfinite(found):
            stays = "its level stays" if self.gain == 1.0 else "it was only brought below the ceiling"
            return [f"too short or too quiet to have a loudness, so {stays}"]
        missed = self._wanted.lufs - found
        return [f"the peaks allow {found:.1f} LUFS, not {self._wanted.lufs:g}"] if missed > _MISSED_LU else []
