"""Recordings in m4a, mp4, mkv, webm, wma and other containers, opened and described through PyAV.

Importing this module needs the package av, the extra ``formats``.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

import av

from cleanaudio.audio.container_track import SoundTrack
from cleanaudio.audio.recording import AudioInfo, Reader
from cleanaudio.audio.wording import first_few, kind

_NAMES = {"matroska": "MKV", "mov": "MP4", "asf": "WMA"}
_SUBTYPES = {
    "mp3float": "MPEG_LAYER_III",
    "pcm_f32le": "FLOAT",
    "pcm_f32be": "FLOAT",
    "pcm_f64le": "DOUBLE",
    "pcm_f64be": "DOUBLE",
}
_LOSSLESS = ("pcm_s", "pcm_u", "alac", "flac", "wavpack", "ape", "tta", "tak", "mlp", "truehd")
_DEPTHS = {"u8": 8, "s16": 16, "s32": 24}
_LONGEST_PADDING = 4096
_LASTING_S = 0.5


def open_container(name: str) -> Reader:
    """Open a container for reading; its frames are counted once by decoding it.

    Raises
    ------
    InputError
        Not a container that we know, no sound track, or nothing in it that can be decoded.
    """
    status = os.stat(name)
    info = _describe(name, status.st_size, status.st_mtime_ns)
    return Reader(info, SoundTrack(name, info.channels))


@lru_cache(maxsize=64)
def _describe(name: str, size: int, mtime_ns: int) -> AudioInfo:
    track = SoundTrack(name)
    try:
        frames = _trimmed(track)
        channels = _most_channels(track, frames)
        codec = track.stream.codec_context
        label = _NAMES.get(track.format, track.format.upper())
        if label == "MP4" and not track.is_film:
            label = "M4A"
        elif name.lower().endswith(".webm"):
            label = "WEBM"
        return AudioInfo(
            name,
            track.rate,
            channels,
            frames,
            label,
            _subtype(codec),
            bit_rate=track.bit_rate,
            warnings=tuple(_warnings(track, channels)),
            channel_mask=track.channel_mask if channels == track.channels else 0,
            depth=_DEPTHS.get(codec.format.name.rstrip("p")) if codec.name.startswith(_LOSSLESS) else None,
        )
    finally:
        track.close()


def _subtype(codec: av.AudioCodecContext) -> str:
    if codec.name.startswith(_LOSSLESS) and codec.format.name.rstrip("p") == "flt":  # WavPack, TTA
        return "FLOAT"
    return _SUBTYPES.get(codec.name, codec.name.upper())


def _warnings(track: SoundTrack, channels: int) -> Iterator[str]:
    timeline, tracks = track.timeline, track.tracks
    if len(tracks) > 1:
        number = tracks.index(track.stream)
        yield (
            f"of its {len(tracks)} sound tracks number {number + 1} alone is read; "
            f"ffmpeg -i IN -map 0:a:{0 if number else 1} -c copy OUT.mka takes out another"
        )
    if track.damaged:
        yield f"{track.damaged} damaged packets were left out"
    if timeline.late:
        yield f"the sound begins {timeline.late / track.rate:.3f} s after the picture: silence stands there"
    if timeline.filled:
        yield f"gaps in its timestamps, {timeline.filled / track.rate:.3f} s in all, are filled with silence"
    if timeline.jumps:
        yield f"new beginnings of its timestamps: {timeline.jumps}; what follows them is read without a gap"
    if len(kinds := track.uniform.kinds) > 1:
        begins = [f"at {begin / track.rate:.2f} s ({kind(own, rate)})" for rate, own, begin in kinds[1:]]
        changes = first_few(begins, more="more times")
        yield f"the rate or the channels change {changes}: all is {kind(channels, track.rate)} now"


def _most_channels(track: SoundTrack, frames: int) -> int:
    """Return the highest channel count that lasts: a damaged frame may claim any."""
    kinds = track.uniform.kinds
    ends = [*(begin for _, _, begin in kinds[1:]), frames]
    lengths: Counter[int] = Counter()
    for (_, own, begin), end in zip(kinds, ends, strict=True):
        lengths[own] += end - begin
    lasting = [own for own, length in lengths.items() if length >= _LASTING_S * track.rate]
    return max(lasting, default=track.channels)


def _trimmed(track: SoundTrack) -> int:
    """Count the frames, less the padding of the last packet where the edit list of an MP4 says how long it is.

    What other containers say is guessed or rounded.
    """
    frames, stream = track.count(), track.stream
    if track.format != "mov" or not stream.duration or stream.time_base is None:
        return frames
    said = track.timeline.late + round(stream.duration * stream.time_base * track.rate)
    return said if 0 <= frames - said < _LONGEST_PADDING else frames
