"""Samples into a file through libsndfile, without losing any error of the disk."""

from __future__ import annotations

import os
from typing import BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from cleanaudio.audio import flac, layout
from cleanaudio.audio.encodings import DEPTHS
from cleanaudio.audio.formats import OutputFormat
from cleanaudio.audio.lossy import compression
from cleanaudio.audio.wording import kind
from cleanaudio.errors import FormatError


class SndfileSink:
    """Takes interleaved samples, their channels in the order of WAV, and lets libsndfile encode them.

    Parameters
    ----------
    file : binary file
        Open for writing; what libsndfile takes for the beginning is the present position.
    rate, channels : int
    output_format : OutputFormat
    text : dict of str to str
        Tags that libsndfile knows.

    Raises
    ------
    FormatError
        The encoder does not take the rate or the channels.
    """

    def __init__(
        self, file: BinaryIO, rate: int, channels: int, output_format: OutputFormat, text: dict[str, str]
    ) -> None:
        self._view = _Recording(file)
        self._rate, self._channels, self._format = rate, channels, output_format
        self._piece = rate  # one call with more than about 30 s of Vorbis crashes the encoder
        self._order = layout.writing(layout.positions(output_format.format, output_format.subtype, channels))
        self._shift = _shift(output_format.subtype)
        setting = compression(output_format.subtype, rate, channels, output_format.bit_rate)
        self._gain = np.float32(1 / setting.scale) if setting else None
        try:
            self._sound = soundfile.SoundFile(
                self._view,
                "w",
                rate,
                channels,
                output_format.subtype,
                format=output_format.format,
                compression_level=setting.level if setting else None,
                bitrate_mode=setting.mode if setting else None,
            )
        except soundfile.LibsndfileError as error:
            self._view.check()
            raise FormatError(
                f"{output_format.format} with {output_format.subtype} cannot hold {kind(channels, rate)}",
                remedy="choose another format, such as wav",
            ) from error
        for name, value in text.items():
            setattr(self._sound, name, value)

    def write(self, samples: NDArray) -> None:
        """Take (n, channels): integers of the encoding's bits, or float32."""
        if self._order is not None:  # libsndfile takes them as they are to be coded
            samples = samples[:, self._order]
        if self._shift and samples.dtype.kind == "i":
            samples = samples << self._shift[samples.dtype.itemsize]
        elif self._gain is not None:
            samples = samples * self._gain
        for start in range(0, len(samples), self._piece):
            try:
                self._sound.write(np.ascontiguousarray(samples[start : start + self._piece]))
            except (soundfile.SoundFileError, AssertionError):  # it asserts that all was written
                self._view.check()
                raise
            self._view.check()

    def finish(self) -> None:
        """Write what the encoder still holds, and the header."""
        frames = self._sound.frames
        self._sound.close()
        self._view.check()
        if not frames and self._format.format == "FLAC":
            self._view.write(flac.empty(self._rate, self._channels, DEPTHS[self._format.subtype]))
            self._view.check()

    def abort(self) -> None:
        """Give up: close the encoder without a further write."""
        self._view.mute()
        self._sound.close()


def _shift(subtype: str) -> dict[int, int]:
    """Bits to shift integers of 2 and 4 bytes by: libsndfile wants them to fill the whole word."""
    depth = DEPTHS.get(subtype, 16)
    return {2: max(0, 16 - depth), 4: 32 - depth}


class _Recording:
    """The view of a file that libsndfile's callbacks see: an exception cannot pass through C, so it is kept."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._base = file.tell()
        self._error: OSError | None = None

    def check(self) -> None:
        """Raise what has gone wrong."""
        if self._error is not None:
            raise self._error

    def mute(self) -> None:
        """Take nothing any more."""
        self._error = self._error or OSError("given up")

    def write(self, data: bytes) -> int:
        if self._error is not None:
            return 0
        try:
            return self._file.write(data)
        except OSError as error:
            self._error = error
            return 0

    def read(self, count: int) -> bytes:
        return self._file.read(count)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if self._error is not None:
            return 0
        try:
            return self._file.seek(offset + self._base if whence == os.SEEK_SET else offset, whence) - self._base
        except OSError as error:  # a buffered file writes when it seeks
            self._error = error
            return 0

    def tell(self) -> int:
        return 0 if self._error is not None else self._file.tell() - self._base
