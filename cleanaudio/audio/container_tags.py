"""What a container says of its recording: text, chapters and pictures."""

from __future__ import annotations

from typing import Any

from cleanaudio.audio.container_file import is_cover, open_file
from cleanaudio.audio.metadata.description import Chapter, Chapters, Picture

_IMAGES = {"mjpeg": "image/jpeg", "png": "image/png"}
_TECHNICAL = frozenset([
    "major_brand", "minor_version", "compatible_brands", "creation_time", "encoder", "language", "handler_name",
    "vendor_id", "duration", "isvbr", "wmfsdkversion", "wmfsdkneeded", "devicconformancetemplate",
])  # fmt: skip
"""What tells of the container."""

_VORBIS_NAMES = {
    "track": "tracknumber",
    "disc": "discnumber",
    "album_artist": "albumartist",
    "encoded_by": "encoded-by",
    "publisher": "organization",
}
"""FFmpeg's names for what is called otherwise in Vorbis comments."""


def read_text(metadata: dict[str, str]) -> dict[str, str]:
    """Return tags by libsndfile's names, without what tells of the container."""
    lower = {_VORBIS_NAMES.get(key.lower(), key.lower()): value for key, value in metadata.items()}
    return {key: value for key, value in lower.items() if key not in _TECHNICAL}


def read_chapters(container: Any) -> Chapters:
    """Return the chapters of an open container."""
    return tuple(
        Chapter(
            float(chapter["start"] * chapter["time_base"]),
            float(chapter["end"] * chapter["time_base"]),
            chapter["metadata"].get("title", ""),
        )
        for chapter in container.chapters()
    )


def read_pictures(name: str) -> tuple[Picture, ...]:
    """Return the pictures in a file, which is opened once more for them."""
    found = []
    with open_file(name) as container:
        for stream in filter(is_cover, container.streams.video):
            container.seek(0)
            packet = next(container.demux(stream), None)
            if packet is not None and packet.size:
                codec = stream.codec_context.name
                found.append(Picture(bytes(packet), _IMAGES.get(codec, "image/" + codec)))
    return tuple(found)
