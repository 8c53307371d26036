"""The metadata blocks of a FLAC file: comments and pictures, and others (cue sheets …) that are carried byte for byte.

Source: RFC 9639, section 8.
"""

from __future__ import annotations

import shutil
import struct
from contextlib import suppress
from dataclasses import replace
from typing import BinaryIO

from cleanaudio.audio.metadata import comments
from cleanaudio.audio.metadata.description import Description, Picture
from cleanaudio.audio.spliced import Spliced

_STREAMINFO, _PADDING, _APPLICATION, _SEEKTABLE, _COMMENT, CUESHEET, _PICTURE = range(7)
_LAST = 0x80
_LARGEST = (1 << 24) - 1
_BEGINNINGS = (b"fLaC\0\0\0\x22", b"fLaC\x80\0\0\x22")
"""Of a stream: its mark, and the head of its first block."""
_PIECE = 1 << 20
_HEADER = 1 << 16
"""Bytes of a comment block that are kept for its head, which names the encoder."""

_MASK = "WAVEFORMATEXTENSIBLE_CHANNEL_MASK"
"""A comment that tells of the stream, not of the recording: its channels' loudspeakers."""

Blocks = tuple[tuple[int, bytes], ...]


def read(file: BinaryIO, start: int = 0) -> tuple[Description, Blocks]:
    """Return what a file says of its recording, and the other blocks that tell of that and not of the stream.

    Parameters
    ----------
    file : binary file
    start : int
        Where the stream begins.
    """
    blocks = _walk(file, start)
    said = comments.read(next((content for kind, content in blocks if kind == _COMMENT), b""))
    pictures = [picture for kind, content in blocks if kind == _PICTURE and (picture := comments.unpacked(content))]
    said = _without_mask(said)
    known = (_STREAMINFO, _PADDING, _SEEKTABLE, _COMMENT, _PICTURE)
    others = tuple(block for block in blocks if block[0] not in known)
    return replace(said, pictures=(*said.pictures, *pictures)), others


def channel_mask(file: BinaryIO | Spliced, start: int = 0) -> int | None:
    """Return the loudspeaker positions that a file says (as in WAV, 0 for none); None where it says nothing of them."""
    packet = next((content for kind, content in _walk(file, start) if kind == _COMMENT), b"")
    for name, value in comments.read(packet).comments:
        if name.upper() == _MASK:
            with suppress(ValueError):
                return mask if 0 <= (mask := int(value, 0)) < 1 << 32 else None
    return None


def with_channel_mask(description: Description, mask: int) -> Description:
    """Return a description that says the loudspeaker positions, for :func:`rewrite`."""
    return replace(description, comments=(*_without_mask(description).comments, (_MASK, f"0x{mask:04X}")))


def _without_mask(description: Description) -> Description:
    kept = (comment for comment in description.comments if comment[0].upper() != _MASK)
    return replace(description, comments=tuple(kept))


def rewrite(source: BinaryIO, target: BinaryIO, description: Description, others: Blocks) -> None:
    """Copy a FLAC file with another description and other blocks in place of its own; the audio stays as it is."""
    own = _walk(source)  # ends where the frames begin
    rows = [block for block in own if block[0] in (_STREAMINFO, _SEEKTABLE)]
    packet = next((content for kind, content in own if kind == _COMMENT), b"")
    rows.append((_COMMENT, comments.replaced(packet, fitting(description))))
    rows += [*others, *((_PICTURE, comments.packed(picture)) for picture in description.pictures if fits(picture))]
    target.write(b"fLaC")
    for position, (kind, content) in enumerate(rows):
        last = _LAST if position == len(rows) - 1 else 0
        target.write(struct.pack(">I", (kind | last) << 24 | len(content)) + content)
    shutil.copyfileobj(source, target, 1 << 20)


def later_streams(file: BinaryIO, start: int) -> tuple[int, ...]:
    """Return the offsets of the streams that follow the first one in a file of several, which begins at ``start``."""
    found = []
    overlap = len(_BEGINNINGS[0]) - 1
    position, rest = start + 4, b""
    file.seek(position)
    while piece := file.read(_PIECE):
        text = rest + piece
        for mark in _BEGINNINGS:
            at = text.find(mark)
            while at >= 0:
                found.append(position - len(rest) + at)
                at = text.find(mark, at + 1)
        position += len(piece)
        rest = text[-overlap:]
    return tuple(sorted(found))


def empty(rate: int, channels: int, bits: int) -> bytes:
    """Return a FLAC file without samples, which libsndfile leaves without a header."""
    fields = rate << 44 | (channels - 1) << 41 | (bits - 1) << 36
    info = struct.pack(">HH6xQ16x", 4096, 4096, fields)
    return b"fLaC" + struct.pack(">I", (_STREAMINFO | _LAST) << 24 | len(info)) + info


def fitting(description: Description) -> comments.Comments:
    """Return the comments that a description says, without the longest ones if they are too much for a block."""
    rows = list(comments.entries(description, pictures=False))
    sizes = [len(f"{name}={value}".encode(errors="replace")) + 4 for name, value in rows]
    while sum(sizes) > _LARGEST - _HEADER:
        longest = sizes.index(max(sizes))
        del rows[longest], sizes[longest]
    return tuple(rows)


def fits(picture: Picture) -> bool:
    """Whether a picture is small enough for a block."""
    return len(comments.packed(picture)) <= _LARGEST


def name(kind: int) -> str:
    """Return what a block of the kinds that are carried is called."""
    return {_APPLICATION: "application data", CUESHEET: "a cue sheet"}.get(kind, f"a block of type {kind}")


def _walk(file: BinaryIO | Spliced, start: int = 0) -> list[tuple[int, bytes]]:
    file.seek(start)
    if file.read(4) != b"fLaC":
        return []
    found = []
    while len(head := file.read(4)) == 4:
        length = int.from_bytes(head[1:])
        content = file.read(length)
        if len(content) < length:
            break
        found.append((head[0] & ~_LAST, content))
        if head[0] & _LAST:
            break
    return found
