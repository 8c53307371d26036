"""Reading recordings: what a file is, and its samples block by block.

Nothing is ever loaded whole and nothing is allocated because a header says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from cleanaudio.audio.formats import AUDIO_SUFFIXES, LOSSY_SUBTYPES
from cleanaudio.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Audio = NDArray[np.float32]

__all__ = ["AUDIO_SUFFIXES", "MAX_CHANNELS", "AudioInfo", "Reader", "open_reader", "probe"]

MAX_CHANNELS = 64
"""More channels than this are taken for a damaged header."""


@dataclass(frozen=True)
class AudioInfo:
    """What a recording is.

    Parameters
    ----------
    path : str
    rate : int
        Frames per second.
    channels : int
    frames : int
        What is really there to read, exact, whatever the header says.
    format : str
        Container: ``WAV``, ``WAVEX``, ``RF64``, ``FLAC``, ``OGG``, ``MP3``, ``AIFF`` …, or ``M4A``, ``MP4``, ``MKV`` …
    subtype : str
        Encoding: ``PCM_16``, ``FLOAT``, ``VORBIS``, ``OPUS``, ``AAC`` …
    endian : str
    bit_rate : int, optional
        Mean bits per second of a lossy encoding.
    warnings : tuple of str
        What is odd about the file and was put up with.
    channel_mask : int
        Loudspeaker positions of an extensible WAV header, 0 if unknown.
    """

    path: str
    rate: int
    channels: int
    frames: int
    format: str
    subtype: str
    endian: str = "FILE"
    bit_rate: int | None = None
    warnings: tuple[str, ...] = ()
    channel_mask: int = 0

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.frames / self.rate

    @property
    def lossy(self) -> bool:
        """Whether the encoding loses something each time it is written."""
        return self.subtype in LOSSY_SUBTYPES


class Reader:
    """A recording open for reading, a context manager.

    Samples that are not finite are replaced by zero and counted; values beyond ±1 stay as they are.

    Attributes
    ----------
    info : AudioInfo
    position : int
        Frame that the next :meth:`read` begins with.
    repaired : int
        Samples replaced so far because they were NaN or infinite.
    """

    def __init__(self, info: AudioInfo, source: soundfile.SoundFile) -> None:
        self.info = info
        self.position = 0
        self.repaired = 0
        self._source = source

    def read(self, frames: int) -> Audio:
        """Return the next frames, (channels, n) with n ≤ ``frames``; n is 0 at the end."""
        block = np.ascontiguousarray(self._source.read(frames, dtype="float32", always_2d=True).T)
        self.position += block.shape[1]
        finite = np.isfinite(block)
        if not finite.all():
            self.repaired += int(block.size - np.count_nonzero(finite))
            block[~finite] = 0.0
        return block

    def blocks(self, frames: int = 65536) -> Iterator[Audio]:
        """Iterate over the rest of the recording in blocks of ``frames``, the last one shorter."""
        while (block := self.read(frames)).shape[1]:
            yield block

    def seek(self, frame: int) -> None:
        """Move to a frame, 0 ≤ ``frame`` ≤ ``info.frames``."""
        self.position = self._source.seek(frame)

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def open_reader(path: str | PathLike[str]) -> Reader:
    """Open a recording for reading.

    Raises
    ------
    InputError
        No such file, a folder, no permission, empty, not audio, or damaged beyond reading.
    BackendUnavailable
        The container needs PyAV, which is not installed.
    """
    name = os.fspath(path)
    try:
        source = soundfile.SoundFile(os.fsencode(name))
    except soundfile.LibsndfileError as error:
        raise InputError(f"cannot be read as audio: {error.error_string}", path=name) from error
    info = AudioInfo(
        name, source.samplerate, source.channels, source.frames, source.format, source.subtype, source.endian
    )
    return Reader(info, source)


def probe(path: str | PathLike[str]) -> AudioInfo:
    """Return what a file is; errors as :func:`open_reader`."""
    with open_reader(path) as reader:
        return reader.info
