"""Descriptions on their way from a recording to its result: what each container says, keeps to itself, and takes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from os import PathLike
from typing import BinaryIO

from cleanaudio.audio import aiff, flac, ogg, riff, wave
from cleanaudio.audio.files import open_reader
from cleanaudio.audio.limits import HELD_BYTES
from cleanaudio.audio.metadata import ape, carried, comments, id3, info, marks
from cleanaudio.audio.metadata.description import TEXT_FIELDS, Chapters, Comments, Description, cut, ended, is_measured

_TEXT_ONLY: Mapping[str, tuple[str, ...]] = {
    "AIFF": ("title", "artist", "comment", "software", "copyright"),
    "CAF": TEXT_FIELDS,
    "AU": (),
    "W64": (),
}
"""Text that libsndfile writes, by container; only AIFF gets more, in chunks of ours."""


@dataclass(frozen=True)
class Tags(Description):
    """A description, and what it says in the containers' own words; each format takes what it has a place for.

    Parameters
    ----------
    comments, pictures, chapters
        As in :class:`~cleanaudio.audio.metadata.description.Description`.
    chunks : tuple of (bytes, bytes)
        RIFF chunks by identifier and content, byte for byte: for WAV they are the description.
    blocks : tuple of (int, bytes)
        FLAC metadata blocks that are neither comments nor pictures, by type and content.
    id3 : bytes
        The whole ID3v2 tag of an MP3: for MP3 it is the description.
    lost : tuple of (str, str)
        What cannot go along into any file, and why.
    forms : tuple of (bytes, bytes)
        Chunks of an AIFF by identifier and content, byte for byte: for AIFF they are the description.
    """

    chunks: tuple[tuple[bytes, bytes], ...] = ()
    blocks: tuple[tuple[int, bytes], ...] = ()
    id3: bytes = b""
    lost: carried.Lost = ()
    forms: tuple[tuple[bytes, bytes], ...] = ()

    def of_part(self, start: int, frames: int, rate: int) -> Tags:
        """Return the tags of a part of the recording: it begins later, and has the chapters that lie in it.

        Parameters
        ----------
        start, frames : int
            Its first frame and its length.
        rate : int
            Frames per second.
        """
        first_s, last_s = start / rate, (start + frames) / rate
        tags = self.without_measurements()
        rows, lost = carried.of_part(tags.chunks, start, frames, rate)
        forms, more = aiff.of_part(tags.forms, start, frames, rate)
        if any(map(marks.is_mark, tags.chunks)):  # points, which have no extent that could reach into the part
            chapters = ended(marks.read(rows, rate), frames / rate)
        elif b"MARK" in dict(tags.forms):
            chapters = ended(aiff.chapters(forms, rate), frames / rate)
        else:
            parts = (cut(chapter, first_s, last_s) for chapter in tags.chapters)
            chapters = tuple(part for part in parts if part is not None)
        cues = [block for block in tags.blocks if block[0] == flac.CUESHEET]
        own = [*(flac.name(kind) for kind, _ in cues), *id3.timed(tags.id3)]
        lost += more + tuple((what, carried.WHOLE) for what in own)
        return replace(
            tags,
            chapters=chapters,
            chunks=rows,
            blocks=tuple(block for block in tags.blocks if block not in cues),
            id3=id3.of_part(tags.id3, first_s, last_s),
            lost=tags.lost + lost,
            forms=forms,
        )

    def of_other_channels(self) -> Tags:
        """Return the tags of a recording whose channels are not the same."""
        rows, lost = carried.of_other_channels(self.chunks)
        forms, more = aiff.of_other_channels(self.forms)
        return replace(self, chunks=rows, lost=self.lost + lost + more, forms=forms)

    def without_measurements(self) -> Tags:
        """Return the tags without what was measured of the samples, for others: gains, loudness, padding."""
        return replace(
            self,
            comments=tuple(comment for comment in self.comments if not is_measured(comment[0])),
            chunks=carried.without_measurements(self.chunks),
            id3=id3.without_measurements(self.id3),
            forms=aiff.without_measurements(self.forms),
        )

    def text_for(self, container: str) -> dict[str, str]:
        """Return the text that libsndfile is to write into a container."""
        if container == "AIFF" and self.forms:
            return {}
        return {name: value for name, value in self.text.items() if name in _TEXT_ONLY.get(container, ())}

    def chunks_for_wav(self, rate: int) -> tuple[tuple[bytes, bytes], ...]:
        """Return the chunks of a WAV: those of the recording, and what else there is to say."""
        rows = list(self.chunks)
        tags = [content for name, content in rows if name in carried.ID3]
        if not tags and not any(marks.is_list(row, b"INFO") for row in rows):
            text = info.build(self.fields)
            rows += [(b"LIST", text)] if text else []
            if self.pictures or not set(self.fields) <= info.FIELDS.keys():
                rows.append((b"id3 ", id3.build(replace(self, chapters=()))))
        if not any(map(marks.is_mark, rows)) and not any(id3.read(tag).chapters for tag in tags):
            rows += marks.build(self.chapters, rate)
        rows += aiff.sampler(self.forms, rate)
        return tuple(rows)

    def chunks_for_aiff(self, rate: int) -> tuple[tuple[bytes, bytes], ...]:
        """Return the chunks of an AIFF: those of the recording, else what libsndfile does not write."""
        if self.forms:
            return self.forms
        written = {name.upper() for name in self.text_for("AIFF")}
        more = self.pictures or not set(self.fields) <= written
        tag = id3.build(replace(self, chapters=())) if more else b""
        return (*aiff.markers(self.chapters, rate), *([(b"ID3 ", tag)] if tag else []))

    def left_out(self, container: str) -> str | None:
        """Return what a container has no place for, as a note; None where that is nothing."""
        parts = []
        if container in _TEXT_ONLY and container != "AIFF":
            written = {name.upper() for name in self.text_for(container)}
            parts += _counted(len(self.fields.keys() - written), "text tag")
            parts += _counted(len(self.pictures), "picture") + _counted(len(self.chapters), "chapter")
        elif container == "FLAC":
            parts += _counted(len(comments.entries(self, pictures=False)) - len(flac.fitting(self)), "text tag")
            parts += _counted(sum(not flac.fits(picture) for picture in self.pictures), "picture")
        if container not in wave.CONTAINERS:
            parts += dict.fromkeys(_own_names(self.chunks))
        if container != "AIFF":
            parts += aiff.own_names(self.forms, container in wave.CONTAINERS)
            parts += [what for name, tag in self.forms if name in carried.ID3 for what in id3.unsaid(tag)]
        if container != "FLAC":
            parts += [flac.name(kind) for kind, _ in self.blocks]
        if container != "MP3":
            parts += id3.unsaid(self.id3)
        elif self.id3:
            parts += _counted(len(self.fields.keys() - id3.read(self.id3).fields.keys()), "text tag")
        by_reason = {f"no place in {container}": parts} if parts else {}
        for what, why in self.lost:
            by_reason.setdefault(why, []).append(what)
        told = (f"{', '.join(what)} not carried over: {why}" for why, what in by_reason.items())
        return "; ".join(told) or None


def read_tags(path: str | PathLike[str]) -> Tags:
    """Return the tags of a recording; empty where there are none.

    Errors as :func:`cleanaudio.audio.files.open_reader`.
    """
    name = os.fspath(path)
    with open_reader(name) as reader, open(name, "rb") as file:
        text = tuple((key.upper(), value) for key, value in reader.text.items() if value)
        tags = Tags(text, reader.pictures, reader.chapters)
        if not (reader.pictures or reader.chapters):
            tags = _read(file, tags, reader.info.rate)
        return replace(tags, chapters=ended(tags.chapters, reader.info.seconds))


def _read(file: BinaryIO, tags: Tags, rate: int) -> Tags:
    """Return what a file says in the words of its container, else what libsndfile says."""
    size = os.fstat(file.fileno()).st_size
    head = file.read(12)
    if head[:4] in riff.MAGICS:
        rows, lost = carried.read(file)
        return replace(_of_chunks(rows, info.read(rows), marks.read(rows, rate), tags), chunks=rows, lost=lost)
    if head[:4] == b"FORM" and head[8:] in aiff.MAGICS:
        rows, lost = aiff.read(file)
        return replace(_of_chunks(rows, aiff.text(rows), aiff.chapters(rows, rate), tags), forms=rows, lost=lost)
    if head[:4] == b"fLaC":
        said, blocks = flac.read(file)
        return Tags(said.comments, said.pictures, said.chapters, blocks=blocks)
    if head[:4] == b"OggS":
        said = ogg.read(file, size)
        return tags if said.silent else Tags(said.comments, said.pictures, said.chapters)
    length = id3.length(head)
    if not 0 < length <= HELD_BYTES:
        return _with_ape(tags, Description(), file, size)
    file.seek(0)
    tag = file.read(length)
    said = id3.read(tag)
    if file.read(4) == b"fLaC":  # which begins with its own blocks
        own, blocks = flac.read(file, length)
        return _with(Tags(own.comments, own.pictures, own.chapters, blocks=blocks), said)
    return _with_ape(replace(tags, id3=tag), said, file, size)


def _of_chunks(rows: marks.Chunks, text: Comments, chapters: Chapters, tags: Tags) -> Tags:
    """Return what the chunks of a WAV or an AIFF say by themselves, then libsndfile, then the ID3 tag among them."""
    said = next((id3.read(content) for name, content in rows if name in carried.ID3), Description())
    found = _with(_with(Tags(text), tags), said)
    return replace(found, chapters=chapters or found.chapters)


def _with_ape(tags: Tags, said: Description, file: BinaryIO, size: int) -> Tags:
    """Return the tags of an MP3: what its ID3v2 tag says, then what APE tag and ID3v1, which cuts texts short, add."""
    more, unsaid = ape.read(file, size, HELD_BYTES)
    found = _with(Tags(said.comments, said.pictures, said.chapters), more)
    if not found.comments:
        found = replace(found, comments=tags.comments)
    tag = id3.extended(tags.id3, found) if tags.id3 else b""
    return replace(found, id3=tag, lost=tuple((what, carried.NOT_TEXT) for what in unsaid))


def _with(tags: Tags, said: Description) -> Tags:
    """Return tags with what else is said beside them."""
    known = {name.upper() for name, _ in tags.comments}
    more = tuple(comment for comment in said.comments if comment[0].upper() not in known)
    return replace(
        tags,
        comments=(*tags.comments, *more),
        pictures=tags.pictures or said.pictures,
        chapters=tags.chapters or said.chapters,
    )


def _own_names(rows: marks.Chunks) -> Iterator[str]:
    """Names of the chunks, or of what is in them, that no other container than WAV has a place for."""
    for name, content in rows:
        if name in carried.ID3:
            yield from id3.unsaid(content)
        elif marks.is_list((name, content), b"adtl"):
            yield from marks.unsaid(((name, content),))
        elif name == b"LIST" and not marks.is_list((name, content), b"INFO"):
            yield f"LIST {carried.label(content[:4])}"
        elif name not in (b"cue ", b"LIST"):
            yield carried.label(name)


def _counted(count: int, what: str) -> list[str]:
    return [] if not count else [f"{count} {what}{'s' if count > 1 else ''}"]
