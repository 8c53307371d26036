"""Recordings that follow each other in one file, read as one of one rate and channel count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.queue import Queue
from cleanaudio.audio.recording import AudioInfo, Reader, Source
from cleanaudio.audio.resample import Resampler
from cleanaudio.audio.uniform import widened
from cleanaudio.audio.wording import first_few, kind

_BLOCK = 65536


@dataclass(frozen=True)
class Part:
    """A recording in a file.

    Parameters
    ----------
    info : AudioInfo
    open : callable
        Opens it.
    """

    info: AudioInfo
    open: Callable[[], Source]


def open_joined(parts: Sequence[Part]) -> Reader:
    """Return a reader of recordings one after the other, at the first one's rate, with the most channels of any.

    One channel becomes the left and the right; others that are missing are silent. The tags are the first one's, the
    depth is the greatest. A warning says so, and what was converted. A single one is read as it is.
    """
    if len(parts) == 1:
        return Reader(parts[0].info, parts[0].open())
    first = parts[0].info
    channels = max(part.info.channels for part in parts)
    deepest = max(parts, key=lambda part: part.info.depth or 0).info
    bit_rates = [part.info.bit_rate for part in parts if part.info.bit_rate]
    lengths = [_length(part.info, first.rate) for part in parts]
    warnings = dict.fromkeys(warning for part in parts for warning in part.info.warnings)
    converted, begin = [], 0
    for part, length in zip(parts, lengths, strict=True):
        if (part.info.rate, part.info.channels) != (first.rate, channels):
            converted.append(f"{begin / first.rate:.2f} s ({kind(part.info.channels, part.info.rate)})")
        begin += length
    note = f"{len(parts)} recordings are joined in it; tags are the first one's"
    if converted:
        note += f"; those from {first_few(converted)} became {kind(channels, first.rate)} like all"
    warnings[note] = None
    info = replace(
        first,
        channels=channels,
        frames=sum(lengths),
        subtype=deepest.subtype,
        depth=deepest.depth,
        bit_rate=max(bit_rates, default=None),
        channel_mask=first.channel_mask if channels == first.channels else 0,
        warnings=tuple(warnings),
    )
    return Reader(info, _Joined(parts, lengths, first.rate, channels))


def _length(info: AudioInfo, rate: int) -> int:
    return info.frames if info.rate == rate else Resampler(info.rate, rate, 1).length(info.frames)


class _Joined:
    """The samples of parts one after the other; one of them is open at a time."""

    def __init__(self, parts: Sequence[Part], lengths: Sequence[int], rate: int, channels: int) -> None:
        self._parts, self._lengths, self._rate, self._channels = parts, lengths, rate, channels
        self._begin(0)
        self.text, self.pictures, self.chapters = self._source.text, self._source.pictures, self._source.chapters

    def _begin(self, index: int) -> None:
        part = self._parts[index]
        source = part.open()
        self._index, self._left = index, self._lengths[index]
        self._source = source if part.info.rate == self._rate else _Resampled(source, part.info, self._rate)

    def read(self, frames: int) -> NDArray[np.float32]:
        pieces, wanted = [np.zeros((0, self._channels), np.float32)], frames
        while wanted:
            if not self._left:
                if self._index + 1 == len(self._parts):
                    break
                self._source.close()
                self._begin(self._index + 1)
                continue
            piece = self._source.read(min(wanted, self._left))
            if not len(piece):  # damaged there
                break
            pieces.append(widened(piece, self._channels))
            wanted -= len(piece)
            self._left -= len(piece)
        return np.concatenate(pieces)

    def seek(self, frame: int) -> None:
        index = 0
        while index + 1 < len(self._parts) and frame >= self._lengths[index]:
            frame -= self._lengths[index]
            index += 1
        if index != self._index:
            self._source.close()
            self._begin(index)
        self._source.seek(frame)
        self._left = self._lengths[index] - frame

    def close(self) -> None:
        self._source.close()


class _Resampled:
    """The samples of a source at another rate; seeking back begins again."""

    def __init__(self, source: Source, info: AudioInfo, rate: int) -> None:
        self._source = source
        self.text, self.pictures, self.chapters = source.text, source.pictures, source.chapters
        self._resampler = Resampler(info.rate, rate, info.channels)
        self._restart()

    def _restart(self) -> None:
        self._resampler.reset()
        self._ready = Queue(np.zeros((0, self._resampler.channels), np.float32), axis=-2)
        self._ended = False
        self._position = 0

    def read(self, frames: int) -> NDArray[np.float32]:
        while len(self._ready) < frames and not self._ended:
            block = self._source.read(_BLOCK)
            self._ended = not len(block)
            self._ready.push((self._resampler.flush() if self._ended else self._resampler.process(block.T)).T)
        ready = self._ready.pop(min(frames, len(self._ready)))
        self._position += len(ready)
        return ready

    def seek(self, frame: int) -> None:
        if frame < self._position:
            self._source.seek(0)
            self._restart()
        while self._position < frame and len(self.read(min(_BLOCK, frame - self._position))):
            pass

    def close(self) -> None:
        self._source.close()
