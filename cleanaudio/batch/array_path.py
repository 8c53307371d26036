"""From a request and the recording of an array to its beam: what is broken, which microphone leads, what is built."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from statistics import median
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.array import repaired
from cleanaudio.audio.processor import Processor, Series, SideBySide, driven
from cleanaudio.backends.blocks import Finite
from cleanaudio.batch.array_request import LEARNING, ArrayRequest
from cleanaudio.errors import InputError
from cleanaudio.spatial import adaptive
from cleanaudio.spatial.adaptive import MaskBeamformer, NoiseStretch, beamforming_stft
from cleanaudio.spatial.blind import BlindDelayAndSum, delay_stft
from cleanaudio.spatial.dereverb import dereverb
from cleanaudio.spatial.fixed import fixed_beamformer
from cleanaudio.spatial.geometry import Geometry, steering
from cleanaudio.spatial.health import HealthCheck, Repair
from cleanaudio.spatial.stream import Log

Audio = NDArray[np.float32]
Open = Callable[[], Processor]
Guarded = Callable[[Open, Open], Processor | None]


class ArrayPath:
    """What is done with one recording. The first pass, over all of it, is made here.

    Parameters
    ----------
    request : ArrayRequest
    rate, channels, frames : int
        Of the recording, its microphones chosen.
    blocks : callable
        Starts it from its beginning: blocks of (channels, n).
    geometry : Geometry, optional
        Of these channels.
    numbers : sequence of int, optional
        What the microphones are called; counted from 1 without it.
    threads : int
        Threads that a model may use.

    Attributes
    ----------
    report : Report
        The health of the microphones.
    numbers : tuple of int
        What the microphones in use are called.
    reference : int
        The leading one of them, counted from 0.

    Raises
    ------
    InputError
        Fewer than two microphones can be used, the reference cannot, or the geometry or the noise stretch does not fit.
    """

    def __init__(
        self,
        request: ArrayRequest,
        rate: int,
        channels: int,
        frames: int,
        blocks: Callable[[], Iterable[Audio]],
        *,
        geometry: Geometry | None = None,
        numbers: Sequence[int] | None = None,
        threads: int = 1,
    ) -> None:
        self._request, self._rate, self._frames, self._threads = request, rate, frames, threads
        self._blocks, self._speed = blocks, request.speed
        names = tuple(range(1, channels + 1)) if numbers is None else tuple(numbers)
        check = HealthCheck(rate, channels, geometry, self._speed, numbers=names)
        for block in blocks():
            check.push(repaired(block))
        self.report = check.report(request.keep_bad)
        # A swap is undone in the report's order, so that the geometry keeps its own.
        self._geometry = geometry and geometry.select(sorted(self.report.use))
        self.numbers = tuple(names[channel] for channel in self.report.use)
        self.reference = self._reference(names)
        if request.reference is not None:
            self.report = self.report.aligned_with(self.report.use[self.reference])
        self._conditions: list[float] = []
        self._beams: list[BlindDelayAndSum] = []

    def _reference(self, names: Sequence[int]) -> int:
        wanted = self._request.reference
        if wanted is None:
            return self.report.use.index(self.report.reference)
        if wanted + 1 in self.numbers:
            return self.numbers.index(wanted + 1)
        if wanted + 1 in names:
            raise InputError(
                f"microphone {wanted + 1}, the reference, cannot be used: {'; '.join(self.report.describe())}",
                remedy="choose another with --ref, or --bad-mics keep",
            )
        raise InputError(f"there is no microphone {wanted + 1} to refer to", remedy="choose another with --ref")

    @property
    def original(self) -> Microphones:
        """What the result is compared with: the reference microphone, or all in use."""
        used = self.report.use
        return Microphones(used if self._request.keep_channels else (used[self.reference],))

    @property
    def outputs(self) -> int:
        """Channels that come out."""
        return len(self.report.use) if self._request.keep_channels else 1

    @property
    def condition(self) -> float | None:
        """Median over the blocks of the condition of the noise covariance; None where there is none."""
        return median(self._conditions) if self._conditions else None

    @property
    def fallen_back(self) -> float | None:
        """Share of the time in which a blind beam was no better than the microphone; None of other methods."""
        return self._beams[-1].fallen_back if self._beams else None

    @property
    def known(self) -> dict[str, Any]:
        """What is known of array and voice before anything is heard, JSON-serialisable."""
        if self._geometry is None:
            return {}
        known = {"array": self._geometry.positions.tolist(), "speed_of_sound": self._speed}
        direction = self._request.direction
        if direction is not None:
            delays = self._geometry.delays(direction.unit, self._speed, self.reference) * self._rate
            known |= {"direction": [direction.azimuth_deg, direction.elevation_deg], "delays": delays.tolist()}
        return known

    def open(self, log: Log | None = None, guarded: Guarded | None = None) -> Processor:
        """Return a fresh processor: as many channels as the recording go in, :attr:`outputs` come out.

        Parameters
        ----------
        log : callable, optional
            Takes what is decided on each stretch of the recording: see the beamformers.
        guarded : callable, optional
            Given what forms the beam alone, and what makes a fresh postfilter, returns the postfilter to be used; None
            where there shall be none.
        """
        after = self._request.after(self._rate, self.outputs, self._threads)
        if after is None:
            return Finite(self._beam(log))
        analyses = after.analyse(lambda: driven(self._beam(None), self._blocks())) if after.needs_analysis else None
        if guarded is None:
            return Finite(Series([self._beam(log), after.open(analyses)]))
        postfilter = guarded(lambda: Finite(self._beam(None)), partial(after.cleaning, analyses, beside=True))
        return Finite(Series([self._beam(log)] if postfilter is None else [self._beam(log), postfilter]))

    def _beam(self, log: Log | None) -> Processor:
        return Series([*self._before(), self._beamformer(log)])

    def _before(self) -> list[Processor]:
        """What all microphones go through before they become one."""
        request, count = self._request, len(self.report.use)
        dry = [dereverb(self._rate, count, request.dereverb)] if request.dereverb else []
        return [Repair(self.report), *dry]

    def _beamformer(self, log: Log | None) -> Processor:
        def noted(entry: Mapping[str, Any]) -> None:
            if entry.get("condition") is not None:
                self._conditions.append(entry["condition"])
            if log is not None:
                own = {"reference": self.numbers[entry["reference"]]} if "reference" in entry else {}
                log({**entry, **own})

        if self._request.method in LEARNING:
            return self._learning(noted)
        build = self._blind if self._geometry is None else self._fixed
        if not self._request.keep_channels:
            return build(self.reference, noted)
        every = range(len(self.report.use))
        return SideBySide([build(reference, noted if reference == self.reference else None) for reference in every])

    def _fixed(self, reference: int, log: Log | None) -> Processor:
        request, count = self._request, len(self.report.use)
        assert self._geometry is not None and request.direction is not None, "a request sees to that"
        return fixed_beamformer(
            request.method, self._rate, count, self._geometry, request.direction, self._speed, reference
        )

    def _blind(self, reference: int, log: Log | None) -> Processor:
        masking, count, threads = self._request.masking, len(self.report.use), self._threads
        masks = None
        if masking is not None:
            grid = delay_stft(self._rate)
            masks = masking.open(self._rate, count, grid, self._heard, threads=threads)
        beam = BlindDelayAndSum(self._rate, count, reference, masks, log=log)
        if reference == self.reference:
            self._beams.append(beam)
        return beam

    def _learning(self, log: Log) -> Processor:
        request, count, grid = self._request, len(self.report.use), beamforming_stft(self._rate)
        noise = masks = vectors = None
        if request.noise_from is not None:
            noise = self._noise(*request.noise_from)
        else:
            assert request.masking is not None, "a request sees to that"
            masks = request.masking.open(self._rate, count, grid, self._heard, threads=self._threads)
        if self._geometry is not None and request.direction is not None:
            delays = self._geometry.delays(request.direction.unit, self._speed, self.reference)
            vectors = steering(delays, np.arange(grid[0] // 2 + 1) * self._rate / grid[0])
        more: dict[str, Any] = {} if request.mu is None else {"mu": request.mu}
        if request.block_s is not None:
            more |= {"block_s": request.block_s, "memory_s": max(5.0, 2 * request.block_s)}
        return MaskBeamformer(
            self._rate,
            count,
            masks,
            noise=noise,
            method=cast(adaptive.Method, request.method),
            reference=self.reference,
            steering=vectors,
            rank1=request.rank1,
            every=request.keep_channels,
            log=log,
            **more,
        )

    def _noise(self, start_s: float, end_s: float | None) -> NDArray[np.complex128]:
        seconds = self._frames / self._rate
        stretch = NoiseStretch(self._rate, len(self.report.use), start_s, seconds if end_s is None else end_s, seconds)
        heard = 0
        for block in self._heard():
            stretch.push(block)
            heard += block.shape[1]
            if heard >= stretch.last:
                break
        return stretch.mean()

    def _heard(self) -> Iterable[Audio]:
        """Walk the recording as the beamformer hears it."""
        return driven(Finite(Series(self._before())), self._blocks())


class Microphones:
    """A processor that gives some of the channels that it gets, as they are.

    Parameters
    ----------
    channels : sequence of int
        Counted from 0.
    """

    latency = 0

    def __init__(self, channels: Sequence[int]) -> None:
        self._channels = list(channels)

    def process(self, block: Audio) -> Audio:
        """Return the channels of a block."""
        return block[self._channels]

    def flush(self) -> Audio:
        """Return nothing: nothing is owed."""
        return np.zeros((len(self._channels), 0), np.float32)

    def reset(self) -> None:
        """Forget nothing: there is no state."""
