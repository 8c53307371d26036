"""The text of a WAV: its LIST INFO chunk.

Sources: Microsoft, Multimedia Programming Interface and Data Specifications 1.0 (1991), INFO, for what the fields
mean; FFmpeg's and TagLib's tables, for what they are called elsewhere.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping

from cleanaudio.audio.metadata.description import TEXT_FIELDS, Comments, decoded
from cleanaudio.audio.metadata.marks import Chunks, is_list
from cleanaudio.audio.riff import packed

_NAMES = {
    b"INAM": "TITLE",
    b"IART": "ARTIST",
    b"IPRD": "ALBUM",
    b"ICMT": "COMMENT",
    b"ICRD": "DATE",
    b"IGNR": "GENRE",
    b"ICOP": "COPYRIGHT",
    b"ISFT": "SOFTWARE",
    b"ITRK": "TRACKNUMBER",
    b"IPRT": "TRACKNUMBER",
    b"IENG": "ENGINEER",
    b"ITCH": "ENCODED-BY",
    b"IMUS": "COMPOSER",
    b"IWRI": "LYRICIST",
    b"ISTR": "PERFORMER",
    b"IPUB": "ORGANIZATION",
    b"ICMS": "COMMISSIONED",
    b"IARL": "ARCHIVALLOCATION",
    b"ISRC": "SOURCE",
    b"ISRF": "SOURCEFORM",
    b"IMED": "MEDIA",
    b"ISBJ": "SUBJECT",
    b"IKEY": "KEYWORDS",
    b"ILNG": "LANGUAGE",
    b"IBPM": "BPM",
    b"ICNT": "RELEASECOUNTRY",
    b"ISMP": "TIMECODE",
}
"""Names in Vorbis comments; a field that has none keeps its own."""

FIELDS = {name: field for field, name in _NAMES.items() if name.lower() in TEXT_FIELDS and field != b"IPRT"}
"""What a list of our own says: the fields that most programs read."""

_RECORDING_CODE = re.compile(r"[A-Z]{2}-?[A-Z0-9]{3}-?\d\d-?\d{5}", re.ASCII)


def read(chunks: Chunks) -> Comments:
    """Return what the INFO lists say, each name once: some programs write two fields for a track number."""
    said: dict[str, str] = {}
    for chunk in chunks:
        if is_list(chunk, b"INFO"):
            for field, content in _entries(chunk[1]):
                if value := decoded(content.split(b"\0")[0]).strip():
                    said.setdefault(_name(field, value), value)
    return tuple(said.items())


def build(fields: Mapping[str, str]) -> bytes:
    """Return the content of a LIST chunk with what :data:`FIELDS` has a place for, empty where that is nothing."""
    rows = [
        packed(field, value.encode(errors="replace") + b"\0")
        for name, field in FIELDS.items()
        if (value := fields.get(name))
    ]
    return b"INFO" + b"".join(rows) if rows else b""


def _name(field: bytes, value: str) -> str:
    if field == b"ISRC" and _RECORDING_CODE.fullmatch(value):  # who supplied it, or as TagLib has it, its code
        return "ISRC"
    return _NAMES.get(field, field.decode("ascii").strip())


def _entries(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 4
    while at + 8 <= len(content):
        field, size = struct.unpack_from("<4sI", content, at)
        if re.fullmatch(rb"[A-Za-z0-9 ]{4}", field):
            yield field.upper(), content[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
