"""A recording as the rest of cleanaudio sees it: what it is, and its samples block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

import numpy as np

from cleanaudio.audio.array import sane
from cleanaudio.audio.encodings import FLOAT_SUBTYPES
from cleanaudio.audio.limits import MAX_CHANNELS, RATES
from cleanaudio.errors import DamagedError, InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cleanaudio.audio.metadata.description import Chapters, Picture

    Audio = NDArray[np.float32]


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
        What is there to read, exact, whatever the header says; less only where the middle of the file is damaged.
    format : str
        Container: ``WAV``, ``WAVEX``, ``RF64``, ``FLAC``, ``OGG``, ``MP3``, ``AIFF`` …, or ``M4A``, ``MP4``, ``MKV`` …
    subtype : str
        Encoding: ``PCM_16``, ``FLOAT``, ``VORBIS``, ``OPUS``, ``AAC`` …
    bit_rate : int, optional
        Bits per second of a lossy encoding: nominal for Vorbis, else the mean.
    warnings : tuple of str
        What is odd about the file and was put up with.
    channel_mask : int
        Loudspeaker positions of the channels by the bits of an extensible WAV header, 0 if unknown.
    depth : int, optional
        Bits per sample of a lossless integer encoding.
    """

    path: str
    rate: int
    channels: int
    frames: int
    format: str
    subtype: str
    bit_rate: int | None = None
    warnings: tuple[str, ...] = ()
    channel_mask: int = 0
    depth: int | None = None

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.frames / self.rate

    @property
    def lossy(self) -> bool:
        """Whether the encoding loses something each time it is written."""
        return self.depth is None and self.subtype not in FLOAT_SUBTYPES

    def warned(self, text: str) -> AudioInfo:
        """Return the same with one more warning."""
        return replace(self, warnings=(*self.warnings, text))


def check_header(name: str, rate: int, channels: int) -> None:
    """Refuse what the header of a file claims where that is nonsense.

    Raises
    ------
    InputError
    """
    if not 1 <= channels <= MAX_CHANNELS:
        raise InputError(
            f"the header claims {channels} channels", path=name, remedy=f"at most {MAX_CHANNELS} can be worked on"
        )
    if rate not in RATES:
        raise InputError(
            f"the header claims a rate of {rate} Hz", path=name, remedy=f"{RATES[0]} to {RATES[-1]} Hz can be worked on"
        )


class Source(Protocol):
    """Where the samples of a :class:`Reader` come from."""

    text: dict[str, str]
    pictures: tuple[Picture, ...]
    chapters: Chapters

    def read(self, frames: int) -> NDArray[np.float32]:
        """Return the next frames, (n, channels); n < ``frames`` only at the end."""
        ...

    def seek(self, frame: int) -> None:
        """Move to a frame."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


class Reader:
    """A recording open for reading, a context manager.

    Samples that are not finite are replaced by zero and counted; values beyond ±1 stay as they are.

    Attributes
    ----------
    info : AudioInfo
    source : Source
        Where the samples come from, as they are.
    position : int
        Frame that the next :meth:`read` begins with.
    repaired : int
        Samples that were NaN, infinite or beyond any scale in what was read since the last seek to the beginning.
    text : dict of str to str
        Tags, as the container has them.
    pictures : tuple of Picture
        Of containers read through PyAV.
    chapters : tuple of Chapter
        Of containers read through PyAV.
    """

    def __init__(self, info: AudioInfo, source: Source) -> None:
        self.info = info
        self.position = 0
        self.repaired = 0
        self.source = source
        self.text, self.pictures, self.chapters = source.text, source.pictures, source.chapters
        self._may_be_broken = info.depth is None  # an integer is always finite

    def read(self, frames: int) -> Audio:
        """Return the next frames, (channels, n) with n ≤ ``frames``; n < ``frames`` only at the end.

        Raises
        ------
        DamagedError
            The source gives less than ``info.frames`` promises.
        """
        frames = min(frames, self.info.frames - self.position)
        if frames <= 0:
            return np.zeros((self.info.channels, 0), dtype=np.float32)
        block = np.ascontiguousarray(self.source.read(frames).T)
        self.position += block.shape[1]
        if block.shape[1] < frames:
            raise DamagedError(self.position / self.info.rate, self.info.seconds, path=self.info.path)
        if self._may_be_broken and not (sound := sane(block)).all():
            self.repaired += int(block.size - np.count_nonzero(sound))
            block[~sound] = 0.0
        return block

    def blocks(self, frames: int = 65536) -> Iterator[Audio]:
        """Iterate over the rest in blocks of ``frames``, the last one shorter; errors as :meth:`read`."""
        while (block := self.read(frames)).shape[1]:
            yield block

    def seek(self, frame: int) -> None:
        """Move to a frame.

        Raises
        ------
        ValueError
            ``frame`` is not in 0 … ``info.frames``.
        """
        if not 0 <= frame <= self.info.frames:
            raise ValueError(f"frame {frame} is outside 0 … {self.info.frames}")
        if frame == 0:
            self.repaired = 0
        if frame != self.position:
            self.source.seek(frame)
            self.position = frame

    def close(self) -> None:
        """Close the file."""
        self.source.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
