"""Everything about one recording as it is: what ``cleanaudio inspect`` shows, without a word of judgement.

Levels, clipping, offset and wiring are measured while the whole recording streams by. What needs the samples at once
(DNSMOS, speech, hum, bandwidth, room, spectral shape) is measured on the whole of a short recording, and on excerpts
spread evenly over a long one, as one channel.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.files import Reader, open_reader
from cleanaudio.audio.level import LevelMeter
from cleanaudio.audio.loudness import LoudnessMeter
from cleanaudio.audio.recording import AudioInfo
from cleanaudio.audio.spread import spread
from cleanaudio.audio.true_peak import TruePeakMeter
from cleanaudio.errors import InputError
from cleanaudio.metrics import registry
from cleanaudio.metrics.aggregate import finite
from cleanaudio.metrics.inspect.hum import Hum, find_hum
from cleanaudio.metrics.inspect.reverberation import reverberation
from cleanaudio.metrics.inspect.shape import spectral_shape
from cleanaudio.metrics.inspect.sides import Sides, SidesMeter
from cleanaudio.metrics.inspect.spectrum import bandwidth
from cleanaudio.metrics.inspect.wiring import Fault, WiringMeter, exchanged
from cleanaudio.metrics.interface import Measured, NotMeasurable, Signals
from cleanaudio.metrics.levels import SILENCE, loudness_of, true_peak_of
from cleanaudio.report.scores import text

Audio = NDArray[np.float32]

EXCERPTS, EXCERPT_S = 6, 10.0
"""A recording longer than all of them together is judged by these."""
FADE_S = 0.01
"""At both ends of an excerpt, so that its edges are no clicks."""
JUDGED = ("dnsmos", "wada_snr", "speech_ratio")
"""Metrics of the registry that are measured on the excerpts."""


@dataclass(frozen=True)
class Item:
    """One number: how it is called and written.

    Parameters
    ----------
    key, label, unit : str
    digits : int
        Behind the point, in tables.
    scale : float
        What the number is multiplied with for tables.
    """

    key: str
    label: str
    unit: str = ""
    digits: int = 1
    scale: float = 1.0

    def figure(self, value: float) -> str:
        """Return a number as people read it, without its unit."""
        return text(round(value * self.scale, self.digits) + 0.0, self.digits)  # no minus before a zero

    def show(self, value: Measured) -> str:
        """Return a number with its unit, or why there is none."""
        if isinstance(value, NotMeasurable):
            return text(value)
        if value == -math.inf:
            return "none"
        return f"{self.figure(value)} {self.unit}".rstrip()


ITEMS = (
    Item("bandwidth_hz", "real bandwidth", "Hz", 0),
    Item("loudness", "loudness", "LUFS"),
    Item("true_peak", "true peak", "dBTP"),
    Item("peak", "peak", "dBFS"),
    Item("noise_floor", "noise floor", "dBFS"),
    Item("snr", "estimated SNR", "dB"),
    Item("wada_snr", "estimated SNR (WADA)", "dB"),
    Item("dnsmos_ovrl", "DNSMOS overall", "", 2),
    Item("dnsmos_sig", "DNSMOS speech", "", 2),
    Item("dnsmos_bak", "DNSMOS background", "", 2),
    Item("dnsmos_p808", "DNSMOS P.808", "", 2),
    Item("speech_ratio", "share of speech", "%", 0, 100),
    Item("hum", "mains hum", "dBFS"),
    Item("offset", "constant offset", "%", 3, 100),
    Item("clipping_ratio", "clipped samples", "%", 4, 100),
    Item("reverberation_s", "reverberation time", "s", 2),
    Item("spectral_centroid_hz", "spectral centroid", "Hz", 0),
    Item("spectral_bandwidth_hz", "spectral bandwidth", "Hz", 0),
    Item("spectral_flatness", "spectral flatness", "", 5),
    Item("spectral_rolloff_hz", "95 % roll-off", "Hz", 0),
)
"""What is measured, in the order in which it is shown."""


@dataclass(frozen=True)
class Inspection:
    """What is on a recording.

    Parameters
    ----------
    info : AudioInfo
        Rate, channels, duration, format.
    measured : mapping of str to float or NotMeasurable
        The numbers of :data:`ITEMS`; the hum is −∞ dBFS where there is none.
    hum : Hum or None
    wiring : tuple of Fault
        Channels that are dead, inverted, or copies; nothing in a recording that is silent altogether.
    sides : Sides or None
        What left and right do not share; None where there are other channels, or one of them is of no use.
    not_numbers : int
        Samples that were NaN or infinite, and were taken as zero.
    excerpts_s : float
        Seconds that the numbers behind the excerpts stand for; the duration where that was all of it.
    """

    info: AudioInfo
    measured: Mapping[str, Measured]
    hum: Hum | None
    wiring: tuple[Fault, ...]
    sides: Sides | None
    not_numbers: int
    excerpts_s: float

    @property
    def silent(self) -> bool:
        """Whether there is nothing but digital silence."""
        return self.measured["peak"] == SILENCE

    def value(self, key: str) -> float | None:
        """Return a finite number, or None."""
        return finite(self.measured[key])

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON: no infinity, no NaN; why a number is missing stands under ``reasons``."""
        info, hum = self.info, self.hum
        return {
            "format": info.format,
            "subtype": info.subtype,
            "rate": info.rate,
            "channels": info.channels,
            "frames": info.frames,
            "seconds": round(info.seconds, 6),
            "bit_rate": info.bit_rate,
            "metrics": {item.key: finite(self.measured[item.key]) for item in ITEMS},
            "reasons": {
                item.key: text(self.measured[item.key]) for item in ITEMS if finite(self.measured[item.key]) is None
            },
            "hum": None
            if hum is None
            else {
                "base_hz": hum.base_hz,
                "lines_hz": list(hum.lines_hz),
                "level_dbfs": round(hum.level_dbfs, 2),
                "above_db": round(hum.above_db, 2),
            },
            "wiring": [str(fault) for fault in self.wiring],
            "sides": None
            if self.sides is None
            else {"apart": self.sides.apart, "uneven_db": round(self.sides.uneven_db, 2)},
            "not_numbers": self.not_numbers,
            "excerpts_s": round(self.excerpts_s, 3),
        }


def inspect_recording(path: str | PathLike[str]) -> Inspection:
    """Measure everything about a recording, of any length in flat memory.

    Parameters
    ----------
    path : str or PathLike

    Raises
    ------
    InputError
        It cannot be read, or holds no samples.
    """
    with open_reader(path) as reader:
        measured, wiring, sides = _whole(reader)
        broken = reader.repaired
        silent = measured["peak"] == SILENCE
        faults = () if silent else wiring.faults()
        signal = _excerpts(reader, faults)
        info = reader.info
    measured |= dict.fromkeys((item.key for item in ITEMS if item.key not in measured), SILENCE)
    hum = None
    if not silent:
        hum = _judge(signal, info.rate, measured)
    excerpts_s = signal.shape[1] / info.rate
    return Inspection(info, measured, hum, faults, None if faults else sides, broken, excerpts_s)


def _whole(reader: Reader) -> tuple[dict[str, Measured], WiringMeter, Sides | None]:
    """Measure what streams."""
    rate, channels = reader.info.rate, reader.info.channels
    level, peak = LevelMeter(rate, channels), TruePeakMeter(rate, channels)
    loudness = LoudnessMeter(rate, channels, reader.info.channel_mask)
    wiring, sides = WiringMeter(channels), SidesMeter(rate, channels)
    for block in reader.blocks():
        for meter in (level, loudness, peak, wiring, sides):
            meter.add(block)
    if not level.frames:
        raise InputError("holds no samples", path=reader.info.path)
    levels, highest = level.result(), peak.finish()
    measured: dict[str, Measured] = {
        "peak": _or(levels.peak_dbfs, SILENCE),
        "true_peak": true_peak_of(highest),
        "noise_floor": _or(levels.noise_floor_dbfs, _why_no_frames(level.frames, rate)),
        "offset": wiring.offset,
        "clipping_ratio": levels.clipped_samples / (level.frames * channels),
    }
    if highest:
        steady = NotMeasurable("nothing stands out from the noise")
        measured["snr"] = _or(levels.snr_db, measured["noise_floor"] if levels.noise_floor_dbfs is None else steady)
        measured["loudness"] = loudness_of(loudness.integrated())
    return measured, wiring, sides.result()


def _or(value: float | None, otherwise: Measured) -> Measured:
    return otherwise if value is None else value


def _why_no_frames(frames: int, rate: int) -> NotMeasurable:
    return NotMeasurable("shorter than a frame of 20 ms") if frames < round(0.02 * rate) else SILENCE


def _judge(signal: Audio, rate: int, measured: dict[str, Measured]) -> Hum | None:
    """Measure what needs samples; return the hum."""
    signals = Signals(signal, rate)
    for name in JUDGED:
        measured |= registry.get(name)(signals)
    mono = signal[0]
    measured["bandwidth_hz"] = bandwidth(mono, rate)
    measured["reverberation_s"] = reverberation(mono, rate)
    measured |= spectral_shape(mono, rate)
    hum = find_hum(mono, rate)
    if isinstance(hum, NotMeasurable):
        measured["hum"] = hum
        return None
    measured["hum"] = -math.inf if hum is None else hum.level_dbfs
    return hum


def stretches(frames: int, rate: int) -> list[tuple[int, int]]:
    """Return start and length, in frames, of the excerpts of a recording: all of it where it is short."""
    length = round(EXCERPT_S * rate)
    return [(0, frames)] if frames <= EXCERPTS * length else spread(frames, length, EXCERPTS)


def mix(block: Audio, faults: Sequence[Fault]) -> Audio:
    """Return the mean of the channels, (1, frames).

    Dead channels and copies are left out and inverted ones turned over, so that nothing cancels out.
    """
    weights = np.ones(len(block), np.float32)
    for fault in faults:
        weights[fault.channel] = -1.0 if fault.kind == "inverted" else 0.0
    return (weights / max(1.0, np.abs(weights).sum()))[None] @ block


def _excerpts(reader: Reader, faults: Sequence[Fault]) -> Audio:
    """Read the excerpts of a recording as one channel, one behind the other, (1, frames)."""
    found = stretches(reader.info.frames, reader.info.rate)
    pieces = []
    for start, length in found:
        reader.seek(start)
        piece = mix(reader.read(length), faults)
        if len(found) > 1:
            _fade(piece[0], round(FADE_S * reader.info.rate))
        pieces.append(piece)
    return np.concatenate(pieces, axis=1)


def exchanged_against(path: str | PathLike[str], original: str | PathLike[str]) -> bool:
    """Return whether left and right of a recording changed places against the one that it was made of.

    Judged by the excerpts; False where one of them is not stereo, or they differ in rate or length.

    Raises
    ------
    InputError
        One of them cannot be read.
    """
    with open_reader(path) as reader, open_reader(original) as other:
        ours, theirs = reader.info, other.info
        if ours.channels != 2 or (ours.rate, ours.channels, ours.frames) != (
            theirs.rate,
            theirs.channels,
            theirs.frames,
        ):
            return False
        pieces: tuple[list[Audio], list[Audio]] = ([], [])
        for start, length in stretches(ours.frames, ours.rate):
            for one, kept in zip((reader, other), pieces, strict=True):
                one.seek(start)
                kept.append(one.read(length))
    return exchanged(np.concatenate(pieces[0], axis=1), np.concatenate(pieces[1], axis=1))


def _fade(piece: Audio, frames: int) -> None:
    frames = min(frames, len(piece))
    ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(frames) + 0.5) / max(1, frames))).astype(np.float32)
    piece[:frames] *= ramp
    piece[len(piece) - frames :] *= ramp[::-1]
