"""The ID3 chunk of an AIFF file, in which programs keep what the format's own text chunks have no place for.

Source: Apple, Audio Interchange File Format 1.3 (1989), chunks; ID3v2 in a chunk ``ID3 `` is custom.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

MAGICS = (b"AIFF", b"AIFC")


def id3_tag(file: BinaryIO, most: int) -> bytes:
    """Return the ID3v2 tag of a file whose magic has been checked; nothing where there is none of ``most`` bytes."""
    position = 12
    while True:
        file.seek(position)
        if len(head := file.read(8)) < 8:
            return b""
        name, length = struct.unpack(">4sI", head)
        if name in (b"ID3 ", b"id3 ") and length <= most:
            return file.read(length)
        position += 8 + length + length % 2
