"""What a recording says about itself: text, pictures, and the chunks of a broadcast WAV."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import BinaryIO

from cleanaudio.audio import flac, mpeg, riff
from cleanaudio.audio.files import open_reader

TEXT_FIELDS = (
    *("title", "artist", "album", "comment", "date"),
    *("tracknumber", "genre", "software", "copyright", "license"),
)
"""Names of the text tags, as libsndfile knows them."""

CARRIED_CHUNKS = (b"bext", b"iXML", b"cue ", b"LIST", b"smpl", b"inst", b"id3 ", b"ID3 ", b"axml", b"_PMX")
"""Chunks of a WAV that are carried byte for byte."""

_POSITIONAL = (b"cue ", b"smpl")
_TIME_REFERENCE = slice(338, 346)
_LARGEST = 16 << 20


@dataclass(frozen=True)
class Tags:
    """Descriptions carried from a recording to its result; each format takes what it has a place for.

    Parameters
    ----------
    text : dict of str to str
        By the names of :data:`TEXT_FIELDS`.
    chunks : tuple of (bytes, bytes)
        RIFF chunks by identifier and content, byte for byte.
    blocks : tuple of (int, bytes)
        FLAC metadata blocks by type and content: comments, pictures, cue sheets.
    id3 : bytes
        The whole ID3v2 tag of an MP3, with its pictures and chapters.
    """

    text: dict[str, str] = field(default_factory=dict)
    chunks: tuple[tuple[bytes, bytes], ...] = ()
    blocks: tuple[tuple[int, bytes], ...] = ()
    id3: bytes = b""

    def of_part(self, start: int) -> Tags:
        """Return the tags of a part of the recording: without marks at points in time, and it begins later.

        Parameters
        ----------
        start : int
            Its first frame.
        """
        chunks = tuple(
            (name, _later(content, start) if name == b"bext" else content)
            for name, content in self.chunks
            if name not in _POSITIONAL and not (name == b"LIST" and content[:4] == b"adtl")
        )
        return replace(self, chunks=chunks, blocks=tuple(block for block in self.blocks if block[0] != flac.CUESHEET))

    @property
    def has_info(self) -> bool:
        """Whether the text stands in the chunks already."""
        return any(name == b"LIST" and content[:4] == b"INFO" for name, content in self.chunks)


def _later(bext: bytes, frames: int) -> bytes:
    """Return a broadcast chunk whose time reference, in samples since midnight, is later (EBU Tech 3285, 2.3)."""
    if len(bext) < _TIME_REFERENCE.stop:
        return bext
    reference = int.from_bytes(bext[_TIME_REFERENCE], "little") + frames
    return bext[: _TIME_REFERENCE.start] + reference.to_bytes(8, "little") + bext[_TIME_REFERENCE.stop :]


def read_tags(path: str | PathLike[str]) -> Tags:
    """Return the tags of a recording; empty where there are none. Errors as :func:`cleanaudio.audio.files.open_reader`.

    Cover and chapters of an m4a, mp4 or mkv come as FLAC blocks, chapters as comments ``CHAPTER001`` and
    ``CHAPTER001NAME``.
    """
    name = os.fspath(path)
    with open_reader(name) as reader:
        text = {key: value for key, value in reader.text.items() if key in TEXT_FIELDS and value}
        cover, chapters = reader.cover, reader.chapters
    if cover or chapters:
        return Tags(text, blocks=_blocks(text, cover, chapters))
    with open(name, "rb") as file:
        head = file.read(12)
        if head[:4] in riff.MAGICS:
            return Tags(text, chunks=_chunks(file))
        if head[:4] == b"fLaC":
            return Tags(text, blocks=flac.read_blocks(file))
        length = mpeg.id3_length(head)
        file.seek(0)
        return Tags(text, id3=file.read(length) if length <= _LARGEST else b"")


def _blocks(
    text: dict[str, str], cover: tuple[bytes, str] | None, chapters: tuple[tuple[float, str], ...]
) -> flac.Blocks:
    comments = list(text.items())
    for number, (start_s, title) in enumerate(chapters, 1):
        clock = f"{int(start_s // 3600):02d}:{int(start_s // 60 % 60):02d}:{start_s % 60:06.3f}"
        comments += [(f"CHAPTER{number:03d}", clock), (f"CHAPTER{number:03d}NAME", title)]
    picture = flac.picture_block(*cover) if cover else None
    return (flac.comment_block(comments), *([picture] if picture else []))


def _chunks(file: BinaryIO) -> tuple[tuple[bytes, bytes], ...]:
    size = os.fstat(file.fileno()).st_size
    found = []
    for chunk in riff.read_layout(file, size).chunks:
        if chunk.name in CARRIED_CHUNKS and chunk.size <= _LARGEST:
            file.seek(chunk.start)
            found.append((chunk.name, file.read(chunk.size)))
    return tuple(found)
