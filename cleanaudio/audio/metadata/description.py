"""What a recording says about itself, whatever its container: text, pictures and chapters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

Comments = tuple[tuple[str, str], ...]
"""Names and values in their order; a name may come more than once. The names are those of Vorbis comments."""

TEXT_FIELDS = (
    "title", "artist", "album", "comment", "date", "tracknumber", "genre", "software", "copyright", "license",
)  # fmt: skip
"""Names of the text tags that libsndfile knows."""

_MEASURED = ("REPLAYGAIN_", "R128_", "MP3GAIN_", "ITUNNORM", "ITUNSMPB")
_ALSO_CALLED = {"DESCRIPTION": "COMMENT", "YEAR": "DATE", "TRACK": "TRACKNUMBER"}


@dataclass(frozen=True)
class Picture:
    """A picture.

    Parameters
    ----------
    content : bytes
        The whole file of the picture.
    mime : str
    kind : int
        3 is a front cover; FLAC and ID3 number them alike.
    description : str
    geometry : (int, int, int, int)
        Width, height, bits of a pixel, colours; 0 is left to the picture itself.
    """

    content: bytes
    mime: str
    kind: int = 3
    description: str = ""
    geometry: tuple[int, int, int, int] = (0, 0, 0, 0)


@dataclass(frozen=True)
class Chapter:
    """A chapter: beginning and end in seconds, None where it lasts until the next one; what it is called, a link."""

    start_s: float
    end_s: float | None = None
    title: str = ""
    url: str = ""


Chapters = tuple[Chapter, ...]


@dataclass(frozen=True)
class Description:
    """What a recording says about itself.

    Parameters
    ----------
    comments : tuple of (str, str)
    pictures : tuple of Picture
    chapters : tuple of Chapter
        In the order of their beginnings.
    """

    comments: Comments = ()
    pictures: tuple[Picture, ...] = ()
    chapters: Chapters = ()

    @property
    def silent(self) -> bool:
        """Whether it says nothing."""
        return not (self.comments or self.pictures or self.chapters)

    @property
    def fields(self) -> dict[str, str]:
        """The text by names in upper case, each once: for formats that cannot repeat one."""
        joined: dict[str, str] = {}
        for name, value in self.comments:
            key = name.upper()
            joined[key] = f"{joined[key]}/{value}" if key in joined else value
        for name, usual in _ALSO_CALLED.items():
            if name in joined and usual not in joined:
                joined[usual] = joined.pop(name)
        return joined

    @property
    def text(self) -> dict[str, str]:
        """The text by the names of :data:`TEXT_FIELDS`."""
        fields = self.fields
        return {name: fields[name.upper()] for name in TEXT_FIELDS if fields.get(name.upper())}


def is_measured(name: str) -> bool:
    """Whether a comment tells the gain or the padding of certain samples, and of no others."""
    return name.upper().startswith(_MEASURED)


def decoded(text: bytes) -> str:
    """Return a text of unknown encoding: UTF-8 where it can be that, else Windows-1252 or Latin-1."""
    for encoding in ("utf-8", "cp1252"):
        try:
            return text.decode(encoding)
        except UnicodeDecodeError:
            continue
    return text.decode("latin-1")


def ended(chapters: Iterable[Chapter], seconds: float) -> Chapters:
    """Return chapters in their order, each with an end: where the next one begins, the last with the recording."""
    ordered = sorted(chapters, key=lambda chapter: chapter.start_s)
    following = [*(chapter.start_s for chapter in ordered[1:]), seconds]
    return tuple(
        replace(chapter, end_s=max(chapter.start_s, end_s) if chapter.end_s is None else chapter.end_s)
        for chapter, end_s in zip(ordered, following, strict=False)
    )


def cut(chapter: Chapter, start_s: float, end_s: float) -> Chapter | None:
    """Return a chapter as it is in a part of the recording, None where it lies outside of it."""
    last_s = chapter.start_s if chapter.end_s is None else chapter.end_s
    if chapter.start_s >= end_s or (last_s <= start_s and chapter.start_s < start_s):
        return None
    return replace(chapter, start_s=max(chapter.start_s - start_s, 0.0), end_s=min(last_s, end_s) - start_s)
