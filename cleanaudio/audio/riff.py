"""The chunks of a WAV file (RIFF, RF64, BW64), walked without trusting their sizes.

Sources: Microsoft, Multimedia Programming Interface and Data Specifications 1.0 (1991); EBU Tech 3306 (RF64).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from cleanaudio.audio.limits import HELD_BYTES

MAGICS = (b"RIFF", b"RF64", b"BW64")
UNKNOWN = 0xFFFFFFFF
OPEN_SIZE = 0x7FFF0000
"""From here on, a promised size is what a program writes into a pipe: FFmpeg 0xFFFFFFFF, arecord 0x80000000, SoX
0x7FFFF000 rounded down to whole frames."""
EXTENSIBLE = 0xFFFE
GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
"""What follows the code of an encoding in an extensible header."""


@dataclass(frozen=True)
class Chunk:
    """One chunk: identifier, offset of its content, and the size that its header promises."""

    name: bytes
    start: int
    size: int


@dataclass(frozen=True)
class Format:
    """What a ``fmt`` chunk says.

    Parameters
    ----------
    code : int
        Of the encoding: 1 is integer PCM, 3 floating point; that in the extension where there is one.
    channels : int
    rate : int
    block_align : int
        Bytes of a frame.
    bits : int
        Of a sample.
    mask : int, optional
        Loudspeaker positions of an extensible header, 0 if unknown; None: the header is a plain one.
    """

    code: int
    channels: int
    rate: int
    block_align: int
    bits: int
    mask: int | None = None

    @classmethod
    def of(cls, content: bytes) -> Format | None:
        """Return what the content of the chunk says; None where it is too short to say anything."""
        if len(content) < 16:
            return None
        code, channels, rate, _, block_align, bits = struct.unpack_from("<HHIIHH", content)
        mask = None
        if code == EXTENSIBLE and len(content) >= 26:
            mask, code = struct.unpack_from("<IH", content, 20)
        return cls(code, channels, rate, block_align, bits, mask)

    def content(self) -> bytes:
        """Return the content of the chunk."""
        code = self.code if self.mask is None else EXTENSIBLE
        second = self.rate * self.block_align
        fields = struct.pack("<HHIIHH", code, self.channels, self.rate, second, self.block_align, self.bits)
        if self.mask is None:
            return fields
        return fields + struct.pack("<HHIH", 22, self.bits, self.mask, self.code) + GUID_TAIL


@dataclass(frozen=True)
class Layout:
    """Where things are in a WAV file.

    Parameters
    ----------
    magic : bytes
    size : int
        Of the file, in bytes.
    chunks : tuple of Chunk
        In their order, up to the first that reaches beyond the end of the file.
    data : Chunk or None
        The samples.
    available : int
        Bytes of the samples that are really there.
    unknown_length : bool
        The header was written into a pipe: it leaves the length open (0, or about 2 or 4 GiB).
    block_align : int
        Bytes of a frame.
    channel_mask : int
        Loudspeaker positions of an extensible header, 0 if unknown.
    oversized : Chunk or None
        A chunk before the samples that claims more than the file has.
    stray : int
        Bytes behind the samples that are no chunks.
    """

    magic: bytes
    size: int
    chunks: tuple[Chunk, ...]
    data: Chunk | None = None
    available: int = 0
    unknown_length: bool = False
    block_align: int = 0
    channel_mask: int = 0
    oversized: Chunk | None = None
    stray: int = 0


def read_layout(file: BinaryIO, size: int) -> Layout:
    """Walk the chunks of a WAV file of ``size`` bytes whose magic has been checked."""
    file.seek(0)
    magic = file.read(4)
    found: list[Chunk] = []
    layout = Layout(magic, size, ())
    long_size = None
    for chunk in _walk(file, 12, size):
        inside = chunk.start + chunk.size <= size
        if chunk.name == b"ds64" and chunk.size >= 24 and inside:
            file.seek(chunk.start)
            long_size = struct.unpack("<8xQ", file.read(16))[0]
        elif chunk.name == b"fmt " and inside:
            file.seek(chunk.start)
            if (said := Format.of(file.read(min(chunk.size, 40)))) is not None:
                layout = replace(layout, block_align=said.block_align, channel_mask=said.mask or 0)
        elif chunk.name == b"data":
            if chunk.size == UNKNOWN and magic != b"RIFF" and long_size is not None:
                chunk = replace(chunk, size=long_size)
            layout = _place_data(file, chunk, layout)
            found.append(layout.data or chunk)
            end = chunk.start + chunk.size + chunk.size % 2
            if not layout.unknown_length and end < size:
                for later in _walk(file, end, size):
                    if later.start + later.size > size or not is_named(later.name):
                        break
                    found.append(later)
                    end = later.start + later.size + later.size % 2
                layout = replace(layout, stray=max(0, size - end))
            break
        elif not inside:
            layout = replace(layout, oversized=chunk)
            break
        found.append(chunk)
    return replace(layout, chunks=tuple(found))


def patched_header(file: BinaryIO, layout: Layout) -> bytes | None:
    """Return the bytes up to the samples, mended so that libsndfile reads them all; None where it does so anyway."""
    if layout.data is None or layout.data.start > HELD_BYTES:
        return None
    if layout.magic != b"BW64" and not (layout.unknown_length and layout.data.size == 0):
        return None
    file.seek(0)
    header = bytearray(file.read(layout.data.start))
    if layout.magic == b"BW64":  # the same thing as RF64 under a newer name (ITU-R BS.2088)
        header[:4] = b"RF64"
    if layout.unknown_length:
        struct.pack_into("<I", header, layout.data.start - 4, UNKNOWN)
    return bytes(header)


def _walk(file: BinaryIO, position: int, size: int) -> Iterator[Chunk]:
    while position + 8 <= size:
        file.seek(position)
        name, promised = struct.unpack("<4sI", file.read(8))
        yield Chunk(name, position + 8, promised)
        position += 8 + promised + promised % 2


def packed(name: bytes, content: bytes) -> bytes:
    """Return a chunk as it stands in a file, padded to an even length."""
    return struct.pack("<4sI", name, len(content)) + content + b"\0" * (len(content) % 2)


def is_named(name: bytes) -> bool:
    """Whether a chunk may be called so: by letters that can be read."""
    return all(0x20 <= byte < 0x7F for byte in name)


def _place_data(file: BinaryIO, chunk: Chunk, layout: Layout) -> Layout:
    there = layout.size - chunk.start
    if chunk.size == 0:
        unknown = there > 0 and not _only_chunks(file, chunk.start, layout.size)
    else:
        claims_the_limit = OPEN_SIZE <= chunk.size <= 0x80000000 or 0xFFFF0000 <= chunk.size <= 0xFFFFFFFF
        unknown = chunk.size > there and (claims_the_limit or chunk.size >= (1 << 63) - 1)
    available = there if unknown else min(chunk.size, there)
    return replace(layout, data=chunk, available=available, unknown_length=unknown)


def _only_chunks(file: BinaryIO, position: int, size: int) -> bool:
    """Whether what follows is a row of well-formed chunks to the very end, so that it cannot be samples."""
    end = position
    for chunk in _walk(file, position, size):
        end = chunk.start + chunk.size
        if end > size or not is_named(chunk.name):
            return False
    return end in (size, size - 1)
