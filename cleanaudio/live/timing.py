"""How long each block took, with memory that does not grow."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

# Durations are counted in bins one percent wide, from a microsecond to a hundred seconds.
_LOWEST_S, _STEP = 1e-6, math.log(1.01)
_BINS = math.ceil(math.log(1e8) / _STEP)


@dataclass(frozen=True)
class Report:
    """The figures of a live run.

    Parameters
    ----------
    latency_frames : int
        Algorithmic latency.
    latency_ms : float
    backlog_ms : float or None
        Audio of a live source that came before all was ready, and stays as further delay; None where nothing tells.
    block_ms : float
        Duration of a block of audio.
    blocks : int
    seconds : float
        Audio that went through.
    compute_p50_ms, compute_p95_ms, compute_p99_ms, compute_max_ms : float or None
        Computing time a block; None before the first block.
    real_time_factor : float or None
        Computing time over audio time.
    under_runs : int or None
        Blocks that were not ready when the next one came; None where that is not known, as in a pipe.
    """

    latency_frames: int
    latency_ms: float
    backlog_ms: float | None
    block_ms: float
    blocks: int
    seconds: float
    compute_p50_ms: float | None
    compute_p95_ms: float | None
    compute_p99_ms: float | None
    compute_max_ms: float | None
    real_time_factor: float | None
    under_runs: int | None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, for JSON."""
        return asdict(self)


class Timing:
    """Collects computing times.

    Parameters
    ----------
    rate : int
    latency : int
        Algorithmic latency, frames.
    block : int
        Frames a block.

    Attributes
    ----------
    backlog_s : float or None
        Seconds of audio that came before all was ready, if that is known.
    """

    def __init__(self, rate: int, latency: int, block: int) -> None:
        self._rate, self._latency, self.block = rate, latency, block
        self._bins = [0] * (_BINS + 1)
        self._blocks = self._frames = 0
        self._total = self._max = 0.0
        self.under_runs: int | None = None
        self.backlog_s: float | None = None

    def watch(self, under_runs: int = 0) -> None:
        """Count blocks that came too late; from now on the report has their number."""
        self.under_runs = (self.under_runs or 0) + under_runs

    def add(self, seconds: float, frames: int) -> None:
        """Count one block."""
        position = math.ceil(math.log(max(seconds, _LOWEST_S) / _LOWEST_S) / _STEP)
        self._bins[min(position, _BINS)] += 1
        self._blocks += 1
        self._frames += frames
        self._total += seconds
        self._max = max(self._max, seconds)

    def _percentile_ms(self, share: float) -> float | None:
        left = math.ceil(share * self._blocks)
        for position, count in enumerate(self._bins):
            left -= count
            if count and left <= 0:
                return round(1000 * min(self._max, _LOWEST_S * math.exp(position * _STEP)), 3)
        return None

    def report(self) -> Report:
        """Return the sums."""
        seconds = self._frames / self._rate
        return Report(
            latency_frames=self._latency,
            latency_ms=round(1000 * self._latency / self._rate, 2),
            backlog_ms=None if self.backlog_s is None else round(1000 * self.backlog_s, 2),
            block_ms=round(1000 * self.block / self._rate, 2),
            blocks=self._blocks,
            seconds=round(seconds, 3),
            compute_p50_ms=self._percentile_ms(0.50),
            compute_p95_ms=self._percentile_ms(0.95),
            compute_p99_ms=self._percentile_ms(0.99),
            compute_max_ms=round(1000 * self._max, 3) if self._blocks else None,
            real_time_factor=round(self._total / seconds, 4) if seconds else None,
            under_runs=self.under_runs,
        )
