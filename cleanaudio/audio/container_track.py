"""The sound track of a container, decoded through PyAV."""

from __future__ import annotations

from collections.abc import Iterator

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from cleanaudio.audio import layout
from cleanaudio.audio.container_file import is_cover, open_file
from cleanaudio.audio.container_samples import to_float
from cleanaudio.audio.container_tags import read_chapters, read_pictures, read_text
from cleanaudio.audio.queue import Queue
from cleanaudio.audio.timeline import Timeline
from cleanaudio.audio.uniform import Uniform
from cleanaudio.errors import InputError

_DAMAGED_IN_A_ROW = 100
_LONGEST_GAPS_S = {"matroska": 3600.0, "mov": 3600.0, "flv": 3600.0, "mpegts": 10.0, "mpeg": 10.0}
"""Of gaps that are filled, by containers whose timestamps can be relied on; those of broadcasts begin anew at times."""
_SILENCE = 65536


class SoundTrack:
    """The default sound track of a file, else the first, decoded forward; seeking back begins again.

    Silence stands where its timestamps leave a gap, and before sound that begins later than the picture.

    Attributes
    ----------
    stream : av.AudioStream
        The track.
    tracks : sequence of av.AudioStream
        All sound tracks of the file.
    format : str
        FFmpeg's first name of the container.
    is_film : bool
        Whether there is a moving picture, too.
    rate, channels : int
        Of the first decoded frame, which for HE-AAC is not what the header says; what differs in the middle is
        converted.
    channel_mask : int
        Loudspeaker positions of that frame, 0 if unknown.
    text, pictures, chapters
        As in :class:`~cleanaudio.audio.recording.Reader`.
    damaged : int
        Packets that could not be decoded and were left out.
    uniform : Uniform
        What rates and channel counts the decoder gave.
    timeline : Timeline
        How much silence was put in.
    """

    def __init__(self, name: str, channels: int | None = None) -> None:
        self._name, self._wanted = name, channels
        self._begin()
        self.text = read_text(self._container.metadata | self.stream.metadata)
        self.chapters = read_chapters(self._container)
        self.pictures = read_pictures(name) if any(map(is_cover, self._container.streams.video)) else ()

    def _begin(self) -> None:
        self._container = container = open_file(self._name)
        self.tracks = container.streams.audio
        if not self.tracks:
            raise InputError("holds no sound", path=self._name, remedy="choose a recording with a sound track")
        self.stream = next(filter(_is_default, self.tracks), self.tracks[0])
        self.format = container.format.name.split(",")[0]
        self.is_film = not all(map(is_cover, container.streams.video))
        self.damaged = 0
        self._frames = self._sound()
        self._position = 0
        first = next(self._frames, None)
        if first is None:
            raise InputError("holds no sound that can be decoded", path=self._name, remedy="copy it again")
        self._ready = Queue(first, axis=-2)

    def _sound(self) -> Iterator[NDArray[np.float32]]:
        """Decode to blocks of one kind, with silence where timestamps ask for it."""
        started = False
        for frame in self._decode():
            block, rate = to_float(frame), frame.sample_rate
            if not started:
                self.rate, self.channels = rate, self._wanted or block.shape[1]
                self.timeline, self.uniform = self._timeline(), Uniform(self.rate, self.channels)
                self.channel_mask = layout.by_names([channel.name for channel in frame.layout.channels])
                started = True
            silence = self.timeline.silence_before(frame.time, round(len(block) * self.rate / rate))
            missing = round(silence * rate / self.rate)
            for start in range(0, missing, _SILENCE):
                nothing = np.zeros((min(_SILENCE, missing - start), block.shape[1]), dtype=np.float32)
                yield self.uniform.process(nothing, rate)
            yield self.uniform.process(block, rate)
        if started:
            yield self.uniform.flush()

    def _decode(self) -> Iterator[av.AudioFrame]:
        in_a_row = 0
        packets = self._container.demux(self.stream)
        while in_a_row <= _DAMAGED_IN_A_ROW:
            try:
                frames = next(packets).decode()
                in_a_row = 0
            except StopIteration:
                return
            except FFmpegError:
                self.damaged += 1
                in_a_row += 1
                packets = self._container.demux(self.stream)  # a generator ends with its error
                continue
            yield from frames

    def _timeline(self) -> Timeline:
        begin = None
        if self.is_film:
            begin = max(0.0, (self._container.start_time or 0) / av.time_base)
        return Timeline(self.rate, begin, _LONGEST_GAPS_S.get(self.format))

    @property
    def bit_rate(self) -> int | None:
        """Mean bits per second of the track, else of the whole file; None where neither says."""
        return self.stream.bit_rate or self.stream.codec_context.bit_rate or self._container.bit_rate or None

    def read(self, frames: int) -> NDArray[np.float32]:
        """Return the next frames, (n, channels)."""
        while len(self._ready) < frames and (piece := next(self._frames, None)) is not None:
            self._ready.push(piece)
        ready = self._ready.pop(min(frames, len(self._ready)))
        self._position += len(ready)
        return ready

    def seek(self, frame: int) -> None:
        """Move to a frame by decoding up to it."""
        if frame < self._position:
            self.close()
            self._begin()
        while self._position < frame and len(self.read(min(65536, frame - self._position))):
            pass

    def count(self) -> int:
        """Return how many frames follow, by decoding them."""
        total = 0
        while got := len(self.read(65536)):
            total += got
        return total

    def close(self) -> None:
        """Close the file."""
        self._container.close()


def _is_default(stream: av.AudioStream) -> bool:
    return bool(stream.disposition & av.stream.Disposition.default)
