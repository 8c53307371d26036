"""The frames of an MPEG audio file, counted: its headers estimate, promise or leave open how long it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from cleanaudio.audio import xing
from cleanaudio.audio.metadata import id3
from cleanaudio.audio.mpeg_header import HEADER_BYTES, KIND, Header, code_of, headers, is_mono

_PIECE = 1 << 20
_TAGS = (b"TAG", b"ID3", b"APE")
_ID3V1 = 128
_ONES = re.compile(rb"\xff+")
_OTHER_KIND = 8
"""So many frames in a row of another rate or channel count, or after a Xing tag, are another recording that was joined
on; fewer, damage."""
_SIZE_ERROR = 0.005
"""Of the size that a Xing tag says: decoders complain from one percent on."""


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
        if (said := xing.size(self.tag)) is not None:
            yield said

    @property
    def _bytes(self) -> int:
        return len(self.tag) + sum(end - start for start, end in self.runs)

    def mended_head(self, file: BinaryIO) -> bytes:
        """Return a beginning of the file whose Xing tag tells the truth about the runs that are to follow."""
        file.seek(0)
        tags = file.read(self.head)
        if self.promised is not None:
            return tags + xing.corrected(self.tag, self.frames, self._bytes)
        file.seek(self.start)
        return tags + xing.new_tag(file.read(HEADER_BYTES), self.frames)


def is_sound(file: BinaryIO, size: int) -> bool:
    """Whether frames that follow each other stand anywhere near the beginning, too many for chance."""
    steps = _frames(file, 0, min(size, _PIECE))
    return any(header is None or number + 1 >= _OTHER_KIND for number, (_, header) in enumerate(steps))


def stretches(file: BinaryIO, size: int) -> tuple[Scan, ...]:
    """Walk the frames of an MPEG audio file that may be joined of several; empty where none follow each other.

    A few frames at the beginning do not count: there, a decoder too may take something else for frames.
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
    tagged = header.layer == 3 and xing.is_tag(tag)
    promised = xing.frames(tag) if tagged else None
    frames, length, run, end, runs, damaged = 0, 0, offset, offset + header.length, [], 0
    other = None
    if tagged:
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
    tag = tag if tagged else b""
    size = _without_id3v1(file, size)
    return Scan(head, offset, header, frames, bit_rate, tag, promised, tuple(runs), damaged, other, size)


def _frames(file: BinaryIO, position: int, size: int) -> Iterator[tuple[int, Header | None]]:
    """Offsets and headers of the frames; what lies between them is skipped, a cut last one left out.

    Where frames of another kind begin, or those of another Xing tag, it ends with their offset and None. Before as many
    frames have come as the first tag promises, a second one does not begin another recording: frames are missing then,
    and the delays to trim that it states are not for what is there.
    """
    table = headers()
    base, buffer = position, b""
    kind = mono = None  # version, layer and rate, and whether there is one channel: the same in all frames
    missing = _OTHER_KIND  # frames before a tag can begin another recording
    while position + HEADER_BYTES <= size:
        at = position - base
        if not 0 <= at <= len(buffer) - xing.REACH:
            file.seek(position)
            base, buffer, at = position, file.read(_PIECE), 0
            if len(buffer) < HEADER_BYTES:
                return
        code = code_of(buffer, at)
        header = table.get(code) if buffer[at] == 0xFF else None
        one = is_mono(buffer, at)
        if header is not None and (kind is None or code & KIND == kind) and (mono is None or one == mono):
            end = position + header.length
            if end > size:
                return
            tagged = False
            if kind is None:
                file.seek(position)
                first = file.read(header.length)
                tagged = xing.is_tag(first)
                missing = max(_OTHER_KIND, xing.frames(first) or 0) if tagged else _OTHER_KIND
            elif missing <= 0 and _retagged(buffer, at) and _begins_other(file, end, code, one):
                yield position, None
                return
            if mono is not None or _follows(file, end, size, code, None if tagged else one):
                kind, mono = code & KIND, None if tagged else one
                yield position, header
                missing -= not tagged
                position = end
                continue
        elif header is not None and _begins_other(file, position, code, one):
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
    return not buffer[at + HEADER_BYTES] and buffer[at + 1] >> 1 & 3 == 1 and xing.is_tag(buffer[at : at + xing.REACH])


def _begins_other(file: BinaryIO, position: int, code: int, mono: bool) -> bool:
    """Whether enough frames of a kind follow each other from here to be a recording of their own."""
    for _ in range(_OTHER_KIND):
        file.seek(position)
        head = file.read(HEADER_BYTES)
        alike = (
            len(head) == HEADER_BYTES
            and head[0] == 0xFF
            and (code_of(head) ^ code) & KIND == 0
            and is_mono(head) == mono
        )
        header = headers().get(code_of(head)) if alike else None
        if header is None:
            return False
        position += header.length
    return True


def _follows(file: BinaryIO, position: int, size: int, code: int, mono: bool | None) -> bool:
    """Whether a second frame of the same kind, and of as many channels if that matters, stands where one ends."""
    if position == size:
        return True
    file.seek(position)
    head = file.read(HEADER_BYTES)
    if head[:3] == b"TAG":
        return True
    alike = (
        len(head) == HEADER_BYTES
        and head[0] == 0xFF
        and code_of(head) in headers()
        and (code_of(head) ^ code) & KIND == 0
    )
    return alike and (mono is None or mono == is_mono(head))


def after_id3(file: BinaryIO, size: int) -> int:
    """Return where the file begins when the ID3v2 tags before it are passed over."""
    position = 0
    while True:
        file.seek(position)
        length = id3.length(file.read(10))
        if not length or position + length > size:
            return position
        position += length


def _without_id3v1(file: BinaryIO, size: int) -> int:
    file.seek(max(0, size - _ID3V1))
    return size - _ID3V1 * (file.read(3) == b"TAG")
