"""The pages of an Ogg file: what they say that libsndfile does not, and its comment header, read and replaced.

Sources: RFC 3533 (pages), the Vorbis I specification (headers), RFC 7845 (headers of Opus).
"""

from __future__ import annotations

import shutil
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

from cleanaudio.audio.limits import HELD_BYTES
from cleanaudio.audio.metadata import comments
from cleanaudio.audio.metadata.description import Description

_PAGE = struct.Struct("<4sBBqIIIB")
_CONTINUES, _BEGINS, _ENDS = 1, 2, 4  # flags of a page
_NO_PACKET_ENDS = -1
_SEGMENTS = 255
_PIECE = 1 << 16
_HEADERS = {b"\x01vorbis": 3, b"OpusHead": 2}
"""How many packets stand before the sound."""


@dataclass(frozen=True)
class Stream:
    """A look at an Ogg file.

    Parameters
    ----------
    nominal_bit_rate : int or None
        What the Vorbis encoder was asked for, in bits per second.
    audio_start : int
        Offset of the first page with sound: cover pictures come before it.
    links : tuple of int
        Offsets at which a stream begins: the first, and those that follow its sound.
    ended : bool
        The last page is marked as such.
    damaged : int
        Pages that are missing, or whose checksum is wrong, so that decoders leave them out.
    is_flac : bool
        It holds FLAC, by the mapping of the FLAC project (0x7F ``FLAC``).
    """

    nominal_bit_rate: int | None
    audio_start: int
    links: tuple[int, ...]
    ended: bool
    damaged: int
    is_flac: bool


def describe(file: BinaryIO, size: int) -> Stream | None:
    """Walk the pages; None if the file does not begin with one."""
    file.seek(0)
    head = file.read(_PAGE.size + 255 + 64)
    if len(head) < _PAGE.size or head[:4] != b"OggS":
        return None
    packet = head[_PAGE.size + head[_PAGE.size - 1] :]
    nominal = struct.unpack_from("<i", packet, 20)[0] if packet[:7] == b"\x01vorbis" and len(packet) >= 24 else 0
    audio_start, flags, damaged, reached = 0, 0, 0, 0
    links, sounding = [0], False
    expected: dict[int, int] = {}  # by stream, the number of its next page
    for page in _pages(file, size):
        missing = not page.flags & _BEGINS and expected.get(page.serial, page.number) != page.number
        damaged += not page.sound or missing or page.start > reached
        flags, reached = page.flags, page.end
        expected[page.serial] = page.number + 1
        if page.granule not in (0, _NO_PACKET_ENDS):
            audio_start, sounding = audio_start or page.start, True
        elif flags & _BEGINS and sounding:
            links.append(page.start)
            sounding = False
    ended = bool(flags & _ENDS)
    damaged += reached < size and ended
    is_flac = packet[:5] == b"\x7fFLAC"
    return Stream(nominal if nominal > 0 else None, audio_start, tuple(links), ended, damaged, is_flac)


def read(file: BinaryIO, size: int) -> Description:
    """Return what the comment header of the first stream says."""
    packets: list[bytearray] = []
    serial = None
    for page in _pages(file, size):
        serial = page.serial if serial is None else serial
        if page.serial == serial:
            _collect(page, packets)
        if len(packets) > 2 or (len(packets) == 2 and page.ends_packet) or page.end > HELD_BYTES:
            break
    return comments.read(bytes(packets[1])) if len(packets) > 1 else Description()


def rewrite(source: BinaryIO, target: BinaryIO, description: Description) -> None:
    """Copy a file of one stream with another comment header; the packets of its sound stay as they are."""
    size = source.seek(0, 2)
    pages = _pages(source, size)
    first = next(pages)
    target.write(first.packed())
    wanted = next(count for magic, count in _HEADERS.items() if first.content.startswith(magic))
    packets = [bytearray(first.content)]
    last = first
    while len(packets) < wanted or not last.ends_packet:
        last = next(pages)
        _collect(last, packets)
    said = comments.replaced(bytes(packets[1]), comments.entries(description, pictures=True))
    headers = list(_paged([said, *packets[2:]], first))
    target.writelines(page.packed() for page in headers)
    shift = headers[-1].number - last.number
    if not shift:
        source.seek(last.end)
        shutil.copyfileobj(source, target, 1 << 20)
    target.writelines(replace(page, number=page.number + shift).packed() for page in pages if shift)


@dataclass(frozen=True)
class _Page:
    start: int
    end: int
    flags: int
    granule: int
    serial: int
    number: int
    sound: bool
    lacing: bytes
    content: bytes

    @property
    def ends_packet(self) -> bool:
        return self.lacing[-1:] != b"\xff"

    def packed(self) -> bytes:
        head = [b"OggS", 0, self.flags, self.granule, self.serial, self.number]
        rest = self.lacing + self.content
        checksum = _checksum(_PAGE.pack(*head, 0, len(self.lacing)) + rest)
        return _PAGE.pack(*head, checksum, len(self.lacing)) + rest


def _pages(file: BinaryIO, size: int) -> Iterator[_Page]:
    """Whole pages; what lies between them and is none is passed over."""
    position = 0
    while position + _PAGE.size <= size:
        file.seek(position)
        head = file.read(_PAGE.size)
        if head[:4] != b"OggS":
            position = _next_mark(file, position + 1, size)
            continue
        _, _, flags, granule, serial, number, checksum, segments = _PAGE.unpack(head)
        lacing = file.read(segments)
        content = file.read(sum(lacing))
        end = position + _PAGE.size + segments + sum(lacing)
        sound = _checksum(head[:22] + bytes(4) + head[26:] + lacing + content) == checksum
        if end <= size:
            yield _Page(position, end, flags, granule, serial, number, sound, lacing, content)
        position = end if sound else _next_mark(file, position + 1, size)  # its length may be what is wrong


def _next_mark(file: BinaryIO, position: int, size: int) -> int:
    """Return where the next page begins, ``size`` where none does."""
    while position < size:
        file.seek(position)
        piece = file.read(_PIECE)
        at = piece.find(b"OggS")
        if at >= 0:
            return position + at
        position += max(1, len(piece) - 3)
    return size


def _collect(page: _Page, packets: list[bytearray]) -> None:
    """Add what is in a page to the packets before it."""
    at, open_packet = 0, bool(page.flags & _CONTINUES)
    for segment in page.lacing:
        piece = page.content[at : at + segment]
        if open_packet and packets:
            packets[-1] += piece
        else:
            packets.append(bytearray(piece))
        at += segment
        open_packet = segment == _SEGMENTS


def _paged(packets: Sequence[bytes | bytearray], first: _Page) -> Iterator[_Page]:
    """Lay header packets into pages that follow the first one; the last of them ends with its page."""
    lacing = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets)
    content, at, continues = b"".join(packets), 0, False
    for number, begin in enumerate(range(0, len(lacing), _SEGMENTS), first.number + 1):
        segments = lacing[begin : begin + _SEGMENTS]
        granule = 0 if any(segment < 255 for segment in segments) else _NO_PACKET_ENDS
        flags = _CONTINUES if continues else 0
        end = at + sum(segments)
        yield _Page(0, 0, flags, granule, first.serial, number, True, segments, content[at:end])
        at, continues = end, segments[-1] == 255


def _checksum(page: bytes) -> int:
    """CRC-32 of a page: zlib's polynomial with the bits of each byte the other way round, from zero to zero."""
    reflected = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(reflected.to_bytes(4, "little").translate(_MIRRORED), "big")


_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
