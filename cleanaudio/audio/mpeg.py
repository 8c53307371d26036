"""The frames of an MPEG audio file, counted: its headers estimate, promise or leave open how long it is.

Source: ISO/IEC 11172-3 and 13818-3 (frame header); the Xing/LAME tag as its encoders write it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import BinaryIO

from cleanaudio.audio.metadata import id3

_V1_L3 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_V1_L2 = (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384)
_V1_L1 = (0, *range(32, 449, 32))
_V2_L1 = (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256)
_V2_L23 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = (44100, 48000, 32000)
_PIECE = 1 << 20
_TAGS = (b"TAG", b"ID3", b"APE")
_HEADER = 4
_ID3V1 = 128
_TAG_REACH = 156
"""Bytes from the head of a frame on that tell whether it holds a Xing tag."""
_ONES = re.compile(rb"\xff+")
_OTHER_KIND = 8
"""So many frames in a row of another rate or channel count, or after a Xing tag, are another recording that was joined
on; fewer, damage."""
_SIZE_ERROR = 0.005
"""Of the size that a Xing tag says: decoders complain from one percent on."""


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


@dataclass(frozen=True)
class Scan:
    """What is in an MPEG audio file, or in a stretch of it whose frames have one layer, rate and channel count.

    Parameters
    ----------
    head : int
        Bytes of the ID3 tags that it begins with, 0 in a later stretch.
    start : int
        Offset of the first frame, the Xing tag's where there is one.
    first : Header
    frames : int
        Frames that hold audio.
    bit_rate : int
        Mean bits per second.
    tag : bytes
        The frame with the Xing tag, empty without.
    promised : int or None
        Frames that the Xing tag promises.
    runs : tuple of (int, int)
        Beginnings and ends of the stretches of frames that follow each other, without the tag.
    damaged : int
        Places between them where there is neither a frame nor a tag, as it stands where files were joined.
    following : int or None
        Offset of the next stretch, whose frames are of another kind.
    size : int
        Bytes of the whole file without the ID3v1 tag at its end.
    """

    head: int
    start: int
    first: Header
    frames: int
    bit_rate: int
    tag: bytes = b""
    promised: int | None = None
    runs: tuple[tuple[int, int], ...] = ()
    damaged: int = 0
    following: int | None = None
    size: int = 0

    @property
    def consistent(self) -> bool:
        """Whether a Xing tag promises what is there, and next to nothing else is."""
        whole = self.promised is not None and self.promised in (self.frames, self.frames + 1)
        alone = len(self.runs) == 1 and not self.damaged
        return whole and alone and all(abs(size / self._bytes - 1) < _SIZE_ERROR for size in self._said_sizes())

    def _said_sizes(self) -> Iterator[int]:
        """Sizes from the tag to the end: of the file, and of what the tag says if it does."""
        yield self.size - self.start
        flags_at = _tag_at(self.tag)
        if self.tag[flags_at + 7] & 2:
            yield struct.unpack_from(">I", self.tag, flags_at + 12)[0]

    @property
    def _bytes(self) -> int:
        return len(self.tag) + sum(end - start for start, end in self.runs)

    def mended_head(self, file: BinaryIO) -> bytes:
        """Return a beginning of the file whose Xing tag tells the truth about the runs that are to follow."""
        file.seek(0)
        return file.read(self.head) + self._honest_tag(file)

    def _honest_tag(self, file: BinaryIO) -> bytes:
        flags_at = _tag_at(self.tag)
        if flags_at and struct.unpack_from(">I", self.tag, flags_at + 4)[0] & 1:
            tag = bytearray(self.tag)
            struct.pack_into(">I", tag, flags_at + 8, self.frames)
            if tag[flags_at + 7] & 2:  # the size in bytes, which a decoder compares
                struct.pack_into(">I", tag, flags_at + 12, min(self._bytes, 0xFFFFFFFF))
            return bytes(tag)
        file.seek(self.start)
        head = bytearray(file.read(_HEADER))
        head[1] |= 1  # no checksum
        head[2] = (9 << 4) | (head[2] & 0x0C)  # a bit rate that leaves room for the tag
        described = _table()[_key(head)]
        tag = bytearray(head.ljust(described.length, b"\0"))
        struct.pack_into(">4sII", tag, _HEADER + _side_information(head), b"Xing", 1, self.frames)
        return bytes(tag)


def is_sound(file: BinaryIO, size: int) -> bool:
    """Whether frames that follow each other stand anywhere near the beginning, too many for chance."""
    steps = _frames(file, 0, min(size, _PIECE))
    return any(header is None or number + 1 >= _OTHER_KIND for number, (_, header) in enumerate(steps))


def stretches(file: BinaryIO, size: int) -> tuple[Scan, ...]:
    """Walk the frames of an MPEG audio file that may be joined of several; empty where none follow each other.

    A few frames at the beginning are none: a decoder, too, may find some where there is something else.
    """
    found: list[Scan] = []
    begin: int | None = None
    while (stretch := scan(file, size, begin)) is not None:
        found.append(stretch)
        begin = stretch.following
        if begin is None:
            break
    if len(found) > 1 and found[0].frames < _OTHER_KIND:
        false, *found = found
        found[0] = replace(found[0], head=false.head, damaged=found[0].damaged + 1)
    return tuple(found)


def scan(file: BinaryIO, size: int, begin: int | None = None) -> Scan | None:
    """Walk the frames from the beginning or an offset, as long as they are of one kind; None where none follow."""
    head = after_id3(file, size) if begin is None else 0
    steps = _frames(file, head if begin is None else begin, size)
    offset, header = next(steps, (0, None))
    if header is None:
        return None
    file.seek(offset)
    tag = file.read(header.length)
    flags_at = _tag_at(tag) if header.layer == 3 else 0
    promised = _promise(tag) if flags_at else None
    frames, length, run, end, runs, damaged = 0, 0, offset, offset + header.length, [], 0
    other = None
    if flags_at:
        run = end
    else:
        frames, length = 1, header.length
    for position, following in steps:
        if position != end:
            file.seek(end)
            damaged += file.read(3) not in _TAGS
        if following is None:
            other = position
            break
        if position != end:
            runs.append((run, end))
            run = position
        end = position + following.length
        frames += 1
        length += following.length
    runs.append((run, end))
    bit_rate = round(8 * length * header.rate / (frames * header.samples)) if frames else header.bit_rate
    tag = tag if flags_at else b""
    size = _without_id3v1(file, size)
    return Scan(head, offset, header, frames, bit_rate, tag, promised, tuple(runs), damaged, other, size)


def _frames(file: BinaryIO, position: int, size: int) -> Iterator[tuple[int, Header | None]]:
    """Offsets and headers of the frames; what lies between them is skipped, a cut last one left out.

    Where frames of another kind begin, or those of another Xing tag, it ends with their offset and None. A promise that
    is not yet kept goes on over the tag: then frames are missing, and the tag's trimming is not for what is there.
    """
    table = _table()
    base, buffer = position, b""
    kind = mono = None  # version, layer and rate, and whether there is one channel: the same in all frames
    missing = _OTHER_KIND  # frames before a tag can begin another recording
    while position + _HEADER <= size:
        at = position - base
        if not 0 <= at <= len(buffer) - _TAG_REACH:
            file.seek(position)
            base, buffer, at = position, file.read(_PIECE), 0
            if len(buffer) < _HEADER:
                return
        key = _key(buffer, at)
        header = table.get(key) if buffer[at] == 0xFF else None
        one = _mono(buffer, at)
        if header is not None and (kind is None or key & 0xFE0C == kind) and (mono is None or one == mono):
            end = position + header.length
            if end > size:
                return
            tagged = False
            if kind is None:
                file.seek(position)
                first = file.read(header.length)
                tagged = _tag_at(first) > 0
                missing = max(_OTHER_KIND, _promise(first) or 0) if tagged else _OTHER_KIND
            elif missing <= 0 and _retagged(buffer, at) and _begins_other(file, end, key, one):
                yield position, None
                return
            if mono is not None or _follows(file, end, size, key, None if tagged else one):
                kind, mono = key & 0xFE0C, None if tagged else one
                yield position, header
                missing -= not tagged
                position = end
                continue
        elif header is not None and _begins_other(file, position, key, one):
            yield position, None
            return
        position = base + _candidate(buffer, at + 1)


def _candidate(buffer: bytes, at: int) -> int:
    """Where a frame may begin from here on: after all but two 0xFF of a run, for a third is no bit rate."""
    first = buffer.find(b"\xff", at)
    run = _ONES.match(buffer, first) if first >= 0 else None
    return max(first, run.end() - 2) if run else len(buffer)


def _retagged(buffer: bytes, at: int) -> bool:
    """Whether the frame there holds a Xing tag of layer 3; most others are told by their first byte."""
    return not buffer[at + _HEADER] and buffer[at + 1] >> 1 & 3 == 1 and _tag_at(buffer[at : at + _TAG_REACH]) > 0


def _promise(tag: bytes) -> int | None:
    """Frames that a frame with a Xing tag promises."""
    flags_at = _tag_at(tag)
    return struct.unpack_from(">I", tag, flags_at + 8)[0] if tag[flags_at + 7] & 1 else None


def _begins_other(file: BinaryIO, position: int, key: int, mono: bool) -> bool:
    """Whether enough frames of a kind follow each other from here to be a recording of their own."""
    for _ in range(_OTHER_KIND):
        file.seek(position)
        head = file.read(_HEADER)
        alike = len(head) == _HEADER and head[0] == 0xFF and (_key(head) ^ key) & 0xFE0C == 0 and _mono(head) == mono
        header = _table().get(_key(head)) if alike else None
        if header is None:
            return False
        position += header.length
    return True


def _follows(file: BinaryIO, position: int, size: int, key: int, mono: bool | None) -> bool:
    """Whether a second frame of the same kind, and of as many channels if that matters, stands where one ends."""
    if position == size:
        return True
    file.seek(position)
    head = file.read(_HEADER)
    if head[:3] == b"TAG":
        return True
    alike = len(head) == _HEADER and head[0] == 0xFF and _key(head) in _table() and (_key(head) ^ key) & 0xFE0C == 0
    return alike and (mono is None or mono == _mono(head))


def after_id3(file: BinaryIO, size: int) -> int:
    """Return where the file begins when the ID3v2 tags before it are passed over."""
    position = 0
    while True:
        file.seek(position)
        length = id3_length(file.read(10))
        if not length or position + length > size:
            return position
        position += length


def _without_id3v1(file: BinaryIO, size: int) -> int:
    file.seek(max(0, size - _ID3V1))
    return size - _ID3V1 * (file.read(3) == b"TAG")


def id3_length(head: bytes) -> int:
    """Return the bytes of the ID3v2 tag that begins with these ten, 0 where there is none."""
    if len(head) < 10 or head[:3] != b"ID3" or any(byte & 0x80 for byte in head[6:10]):
        return 0
    return id3.synchsafe(head[6:10]) + 10 + (10 if head[5] & 0x10 else 0)


def _key(head: bytes | bytearray, at: int = 0) -> int:
    return head[at + 1] << 8 | head[at + 2]


def _mono(head: bytes | bytearray, at: int = 0) -> bool:
    return head[at + 3] >> 6 == 3


def _side_information(head: bytes | bytearray) -> int:
    mono = _mono(head)
    first_version = head[1] >> 3 & 3 == 3
    return (17 if mono else 32) if first_version else (9 if mono else 17)


def _tag_at(frame: bytes) -> int:
    """Offset of ``Xing`` or ``Info`` in a frame, 0 where there is none."""
    if len(frame) < _HEADER:
        return 0
    at = _HEADER + _side_information(frame)
    known = frame[at : at + 4] in (b"Xing", b"Info") and not any(frame[_HEADER:at])
    return at if known and len(frame) >= at + 120 else 0


def _describe(key: int) -> Header | None:
    version, layer_bits = key >> 11 & 3, key >> 9 & 3
    bits, rate_bits, padding = key >> 4 & 15, key >> 2 & 3, key >> 1 & 1
    if key >> 13 != 7 or version == 1 or layer_bits == 0 or bits in (0, 15) or rate_bits == 3:
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
def _table() -> dict[int, Header]:
    return {key: header for key in range(0xE000, 0x10000) if (header := _describe(key)) is not None}
