"""The header of an MPEG audio frame: four bytes that say what is in it and how long it is.

Source: ISO/IEC 11172-3 and 13818-3.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

HEADER_BYTES = 4

KIND = 0xFE0C
"""Bits of a :func:`code_of` that all frames of a recording share: version, layer and rate."""

_V1_L3 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_V1_L2 = (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384)
_V1_L1 = (0, *range(32, 449, 32))
_V2_L1 = (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256)
_V2_L23 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = (44100, 48000, 32000)


@dataclass(frozen=True)
class Header:
    """What the four bytes at the head of a frame say.

    Parameters
    ----------
    layer : int
        1 to 3.
    rate : int
    length : int
        Bytes of the whole frame.
    samples : int
        Frames of audio in it.
    bit_rate : int
        Bits per second.
    """

    layer: int
    rate: int
    length: int
    samples: int
    bit_rate: int


def code_of(head: bytes | bytearray, at: int = 0) -> int:
    """Return the second and the third byte of a header as a number; they say all but the channels."""
    return head[at + 1] << 8 | head[at + 2]


def is_mono(head: bytes | bytearray, at: int = 0) -> bool:
    """Whether the frame has one channel."""
    return head[at + 3] >> 6 == 3


def _describe(code: int) -> Header | None:
    version, layer_bits = code >> 11 & 3, code >> 9 & 3
    bits, rate_bits, padding = code >> 4 & 15, code >> 2 & 3, code >> 1 & 1
    if code >> 13 != 7 or version == 1 or layer_bits == 0 or bits in (0, 15) or rate_bits == 3:
        return None
    layer = 4 - layer_bits
    rate = _RATES[rate_bits] // {3: 1, 2: 2, 0: 4}[version]
    if version == 3:
        bit_rate = 1000 * (_V1_L1, _V1_L2, _V1_L3)[layer - 1][bits]
        samples = (384, 1152, 1152)[layer - 1]
    else:
        bit_rate = 1000 * (_V2_L1, _V2_L23, _V2_L23)[layer - 1][bits]
        samples = (384, 1152, 576)[layer - 1]
    slot = 4 if layer == 1 else 1
    length = (samples // 8 * bit_rate // rate // slot + padding) * slot
    return Header(layer, rate, length, samples, bit_rate)


@cache
def headers() -> dict[int, Header]:
    """Return all headers that there can be, by :func:`code_of`."""
    return {code: header for code in range(0xE000, 0x10000) if (header := _describe(code)) is not None}
