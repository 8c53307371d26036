"""Opening a container through PyAV: self-contained files only."""

from __future__ import annotations

import os
import struct
from typing import Any

import av
from av.error import FFmpegError

from cleanaudio.errors import InputError

# A play list would make the library open other files, or addresses.
_DEMUXERS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,avi,caf,dsf,dts,eac3,flac,flv,m4v,matroska,mov,mp3,mpc,mpc8,mpeg,mpegts,ogg,rm,"
    "tak,tta,w64,wav,wv"
)
_OPTIONS = {"format_whitelist": _DEMUXERS, "protocol_whitelist": "file"}


def open_file(name: str) -> Any:
    """Open a file; the caller closes it.

    Raises
    ------
    InputError
        Not a container that we know, or a damaged one.
    """
    try:
        return av.open(name, options=_OPTIONS, metadata_errors="replace")
    except FFmpegError as error:
        if _lacks_index(name):
            raise InputError(
                "is cut short: the index of an MP4, which is written last, is missing",
                path=name,
                remedy="copy it again; recovery programs can mend it by another recording of the same device",
            ) from error
        raise InputError("is not audio", path=name, remedy="no decoder knows it") from error


def is_cover(stream: av.VideoStream) -> bool:
    """Whether a video stream is a picture that belongs to the recording, and no film."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


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
