"""The frames of an ID3v2 tag, of whichever version: taken apart, and put together as version 2.3.

Sources: the informal standards ID3v2.2.0, 2.3.0 and 2.4.0 of id3.org.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

WRITTEN = 3
"""Version 2.3 with UTF-16 is what the most players read."""

_HEAD = 10
_ENCODINGS = ("latin-1", "utf-16", "utf-16-be", "utf-8")
_SHORT_NAMES = {
    "TT1": "TIT1", "TT2": "TIT2", "TT3": "TIT3", "TP1": "TPE1", "TP2": "TPE2", "TP3": "TPE3", "TP4": "TPE4",
    "TAL": "TALB", "TCM": "TCOM", "TXT": "TEXT", "TCO": "TCON", "TRK": "TRCK", "TPA": "TPOS", "TYE": "TYER",
    "TDA": "TDAT", "TIM": "TIME", "TCR": "TCOP", "TEN": "TENC", "TSS": "TSSE", "TPB": "TPUB", "TLA": "TLAN",
    "TRC": "TSRC", "TBP": "TBPM", "TXX": "TXXX", "WXX": "WXXX", "COM": "COMM", "ULT": "USLT", "PIC": "APIC",
    "TLE": "TLEN", "RVA": "RVAD", "MLL": "MLLT", "ETC": "ETCO", "SLT": "SYLT", "STC": "SYTC", "TSI": "TSIZ",
}  # fmt: skip
"""Frames of version 2.2 by what they are called since."""


@dataclass(frozen=True)
class Frame:
    """A frame.

    Parameters
    ----------
    name : str
        As the later versions have it.
    content : bytes
        As it is meant; nothing where it is compressed or encrypted.
    whole : bytes
        All of it as it stands in the tag.
    version : int
        Of the tag: 2 to 4.
    """

    name: str
    content: bytes
    whole: bytes
    version: int

    @classmethod
    def of(cls, name: str, content: bytes, version: int = WRITTEN) -> Frame:
        """Return a new frame for a tag of version 3 or 4."""
        length = len(content)
        size = _packed_size(length) if version == 4 else length.to_bytes(4)
        return cls(name, content, name.encode() + size + b"\0\0" + content, version)


def frames_of(tag: bytes) -> Iterator[Frame]:
    """Iterate over the frames of a tag; ends without complaint where it is damaged."""
    if len(tag) < _HEAD or tag[3] not in (2, 3, 4):
        return
    version, flags = tag[3], tag[5]
    body = tag[_HEAD:-_HEAD] if version == 4 and flags & 0x10 else tag[_HEAD:]
    if flags & 0x80 and version < 4:
        body = body.replace(b"\xff\0", b"\xff")
    if flags & 0x40 and version > 2 and len(body) >= 4:
        body = body[_synchsafe(body[:4]) :] if version == 4 else body[4 + int.from_bytes(body[:4]) :]
    yield from frames_in(body, version)


def frames_in(body: bytes, version: int) -> Iterator[Frame]:
    """Iterate over frames that follow each other, up to the padding: in a tag, or within a chapter."""
    width, head = (3, 6) if version == 2 else (4, _HEAD)
    at = 0
    while at + head <= len(body) and re.fullmatch(rb"[A-Z0-9]+", body[at : at + width]):
        size = _size(body[at + width : at + 2 * width], version)
        if at + head + size > len(body):
            return
        name = body[at : at + width].decode()
        format_flags = body[at + 9] if version > 2 else 0
        whole = body[at : at + head + size]
        content = _plain(whole[head:], format_flags, version)
        yield Frame(_SHORT_NAMES.get(name, name) if version == 2 else name, content, whole, version)
        at += head + size


def _size(field: bytes, version: int) -> int:
    return _synchsafe(field) if version == 4 else int.from_bytes(field)


def length(head: bytes) -> int:
    """Return the bytes of the ID3v2 tag that begins with these ten, 0 where there is none."""
    if len(head) < 10 or head[:3] != b"ID3" or any(byte & 0x80 for byte in head[6:10]):
        return 0
    return _synchsafe(head[6:10]) + 10 + (10 if head[5] & 0x10 else 0)


def _synchsafe(field: bytes) -> int:
    """Return a number of seven bits a byte, as sizes are written."""
    return sum((byte & 0x7F) << 7 * (len(field) - 1 - place) for place, byte in enumerate(field))


def _plain(content: bytes, flags: int, version: int) -> bytes:
    """Return the content of a frame as it is meant; nothing where it is compressed or encrypted."""
    if flags & (0xC0 if version == 3 else 0x0C):
        return b""
    if version == 3:
        return content[1:] if flags & 0x20 else content
    before = bool(flags & 0x40) + 4 * bool(flags & 0x01)
    return content[before:].replace(b"\xff\0", b"\xff") if flags & 0x02 else content[before:]


def _packed_size(length: int) -> bytes:
    return bytes(length >> shift & 0x7F for shift in (21, 14, 7, 0))


def tag_of(frames: Sequence[Frame]) -> bytes:
    """Return the tag of some frames of one version, empty without any."""
    body = b"".join(frame.whole for frame in frames)
    if not body:
        return b""
    return b"ID3" + bytes([frames[0].version, 0, 0]) + _packed_size(len(body)) + body


def texts(content: bytes) -> list[str]:
    """Return the strings of a text frame, whose first byte tells the encoding."""
    if not content:
        return []
    encoding = _ENCODINGS[min(content[0], 3)]
    values = content[1:].decode(encoding, "replace").split("\0")
    return [text for value in values if (text := value.removeprefix("\ufeff"))]


def string(content: bytes, encoding: int) -> tuple[str, bytes]:
    """Return a string and what follows the zero at its end."""
    wide = encoding in (1, 2)
    at, step = 0, 2 if wide else 1
    while at + step <= len(content) and any(content[at : at + step]):
        at += step
    text = content[:at].decode(_ENCODINGS[min(encoding, 3)], "replace")
    return text.removeprefix("\ufeff"), content[at + step :]


def packed_text(value: str) -> bytes:
    """Return the content of a text frame."""
    return b"\0" + value.encode() if value.isascii() else b"\1" + packed_wide(value)


def packed_pair(name: str, value: str, language: bytes = b"") -> bytes:
    """Return the content of a frame that holds a text and what it is called."""
    if name.isascii() and value.isascii():
        return b"\0" + language + name.encode() + b"\0" + value.encode()
    return b"\1" + language + packed_wide(name) + b"\0\0" + packed_wide(value)


def packed_wide(value: str) -> bytes:
    """Return a text as UTF-16 with its byte order mark."""
    return codecs.BOM_UTF16_LE + value.encode("utf-16-le", "replace")
