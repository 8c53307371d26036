"""Several microphones as one reader: the mono files of one recording side by side, or chosen channels of a reader."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.files import open_reader
from cleanaudio.audio.limits import MAX_CHANNELS
from cleanaudio.audio.recording import Reader, Source
from cleanaudio.errors import InputError

_UNEVEN_S = 0.25
"""Files of one recording that differ more than this in length were not made together."""


def open_side_by_side(paths: Sequence[str | PathLike[str]]) -> Reader:
    """Open the recording that some mono files make up, each of them a channel; a single file as it is.

    Returns
    -------
    Reader
        As long as the shortest file; all else that is known of it is the first file's.

    Raises
    ------
    InputError
        A file cannot be read, is not mono, or has another rate or (by more than 0.25 s) another length than the first.
    """
    if len(paths) == 1:
        return open_reader(paths[0])
    if len(paths) > MAX_CHANNELS:
        raise InputError(f"{len(paths)} files are more than {MAX_CHANNELS} microphones")
    with ExitStack() as stack:
        readers = [stack.enter_context(open_reader(path)) for path in paths]
        for reader in readers:
            _check(reader, readers[0])
        infos = [reader.info for reader in readers]
        frames = [info.frames for info in infos]
        warnings = dict.fromkeys(warning for info in infos for warning in info.warnings)
        if min(frames) < max(frames):
            warnings[f"the files differ by {max(frames) - min(frames)} frames in length: the shortest decides"] = None
        depths = [info.depth for info in infos]
        info = replace(
            infos[0],
            channels=len(infos),
            frames=min(frames),
            warnings=tuple(warnings),
            channel_mask=0,
            depth=None if None in depths else infos[0].depth,
        )
        together = Reader(info, _SideBySide([reader.source for reader in readers]))
        stack.pop_all()
    return together


def _check(reader: Reader, first: Reader) -> None:
    info, other = reader.info, first.info
    if info.channels != 1:
        raise InputError(
            f"has {info.channels} channels: the files of a group have one each",
            path=info.path,
            remedy="--group none takes every file for a recording of its own",
        )
    if info.rate != other.rate:
        raise InputError(
            f"has a rate of {info.rate} Hz, {other.path} one of {other.rate} Hz",
            path=info.path,
            remedy="convert the files of a recording to one rate",
        )
    if abs(info.frames - other.frames) > _UNEVEN_S * info.rate:
        raise InputError(
            f"is {info.seconds:.3f} s long, {other.path} {other.seconds:.3f} s",
            path=info.path,
            remedy="give files that begin and end together",
        )


class _SideBySide:
    """The samples of several mono sources as channels."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self.text, self.pictures, self.chapters = sources[0].text, sources[0].pictures, sources[0].chapters

    def read(self, frames: int) -> NDArray[np.float32]:
        columns = [source.read(frames) for source in self._sources]
        return np.concatenate([column[: min(map(len, columns))] for column in columns], axis=1)

    def seek(self, frame: int) -> None:
        for source in self._sources:
            source.seek(frame)

    def close(self) -> None:
        for source in self._sources:
            source.close()


def picked(reader: Reader, channels: Sequence[int]) -> Reader:
    """Return a reader of some channels of an open reader, counted from 0, in this order, to be used in its place."""
    if list(channels) == list(range(reader.info.channels)):
        return reader
    return Reader(replace(reader.info, channels=len(channels), channel_mask=0), _Picked(reader.source, channels))


class _Picked:
    """Some channels of a source."""

    def __init__(self, source: Source, channels: Sequence[int]) -> None:
        self._source, self._channels = source, list(channels)
        self.text, self.pictures, self.chapters = source.text, source.pictures, source.chapters

    def read(self, frames: int) -> NDArray[np.float32]:
        return self._source.read(frames)[:, self._channels]

    def seek(self, frame: int) -> None:
        self._source.seek(frame)

    def close(self) -> None:
        self._source.close()
