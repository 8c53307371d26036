"""The marks of a WAV as chapters, and chapters as marks: cue points and their labels.

Source: Microsoft, Multimedia Programming Interface and Data Specifications 1.0 (1991), ``cue ``, ``plst``, ``adtl``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from cleanaudio.audio.metadata.description import Chapter, Chapters, decoded
from cleanaudio.audio.riff import packed

Chunks = tuple[tuple[bytes, bytes], ...]

_POINT = struct.Struct("<II4sIII")
_SEGMENT = struct.Struct("<III")
_LABEL, _REGION = b"labl", b"ltxt"
_LAST_FRAME = (1 << 32) - 1


def is_list(chunk: tuple[bytes, bytes], kind: bytes) -> bool:
    """Whether a chunk is a LIST of this kind."""
    return chunk[0] == b"LIST" and chunk[1][:4] == kind


def is_mark(chunk: tuple[bytes, bytes]) -> bool:
    """Whether a chunk holds cue points, or what they are called."""
    return chunk[0] == b"cue " or is_list(chunk, b"adtl")


def goes_by_marks(chunk: tuple[bytes, bytes]) -> bool:
    """Whether a chunk speaks of cue points: is one of theirs, or a play list of them."""
    return is_mark(chunk) or chunk[0] == b"plst"


def read(chunks: Chunks, rate: int) -> Chapters:
    """Return the cue points of a recording of ``rate`` Hz as chapters, in their order."""
    labels = {number: _title(text) for number, text in _notes(chunks, _LABEL)}
    lengths = _lengths(chunks)
    points = [point for name, content in chunks if name == b"cue " for point in _points(content)]
    rows = [(frame, labels.get(number, ""), lengths.get(number)) for number, frame in points]
    rows.sort(key=lambda row: row[:2])  # some have no length, which has no order
    return tuple(
        Chapter(frame / rate, (frame + length) / rate if length else None, title) for frame, title, length in rows
    )


def unsaid(chunks: Chunks) -> list[str]:
    """Return what :func:`read` does not tell of marks."""
    return ["notes of markers"] if any(_title(text) for _, text in _notes(chunks, b"note")) else []


def of_part(chunks: Chunks, start: int, frames: int) -> Chunks:
    """Return chunks with those that speak of marks as they are in a part of the recording.

    Points move, those outside are gone; a region (``ltxt`` says how long) that reaches into the part is cut.
    """
    part = _Part(start, frames, _lengths(chunks))
    points = [point for name, content in chunks if name == b"cue " for point in _points(content)]
    places = {number: place for number, frame in points if (place := part.place(number, frame)) is not None}
    part = replace(part, places=places)
    rows = []
    for name, content in chunks:
        changed = _EDITORS[name](content, part) if goes_by_marks((name, content)) else content
        if changed is not None:
            rows.append((name, changed))
    return tuple(rows)


@dataclass(frozen=True)
class _Part:
    """A part of a recording: its beginning and length, how long the regions are, and where the points lie in it."""

    start: int
    frames: int
    lengths: Mapping[int, int]
    places: Mapping[int, tuple[int, int]] = field(default_factory=dict)

    def place(self, number: int, frame: int) -> tuple[int, int] | None:
        """Return where a point lies, and how much of its region is cut away before it; None outside."""
        cut = max(0, self.start - frame)
        inside = frame < self.start + self.frames and (not cut or cut < self.lengths.get(number, 0))
        return (max(0, frame - self.start), cut) if inside else None

    def shortened(self, number: int, length: int) -> int:
        """Return how much of a region that begins at a point lies in the part."""
        place, cut = self.places[number]
        return max(0, min(length - cut, self.frames - place))


def build(chapters: Chapters, rate: int) -> Chunks:
    """Return the chunks that hold chapters; none where there are no chapters."""
    if not chapters:
        return ()
    points, labels = [], []
    for number, chapter in enumerate(chapters, 1):
        frame = min(round(chapter.start_s * rate), _LAST_FRAME)  # far behind the end of what a WAV holds
        points.append(_POINT.pack(number, frame, b"data", 0, 0, frame))
        title = struct.pack("<I", number) + chapter.title.encode(errors="replace") + b"\0"
        labels.append(packed(_LABEL, title))
    return (
        (b"cue ", struct.pack("<I", len(points)) + b"".join(points)),
        (b"LIST", b"adtl" + b"".join(labels)),
    )


def _points(content: bytes) -> Iterator[tuple[int, int]]:
    """Numbers and frames."""
    for at in range(4, len(content) - _POINT.size + 1, _POINT.size):
        number, _, _, _, _, frame = _POINT.unpack_from(content, at)
        yield number, frame


def _notes(chunks: Chunks, kind: bytes) -> Iterator[tuple[int, bytes]]:
    """What the lists say of one kind, by the numbers of the points."""
    for chunk in chunks:
        if is_list(chunk, b"adtl"):
            yield from ((number, text) for name, number, text in _entries(chunk[1]) if name == kind)


def _lengths(chunks: Chunks) -> dict[int, int]:
    """How many frames the regions have."""
    return {number: int.from_bytes(text[:4], "little") for number, text in _notes(chunks, _REGION) if len(text) >= 4}


def _title(text: bytes) -> str:
    return decoded(text.split(b"\0")[0])


def _entries(content: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    """Kind, number of the point, and what follows it."""
    at = 4
    while at + 12 <= len(content):
        name, size, number = struct.unpack_from("<4sII", content, at)
        if size >= 4:
            yield name, number, content[at + 12 : at + 8 + size]
        at += 8 + size + size % 2


def _moved_points(content: bytes, part: _Part) -> bytes | None:
    rows = []
    for at in range(4, len(content) - _POINT.size + 1, _POINT.size):
        number, position, name, chunk, block, frame = _POINT.unpack_from(content, at)
        if (place := part.place(number, frame)) is not None:
            position = place[0] if position == frame else max(0, position - part.start)
            rows.append(_POINT.pack(number, position, name, chunk, block, place[0]))
    return struct.pack("<I", len(rows)) + b"".join(rows) if rows else None


def _moved_texts(content: bytes, part: _Part) -> bytes | None:
    rows = []
    for name, number, text in _entries(content):
        if number in part.places:
            if name == _REGION and len(text) >= 4:
                length = part.shortened(number, int.from_bytes(text[:4], "little"))
                text = struct.pack("<I", length) + text[4:]
            rows.append(struct.pack("<4sII", name, 4 + len(text), number) + text + b"\0" * (len(text) % 2))
    return b"adtl" + b"".join(rows) if rows else None


def _moved_segments(content: bytes, part: _Part) -> bytes | None:
    rows = []
    for at in range(4, len(content) - _SEGMENT.size + 1, _SEGMENT.size):
        number, length, times = _SEGMENT.unpack_from(content, at)
        if number in part.places:
            rows.append(_SEGMENT.pack(number, part.shortened(number, length), times))
    return struct.pack("<I", len(rows)) + b"".join(rows) if rows else None


_EDITORS = {b"cue ": _moved_points, b"LIST": _moved_texts, b"plst": _moved_segments}
