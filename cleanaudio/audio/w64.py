"""The header of a W64 file, whose chunks are those of WAV under longer names.

libsndfile takes every file with an extensible header for one of integers, so it gets to read a plain header that says
the encoding. What it writes has a plain header; for integers an extensible one, which can say the loudspeaker
positions, takes its place afterwards.

Sources: Sony Pictures Digital, Sony Wave64; Microsoft, Multiple Channel Audio Data and WAVE Files.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from cleanaudio.audio.riff import EXTENSIBLE, GUID_TAIL

_FORMAT = 40
"""Where the format chunk begins: behind the two names of the file and its size."""
_FIELDS = _FORMAT + 24
_EXTENSIBLE_BYTES = 40
_MASK, _CODE = 20, 24
_PCM = 1


def channel_mask(file: BinaryIO) -> int | None:
    """Return the loudspeaker positions that a file says, if it is a W64; None where it says nothing of them."""
    head = _head(file)
    return struct.unpack_from("<I", head, _FIELDS + _MASK)[0] if _is_extensible(head) else None


def mended_head(file: BinaryIO) -> bytes | None:
    """Return the beginning of a file with a plain header; None where libsndfile reads it as it is."""
    head = _head(file)
    if not _is_extensible(head):
        return None
    (code,) = struct.unpack_from("<H", head, _FIELDS + _CODE)
    return None if code == _PCM else head[:_FIELDS] + struct.pack("<H", code) + head[_FIELDS + 2 :]


def samples_end(file: BinaryIO, size: int) -> int:
    """Return where the samples of a W64 end, else the size: libsndfile takes all that follows for samples too."""
    file.seek(0)
    position = _FORMAT if file.read(4) == b"riff" else size
    while position + 24 <= size:
        file.seek(position)
        name, length = struct.unpack("<16sQ", file.read(24))
        if name[:4] == b"data":
            return min(size, position + max(length, 24)) if length > 24 else size
        position += -(-max(length, 24) // 8) * 8
    return size


def extensible_head(file: BinaryIO, mask: int) -> bytes:
    """Return the beginning of a file of integers with an extensible header; leaves the file where the rest begins."""
    file.seek(0)
    begin, name = file.read(_FORMAT), file.read(16)
    (size,) = struct.unpack("<Q", file.read(8))
    old = file.read(-(-size // 8) * 8 - 24)
    (bits,) = struct.unpack_from("<H", old, 14)
    new = struct.pack("<H", EXTENSIBLE) + old[2:16] + struct.pack("<HHIH", 22, bits, mask, _PCM) + GUID_TAIL
    (whole,) = struct.unpack_from("<Q", begin, 16)
    longer = struct.pack("<Q", whole + len(new) - len(old))
    return begin[:16] + longer + begin[24:] + name + struct.pack("<Q", 24 + len(new)) + new


def _head(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read(_FIELDS + _EXTENSIBLE_BYTES)


def _is_extensible(head: bytes) -> bool:
    if len(head) < _FIELDS + _EXTENSIBLE_BYTES or head[:4] != b"riff" or head[_FORMAT : _FORMAT + 4] != b"fmt ":
        return False
    return struct.unpack_from("<H", head, _FIELDS)[0] == EXTENSIBLE
