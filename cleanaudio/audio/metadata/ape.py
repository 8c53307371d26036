"""The APE tag at the end of an MP3.

Source: the APEv2 specification in the Hydrogenaudio wiki.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import BinaryIO

from cleanaudio.audio.metadata.description import Description, Picture, decoded

_FOOTER = struct.Struct("<8sIII4x8x")
_MAGIC = b"APETAGEX"
_ITEM = struct.Struct("<II")
_ID3V1, _LYRICS = 128, 15
_NAMES = {
    "YEAR": "DATE",
    "TRACK": "TRACKNUMBER",
    "DISC": "DISCNUMBER",
    "ALBUM ARTIST": "ALBUMARTIST",
    "PUBLISHER": "ORGANIZATION",
}
_KINDS = {"COVER ART (FRONT)": 3, "COVER ART (BACK)": 4}
_IMAGES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}
_OF_THE_FILE = "MP3GAIN_"
"""Begins the names of items that undo a change to the frames of this file; a result has other frames."""


def read(file: BinaryIO, size: int, most: int) -> tuple[Description, tuple[str, ...]]:
    """Return what the tag of a file says, and what of it no description has a place for."""
    comments, pictures, unsaid = [], [], []
    for key, kind, content in _items(_tag(file, size, most)):
        name = key.upper()
        if name.startswith(_OF_THE_FILE):
            continue
        text, _, image = content.partition(b"\0")
        if kind != 1:
            name = "".join(letter for letter in name if letter not in "=~")
            comments += [(_NAMES.get(name, name), decoded(value)) for value in content.split(b"\0") if value]
        elif name.startswith("COVER ART") and image:
            mime = next((mime for magic, mime in _IMAGES.items() if image.startswith(magic)), "image/")
            pictures.append(Picture(image, mime, _KINDS.get(name, 0), decoded(text)))
        else:
            unsaid.append(f"{key} of the APE tag")
    return Description(tuple(comments), tuple(pictures)), tuple(unsaid)


def _tag(file: BinaryIO, size: int, most: int) -> bytes:
    """Return the items, which stand before the footer: at the end, or before an ID3v1 tag and lyrics."""
    end = size
    if _read(file, end - _ID3V1, 3) == b"TAG":
        end -= _ID3V1
    lyrics = re.fullmatch(rb"(\d{6})LYRICS200", _read(file, end - _LYRICS, _LYRICS))
    end -= int(lyrics[1]) + _LYRICS if lyrics else 0
    footer = _read(file, end - _FOOTER.size, _FOOTER.size)
    if len(footer) < _FOOTER.size:
        return b""
    magic, _, length, _ = _FOOTER.unpack(footer)
    if magic != _MAGIC or not _FOOTER.size < length <= min(most, end):
        return b""
    return _read(file, end - length, length - _FOOTER.size)


def _read(file: BinaryIO, start: int, length: int) -> bytes:
    if start < 0:
        return b""
    file.seek(start)
    return file.read(length)


def _items(tag: bytes) -> Iterator[tuple[str, int, bytes]]:
    """Key, kind (0 text, 1 binary, 2 link) and content."""
    at = 0
    while at + _ITEM.size < len(tag):
        length, flags = _ITEM.unpack_from(tag, at)
        end = tag.find(b"\0", at + _ITEM.size)
        key = tag[at + _ITEM.size : end]
        if end < 0 or not re.fullmatch(rb"[\x20-\x7e]{2,255}", key) or end + 1 + length > len(tag):
            return
        yield key.decode("ascii"), flags >> 1 & 3, tag[end + 1 : end + 1 + length]
        at = end + 1 + length
