"""Writing WAV: with the chunks of the original, above 4 GiB as RF64.

Sources: Microsoft, Multiple Channel Audio Data and WAVE Files (extensible header); EBU Tech 3306 (RF64, and how a
JUNK chunk keeps the place of a ds64 chunk until the length is known).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from cleanaudio.audio.riff import EXTENSIBLE, UNKNOWN, Format, packed, read_layout

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONTAINERS = ("WAV", "WAVEX", "RF64")
ENCODINGS = {"PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32, "FLOAT": 32, "DOUBLE": 64}
"""Encodings written here, with their bits; the others of a WAV (ADPCM and so on) are left to libsndfile."""

_LARGEST_RIFF = 0xFFFF0000  # some room below the limit: larger claims are read as an open length
_DS64 = struct.Struct("<QQQI")
_PCM, _FLOAT = 1, 3


class WaveSink:
    """Takes interleaved samples and lays them into a WAV file.

    Parameters
    ----------
    file : binary file
        Positioned at its beginning.
    container : {"WAV", "WAVEX", "RF64"}
        WAV and WAVEX (extensible header) become RF64 where they grow beyond 4 GiB.
    subtype : str
        One of :data:`ENCODINGS`.
    rate, channels : int
    frames : int, optional
        How many will come, if known.
    chunks : iterable of (bytes, bytes)
        Identifier and content of further chunks, written before the samples.
    channel_mask : int
        Loudspeaker positions, for WAVEX and RF64.
    """

    def __init__(
        self,
        file: BinaryIO,
        container: str,
        subtype: str,
        rate: int,
        channels: int,
        *,
        frames: int | None = None,
        chunks: Iterable[tuple[bytes, bytes]] = (),
        channel_mask: int = 0,
    ) -> None:
        self._file = file
        self._subtype = subtype
        self._bits = ENCODINGS[subtype]
        self._block_align = channels * self._bits // 8
        self._written = 0
        self._promised = None if frames is None else frames * self._block_align
        self._always_long = container == "RF64"
        extensible = container == "WAVEX" or (container == "RF64" and channel_mask != 0)
        self._format = packed(b"fmt ", self._format_fields(rate, channels, channel_mask if extensible else None))
        self._extra = b"".join(packed(name, content) for name, content in chunks)
        largest = len(self._format) + len(self._extra) + 100 + (self._promised or 0)
        self._room = self._always_long or largest > _LARGEST_RIFF or frames is None
        self._header = self._make_header(self._promised)
        file.write(self._header)

    def write(self, samples: NDArray) -> None:
        """Take (n, channels): int16 or int32 holding ``bits`` of the encoding, or float32 for FLOAT and DOUBLE."""
        data = _encode(samples, self._subtype)
        self._file.write(data.data)
        self._written += data.nbytes

    def finish(self) -> None:
        """Put the true lengths into the header."""
        if self._written % 2:
            self._file.write(b"\0")
        if self._written != self._promised:
            self._file.seek(0)
            self._file.write(self._make_header(self._written))

    def abort(self) -> None:
        """Give up; nothing is held that would need it."""

    def _format_fields(self, rate: int, channels: int, mask: int | None) -> bytes:
        code = _FLOAT if self._subtype in ("FLOAT", "DOUBLE") else _PCM
        fields = Format(code, channels, rate, self._block_align, self._bits, mask).content()
        return fields + (b"\0\0" if code == _FLOAT and mask is None else b"")  # the length of an extension

    def _make_header(self, data_bytes: int | None) -> bytes:
        frames = UNKNOWN if data_bytes is None else min(data_bytes // self._block_align, UNKNOWN)
        fact = b"" if self._subtype.startswith("PCM") else packed(b"fact", struct.pack("<I", frames))
        rest = self._format + fact + self._extra
        room = 8 + _DS64.size if self._room else 0
        total = None if data_bytes is None else 4 + room + len(rest) + 8 + data_bytes + data_bytes % 2
        long = self._always_long or (self._room and total is not None and total > _LARGEST_RIFF)
        if long:
            sizes = (total or 0, data_bytes or 0, frames)
            reserved, magic, riff_size, data_size = packed(b"ds64", _DS64.pack(*sizes, 0)), b"RF64", UNKNOWN, UNKNOWN
        else:
            reserved, magic = packed(b"JUNK", bytes(_DS64.size)) if room else b"", b"RIFF"
            riff_size = UNKNOWN if total is None else min(total, UNKNOWN)
            data_size = UNKNOWN if data_bytes is None else min(data_bytes, UNKNOWN)
        start, end = struct.pack("<4sI4s", magic, riff_size, b"WAVE"), struct.pack("<4sI", b"data", data_size)
        return start + reserved + rest + end


def set_channel_mask(file: BinaryIO, mask: int) -> None:
    """Put loudspeaker positions into the extensible header of a finished file that is open for reading and writing."""
    size = file.seek(0, 2)
    for chunk in read_layout(file, size).chunks:
        if chunk.name == b"fmt ":
            file.seek(chunk.start)
            if file.read(2) == struct.pack("<H", EXTENSIBLE):
                file.seek(chunk.start + 20)
                file.write(struct.pack("<I", mask))
            return


def append_chunks(file: BinaryIO, chunks: Iterable[tuple[bytes, bytes]]) -> None:
    """Add chunks to the end of a finished RIFF file that is open for reading and writing."""
    end = file.seek(0, 2)
    file.write(b"\0" * (end % 2) + b"".join(packed(name, content) for name, content in chunks))
    size = file.tell() - 8
    file.seek(0)
    if file.read(4) == b"RIFF" and size <= UNKNOWN:
        file.seek(4)
        file.write(struct.pack("<I", size))


def _encode(samples: NDArray, subtype: str) -> NDArray:
    if subtype == "PCM_16":
        data = samples.astype("<i2", copy=False)
    elif subtype == "PCM_24":
        data = np.ascontiguousarray(samples.astype("<i4", copy=False)).view(np.uint8).reshape(-1, 4)[:, :3]
    elif subtype == "PCM_U8":
        data = (samples + 128).astype(np.uint8)
    else:
        data = samples.astype({"PCM_32": "<i4", "FLOAT": "<f4", "DOUBLE": "<f8"}[subtype], copy=False)
    return np.ascontiguousarray(data)
