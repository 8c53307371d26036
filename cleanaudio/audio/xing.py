"""The Xing tag of an MP3: a first frame without sound that says how many follow, as LAME and others write it."""

from __future__ import annotations

import struct

from cleanaudio.audio.mpeg_header import HEADER_BYTES, code_of, headers, is_mono

REACH = 156
"""Bytes from the head of a frame on that tell whether it holds a tag."""

_FRAMES, _SIZE = 1, 2  # flags
_BIT_RATE = 9 << 4
"""In the third byte of a header: leaves room for the tag at all rates."""


def is_tag(frame: bytes) -> bool:
    """Whether a frame of layer 3, or its beginning of :data:`REACH` bytes, holds a tag."""
    return _place(frame) > 0


def frames(tag: bytes) -> int | None:
    """Return how many frames a frame with a tag promises, None where it does not say."""
    at = _place(tag)
    return struct.unpack_from(">I", tag, at + 8)[0] if tag[at + 7] & _FRAMES else None


def size(tag: bytes) -> int | None:
    """Return how many bytes a frame with a tag promises, itself among them; None where it does not say."""
    at = _place(tag)
    return struct.unpack_from(">I", tag, at + 12)[0] if tag[at + 7] & _SIZE else None


def corrected(tag: bytes, count: int, length: int) -> bytes:
    """Return a frame with a tag that says how many frames there are, with other figures.

    Parameters
    ----------
    tag : bytes
    count : int
        Frames.
    length : int
        Bytes of them and of the tag, which a decoder compares where the tag says them.
    """
    at = _place(tag)
    changed = bytearray(tag)
    struct.pack_into(">I", changed, at + 8, count)
    if tag[at + 7] & _SIZE:
        struct.pack_into(">I", changed, at + 12, min(length, 0xFFFFFFFF))
    return bytes(changed)


def new_tag(header: bytes, count: int) -> bytes:
    """Return a frame with a tag that says how many frames there are, before such as have this header."""
    head = bytearray(header)
    head[1] |= 1  # no checksum
    head[2] = _BIT_RATE | (head[2] & 0x0C)
    tag = bytearray(head.ljust(headers()[code_of(head)].length, b"\0"))
    struct.pack_into(">4sII", tag, HEADER_BYTES + _side_information(head), b"Xing", _FRAMES, count)
    return bytes(tag)


def _place(frame: bytes) -> int:
    """Offset of ``Xing`` or ``Info`` in a frame, 0 where there is none."""
    if len(frame) < HEADER_BYTES:
        return 0
    at = HEADER_BYTES + _side_information(frame)
    known = frame[at : at + 4] in (b"Xing", b"Info") and not any(frame[HEADER_BYTES:at])
    return at if known and len(frame) >= at + 120 else 0


def _side_information(head: bytes | bytearray) -> int:
    mono = is_mono(head)
    first_version = head[1] >> 3 & 3 == 3
    return (17 if mono else 32) if first_version else (9 if mono else 17)
