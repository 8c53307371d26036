"""Samples of a sound track in m4a, mp4, mkv, webm, wma and other containers, through PyAV.

Importing this module needs the package av, the extra ``formats``.
"""

from __future__ import annotations

import os
import struct
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from cleanaudio.audio import layout
from cleanaudio.audio.metadata.description import Chapter, Picture
from cleanaudio.audio.recording import AudioInfo, Reader
from cleanaudio.audio.timeline import Timeline
from cleanaudio.audio.uniform import Uniform
from cleanaudio.audio.wording import first_few, kind
from cleanaudio.errors import InputError

# Only self-contained files: a play list would make the library open other files, or addresses.
_DEMUXERS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,avi,caf,dsf,dts,eac3,flac,flv,m4v,matroska,mov,mp3,mpc,mpc8,mpeg,mpegts,ogg,rm,"
    "tak,tta,w64,wav,wv"
)
_OPTIONS = {"format_whitelist": _DEMUXERS, "protocol_whitelist": "file"}
_NAMES = {"matroska": "MKV", "mov": "MP4", "asf": "WMA"}
_FULL_SCALE = {"u8": 128.0, "s16": 2.0**15, "s32": 2.0**31}
_DAMAGED_IN_A_ROW = 100
_LONGEST_PADDING = 4096
_LONGEST_GAPS_S = {"matroska": 3600.0, "mov": 3600.0, "flv": 3600.0, "mpegts": 10.0, "mpeg": 10.0}
"""By containers whose timestamps can be relied on. Broadcasts begin again with others now and then."""
_SILENCE = 65536
_LASTING_S = 0.5
_LOSSLESS = ("pcm_s", "pcm_u", "alac", "flac", "wavpack", "ape", "tta", "tak", "mlp", "truehd")
_DEPTHS = {"u8": 8, "s16": 16, "s32": 24}
_IMAGES = {"mjpeg": "image/jpeg", "png": "image/png"}
_TECHNICAL = frozenset(
    [
        *("major_brand", "minor_version", "compatible_brands", "creation_time", "encoder", "language"),
        *(
            "handler_name",
            "vendor_id",
            "duration",
            "isvbr",
            "wmfsdkversion",
            "wmfsdkneeded",
            "devicconformancetemplate",
        ),
    ]
)
_VORBIS_NAMES = {
    **{"track": "tracknumber", "disc": "discnumber", "album_artist": "albumartist"},
    **{"encoded_by": "encoded-by", "publisher": "organization"},
}
"""FFmpeg's names for what is called otherwise in Vorbis comments."""

_PLANES = 8
"""Where the channels of a frame lie apart and are as many, PyAV reads on behind the last of them, and crashes."""

_SUBTYPES = {
    "mp3float": "MPEG_LAYER_III",
    "pcm_f32le": "FLOAT",
    "pcm_f32be": "FLOAT",
    "pcm_f64le": "DOUBLE",
    "pcm_f64be": "DOUBLE",
}


class ContainerSource:
    """The default sound track of a file, else the first, decoded forward; seeking back begins again.

    Silence stands where its timestamps leave a gap, and before sound that begins later than the picture.

    Attributes
    ----------
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
        What the rates and the channel counts were before.
    timeline : Timeline
        How much silence was put in.
    """

    def __init__(self, name: str, channels: int | None = None) -> None:
        self._name, self._wanted = name, channels
        self._begin()
        self.text = _text(self._container.metadata | self.stream.metadata)
        self.chapters = tuple(
            Chapter(
                float(chapter["start"] * chapter["time_base"]),
                float(chapter["end"] * chapter["time_base"]),
                chapter["metadata"].get("title", ""),
            )
            for chapter in self._container.chapters()
        )
        self.pictures = _pictures(name) if any(map(_is_cover, self._container.streams.video)) else ()

    def _begin(self) -> None:
        self._container: Any
        try:
            self._container = container = av.open(self._name, options=_OPTIONS, metadata_errors="replace")
        except FFmpegError as error:
            if _lacks_index(self._name):
                raise InputError(
                    "is cut short: the index of an MP4, which is written last, is missing",
                    path=self._name,
                    remedy="copy it again; recovery programs can mend it by another recording of the same device",
                ) from error
            raise InputError("is not audio", path=self._name, remedy="no decoder knows it") from error
        if not container.streams.audio:
            raise InputError("holds no sound", path=self._name, remedy="choose a recording with a sound track")
        tracks = container.streams.audio
        self.stream = next(filter(_is_default, tracks), tracks[0])
        self.damaged = 0
        self._frames = self._sound()
        self._rest: NDArray[np.float32] | None = None
        self._position = 0
        first = next(self._frames, None)
        if first is None:
            raise InputError("holds no sound that can be decoded", path=self._name, remedy="copy it again")
        self._rest = first

    def _sound(self) -> Iterator[NDArray[np.float32]]:
        """Decode to blocks of one kind, with silence where timestamps ask for it."""
        started = False
        for frame in self._decode():
            block, rate = _to_float(frame), frame.sample_rate
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
        if any(not _is_cover(video) for video in self._container.streams.video):
            begin = max(0.0, (self._container.start_time or 0) / av.time_base)
        return Timeline(self.rate, begin, _LONGEST_GAPS_S.get(_format(self._container)))

    def read(self, frames: int) -> NDArray[np.float32]:
        """Return the next frames, (n, channels)."""
        pieces, have = [], 0
        while have < frames:
            piece = self._rest if self._rest is not None else next(self._frames, None)
            if piece is None:
                break
            taken, rest = piece[: frames - have], piece[frames - have :]
            self._rest = rest if len(rest) else None
            pieces.append(taken)
            have += len(taken)
        self._position += have
        return np.concatenate(pieces) if pieces else np.zeros((0, self.channels), dtype=np.float32)

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


def open_container(name: str) -> Reader:
    """Open a container for reading; its frames are counted once by decoding it.

    Raises
    ------
    InputError
        Not a container that we know, no sound track, or nothing in it that can be decoded.
    """
    status = os.stat(name)
    info = _describe(name, status.st_size, status.st_mtime_ns)
    return Reader(info, ContainerSource(name, info.channels))


@lru_cache(maxsize=64)
def _describe(name: str, size: int, mtime_ns: int) -> AudioInfo:
    source = ContainerSource(name)
    try:
        stream, container = source.stream, source._container
        frames = _trimmed(source)
        channels = _most_channels(source, frames)
        codec = stream.codec_context
        format_name = _format(container)
        label = _NAMES.get(format_name, format_name.upper())
        if label == "MP4" and not [video for video in container.streams.video if not _is_cover(video)]:
            label = "M4A"
        elif name.lower().endswith(".webm"):
            label = "WEBM"
        return AudioInfo(
            name,
            source.rate,
            channels,
            frames,
            label,
            _subtype(codec),
            bit_rate=stream.bit_rate or codec.bit_rate or container.bit_rate or None,
            warnings=tuple(_warnings(source, channels)),
            channel_mask=source.channel_mask if channels == source.channels else 0,
            depth=_DEPTHS.get(codec.format.name.rstrip("p")) if codec.name.startswith(_LOSSLESS) else None,
        )
    finally:
        source.close()


def _subtype(codec: av.AudioCodecContext) -> str:
    if codec.name.startswith(_LOSSLESS) and codec.format.name.rstrip("p") == "flt":  # WavPack, TTA
        return "FLOAT"
    return _SUBTYPES.get(codec.name, codec.name.upper())


def _lacks_index(name: str) -> bool:
    """Whether an MP4 has no box ``moov``."""
    size = os.path.getsize(name)
    position, kinds = 0, []
    with open(name, "rb") as file:
        while position + 8 <= size:
            file.seek(position)
            length, kind = struct.unpack(">I4s", file.read(8))
            kinds.append(kind)
            if length == 1 and position + 16 <= size:
                length = struct.unpack(">Q", file.read(8))[0]
            if length < 8:  # to the end of the file, or no box
                break
            position += length
    return kinds[:1] == [b"ftyp"] and b"moov" not in kinds


def _warnings(source: ContainerSource, channels: int) -> Iterator[str]:
    timeline, tracks = source.timeline, source._container.streams.audio
    if len(tracks) > 1:
        number = tracks.index(source.stream)
        yield (
            f"of its {len(tracks)} sound tracks number {number + 1} alone is read; "
            f"ffmpeg -i IN -map 0:a:{0 if number else 1} -c copy OUT.mka takes out another"
        )
    if source.damaged:
        yield f"{source.damaged} damaged packets were left out"
    if timeline.late:
        yield f"the sound begins {timeline.late / source.rate:.3f} s after the picture: silence stands there"
    if timeline.filled:
        yield f"gaps in its timestamps, {timeline.filled / source.rate:.3f} s in all, are filled with silence"
    if timeline.jumps:
        yield f"new beginnings of its timestamps: {timeline.jumps}; what follows them is read without a gap"
    if len(kinds := source.uniform.kinds) > 1:
        begins = [f"at {begin / source.rate:.2f} s ({kind(own, rate)})" for rate, own, begin in kinds[1:]]
        changes = first_few(begins, more="more times")
        yield f"the rate or the channels change {changes}: all is {kind(channels, source.rate)} now"


def _most_channels(source: ContainerSource, frames: int) -> int:
    """Return the highest channel count that lasts: a damaged frame may claim any."""
    kinds = source.uniform.kinds
    ends = [*(begin for _, _, begin in kinds[1:]), frames]
    lengths: Counter[int] = Counter()
    for (_, own, begin), end in zip(kinds, ends, strict=True):
        lengths[own] += end - begin
    lasting = [own for own, length in lengths.items() if length >= _LASTING_S * source.rate]
    return max(lasting, default=source.channels)


def _trimmed(source: ContainerSource) -> int:
    """Count the frames, less the padding of the last packet where the edit list of an MP4 says how long it is.

    Other containers guess, or round.
    """
    frames, stream = source.count(), source.stream
    if _format(source._container) != "mov" or not stream.duration or stream.time_base is None:
        return frames
    said = source.timeline.late + round(stream.duration * stream.time_base * source.rate)
    return said if 0 <= frames - said < _LONGEST_PADDING else frames


def _format(container: Any) -> str:
    return container.format.name.split(",")[0]


def _is_default(stream: av.AudioStream) -> bool:
    return bool(stream.disposition & av.stream.Disposition.default)


def _text(metadata: dict[str, str]) -> dict[str, str]:
    """Tags by libsndfile's names, without what tells of the container."""
    lower = {_VORBIS_NAMES.get(key.lower(), key.lower()): value for key, value in metadata.items()}
    return {key: value for key, value in lower.items() if key not in _TECHNICAL}


def _pictures(name: str) -> tuple[Picture, ...]:
    found = []
    with av.open(name, options=_OPTIONS, metadata_errors="replace") as container:
        for stream in filter(_is_cover, container.streams.video):
            container.seek(0)
            packet = next(container.demux(stream), None)
            if packet is not None and packet.size:
                codec = stream.codec_context.name
                found.append(Picture(bytes(packet), _IMAGES.get(codec, "image/" + codec)))
    return tuple(found)


def _is_cover(stream: av.VideoStream) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _to_float(frame: av.AudioFrame) -> NDArray[np.float32]:
    """Samples of a decoded frame, (n, channels), ±1."""
    if frame.format.is_planar and frame.layout.nb_channels >= _PLANES:
        frame = _packed(frame)
    samples = frame.to_ndarray()
    samples = samples.T if frame.format.is_planar else samples.reshape(-1, frame.layout.nb_channels)
    kind = frame.format.name.rstrip("p")
    if kind == "u8":
        return (samples.astype(np.float32) - 128.0) / np.float32(128.0)
    if kind in _FULL_SCALE:
        return samples.astype(np.float32) / np.float32(_FULL_SCALE[kind])
    return samples.astype(np.float32)


def _packed(frame: av.AudioFrame) -> av.AudioFrame:
    """Return a frame with its channels interleaved; its samples are the same."""
    interleaved, *_ = av.AudioResampler(format=frame.format.packed.name).resample(frame)
    return interleaved
