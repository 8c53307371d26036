"""PCM in pipes: raw samples, or behind a WAV header whose length nobody knows."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.limits import MAX_CHANNELS, RATES
from cleanaudio.audio.riff import OPEN_SIZE, UNKNOWN
from cleanaudio.backends.blocks import finite
from cleanaudio.errors import FormatError, InputError

Audio = NDArray[np.float32]

ENCODINGS = {"s16le": ("<i2", 32768.0), "s32le": ("<i4", 2147483648.0), "f32le": ("<f4", 1.0)}
_ENOUGH = 1000
"""Samples from which on they can look like stereo."""


@dataclass(frozen=True)
class PcmFormat:
    """How samples are written.

    Parameters
    ----------
    rate : int
    channels : int
    encoding : {"s16le", "s32le", "f32le"}
    wav : bool
        Whether a WAV header stands in front.
    """

    rate: int
    channels: int
    encoding: str = "s16le"
    wav: bool = False

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
        return self.channels * np.dtype(ENCODINGS[self.encoding][0]).itemsize

    def decode(self, data: bytes) -> Audio:
        """Return (channels, frames); samples that are no numbers, or absurd, become silence."""
        kind, scale = ENCODINGS[self.encoding]
        audio = np.frombuffer(data, kind).reshape(-1, self.channels).T.astype(np.float32)
        audio /= np.float32(scale)
        return finite(audio) if kind == "<f4" else audio

    def encode(self, audio: Audio) -> bytes:
        """Return interleaved bytes; integers are rounded and stop at full scale."""
        kind, scale = ENCODINGS[self.encoding]
        if kind == "<f4":
            return np.ascontiguousarray(audio.T, kind).tobytes()
        integers = np.clip(np.rint(audio.T * np.float64(scale)), -scale, scale - 1)
        return np.ascontiguousarray(integers).astype(kind).tobytes()

    def header(self, size: int | None = None) -> bytes:
        """Return the WAV header of so many bytes of samples; None, or more than it can name: of unknown length."""
        bits = 8 * self.frame_bytes // self.channels
        code = 3 if self.encoding == "f32le" else 1
        fmt = struct.pack(
            "<HHIIHH", code, self.channels, self.rate, self.rate * self.frame_bytes, self.frame_bytes, bits
        )
        samples = UNKNOWN if size is None or size >= OPEN_SIZE else size
        whole = min(20 + len(fmt) + samples, UNKNOWN)
        head = struct.pack("<4sI8sI", b"RIFF", whole, b"WAVEfmt ", len(fmt))
        return head + fmt + struct.pack("<4sI", b"data", samples)


def read_header(stream: BinaryIO) -> tuple[PcmFormat, int | None]:
    """Read a WAV header up to the first sample.

    Returns
    -------
    (PcmFormat, int or None)
        The format, and the bytes of audio that follow if the header knows.

    Raises
    ------
    InputError
        It is not a WAV header.
    FormatError
        It is, of an encoding that cannot be streamed.
    """
    start = _exactly(stream, 12)
    if start[:4] != b"RIFF" or start[8:] != b"WAVE":
        raise InputError("no WAV header", path="-", remedy="raw samples need --rate, --channels and --format")
    fmt = b""
    while True:
        name, size = struct.unpack("<4sI", _exactly(stream, 8))
        if name == b"data":
            break
        if size > 1 << 24:
            raise InputError(f"a WAV header with a chunk of {size} bytes", path="-", remedy="is it damaged?")
        content = _exactly(stream, size + size % 2)
        if name == b"fmt ":
            fmt = content
    if len(fmt) < 16:
        raise InputError("a WAV header without a format", path="-")
    code, channels, rate, _, _, bits = struct.unpack("<HHIIHH", fmt[:16])
    if code == 0xFFFE and len(fmt) >= 26:
        (code,) = struct.unpack("<H", fmt[24:26])
    encoding = {(1, 16): "s16le", (1, 32): "s32le", (3, 32): "f32le"}.get((code, bits))
    if encoding is None:
        raise FormatError(f"cannot stream WAV of format {code} with {bits} bits", remedy="send 16-bit or float samples")
    unknown = not 0 < size < OPEN_SIZE
    return PcmFormat(rate, channels, encoding, wav=True), None if unknown else size


def _exactly(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise InputError("ends inside the WAV header" if data else "no data", path="-", remedy="pipe audio into it")
    return data


class PcmSource:
    """Blocks of audio from a byte stream.

    Parameters
    ----------
    stream : binary file
    format : PcmFormat
    length : int, optional
        Bytes of audio, if known; what follows them is left alone.

    Attributes
    ----------
    odd_bytes : int
        Bytes at the end that made no whole frame.
    """

    def __init__(self, stream: BinaryIO, format: PcmFormat, length: int | None = None) -> None:
        self.format = format
        self._stream, self._left = stream, length
        self.odd_bytes = 0
        self._power, self._steps = np.zeros(2), np.zeros(2)
        self._heard, self._last = 0, np.zeros(0)

    def blocks(self, frames: int) -> Iterator[Audio]:
        """Iterate over blocks of (channels, ``frames``), the last one shorter."""
        size = frames * self.format.frame_bytes
        while True:
            data = self._stream.read(size if self._left is None else min(size, self._left))
            if self._left is not None:
                self._left -= len(data)
            self.odd_bytes = len(data) % self.format.frame_bytes
            audio = self.format.decode(data[: len(data) - self.odd_bytes])
            if audio.shape[1]:
                self._look_for_stereo(audio)
                yield audio
            if len(data) < size:
                return

    def _look_for_stereo(self, audio: Audio) -> None:
        if self.format.channels > 1 or self.format.wav:  # a header has said how many channels there are
            return
        samples = np.concatenate([self._last, audio[0].astype(np.float64)])
        first = (self._heard - len(self._last)) % 2  # whether an even sample comes first, which blocks do not tell
        steps = np.diff(samples)
        for pair, values, start in (
            (self._power, samples[len(self._last) :], self._heard % 2),
            (self._steps, steps, first),
        ):
            pair += np.sum(values[start::2] ** 2), np.sum(values[1 - start :: 2] ** 2)
        self._heard += audio.shape[1]
        self._last = samples[-1:]

    @property
    def looks_like_stereo(self) -> bool:
        """Whether samples take turns, as where interleaved stereo was declared mono.

        In one channel the even samples are as strong as the odd ones, and the steps from even to odd samples as
        large as those from odd to even.
        """
        return self._heard >= _ENOUGH and any(
            pair.max() > 0 and pair.min() < 0.8 * pair.max() for pair in (self._power, self._steps)
        )
