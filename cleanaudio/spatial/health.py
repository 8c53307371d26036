"""Microphones that are dead, quiet, clipped, inverted, late or swapped: found, reported, repaired or left out.

:class:`HealthCheck` hears the whole recording once, with flat memory; its :class:`Report` says what is wrong and which
channels to use; :class:`Repair` turns the recording into one that a beamformer can work with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.array import check_block
from cleanaudio.audio.level import LevelMeter
from cleanaudio.audio.queue import Queue
from cleanaudio.errors import InputError
from cleanaudio.spatial.geometry import SPEED_OF_SOUND, Geometry
from cleanaudio.spatial.stream import Audio
from cleanaudio.spatial.tdoa import band, best_peaks, correlation, phat

_DEAD_DB = -60.0  # of the median of the others
_ROUNDING = 1e-10
_QUIET_DB = -20.0
_CLIPPED_SHARE = 1e-3
_HEARD = 1e-3  # of the loudest channel's level: nothing is plugged into those with less
_WINDOW_S = 1.0  # delays of up to half of it are found
_APERTURE_S = 0.03  # of an array that is not known: its microphones may be 10 m apart
_CLEAR = 1.5  # times that one peak has to stand over another to be believed
_FAR = 2.0  # as much, for a delay that the size of the array does not explain: most microphones are not late
_SWAP_SAMPLES = 1.0  # of misfit to the geometry, at least, before a swap is looked for


@dataclass(frozen=True)
class Finding:
    """What is wrong with one channel.

    Parameters
    ----------
    channel : int
        Counted from 0.
    kind : {"dead", "quiet", "clipped", "inverted", "late", "swapped"}
    detail : str
        In words, with the number.
    use : bool
        Whether the channel can be used, as it is or repaired.
    """

    channel: int
    kind: str
    detail: str
    use: bool


@dataclass(frozen=True)
class Report:
    """The health of an array.

    Parameters
    ----------
    channels : int
    findings : tuple of Finding
    use : tuple of int
        Channels to use, counted from 0, in the order of the geometry (a swap is undone here).
    inverted : tuple of int
        Channels to turn over.
    late : mapping of int to int
        Channel and samples by which it comes too late (negative: too early).
    reference : int
        The usable channel in which the voice stands out most, to half a decibel, and of those the first: for
        ``--ref auto``. An index of the recording's channels, not of ``use``.
    numbers : tuple of int
        What the channels are called in sentences.
    """

    channels: int
    findings: tuple[Finding, ...]
    use: tuple[int, ...]
    inverted: tuple[int, ...]
    late: Mapping[int, int]
    reference: int
    numbers: tuple[int, ...]

    def aligned_with(self, channel: int) -> Report:
        """Return the report whose repair leaves a channel where it is, and moves the others to it."""
        own = self.late.get(channel, 0)
        if not own:
            return self
        late = {m: self.late.get(m, 0) - own for m in self.use}
        return replace(self, late={m: samples for m, samples in late.items() if samples})

    def describe(self) -> list[str]:
        """Return a sentence per finding, and what was done about it."""
        return [f"microphone {self.numbers[f.channel]} {f.detail}{self._consequence(f)}" for f in self.findings]

    def _consequence(self, finding: Finding) -> str:
        if finding.channel not in self.use:
            return ": left out"
        if finding.kind == "inverted" and finding.channel in self.inverted:
            return ": turned over"
        if finding.kind == "swapped" and self.use[finding.channel] != finding.channel:
            return ": put right"
        if finding.kind != "late" or not self.late:
            return ""
        return ": moved" if finding.channel in self.late else ": the others are moved to it"

    def keep_all(self) -> Report:
        """Return the same findings without any consequence (``--bad-mics keep``)."""
        return replace(self, use=tuple(range(self.channels)), inverted=(), late={})


class HealthCheck:
    """Hears a recording and judges its channels.

    Parameters
    ----------
    rate, channels : int
    geometry : Geometry, optional
        Of a known array: finds channels that are swapped, and bounds the delays that can be real.
    speed : float
        m/s.
    numbers : sequence of int, optional
        What the channels are called in sentences; counted from 1 without it.

    Raises
    ------
    InputError
        Fewer than two channels, or a geometry with another number of microphones.
    """

    def __init__(
        self,
        rate: int,
        channels: int,
        geometry: Geometry | None = None,
        speed: float = SPEED_OF_SOUND,
        numbers: Sequence[int] | None = None,
    ) -> None:
        if channels < 2:
            raise InputError(
                f"an array has two microphones or more, this recording has {channels} channel",
                remedy="denoise cleans a single channel",
            )
        if geometry is not None:
            geometry.check(channels)
        self._rate, self._channels, self._geometry, self._speed = rate, channels, geometry, speed
        self._numbers = tuple(range(1, channels + 1) if numbers is None else numbers)
        self._window = round(_WINDOW_S * rate)
        self._size = 2 << (self._window - 1).bit_length()
        self._aperture = rate * (_APERTURE_S if geometry is None else geometry.extent_m / speed + 0.001)
        self._taper = np.hanning(self._window + 2)[1:-1].astype(np.float32)
        pairs = list(combinations(range(channels), 2))
        self._first, self._second = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
        self._cross = np.zeros((channels, self._size // 2 + 1), np.complex128)
        self._pair_curves = np.zeros((len(pairs), 2 * int(self._aperture) + 3)) if geometry is not None else None
        self._meters = [LevelMeter(rate, 1) for _ in range(channels)]
        self._sum, self._square = np.zeros(channels), np.zeros(channels)
        self._active = np.zeros(channels, np.int64)
        self._frames = 0
        self._anchor: int | None = None
        self._held = Queue(np.zeros((channels, 0), np.float32))

    def push(self, block: Audio) -> None:
        """Take the next block, (channels, n)."""
        check_block(block, self._channels)
        self._frames += block.shape[1]
        for meter, signal in zip(self._meters, block, strict=True):
            meter.add(signal[None])
        self._sum += np.sum(block, axis=1, dtype=np.float64)
        self._square += np.sum(block.astype(np.float64) ** 2, axis=1)
        self._held.push(block)
        while len(self._held) >= self._window:
            self._correlate(self._held.pop(self._window))

    def _correlate(self, piece: Audio) -> None:
        spectra = np.fft.rfft(piece * self._taper[: piece.shape[1]], self._size, axis=-1)
        if self._anchor is None:  # until something is heard, then for good: delays are relative to it
            levels = np.sum(np.abs(piece - piece.mean(axis=1, keepdims=True)), axis=1)  # an offset is no sound
            heard = np.flatnonzero(levels > _HEARD * levels.max())
            if not len(heard):
                return
            self._anchor = int(heard[np.argsort(levels[heard], kind="stable")[len(heard) // 2]])
        self._cross += phat(spectra * spectra[self._anchor].conj())
        if self._pair_curves is not None:
            weights, half = band(self._size, self._rate), int(self._aperture) + 1
            for k, (m, n) in enumerate(zip(self._first, self._second, strict=True)):
                curve = correlation(phat(spectra[n] * spectra[m].conj()), self._size, weights)
                self._pair_curves[k] += np.concatenate([curve[-half:], curve[: half + 1]])

    def report(self, keep: bool = False) -> Report:
        """Judge what was heard.

        Parameters
        ----------
        keep : bool
            Whatever is found, use all channels as they are.

        Raises
        ------
        InputError
            Fewer than two channels can be used.
        """
        if self._held and self._frames < self._window:  # a short clip has no whole window
            piece = self._held.peek(len(self._held))
            self._correlate(np.pad(piece, ((0, 0), (0, self._window - piece.shape[1]))))
        findings = self._levels()
        gone = {f.channel for f in findings if not f.use}
        use = [m for m in range(self._channels) if m not in gone]
        silent = not self._power.any()
        if silent:  # digital silence gives silence: nothing to complain of
            every = tuple(range(self._channels))
            return Report(self._channels, (), every, (), {}, 0, self._numbers)
        if len(use) < 2 and keep:
            use = [m for m in range(self._channels) if self._power[m] > 0]
        elif len(use) < 2:
            raise InputError(
                f"of {self._channels} microphones only {len(use)} can be used",
                remedy="denoise cleans a single channel; --bad-mics keep uses them all",
            )
        inverted, late, likeness = self._signs_and_delays(use, findings)
        self._swaps(use, findings, bool(late or inverted or gone))
        reference = self._reference(use, late, likeness)
        findings.sort(key=lambda f: f.channel)
        report = Report(self._channels, tuple(findings), tuple(use), tuple(inverted), late, reference, self._numbers)
        return report.keep_all() if keep else report

    def _reference(self, use: list[int], late: Mapping[int, int], likeness: NDArray[np.float64]) -> int:
        """Return the channel with the best SNR by its own estimate, if it has something in common with the others."""

        def standing(m: int) -> tuple[bool, bool, float, int]:
            snr = self._meters[m].result().snr_db
            return m not in late, likeness[m] > 0, -np.inf if snr is None else round(2 * snr) / 2, -m

        return max(use, key=standing)

    @property
    def _power(self) -> NDArray[np.float64]:
        """Power of each channel; a constant offset is no sound."""
        frames = max(self._frames, 1)
        square, power = self._square / frames, (self._square - self._sum**2 / frames) / frames
        return np.where(power > _ROUNDING * square, power, 0.0)

    def _levels(self) -> list[Finding]:
        findings = []
        power = self._power
        level = 10 * np.log10(np.maximum(power, 1e-30))
        live = np.flatnonzero(power)
        for m in range(self._channels):
            others = level[live[live != m]]
            below = level[m] - np.median(others) if len(others) else 0.0
            if power[m] == 0 or below < _DEAD_DB:
                text = "is silent" if power[m] == 0 else f"is dead ({below:.0f} dB)"
                findings.append(Finding(m, "dead", text, False))
            elif below < _QUIET_DB:
                findings.append(Finding(m, "quiet", f"is {-below:.0f} dB quieter than the others", False))
            share = self._meters[m].result().clipped_samples / max(self._frames, 1)
            if share > _CLIPPED_SHARE:
                findings.append(Finding(m, "clipped", f"is clipped ({100 * share:.1f} % of the samples)", False))
        clipped = {f.channel for f in findings if f.kind == "clipped"}
        if len(clipped) > self._channels - 2:  # then it is the recording, not a microphone
            findings = [Finding(f.channel, f.kind, f.detail, f.kind == "clipped") for f in findings]
        return findings

    def _signs_and_delays(
        self, use: list[int], findings: list[Finding]
    ) -> tuple[list[int], dict[int, int], NDArray[np.float64]]:
        """Compare every channel with the anchor, then take the view of the majority."""
        curves = correlation(self._cross, self._size, band(self._size, self._rate))
        lag, _, _, clear = self._peaks(curves, use, 0.0)
        middle = round(float(np.median(lag[clear]))) if clear else 0  # the anchor itself may be late
        lag, sign, height, clear = self._peaks(curves, use, middle)
        likeness = np.where(np.isin(np.arange(self._channels), clear), height, 0.0)
        if len(clear) < 2:
            return [], {}, likeness
        if sum(sign[m] for m in clear) < 0:  # it is the anchor that is inverted
            sign = -sign
        inverted = [m for m in clear if sign[m] < 0]
        # One sample more: what lies within the aperture was looked for at whole samples.
        late = {m: round(lag[m]) - middle for m in clear if abs(lag[m] - middle) > self._aperture + 1}
        for m in inverted:
            findings.append(Finding(m, "inverted", "is inverted", True))
        for m, samples in late.items():
            how = "late" if samples > 0 else "early"
            findings.append(Finding(m, "late", f"is {abs(samples) / self._rate * 1000:.1f} ms too {how}", True))
        return inverted, late, likeness

    def _peaks(
        self, curves: NDArray[np.float64], use: list[int], middle: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], list[int]]:
        """Return lag, sign and height of the peak of each channel, and the channels whose peak says something.

        In a room an echo or a second source may stand as high as the direct sound does. So a peak that is farther from
        the middle than sound takes from one end of the array to the other has to stand clear of the best one that is
        not.
        """
        lag, sign, height = np.zeros(self._channels), np.ones(self._channels), np.zeros(self._channels)
        for m in use:
            far, near = _peak(curves[m], 0.0, self._window / 2), _peak(curves[m], middle, self._aperture)
            lag[m], sign[m], height[m] = far if far[2] > _FAR * near[2] else near
        # A peak counts where it stands over what chance would give in so many windows.
        floor = 6 * np.sqrt(np.mean(curves[use] ** 2))
        return lag, sign, height, [m for m in use if height[m] > floor]

    def _swaps(self, use: list[int], findings: list[Finding], disturbed: bool) -> None:
        """Look for two channels whose exchange makes the delays fit the geometry; undo it in ``use``."""
        if self._geometry is None or self._pair_curves is None or disturbed or len(use) < 4:
            return
        half = int(self._aperture) + 1
        lags = np.array(
            [best_peaks(np.roll(curve, -half), 0.0, self._aperture, 1)[0][0] for curve in self._pair_curves]
        )
        unswapped = self._misfit(list(range(self._channels)), lags)
        if unswapped < _SWAP_SAMPLES:
            return
        misfits = []
        for a, b in combinations(range(self._channels), 2):
            order = list(range(self._channels))
            order[a], order[b] = b, a
            misfits.append((self._misfit(order, lags), a, b))
        misfits.sort()
        best = misfits[0][0]
        if best * 3 > unswapped:
            return
        _, a, b = misfits[0]
        name = self._numbers
        rivals = [f"{name[c]} and {name[d]}" for misfit, c, d in misfits[1:] if misfit < 2 * best + 0.2]
        # A regular array looks alike from several sides, so that two swaps may explain the same delays.
        doubt = f", or {' or '.join(rivals)} are: not put right" if rivals else ""
        findings.append(Finding(a, "swapped", f"is swapped with microphone {name[b]}{doubt}", True))
        findings.append(Finding(b, "swapped", f"is swapped with microphone {name[a]}{doubt}", True))
        if not rivals:
            first, second = use.index(a), use.index(b)
            use[first], use[second] = b, a

    def _misfit(self, order: list[int], lags: NDArray[np.float64]) -> float:
        """Return the mean misfit in samples (10 at most) of the best plane wave, were channel m microphone order[m]."""
        assert self._geometry is not None, "only called with a geometry"
        positions = self._geometry.positions[order] * (self._rate / self._speed)
        rows = -(positions[self._second] - positions[self._first])
        slowness = np.linalg.lstsq(rows, lags, rcond=1e-6)[0]
        for _ in range(10):  # towards the least absolute misfit, so that a few wrong delays do not count
            apart = np.abs(rows @ slowness - lags)
            root = (1 / np.sqrt(np.maximum(apart, 0.1)))[:, None]
            slowness = np.linalg.lstsq(rows * root, lags * root[:, 0], rcond=1e-6)[0]
        return float(np.mean(np.minimum(np.abs(rows @ slowness - lags), 10.0)))


def _peak(curve: NDArray[np.float64], centre: float, reach: float) -> tuple[float, float, float]:
    """Return lag, sign and height of the best peak near a lag; one that points down has to stand clear of the rest."""
    (up,), (high,) = best_peaks(curve, centre, reach, 1)
    (down,), (deep,) = best_peaks(-curve, centre, reach, 1)
    return (down, -1.0, deep) if deep > _CLEAR * high else (up, 1.0, high)


class Repair:
    """Makes a recording usable: the channels of a report, turned over and shifted as it says.

    Parameters
    ----------
    report : Report
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._use = list(report.use)
        self._signs = np.array([-1.0 if m in report.inverted else 1.0 for m in self._use], np.float32)[:, None]
        self._shifts = [report.late.get(m, 0) for m in self._use]
        self.latency = max(0, *self._shifts)
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._taken = self._given = 0
        before = max(0, -min(self._shifts))
        self._start = -before
        self._held = np.zeros((self._report.channels, before), np.float32)

    def process(self, block: Audio) -> Audio:
        """Take (channels, n), return (usable channels, m)."""
        check_block(block, self._report.channels)
        self._taken += block.shape[1]
        return self._advance(block, self._taken - self.latency)

    def flush(self) -> Audio:
        """Return the frames that are still owed."""
        tail = np.zeros((self._report.channels, self.latency), np.float32)
        return self._advance(tail, self._taken)

    def _advance(self, block: Audio, ready: int) -> Audio:
        self._held = np.concatenate([self._held, block], axis=1)
        count = max(0, ready - self._given)
        at = self._given - self._start
        out = np.stack([self._held[m, at + s : at + s + count] for m, s in zip(self._use, self._shifts, strict=True)])
        self._given += count
        keep = self._given + min(0, *self._shifts) - self._start
        self._held, self._start = self._held[:, keep:], self._start + keep
        return out * self._signs
