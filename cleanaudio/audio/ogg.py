"""What the pages of an Ogg file say that libsndfile does not: bit rate, and whether a second stream follows.

Source: RFC 3533 (pages), the Vorbis I specification (identification header).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_PAGE = struct.Struct("<4sBBqIIIB")
_BEGINS, _ENDS = 2, 4  # flags of a page
_NO_PACKET_ENDS = -1


@dataclass(frozen=True)
class Stream:
    """A look at an Ogg file.

    Parameters
    ----------
    nominal_bit_rate : int or None
        What the Vorbis encoder was asked for, in bits per second.
    audio_start : int
        Offset of the first page with sound: cover pictures come before it.
    chained : bool
        Another stream begins after the first.
    ended : bool
        The last page is marked as such.
    """

    nominal_bit_rate: int | None
    audio_start: int
    chained: bool
    ended: bool


def describe(file: BinaryIO, size: int) -> Stream | None:
    """Walk the pages; None if the file does not begin with one."""
    file.seek(0)
    head = file.read(_PAGE.size + 255 + 64)
    if len(head) < _PAGE.size or head[:4] != b"OggS":
        return None
    packet = head[_PAGE.size + head[_PAGE.size - 1] :]
    nominal = struct.unpack_from("<i", packet, 20)[0] if packet[:7] == b"\x01vorbis" and len(packet) >= 24 else 0
    audio_start, flags, chained = 0, 0, False
    for position, flags, granule in _pages(file, size):
        if granule not in (0, _NO_PACKET_ENDS):
            audio_start = audio_start or position
        elif flags & _BEGINS and audio_start:
            chained = True
    return Stream(nominal if nominal > 0 else None, audio_start, chained, bool(flags & _ENDS))


def _pages(file: BinaryIO, size: int) -> Iterator[tuple[int, int, int]]:
    """Offset, flags and granule position of each page, up to the first place where none follows."""
    position = 0
    while position + _PAGE.size <= size:
        file.seek(position)
        head = file.read(_PAGE.size)
        if head[:4] != b"OggS":
            return
        _, _, flags, granule, _, _, _, segments = _PAGE.unpack(head)
        yield position, flags, granule
        position += _PAGE.size + segments + sum(file.read(segments))
