"""Settings that make an encoder come out at a wanted bit rate.

libsndfile takes a compression level, 0 (best) to 1, and each encoder makes of it what it likes: Opus and
MP3 go linearly from their highest to their lowest bit rate; Vorbis has a quality scale whose nominal bit rate depends
on rate and channels, so the encoder itself is asked. LAME lowers the level, by 0.45 dB at most rates: that is measured.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import soundfile

from cleanaudio.audio import ogg
from cleanaudio.audio.encodings import PERCEPTUAL

_OPUS_PER_CHANNEL = (6_000, 256_000)
_MP3_BIT_RATES = {32000: (32_000, 320_000), 16000: (8_000, 160_000), 8000: (8_000, 64_000)}  # from this rate on
_DEFAULT_PER_CHANNEL = {"VORBIS": 80_000, "OPUS": 64_000, "MPEG_LAYER_III": 96_000}
_MP3_TAG_BYTES = 192
"""LAME leaves out its tag where a frame of constant bit rate has no room for it."""
_STEPS = 12
_LAME_SOFTEST = 0.95


@dataclass(frozen=True)
class Compression:
    """What :class:`soundfile.SoundFile` is opened with, and by how much the encoder turns down what it gets."""

    level: float
    mode: str | None = None
    scale: float = 1.0


def compression(subtype: str, rate: int, channels: int, bit_rate: int | None = None) -> Compression | None:
    """Return the setting for a bit rate in bits per second, or for transparent speech; None for other encodings."""
    if subtype not in PERCEPTUAL:
        return None
    wanted = bit_rate or _DEFAULT_PER_CHANNEL[subtype] * channels
    if subtype == "OPUS":
        return Compression(_linear(wanted / channels, *_OPUS_PER_CHANNEL))
    if subtype == "VORBIS":
        return Compression(_vorbis(rate, channels, wanted))
    limits = next(limits for lowest, limits in _MP3_BIT_RATES.items() if rate >= lowest)
    samples = 1152 if rate >= 32000 else 576
    frame = samples / 8 * wanted / rate
    # without a tag that says how much delay to take off, the result would begin late
    mode = "CONSTANT" if frame >= _MP3_TAG_BYTES else "AVERAGE"
    level = min(_linear(wanted, *limits), 0.99)  # LAME refuses the last step
    return Compression(level, mode, _lame_scale(rate, channels, level, mode))


def _linear(wanted: float, lowest: int, highest: int) -> float:
    return min(1.0, max(0.0, (highest - wanted) / (highest - lowest)))


@lru_cache(maxsize=64)
def _lame_scale(rate: int, channels: int, level: float, mode: str) -> float:
    """Encode a second of a tone, and see how loud it comes back."""
    tone = 0.25 * np.sin(2 * np.pi * 440 / rate * np.arange(rate))
    file = io.BytesIO()
    soundfile.write(
        file, np.stack([tone] * channels, axis=1), rate, "MPEG_LAYER_III",
        format="MP3", compression_level=level, bitrate_mode=mode,
    )  # fmt: skip
    file.seek(0)
    heard = soundfile.read(file, always_2d=True)[0][:rate, 0]
    middle = slice(rate // 4, rate * 3 // 4)
    ratio = np.sqrt(np.mean(heard[middle] ** 2) / np.mean(tone[middle] ** 2))
    return float(np.clip(ratio, _LAME_SOFTEST, 1.0))


@lru_cache(maxsize=64)
def _vorbis(rate: int, channels: int, wanted: int) -> float:
    """Find the level whose nominal bit rate is the wanted one, by halving."""
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        nominal = _nominal(rate, channels, middle)
        if nominal is None:  # the encoder does not say at this rate; its middle quality then
            return 0.5
        low, high = (middle, high) if nominal > wanted else (low, middle)
    return (low + high) / 2


def _nominal(rate: int, channels: int, level: float) -> int | None:
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", rate, channels, "VORBIS", format="OGG", compression_level=level):
        pass
    stream = ogg.describe(file, len(file.getvalue()))
    return stream.nominal_bit_rate if stream else None
