"""What the frames of an ID3v2 tag say, by the names of Vorbis comments, and the frames that say it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from cleanaudio.audio.metadata.description import Picture, is_measured
from cleanaudio.audio.metadata.id3_frames import Frame, packed_pair, packed_text, packed_wide, string, texts

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
MEASURED = frozenset(["RVAD", "RVA2", "RGAD", "MLLT", "SEEK", "ASPI", "TSIZ"])
"""Gains, and where things are in the stream of the encoder."""

_DATE = re.compile(r"(\d{4})(?:-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d))?)?", re.ASCII)


def comments_of(frame: Frame) -> list[tuple[str, str]]:
    """Return the text of a frame by the names of Vorbis comments."""
    name, content = frame.name, frame.content
    if not content:
        return []
    if name in ("TXXX", "WXXX"):
        key, rest = string(content[1:], content[0])
        value = rest.decode("latin-1").rstrip("\0") if name == "WXXX" else _joined(bytes([content[0]]) + rest)
        key = "".join(letter for letter in key if " " <= letter <= "}" and letter != "=")
        return [(key.upper() or ("URL" if name == "WXXX" else "TEXT"), value)]
    if name in ("COMM", "USLT"):
        key, rest = string(content[4:], content[0])
        of_itunes = key.upper() if key.startswith("iTun") else ""
        value = _joined(bytes([content[0]]) + rest)
        return [(of_itunes or ("COMMENT" if name == "COMM" else "LYRICS"), value)] if value else []
    if name[0] == "W":
        return [(name, content.decode("latin-1").rstrip("\0"))]
    if name[0] != "T":
        return []
    values = texts(content)
    if name == "TCON":  # a number in brackets, then what it is called
        values = [re.sub(r"^(?:\(\d+\))+(?=.)", "", value) for value in values]
    return [(_NAMES.get(name, name), value) for value in values]


def _joined(content: bytes) -> str:
    return "/".join(texts(content))


def frames_of_text(name: str, value: str) -> list[Frame]:
    """Return the frames that say a Vorbis comment: several for a date with day and time."""
    if name == "COMMENT":
        return [Frame.of("COMM", packed_pair("", value, b"und"))]
    if name == "LYRICS":
        return [Frame.of("USLT", packed_pair("", value, b"und"))]
    if name in _FRAMES:
        return [Frame.of(_FRAMES[name], packed_text(value))]
    match = _DATE.match(value) if name == "DATE" else None
    if match is None:
        return [Frame.of("TXXX", packed_pair(name, value))]
    year, month, day, hour, minute = match.groups()
    frames = [Frame.of("TYER", packed_text(year))]
    frames += [Frame.of("TDAT", packed_text(day + month))] if day else []
    frames += [Frame.of("TIME", packed_text(hour + minute))] if hour else []
    exact = match.end() == len(value)
    return frames if exact else [*frames, Frame.of("TXXX", packed_pair(name, value))]


def date_of(parts: Mapping[str, str]) -> str:
    """Return a date of the frames that hold one, as ISO 8601 has it."""
    if "TDRC" in parts:
        return parts["TDRC"]
    date, day, time = (parts.get(name, "") for name in ("TYER", "TDAT", "TIME"))
    if date and len(day) == 4:
        date += f"-{day[2:]}-{day[:2]}"
        if len(time) == 4:
            date += f"T{time[:2]}:{time[2:]}"
    return date


def picture_of(frame: Frame) -> Picture | None:
    """Return the picture of a frame; None of one that is a link, or damaged."""
    content = frame.content
    if len(content) < 6:
        return None
    if frame.version == 2:
        kind = content[1:4].decode("latin-1").lower()
        mime, rest = "image/" + {"jpg": "jpeg"}.get(kind, kind), content[4:]
    else:
        mime, rest = string(content[1:], 0)
    if mime in ("-->", "image/-->") or not rest:
        return None
    description, image = string(rest[1:], content[0])
    return Picture(image, mime if "/" in mime else "image/" + mime.lower(), rest[0], description) if image else None


def frame_of_picture(picture: Picture) -> Frame:
    """Return the frame that holds a picture."""
    text = picture.description
    named = text.encode() + b"\0" if text.isascii() else packed_wide(text) + b"\0\0"
    head = bytes([not text.isascii()]) + picture.mime.encode("ascii", "replace") + b"\0" + bytes([picture.kind & 0xFF])
    return Frame.of("APIC", head + named + picture.content)


def tells_measurement(frame: Frame) -> bool:
    """Whether a frame holds for certain samples only: a gain, or a table of places in the encoder's stream."""
    return frame.name in MEASURED or any(is_measured(name) for name, _ in comments_of(frame))
