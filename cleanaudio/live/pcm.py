"""PCM as it goes through pipes: raw samples, or behind a WAV header that may not know its length."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.array import repaired
from cleanaudio.audio.limits import MAX_CHANNELS, RATES
from cleanaudio.audio.riff import MAGICS, OPEN_SIZE, UNKNOWN, Format, packed
from cleanaudio.audio.sniff import suffix_of
from cleanaudio.errors import FormatError, InputError

Audio = NDArray[np.float32]


@dataclass(frozen=True)
class Encoding:
    """How one sample is written.

    Parameters
    ----------
    width : int
        Bytes.
    code : int
        What a WAV header calls it: 1 for integers, 3 for floating point.
    """

    width: int
    code: int = 1

    @property
    def is_float(self) -> bool:
        """Whether it is floating point."""
        return self.code == 3

    @property
    def full_scale(self) -> float:
        """What ±1 is written as."""
        return 1.0 if self.is_float else 2.0 ** (8 * self.width - 1)

    def read(self, data: bytes) -> NDArray:
        """Return the values of samples."""
        if self.is_float:
            return np.frombuffer(data, f"<f{self.width}")
        if self.width == 1:  # without a sign
            return np.frombuffer(data, np.uint8).astype(np.int16) - 128
        if self.width != 3:
            return np.frombuffer(data, f"<i{self.width}")
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        return wide.view("<i4")[:, 0] >> 8

    def write(self, values: NDArray) -> bytes:
        """Return the samples of values; those of integers are rounded and stop at full scale."""
        if self.is_float:
            return np.ascontiguousarray(values, f"<f{self.width}").tobytes()
        integers = np.clip(np.rint(values), -self.full_scale, self.full_scale - 1)
        if self.width == 1:
            return (integers + 128).astype(np.uint8).tobytes()
        if self.width != 3:
            return integers.astype(f"<i{self.width}", order="C").tobytes()
        return integers.astype("<i4", order="C").reshape(-1, 1).view(np.uint8)[:, :3].tobytes()


ENCODINGS = {
    "u8": Encoding(1),
    "s16le": Encoding(2),
    "s24le": Encoding(3),
    "s32le": Encoding(4),
    "f32le": Encoding(4, code=3),
    "f64le": Encoding(8, code=3),
}
"""By the names that FFmpeg has for them."""


@dataclass(frozen=True)
class PcmFormat:
    """How samples are written.

    Parameters
    ----------
    rate : int
    channels : int
    encoding : str
        One of :data:`ENCODINGS`.
    wav : bool
        Whether a WAV header stands in front.
    mask : int, optional
        Loudspeaker positions of an extensible header, 0 if unknown; None: the header is a plain one.
    """

    rate: int
    channels: int
    encoding: str = "s16le"
    wav: bool = False
    mask: int | None = None

    def __post_init__(self) -> None:
        if self.encoding not in ENCODINGS:
            raise FormatError(f"cannot stream {self.encoding}", remedy=f"choose from {', '.join(ENCODINGS)}")
        if self.rate not in RATES:
            raise FormatError(f"cannot stream at {self.rate} Hz", remedy=f"rates go from {RATES[0]} to {RATES[-1]} Hz")
        if not 1 <= self.channels <= MAX_CHANNELS:
            raise FormatError(f"cannot stream {self.channels} channels", remedy=f"1 to {MAX_CHANNELS}")

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame."""
        return self.channels * ENCODINGS[self.encoding].width

    def decode(self, data: bytes) -> Audio:
        """Return (channels, frames); samples that no recording can have (NaN, infinite, huge) become silence."""
        encoding = ENCODINGS[self.encoding]
        with np.errstate(over="ignore", invalid="ignore"):
            audio = encoding.read(data).reshape(-1, self.channels).T.astype(np.float32)
            audio /= np.float32(encoding.full_scale)
        return repaired(audio) if encoding.is_float else audio

    def encode(self, audio: Audio) -> bytes:
        """Return interleaved bytes; integers are rounded and stop at full scale."""
        encoding = ENCODINGS[self.encoding]
        return encoding.write(audio.T * np.float64(encoding.full_scale))

    def header(self, size: int | None = None) -> bytes:
        """Return the WAV header of so many bytes of samples; None, or more than it can name: of unknown length."""
        encoding = ENCODINGS[self.encoding]
        said = Format(encoding.code, self.channels, self.rate, self.frame_bytes, 8 * encoding.width, self.mask)
        fmt = packed(b"fmt ", said.content())
        samples = UNKNOWN if size is None or size >= OPEN_SIZE else size
        whole = min(12 + len(fmt) + samples + samples % 2, UNKNOWN)
        return struct.pack("<4sI4s", b"RIFF", whole, b"WAVE") + fmt + struct.pack("<4sI", b"data", samples)


def read_header(stream: BinaryIO) -> tuple[PcmFormat, int | None]:
    """Read a WAV header up to the first sample.

    Returns
    -------
    (PcmFormat, int or None)
        The format, and the bytes of audio that follow, None where the header does not say.

    Raises
    ------
    InputError
        It is not a WAV header.
    FormatError
        It is, of an encoding that cannot be streamed; or it is that of another container.
    """
    start = _exactly(stream, 12)
    if start[:4] not in MAGICS or start[8:] != b"WAVE":
        suffix = None if start[:1] == b"\xff" else suffix_of(start)  # which raw samples begin with as well as MP3 does
        if suffix is not None:
            raise FormatError(
                f"stdin holds {suffix[1:].upper()}, and stream takes WAV or raw samples",
                path="-",
                remedy="decode it on the way, as with ffmpeg -i - -f wav -",
            )
        raise InputError("no WAV header", path="-", remedy="raw samples need --rate, --channels and --format")
    fmt = b""
    long_size = 0
    while True:
        name, size = struct.unpack("<4sI", _exactly(stream, 8))
        if name == b"data":
            break
        if size > 1 << 24:
            raise InputError(f"a WAV header with a chunk of {size} bytes", path="-", remedy="is it damaged?")
        content = _exactly(stream, size + size % 2)
        if name == b"fmt ":
            fmt = content
        elif name == b"ds64" and len(content) >= 16:
            (long_size,) = struct.unpack_from("<8xQ", content)
    said = Format.of(fmt)
    if said is None:
        raise InputError("a WAV header without a format", path="-")
    names = (name for name, known in ENCODINGS.items() if (known.code, 8 * known.width) == (said.code, said.bits))
    encoding = next(names, None)
    if encoding is None:
        raise FormatError(
            f"cannot stream WAV of format {said.code} with {said.bits} bits",
            remedy="send integers of 8, 16, 24 or 32 bits, or floating point",
        )
    if said.block_align != said.channels * ENCODINGS[encoding].width:
        raise FormatError(
            f"cannot stream WAV of {said.channels} channels and {said.bits} bits with {said.block_align} bytes a frame",
            remedy="convert it on the way, as with ffmpeg -i - -f wav -",
        )
    length = long_size if size == UNKNOWN else size if size < OPEN_SIZE else 0
    return PcmFormat(said.rate, said.channels, encoding, wav=True, mask=said.mask), length or None


def _exactly(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise InputError("ends inside the WAV header" if data else "no data", path="-", remedy="pipe audio into it")
    return data
