"""ID3v2 tags: read in all versions, written as 2.3, and edited frame by frame so that all else stays as it is.

Sources: the informal standards ID3v2.2.0, 2.3.0 and 2.4.0 of id3.org, and its chapter frame addendum 1.0.
"""

from __future__ import annotations

import codecs
import re
import struct
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from cleanaudio.audio.metadata.description import Chapter, Description, Picture, cut, is_measured

_HEAD = 10
_NOWHERE = 0xFFFFFFFF
_WRITTEN = 3

_NAMES = {
    "TIT1": "GROUPING",
    "TIT2": "TITLE",
    "TIT3": "SUBTITLE",
    "TPE1": "ARTIST",
    "TPE2": "ALBUMARTIST",
    "TPE3": "CONDUCTOR",
    "TPE4": "REMIXER",
    "TALB": "ALBUM",
    "TCOM": "COMPOSER",
    "TEXT": "LYRICIST",
    "TCON": "GENRE",
    "TRCK": "TRACKNUMBER",
    "TPOS": "DISCNUMBER",
    "TDRC": "DATE",
    "TCOP": "COPYRIGHT",
    "TENC": "ENCODED-BY",
    "TSSE": "ENCODER",
    "TPUB": "ORGANIZATION",
    "TLAN": "LANGUAGE",
    "TSRC": "ISRC",
    "TBPM": "BPM",
    "TMED": "MEDIA",
}
_FRAMES = {name: frame for frame, name in _NAMES.items() if frame != "TDRC"}
_SHORT_NAMES = {
    **{"TT1": "TIT1", "TT2": "TIT2", "TT3": "TIT3", "TP1": "TPE1", "TP2": "TPE2", "TP3": "TPE3", "TP4": "TPE4"},
    **{"TAL": "TALB", "TCM": "TCOM", "TXT": "TEXT", "TCO": "TCON", "TRK": "TRCK", "TPA": "TPOS", "TYE": "TYER"},
    **{"TDA": "TDAT", "TIM": "TIME", "TCR": "TCOP", "TEN": "TENC", "TSS": "TSSE", "TPB": "TPUB", "TLA": "TLAN"},
    **{"TRC": "TSRC", "TBP": "TBPM", "TXX": "TXXX", "WXX": "WXXX", "COM": "COMM", "ULT": "USLT", "PIC": "APIC"},
    **{"TLE": "TLEN", "RVA": "RVAD", "MLL": "MLLT", "ETC": "ETCO", "SLT": "SYLT", "STC": "SYTC", "TSI": "TSIZ"},
}
_MEASURED = frozenset(["RVAD", "RVA2", "RGAD", "MLLT", "SEEK", "ASPI", "TSIZ"])
"""Gains, and where things are in the stream of the encoder."""

_TIMED = frozenset(["TLEN", "ETCO", "SYLT", "SYTC", "POSS", "MLLT"])
"""What goes by the time of the whole recording, but for chapters."""

_DATES = frozenset(["TYER", "TDAT", "TIME", "TDRC"])
_TOLD = _DATES | {"CHAP", "CTOC", "TLEN"}
"""What is told otherwise than as text."""

_ENCODINGS = ("latin-1", "utf-16", "utf-16-be", "utf-8")
_DATE = re.compile(r"(\d{4})(?:-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d))?)?", re.ASCII)


@dataclass(frozen=True)
class _Frame:
    """A frame: its name in the later versions, its content, all of it as it stands in the tag, the tag's version."""

    name: str
    content: bytes
    whole: bytes
    version: int


def read(tag: bytes) -> Description:
    """Return what a tag says; ends without complaint where it is damaged."""
    comments: list[tuple[str, str]] = []
    pictures: list[Picture] = []
    chapters: list[Chapter] = []
    dates: dict[str, str] = {}
    for frame in _frames(tag):
        if frame.name in _DATES:
            dates[frame.name] = "".join(_texts(frame.content)[:1])
        elif frame.name == "APIC":
            pictures += filter(None, [_picture(frame)])
        elif mark := _mark(frame):
            chapters.append(mark.chapter)
        elif frame.name not in _TOLD:
            comments += _comments(frame)
    if (date := _date(dates)) and not any(name == "DATE" for name, _ in comments):
        comments.append(("DATE", date))
    in_order = tuple(sorted(chapters, key=lambda chapter: chapter.start_s))
    return Description(tuple(dict.fromkeys(comments)), tuple(pictures), in_order)


def build(description: Description) -> bytes:
    """Return a tag that says what a description does, empty where it says nothing.

    Version 2.3 with UTF-16 is what the most players read.
    """
    frames = [frame for name, value in description.fields.items() for frame in _text_frames(name, value)]
    frames += map(_picture_frame, description.pictures)
    marks = [_new_mark(f"ch{number}".encode(), row) for number, row in enumerate(description.chapters, 1)]
    if marks:
        frames.append(_contents([mark.name for mark in marks]))
    return _tag([*frames, *(mark.frame() for mark in marks)])


def extended(tag: bytes, description: Description) -> bytes:
    """Return a tag that says what a description does, too; version 2.2 has other frames and stays as it is."""
    frames = list(_frames(tag))
    if not frames:
        return build(description)
    version = frames[0].version
    known = read(tag)
    fields = known.fields
    more = [
        frame for name, value in description.fields.items() if name not in fields for frame in _text_frames(name, value)
    ]
    more += [] if known.pictures else map(_picture_frame, description.pictures)
    if not more or version == 2:
        return tag
    return _tag([*frames, *(_frame(frame.name, frame.content, version) for frame in more)])


def without_measurements(tag: bytes) -> bytes:
    """Return a tag without the gains and the tables that hold for certain samples only."""
    return _edited(tag, lambda frame: None if _is_measured(frame) else frame)


def of_part(tag: bytes, start_s: float, end_s: float) -> bytes:
    """Return the tag of a part of a recording: its chapters are moved and cut, those outside left out."""
    marks = [mark for frame in _frames(tag) if (mark := _mark(frame))]
    inside = {mark.name for mark in marks if cut(mark.chapter, start_s, end_s)}

    def moved(frame: _Frame) -> _Frame | None:
        if frame.name in _TIMED:
            return None
        if frame.name == "CTOC":
            return _listing(frame, inside)
        if (mark := _mark(frame)) is None:
            return frame
        chapter = cut(mark.chapter, start_s, end_s)
        return replace(mark, chapter=chapter).frame(frame.version) if chapter else None

    return _edited(tag, moved)


def timed(tag: bytes) -> list[str]:
    """Return the names of the frames that :func:`of_part` leaves out, but for lengths and tables of the stream."""
    return list(dict.fromkeys(frame.name for frame in _frames(tag) if frame.name in _TIMED - _MEASURED - {"TLEN"}))


def unsaid(tag: bytes) -> list[str]:
    """Return the names of the frames that :func:`read` does not tell of, each once."""
    names: dict[str, None] = {}
    for frame in _frames(tag):
        told = frame.name in _TOLD or _is_measured(frame) or (frame.name == "APIC" and _picture(frame))
        if not told and not _comments(frame):
            names[frame.name] = None
        if (mark := _mark(frame)) and any(inner.name == "APIC" for inner in _inner(mark.rest, frame.version)):
            names["the pictures of chapters"] = None
    return list(names)


def _edited(tag: bytes, edit: Callable[[_Frame], _Frame | None]) -> bytes:
    """Return a tag with each of its frames edited or left out; as it was where nothing has changed."""
    before = list(_frames(tag))
    after = [frame for frame in map(edit, before) if frame is not None]
    return tag if after == before else _tag(after)


def _frames(tag: bytes) -> Iterator[_Frame]:
    if len(tag) < _HEAD or tag[3] not in (2, 3, 4):
        return
    version, flags = tag[3], tag[5]
    body = tag[_HEAD:-_HEAD] if version == 4 and flags & 0x10 else tag[_HEAD:]
    if flags & 0x80 and version < 4:
        body = body.replace(b"\xff\0", b"\xff")
    if flags & 0x40 and version > 2 and len(body) >= 4:
        body = body[synchsafe(body[:4]) :] if version == 4 else body[4 + int.from_bytes(body[:4]) :]
    yield from _inner(body, version)


def _inner(body: bytes, version: int) -> Iterator[_Frame]:
    """Frames that follow each other, up to the padding."""
    width, head = (3, 6) if version == 2 else (4, _HEAD)
    at = 0
    while at + head <= len(body) and re.fullmatch(rb"[A-Z0-9]+", body[at : at + width]):
        size = _size(body[at + width : at + 2 * width], version)
        if at + head + size > len(body):
            return
        name = body[at : at + width].decode()
        format_flags = body[at + 9] if version > 2 else 0
        whole = body[at : at + head + size]
        content = _plain(whole[head:], format_flags, version)
        yield _Frame(_SHORT_NAMES.get(name, name) if version == 2 else name, content, whole, version)
        at += head + size


def _size(field: bytes, version: int) -> int:
    return synchsafe(field) if version == 4 else int.from_bytes(field)


def synchsafe(field: bytes) -> int:
    """Return a number of seven bits a byte, as sizes are written."""
    return sum((byte & 0x7F) << 7 * (len(field) - 1 - place) for place, byte in enumerate(field))


def _plain(content: bytes, flags: int, version: int) -> bytes:
    """Return the content of a frame as it is meant; nothing where it is compressed or encrypted."""
    if flags & (0xC0 if version == 3 else 0x0C):
        return b""
    if version == 3:
        return content[1:] if flags & 0x20 else content
    before = bool(flags & 0x40) + 4 * bool(flags & 0x01)
    return content[before:].replace(b"\xff\0", b"\xff") if flags & 0x02 else content[before:]


def _comments(frame: _Frame) -> list[tuple[str, str]]:
    """Text of a frame by the names of Vorbis comments."""
    name, content = frame.name, frame.content
    if not content:
        return []
    if name in ("TXXX", "WXXX"):
        key, rest = _string(content[1:], content[0])
        value = rest.decode("latin-1").rstrip("\0") if name == "WXXX" else _joined(bytes([content[0]]) + rest)
        key = "".join(letter for letter in key if " " <= letter <= "}" and letter != "=")
        return [(key.upper() or ("URL" if name == "WXXX" else "TEXT"), value)]
    if name in ("COMM", "USLT"):
        key, rest = _string(content[4:], content[0])
        of_itunes = key.upper() if key.startswith("iTun") else ""
        value = _joined(bytes([content[0]]) + rest)
        return [(of_itunes or ("COMMENT" if name == "COMM" else "LYRICS"), value)] if value else []
    if name[0] == "W":
        return [(name, content.decode("latin-1").rstrip("\0"))]
    if name[0] != "T":
        return []
    values = _texts(content)
    if name == "TCON":  # a number in brackets, then what it is called
        values = [re.sub(r"^(?:\(\d+\))+(?=.)", "", value) for value in values]
    return [(_NAMES.get(name, name), value) for value in values]


def _joined(content: bytes) -> str:
    return "/".join(_texts(content))


def _texts(content: bytes) -> list[str]:
    """Strings of a text frame, whose first byte tells the encoding."""
    if not content:
        return []
    encoding = _ENCODINGS[min(content[0], 3)]
    values = content[1:].decode(encoding, "replace").split("\0")
    return [text for value in values if (text := value.removeprefix("\ufeff"))]


def _string(content: bytes, encoding: int) -> tuple[str, bytes]:
    """Return a string and what follows the zero at its end."""
    wide = encoding in (1, 2)
    at, step = 0, 2 if wide else 1
    while at + step <= len(content) and any(content[at : at + step]):
        at += step
    text = content[:at].decode(_ENCODINGS[min(encoding, 3)], "replace")
    return text.removeprefix("\ufeff"), content[at + step :]


def _picture(frame: _Frame) -> Picture | None:
    """Return the picture of a frame; None of one that is a link, or damaged."""
    content = frame.content
    if len(content) < 6:
        return None
    if frame.version == 2:
        kind = content[1:4].decode("latin-1").lower()
        mime, rest = "image/" + {"jpg": "jpeg"}.get(kind, kind), content[4:]
    else:
        mime, rest = _string(content[1:], 0)
    if mime in ("-->", "image/-->") or not rest:
        return None
    description, image = _string(rest[1:], content[0])
    return Picture(image, mime if "/" in mime else "image/" + mime.lower(), rest[0], description) if image else None


@dataclass(frozen=True)
class _Mark:
    """A chapter as a frame has it: its name in the table of contents, and the frames in it."""

    name: bytes
    chapter: Chapter
    rest: bytes

    def frame(self, version: int = _WRITTEN) -> _Frame:
        times = (self.chapter.start_s, self.chapter.end_s or self.chapter.start_s)
        packed = struct.pack(
            ">IIII", *(min(round(1000 * time_s), _NOWHERE - 1) for time_s in times), _NOWHERE, _NOWHERE
        )
        return _frame("CHAP", self.name + b"\0" + packed + self.rest, version)


def _mark(frame: _Frame) -> _Mark | None:
    """Return what a chapter frame holds; None of other frames, and of damaged ones."""
    name, _, fields = frame.content.partition(b"\0")
    if frame.name != "CHAP" or len(fields) < 16:
        return None
    start_ms, end_ms = struct.unpack_from(">II", fields)
    said = dict(comment for inner in _inner(fields[16:], frame.version) for comment in reversed(_comments(inner)))
    url = next((value for value in said.values() if "://" in value), "")
    chapter = Chapter(start_ms / 1000, max(start_ms, end_ms) / 1000, said.get("TITLE", ""), url)
    return _Mark(name, chapter, fields[16:])


def _new_mark(name: bytes, chapter: Chapter) -> _Mark:
    inner = [_frame("TIT2", _text(chapter.title))] if chapter.title else []
    inner += [_frame("WXXX", b"\0\0" + chapter.url.encode("latin-1", "replace"))] if chapter.url else []
    return _Mark(name, chapter, b"".join(frame.whole for frame in inner))


def _contents(names: Sequence[bytes]) -> _Frame:
    top_and_ordered = 3
    shown = names[:255]
    return _frame("CTOC", b"toc\0" + bytes([top_and_ordered, len(shown)]) + b"".join(name + b"\0" for name in shown))


def _listing(frame: _Frame, inside: Container[bytes]) -> _Frame | None:
    """Return a table of contents without the chapters outside; None where none are left."""
    name, _, fields = frame.content.partition(b"\0")
    if len(fields) < 2:
        return None
    parts = fields[2:].split(b"\0", fields[1])
    kept = [part for part in parts[: fields[1]] if part in inside]
    if not kept:
        return None
    content = name + b"\0" + bytes([fields[0], len(kept)]) + b"".join(part + b"\0" for part in kept)
    return _frame("CTOC", content + b"".join(parts[fields[1] :]), frame.version)


def _is_measured(frame: _Frame) -> bool:
    return frame.name in _MEASURED or any(is_measured(name) for name, _ in _comments(frame))


def _date(parts: Mapping[str, str]) -> str:
    """Return a date of the frames that hold one, as ISO 8601 has it."""
    if "TDRC" in parts:
        return parts["TDRC"]
    date, day, time = (parts.get(name, "") for name in ("TYER", "TDAT", "TIME"))
    if date and len(day) == 4:
        date += f"-{day[2:]}-{day[:2]}"
        if len(time) == 4:
            date += f"T{time[:2]}:{time[2:]}"
    return date


def _text_frames(name: str, value: str) -> list[_Frame]:
    if name == "COMMENT":
        return [_frame("COMM", _described("", value, b"und"))]
    if name == "LYRICS":
        return [_frame("USLT", _described("", value, b"und"))]
    if name in _FRAMES:
        return [_frame(_FRAMES[name], _text(value))]
    match = _DATE.match(value) if name == "DATE" else None
    if match is None:
        return [_frame("TXXX", _described(name, value))]
    year, month, day, hour, minute = match.groups()
    frames = [_frame("TYER", _text(year))]
    frames += [_frame("TDAT", _text(day + month))] if day else []
    frames += [_frame("TIME", _text(hour + minute))] if hour else []
    exact = match.end() == len(value)
    return frames if exact else [*frames, _frame("TXXX", _described(name, value))]


def _text(value: str) -> bytes:
    return b"\0" + value.encode() if value.isascii() else b"\1" + _wide(value)


def _described(name: str, value: str, language: bytes = b"") -> bytes:
    if name.isascii() and value.isascii():
        return b"\0" + language + name.encode() + b"\0" + value.encode()
    return b"\1" + language + _wide(name) + b"\0\0" + _wide(value)


def _wide(value: str) -> bytes:
    return codecs.BOM_UTF16_LE + value.encode("utf-16-le", "replace")


def _picture_frame(picture: Picture) -> _Frame:
    text = picture.description
    named = text.encode() + b"\0" if text.isascii() else _wide(text) + b"\0\0"
    head = bytes([not text.isascii()]) + picture.mime.encode("ascii", "replace") + b"\0" + bytes([picture.kind & 0xFF])
    return _frame("APIC", head + named + picture.content)


def _frame(name: str, content: bytes, version: int = _WRITTEN) -> _Frame:
    length = len(content)
    size = _packed_size(length) if version == 4 else length.to_bytes(4)
    return _Frame(name, content, name.encode() + size + b"\0\0" + content, version)


def _packed_size(length: int) -> bytes:
    return bytes(length >> shift & 0x7F for shift in (21, 14, 7, 0))


def _tag(frames: Sequence[_Frame]) -> bytes:
    body = b"".join(frame.whole for frame in frames)
    if not body:
        return b""
    return b"ID3" + bytes([frames[0].version, 0, 0]) + _packed_size(len(body)) + body
