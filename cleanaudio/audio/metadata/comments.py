"""Vorbis comments: the text of FLAC, Ogg Vorbis and Opus, with chapters and pictures laid into it.

Sources: the Vorbis I specification (comment header), RFC 7845 (OpusTags), RFC 9639, 8.8 (pictures), and what the
Xiph wiki says of ``CHAPTER001`` and ``METADATA_BLOCK_PICTURE``.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Iterable

from cleanaudio.audio.metadata.description import Chapter, Chapters, Comments, Description, Picture

_PREFIXES = (b"\x03vorbis", b"OpusTags")
_FRAMING = {b"\x03vorbis": b"\1"}
_VENDOR = b"cleanaudio"
_PICTURE = "METADATA_BLOCK_PICTURE"
_CHAPTER = re.compile(r"CHAPTER(\d{2,3})(NAME|URL)?", re.IGNORECASE | re.ASCII)
_CLOCK = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", re.ASCII)


def read(packet: bytes) -> Description:
    """Return what a comment header says; ends without complaint where it is damaged."""
    plain, pictures, found = [], [], []
    for name, value in _entries(packet):
        if name.upper() == _PICTURE and (picture := _decoded(value)) is not None:
            pictures.append(picture)
        elif _CHAPTER.fullmatch(name):
            found.append((name, value))
        else:
            plain.append((name, value))
    chapters = _chapters(found)
    return Description(tuple(plain) if chapters or not found else (*plain, *found), tuple(pictures), chapters)


def entries(description: Description, pictures: bool) -> Comments:
    """Return all that a description says as comments, ``pictures`` too if they are to be among them."""
    rows = list(description.comments)
    for number, chapter in enumerate(description.chapters, 1):
        start_ms = round(1000 * chapter.start_s)
        minutes, rest_ms = divmod(start_ms, 60_000)
        clock = f"{minutes // 60:02d}:{minutes % 60:02d}:{rest_ms // 1000:02d}.{rest_ms % 1000:03d}"
        key = f"CHAPTER{number:03d}"
        rows += [(key, clock), (key + "NAME", chapter.title)]
        if chapter.url:
            rows.append((key + "URL", chapter.url))
    if pictures:
        rows += [(_PICTURE, base64.b64encode(packed(picture)).decode()) for picture in description.pictures]
    return tuple(rows)


def replaced(packet: bytes, comments: Iterable[tuple[str, str]]) -> bytes:
    """Return a comment header with other comments; who has encoded the sound stays in it."""
    prefix = _prefix(packet)
    vendor = _sized(packet, len(prefix))
    content = [f"{name}={value}".encode(errors="replace") for name, value in comments]
    fields = [_VENDOR if vendor is None else vendor, *content]
    fields = [struct.pack("<I", len(field)) + field for field in fields]
    return prefix + fields[0] + struct.pack("<I", len(content)) + b"".join(fields[1:]) + _FRAMING.get(prefix, b"")


def packed(picture: Picture) -> bytes:
    """Return a picture as the content of a FLAC block."""
    mime, text = picture.mime.encode("ascii", "replace"), picture.description.encode(errors="replace")
    head = struct.pack(">II", picture.kind, len(mime)) + mime + struct.pack(">I", len(text)) + text
    return head + struct.pack(">5I", *picture.geometry, len(picture.content)) + picture.content


def unpacked(block: bytes) -> Picture | None:
    """Return the picture in the content of a FLAC block, None where it is damaged."""
    try:
        kind, length = struct.unpack_from(">II", block)
        mime = block[8 : 8 + length].decode("ascii", "replace")
        at = 8 + length
        (length,) = struct.unpack_from(">I", block, at)
        text = block[at + 4 : at + 4 + length].decode(errors="replace")
        at += 4 + length
        *geometry, length = struct.unpack_from(">5I", block, at)
    except struct.error:
        return None
    width, height, depth, colours = geometry
    content = block[at + 20 : at + 20 + length]
    whole = len(content) == length
    return Picture(content, mime, kind, text, (width, height, depth, colours)) if whole else None


def _decoded(value: str) -> Picture | None:
    try:
        return unpacked(base64.b64decode(value))
    except (binascii.Error, ValueError):
        return None


def _entries(packet: bytes) -> list[tuple[str, str]]:
    at = len(_prefix(packet))
    vendor = _sized(packet, at)
    if vendor is None or at + 8 + len(vendor) > len(packet):
        return []
    at += 4 + len(vendor)
    (count,) = struct.unpack_from("<I", packet, at)
    at += 4
    found = []
    while count and (entry := _sized(packet, at)) is not None:
        name, equals, value = entry.decode(errors="replace").partition("=")
        if equals and name:
            found.append((name, value))
        at += 4 + len(entry)
        count -= 1
    return found


def _prefix(packet: bytes) -> bytes:
    return next((prefix for prefix in _PREFIXES if packet.startswith(prefix)), b"")


def _sized(packet: bytes, at: int) -> bytes | None:
    """Return the bytes whose number stands before them, None where they are not all there."""
    if at + 4 > len(packet):
        return None
    (length,) = struct.unpack_from("<I", packet, at)
    field = packet[at + 4 : at + 4 + length]
    return field if len(field) == length else None


def _chapters(found: Iterable[tuple[str, str]]) -> Chapters:
    rows: dict[str, dict[str, str]] = {}
    for name, value in found:
        match = _CHAPTER.fullmatch(name)
        assert match is not None
        rows.setdefault(match[1], {})[(match[2] or "").upper()] = value
    chapters = []
    for row in rows.values():
        if clock := _CLOCK.fullmatch(row.get("", "").strip()):
            start_s = 3600 * int(clock[1]) + 60 * int(clock[2]) + float(clock[3])
            chapters.append(Chapter(start_s, None, row.get("NAME", ""), row.get("URL", "")))
    return tuple(sorted(chapters, key=lambda chapter: chapter.start_s))
