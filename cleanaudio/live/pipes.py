"""Both ends of a pipe: blocks of audio out of a byte stream, and into one."""

from __future__ import annotations

import fcntl
import os
import select
import stat
import struct
import termios
import time
from collections.abc import Iterator
from contextlib import suppress
from io import BufferedIOBase
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from cleanaudio.live.pcm import PcmFormat

Audio = NDArray[np.float32]

_PIECE = 1 << 16
_ENOUGH = 1000
"""Samples from which on they can look like stereo."""


class PcmSource:
    """Blocks of audio from a byte stream.

    Parameters
    ----------
    stream : buffered binary file
    format : PcmFormat
    length : int, optional
        Bytes of audio, if known; what follows them is left alone.

    Attributes
    ----------
    odd_bytes : int
        Bytes at the end that made no whole frame.
    ended : bool
        Whether there is no more to read.
    """

    def __init__(self, stream: BufferedIOBase, format: PcmFormat, length: int | None = None) -> None:
        self.format = format
        self._stream, self._left = stream, length
        self._pending = bytearray()
        self.odd_bytes, self.ended = 0, False
        self._power, self._steps = np.zeros(2), np.zeros(2)
        self._heard, self._last = 0, np.zeros(0)

    def blocks(self, frames: int) -> Iterator[Audio]:
        """Iterate over blocks of (channels, ``frames``), the last one shorter."""
        size = frames * self.format.frame_bytes
        while self._fill(size):
            yield self._take(size)
        yield from self.rest()
        self.odd_bytes = len(self._pending)

    def rest(self) -> Iterator[Audio]:
        """Yield what had been read of a block when an exception, as signals raise them, broke into :meth:`blocks`."""
        size = len(self._pending) // self.format.frame_bytes * self.format.frame_bytes
        if size:
            yield self._take(size)

    @property
    def waiting_s(self) -> float | None:
        """Seconds of audio that wait in the pipe; None where the stream is no pipe."""
        with suppress(OSError):  # of which "has no descriptor" is one
            mode = os.fstat(self._stream.fileno()).st_mode
            if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
                (count,) = struct.unpack("i", fcntl.ioctl(self._stream, termios.FIONREAD, bytes(4)))
                return count / self._bytes_a_second
        return None

    @property
    def pending_s(self) -> float:
        """Seconds of audio that have been read, and not been yielded."""
        return len(self._pending) / self._bytes_a_second

    def take_in(self, duration_s: float, most_s: float) -> float:
        """Read for so long what comes through a pipe, until so much is pending; return seconds of audio that came."""
        before, end = self.pending_s, time.monotonic() + duration_s
        while self.pending_s < most_s and not self.ended:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._stream], [], [], left)[0]:
                break
            self._read(_PIECE)
        return self.pending_s - before

    def drop(self) -> None:
        """Drop whole frames that are pending."""
        del self._pending[: len(self._pending) // self.format.frame_bytes * self.format.frame_bytes]

    @property
    def _bytes_a_second(self) -> int:
        return self.format.rate * self.format.frame_bytes

    def _fill(self, size: int) -> bool:
        """Read until so many bytes are pending; return whether there are so many."""
        while len(self._pending) < size:
            if not self._read(size - len(self._pending)):
                return False
        return True

    def _read(self, size: int) -> int:
        """Read some bytes, so many at most, as soon as there are any; return how many, 0 at the end."""
        wanted = size if self._left is None else min(size, self._left)
        piece = self._stream.read1(wanted) if wanted else b""
        self._pending += piece
        if self._left is not None:
            self._left -= len(piece)
        self.ended = not piece
        return len(piece)

    def _take(self, size: int) -> Audio:
        audio = self.format.decode(bytes(self._pending[:size]))
        del self._pending[:size]
        self._look_for_stereo(audio)
        return audio

    def _look_for_stereo(self, audio: Audio) -> None:
        if self.format.channels > 1 or self.format.wav:  # a header has said how many channels there are
            return
        samples = np.concatenate([self._last, audio[0].astype(np.float64)])
        first = (self._heard - len(self._last)) % 2  # whether an even sample comes first: blocks may have odd lengths
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
        """Whether even and odd samples differ, as where interleaved stereo was declared mono.

        In one channel the even samples are as strong as the odd ones, and the steps from even to odd samples as
        large as those from odd to even.
        """
        return self._heard >= _ENOUGH and any(
            pair.max() > 0 and pair.min() < 0.8 * pair.max() for pair in (self._power, self._steps)
        )


class PcmSink:
    """Blocks of audio to a byte stream; a WAV header in front says that its length is unknown.

    Parameters
    ----------
    stream : binary file
    format : PcmFormat
    """

    def __init__(self, stream: BinaryIO, format: PcmFormat) -> None:
        self._stream, self._format = stream, format
        self._begin = _position(stream)
        self._written = 0
        self._header = format.header() if format.wav else b""

    def write(self, audio: Audio) -> None:
        """Write (channels, n), at once; the first with the header, on which alone SoX would choke."""
        if not audio.shape[1]:
            return
        data = self._format.encode(audio)
        self._stream.write(self._header + data)
        self._header = b""
        self._written += len(data)
        self._stream.flush()

    def finish(self) -> None:
        """End the WAV file; its header gets the length where the stream is a file that can be written to anywhere."""
        self._stream.write(self._header + b"\0" * (self._format.wav and self._written % 2))
        self._stream.flush()
        if self._format.wav and self._begin is not None:
            os.pwrite(self._stream.fileno(), self._format.header(self._written), self._begin)


def discard(stream: BinaryIO) -> None:
    """Let what is still written to a stream vanish: its reader has gone, and Python flushes once more when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _position(stream: BinaryIO) -> int | None:
    """Return where in its file a stream writes next; None in a pipe, and in a file to which all is appended."""
    with suppress(OSError):  # of which "not seekable" is one
        if not fcntl.fcntl(stream.fileno(), fcntl.F_GETFL) & os.O_APPEND:
            return stream.tell()
    return None
