"""What the pages of an Ogg file say that libsndfile does not: bit rate, and whether a second stream follows.

Source: RFC 3533 (pages), the Vorbis I specification (identification header).
"""

from __future__ import annotations

import struct
import zlib
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
    damaged : int
        Pages that are missing, or whose checksum is wrong, so that decoders leave them out.
    """

    nominal_bit_rate: int | None
    audio_start: int
    chained: bool
    ended: bool
    damaged: int


def describe(file: BinaryIO, size: int) -> Stream | None:
    """Walk the pages; None if the file does not begin with one."""
    file.seek(0)
    head = file.read(_PAGE.size + 255 + 64)
    if len(head) < _PAGE.size or head[:4] != b"OggS":
        return None
    packet = head[_PAGE.size + head[_PAGE.size - 1] :]
    nominal = struct.unpack_from("<i", packet, 20)[0] if packet[:7] == b"\x01vorbis" and len(packet) >= 24 else 0
    audio_start, flags, chained, damaged, reached = 0, 0, False, 0, 0
    expected: dict[int, int] = {}  # by stream, the number of its next page
    for page in _pages(file, size):
        flags, reached = page.flags, page.end
        damaged += not page.sound or expected.get(page.serial, page.number) != page.number
        expected[page.serial] = page.number + 1
        if page.granule not in (0, _NO_PACKET_ENDS):
            audio_start = audio_start or page.start
        elif flags & _BEGINS and audio_start:
            chained = True
    ended = bool(flags & _ENDS)
    return Stream(nominal if nominal > 0 else None, audio_start, chained, ended, damaged + (reached < size and ended))


@dataclass(frozen=True)
class _Page:
    start: int
    end: int
    flags: int
    granule: int
    serial: int
    number: int
    sound: bool


def _pages(file: BinaryIO, size: int) -> Iterator[_Page]:
    """Pages up to the first place where none follows, or only a part of one."""
    position = 0
    while position + _PAGE.size <= size:
        file.seek(position)
        head = file.read(_PAGE.size)
        if head[:4] != b"OggS":
            return
        _, _, flags, granule, serial, number, checksum, segments = _PAGE.unpack(head)
        lacing = file.read(segments)
        content = file.read(sum(lacing))
        end = position + _PAGE.size + segments + sum(lacing)
        if end > size:
            return
        sound = _checksum(head[:22] + bytes(4) + head[26:] + lacing + content) == checksum
        yield _Page(position, end, flags, granule, serial, number, sound)
        position = end


def _checksum(page: bytes) -> int:
    """CRC-32 of a page: zlib's polynomial with the bits of each byte the other way round, from zero to zero."""
    reflected = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(reflected.to_bytes(4, "little").translate(_MIRRORED), "big")


_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
