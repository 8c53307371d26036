"""Both ends of a pipe: blocks of audio out of a byte stream, and into one."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from cleanaudio.live.pcm import PcmFormat

Audio = NDArray[np.float32]

_ENOUGH = 1000
"""Samples from which on they can look like stereo."""


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
        if format.wav:
            stream.write(format.header())

    def write(self, audio: Audio) -> None:
        """Write (channels, n), at once."""
        self._written += self._stream.write(self._format.encode(audio))
        self._stream.flush()

    def finish(self) -> None:
        """End the WAV file; its header gets the length where the stream is a file that can be written to anywhere."""
        if self._format.wav and self._written % 2:
            self._stream.write(b"\0")
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
