"""ID3v2 tags: read in all versions, written as 2.3, and edited frame by frame so that all else stays as it is.

Sources: the informal standards ID3v2.2.0, 2.3.0 and 2.4.0 of id3.org, and its chapter frame addendum 1.0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cleanaudio.audio.metadata.description import Chapter, Description, Picture, cut
from cleanaudio.audio.metadata.id3_chapters import listing, mark_of, new_mark, table_of_contents
from cleanaudio.audio.metadata.id3_fields import (
    MEASURED,
    comments_of,
    date_of,
    frame_of_picture,
    frames_of_text,
    picture_of,
    tells_measurement,
)
from cleanaudio.audio.metadata.id3_frames import Frame, frames_in, frames_of, length, tag_of, texts

__all__ = ["build", "extended", "length", "of_part", "read", "timed", "unsaid", "without_measurements"]

_TIMED = frozenset(["TLEN", "ETCO", "SYLT", "SYTC", "POSS", "MLLT"])
"""What goes by the time of the whole recording, but for chapters."""

_DATES = frozenset(["TYER", "TDAT", "TIME", "TDRC"])
_TOLD = _DATES | {"CHAP", "CTOC", "TLEN"}
"""What is told otherwise than as text."""


def read(tag: bytes) -> Description:
    """Return what a tag says; ends without complaint where it is damaged."""
    comments: list[tuple[str, str]] = []
    pictures: list[Picture] = []
    chapters: list[Chapter] = []
    dates: dict[str, str] = {}
    for frame in frames_of(tag):
        if frame.name in _DATES:
            dates[frame.name] = "".join(texts(frame.content)[:1])
        elif frame.name == "APIC":
            pictures += filter(None, [picture_of(frame)])
        elif mark := mark_of(frame):
            chapters.append(mark.chapter)
        elif frame.name not in _TOLD:
            comments += comments_of(frame)
    if (date := date_of(dates)) and not any(name == "DATE" for name, _ in comments):
        comments.append(("DATE", date))
    in_order = tuple(sorted(chapters, key=lambda chapter: chapter.start_s))
    return Description(tuple(dict.fromkeys(comments)), tuple(pictures), in_order)


def build(description: Description) -> bytes:
    """Return a tag that says what a description does, empty where it says nothing."""
    frames = [frame for name, value in description.fields.items() for frame in frames_of_text(name, value)]
    frames += map(frame_of_picture, description.pictures)
    marks = [new_mark(f"ch{number}".encode(), row) for number, row in enumerate(description.chapters, 1)]
    if marks:
        frames.append(table_of_contents([mark.name for mark in marks]))
    return tag_of([*frames, *(mark.frame() for mark in marks)])


def extended(tag: bytes, description: Description) -> bytes:
    """Return a tag that says what a description does, too; version 2.2 has other frames and stays as it is."""
    frames = list(frames_of(tag))
    if not frames:
        return build(description)
    version = frames[0].version
    known = read(tag)
    fields = known.fields
    more = [
        frame
        for name, value in description.fields.items()
        if name not in fields
        for frame in frames_of_text(name, value)
    ]
    more += [] if known.pictures else map(frame_of_picture, description.pictures)
    if not more or version == 2:
        return tag
    return tag_of([*frames, *(Frame.of(frame.name, frame.content, version) for frame in more)])


def without_measurements(tag: bytes) -> bytes:
    """Return a tag without the gains and the tables that hold for certain samples only."""
    return _edited(tag, lambda frame: None if tells_measurement(frame) else frame)


def of_part(tag: bytes, start_s: float, end_s: float) -> bytes:
    """Return the tag of a part of a recording: its chapters are moved and cut, those outside left out."""
    marks = [mark for frame in frames_of(tag) if (mark := mark_of(frame))]
    inside = {mark.name for mark in marks if cut(mark.chapter, start_s, end_s)}

    def moved(frame: Frame) -> Frame | None:
        if frame.name in _TIMED:
            return None
        if frame.name == "CTOC":
            return listing(frame, inside)
        if (mark := mark_of(frame)) is None:
            return frame
        chapter = cut(mark.chapter, start_s, end_s)
        return replace(mark, chapter=chapter).frame(frame.version) if chapter else None

    return _edited(tag, moved)


def timed(tag: bytes) -> list[str]:
    """Return the names of the frames that :func:`of_part` leaves out, but for lengths and tables of the stream."""
    return list(dict.fromkeys(frame.name for frame in frames_of(tag) if frame.name in _TIMED - MEASURED - {"TLEN"}))


def unsaid(tag: bytes) -> list[str]:
    """Return the names of the frames that :func:`read` does not tell of, each once."""
    names: dict[str, None] = {}
    for frame in frames_of(tag):
        told = frame.name in _TOLD or tells_measurement(frame) or (frame.name == "APIC" and picture_of(frame))
        if not told and not comments_of(frame):
            names[frame.name] = None
        if (mark := mark_of(frame)) and any(inner.name == "APIC" for inner in frames_in(mark.rest, frame.version)):
            names["the pictures of chapters"] = None
    return list(names)


def _edited(tag: bytes, edit: Callable[[Frame], Frame | None]) -> bytes:
    """Return a tag with each of its frames edited or left out; as it was where nothing has changed."""
    before = list(frames_of(tag))
    after = [frame for frame in map(edit, before) if frame is not None]
    return tag if after == before else tag_of(after)
