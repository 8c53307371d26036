"""Chapters in an ID3v2 tag: their frames, and the table of contents that lists them.

Source: the chapter frame addendum 1.0 to ID3v2.3 and 2.4 of id3.org.
"""

from __future__ import annotations

import struct
from collections.abc import Container, Sequence
from dataclasses import dataclass

from cleanaudio.audio.metadata.description import Chapter
from cleanaudio.audio.metadata.id3_fields import comments_of
from cleanaudio.audio.metadata.id3_frames import WRITTEN, Frame, frames_in, packed_text

_NOWHERE = 0xFFFFFFFF
"""Where a chapter does not say at which byte it begins."""


@dataclass(frozen=True)
class Mark:
    """A chapter as a frame has it: its name in the table of contents, and the frames in it."""

    name: bytes
    chapter: Chapter
    rest: bytes

    def frame(self, version: int = WRITTEN) -> Frame:
        """Return the frame that says it."""
        times = (self.chapter.start_s, self.chapter.end_s or self.chapter.start_s)
        packed = struct.pack(
            ">IIII", *(min(round(1000 * time_s), _NOWHERE - 1) for time_s in times), _NOWHERE, _NOWHERE
        )
        return Frame.of("CHAP", self.name + b"\0" + packed + self.rest, version)


def mark_of(frame: Frame) -> Mark | None:
    """Return what a chapter frame holds; None of other frames, and of damaged ones."""
    name, _, fields = frame.content.partition(b"\0")
    if frame.name != "CHAP" or len(fields) < 16:
        return None
    start_ms, end_ms = struct.unpack_from(">II", fields)
    said = dict(comment for inner in frames_in(fields[16:], frame.version) for comment in reversed(comments_of(inner)))
    url = next((value for value in said.values() if "://" in value), "")
    chapter = Chapter(start_ms / 1000, max(start_ms, end_ms) / 1000, said.get("TITLE", ""), url)
    return Mark(name, chapter, fields[16:])


def new_mark(name: bytes, chapter: Chapter) -> Mark:
    """Return a chapter that is to be written, with frames for its title and its address."""
    inner = [Frame.of("TIT2", packed_text(chapter.title))] if chapter.title else []
    inner += [Frame.of("WXXX", b"\0\0" + chapter.url.encode("latin-1", "replace"))] if chapter.url else []
    return Mark(name, chapter, b"".join(frame.whole for frame in inner))


def table_of_contents(names: Sequence[bytes]) -> Frame:
    """Return the frame that lists the chapters of these names; it has room for 255."""
    top_and_ordered = 3
    shown = names[:255]
    return Frame.of("CTOC", b"toc\0" + bytes([top_and_ordered, len(shown)]) + b"".join(name + b"\0" for name in shown))


def listing(frame: Frame, inside: Container[bytes]) -> Frame | None:
    """Return a table of contents without the chapters outside; None where none are left."""
    name, _, fields = frame.content.partition(b"\0")
    if len(fields) < 2:
        return None
    parts = fields[2:].split(b"\0", fields[1])
    kept = [part for part in parts[: fields[1]] if part in inside]
    if not kept:
        return None
    content = name + b"\0" + bytes([fields[0], len(kept)]) + b"".join(part + b"\0" for part in kept)
    return Frame.of("CTOC", content + b"".join(parts[fields[1] :]), frame.version)
