"""The metadata blocks of a FLAC file: comments, pictures, cue sheets, carried byte for byte.

Source: RFC 9639, section 8.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterable
from typing import BinaryIO

_STREAMINFO, _PADDING, _SEEKTABLE, COMMENT, CUESHEET, _PICTURE = 0, 1, 3, 4, 5, 6
_LAST = 0x80
_LARGEST = (1 << 24) - 1
_FRONT_COVER = 3

_VENDOR = b"cleanaudio"

Blocks = tuple[tuple[int, bytes], ...]


def read_blocks(file: BinaryIO) -> Blocks:
    """Return the blocks that describe the recording: all but stream info, padding and the seek table."""
    return tuple(block for block in _walk(file) if block[0] not in (_STREAMINFO, _PADDING, _SEEKTABLE))


def rewrite(source: BinaryIO, target: BinaryIO, blocks: Blocks) -> None:
    """Copy a FLAC file with ``blocks`` in place of its own; the audio stays as it is."""
    kept = [block for block in _walk(source) if block[0] in (_STREAMINFO, _SEEKTABLE)]
    if not any(kind == COMMENT for kind, _ in blocks):
        kept += [block for block in _walk(source) if block[0] == COMMENT]
    rows = [*kept, *blocks]
    target.write(b"fLaC")
    for position, (kind, content) in enumerate(rows):
        last = _LAST if position == len(rows) - 1 else 0
        target.write(struct.pack(">I", (kind | last) << 24 | len(content)) + content)
    _walk_to_audio(source)
    shutil.copyfileobj(source, target, 1 << 20)


def empty(rate: int, channels: int, bits: int) -> bytes:
    """Return a FLAC file without samples, which libsndfile leaves without a header."""
    fields = rate << 44 | (channels - 1) << 41 | (bits - 1) << 36
    info = struct.pack(">HH6xQ16x", 4096, 4096, fields)
    return b"fLaC" + struct.pack(">I", (_STREAMINFO | _LAST) << 24 | len(info)) + info


def comment_block(comments: Iterable[tuple[str, str]]) -> tuple[int, bytes]:
    """Return Vorbis comments, pairs of name and text, as a block."""
    entries = [f"{name.upper()}={text}".encode() for name, text in comments]
    parts = [_VENDOR, struct.pack("<I", len(entries)), *(struct.pack("<I", len(entry)) + entry for entry in entries)]
    return COMMENT, struct.pack("<I", len(_VENDOR)) + b"".join(parts)


def picture_block(content: bytes, mime: str) -> tuple[int, bytes] | None:
    """Return a front cover as a block, None where it is too large for one."""
    kind = mime.encode("ascii", "replace")
    head = struct.pack(">II", _FRONT_COVER, len(kind)) + kind + bytes(20)  # no description, size left to the picture
    block = head + struct.pack(">I", len(content)) + content
    return (_PICTURE, block) if len(block) <= _LARGEST else None


def _walk(file: BinaryIO) -> list[tuple[int, bytes]]:
    file.seek(0)
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


def _walk_to_audio(file: BinaryIO) -> None:
    _walk(file)  # ends where the frames begin
