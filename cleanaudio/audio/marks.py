"""The marks of a WAV as chapters, and chapters as marks: cue points and their labels.

Source: Microsoft, Multimedia Programming Interface and Data Specifications 1.0 (1991), ``cue `` and ``adtl``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from cleanaudio.audio.description import Chapter, Chapters, decoded

Chunks = tuple[tuple[bytes, bytes], ...]

_POINT = struct.Struct("<II4sIII")
_LABEL = b"labl"
_LAST_FRAME = (1 << 32) - 1


def is_list(chunk: tuple[bytes, bytes], kind: bytes) -> bool:
    """Whether a chunk is a LIST of this kind."""
    return chunk[0] == b"LIST" and chunk[1][:4] == kind


def is_mark(chunk: tuple[bytes, bytes]) -> bool:
    """Whether a chunk holds cue points, or what they are called."""
    return chunk[0] == b"cue " or is_list(chunk, b"adtl")


def read(chunks: Chunks, rate: int) -> Chapters:
    """Return the cue points of a recording of ``rate`` Hz as chapters, in their order."""
    labels = dict(label for chunk in chunks if is_list(chunk, b"adtl") for label in _labels(chunk[1]))
    points = [point for name, content in chunks if name == b"cue " for point in _points(content)]
    rows = sorted((frame / rate, labels.get(number, "")) for number, frame in points)
    return tuple(Chapter(start_s, None, title) for start_s, title in rows)


def build(chapters: Chapters, rate: int) -> Chunks:
    """Return the chunks that hold chapters; none where there are no chapters."""
    if not chapters:
        return ()
    points, labels = [], []
    for number, chapter in enumerate(chapters, 1):
        frame = min(round(chapter.start_s * rate), _LAST_FRAME)  # far behind the end of what a WAV holds
        points.append(_POINT.pack(number, frame, b"data", 0, 0, frame))
        title = struct.pack("<I", number) + chapter.title.encode(errors="replace") + b"\0"
        labels.append(struct.pack("<4sI", _LABEL, len(title)) + title + b"\0" * (len(title) % 2))
    return (
        (b"cue ", struct.pack("<I", len(points)) + b"".join(points)),
        (b"LIST", b"adtl" + b"".join(labels)),
    )


def _points(content: bytes) -> Iterator[tuple[int, int]]:
    """Numbers and frames."""
    for at in range(4, len(content) - _POINT.size + 1, _POINT.size):
        number, _, _, _, _, frame = _POINT.unpack_from(content, at)
        yield number, frame


def _labels(content: bytes) -> Iterator[tuple[int, str]]:
    at = 4
    while at + 12 <= len(content):
        name, size, number = struct.unpack_from("<4sII", content, at)
        if name == _LABEL and size >= 4:
            yield number, decoded(content[at + 12 : at + 8 + size].split(b"\0")[0])
        at += 8 + size + size % 2
