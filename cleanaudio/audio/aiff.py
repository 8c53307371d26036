"""The chunks of an AIFF file beside its samples: text, markers, loops, and an ID3 tag for all else.

Source: Apple, Audio Interchange File Format 1.3 (1989); ID3v2 in a chunk ``ID3 `` is custom.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from cleanaudio.audio.limits import HELD_BYTES
from cleanaudio.audio.metadata import id3
from cleanaudio.audio.metadata.carried import ID3, OLD_CHANNELS, TOO_LONG, WHOLE, Lost, label
from cleanaudio.audio.metadata.description import Chapter, Chapters, Comments, decoded
from cleanaudio.audio.metadata.marks import Chunks
from cleanaudio.audio.riff import is_named

MAGICS = (b"AIFF", b"AIFC")
LARGEST_FORM = (1 << 32) - 1

_TECHNICAL = frozenset([b"COMM", b"SSND", b"FVER", b"PEAK", b"FLLR", b"JUNK", b"PAD "])
_TEXT = {b"NAME": "TITLE", b"AUTH": "ARTIST", b"(c) ": "COPYRIGHT", b"ANNO": "COMMENT"}
_TOLD = frozenset([*_TEXT, *ID3, b"COMT", b"MARK"])
"""What is told otherwise in other containers."""

_OF_THE_WHOLE = frozenset([b"basc", b"trns"])
"""Beats and onsets of Apple's loops."""

_MARKER = struct.Struct(">HIB")
_REMARK = struct.Struct(">IHH")
_INSTRUMENT = struct.Struct(">bbbbbbh")
_LOOP = struct.Struct(">HHH")
_LAST_FRAME, _MOST_MARKERS, _LONGEST_NAME = (1 << 32) - 1, 0x7FFF, 255


@dataclass(frozen=True)
class _Marker:
    """A marker: its number, the frame that it stands before, and its name."""

    number: int
    frame: int
    name: bytes


def read(file: BinaryIO) -> tuple[Chunks, Lost]:
    """Return the chunks that belong to the recording, and which of them cannot go with it."""
    found: list[tuple[bytes, bytes]] = []
    lost: list[tuple[str, str]] = []
    position, room = 12, HELD_BYTES
    while True:
        file.seek(position)
        if len(head := file.read(8)) < 8:
            return tuple(found), tuple(lost)
        name, length = struct.unpack(">4sI", head)
        if name not in _TECHNICAL and is_named(name):
            if length > room:
                lost.append((label(name), TOO_LONG))
            elif len(content := file.read(length)) == length:
                found.append((name, content))
                room -= length
        position += 8 + length + length % 2


def append(file: BinaryIO, chunks: Chunks) -> None:
    """Add chunks to the end of a finished file that is open for reading and writing."""
    end = file.seek(0, 2)
    rows = [struct.pack(">4sI", name, len(content)) + content + b"\0" * (len(content) % 2) for name, content in chunks]
    added = b"\0" * (end % 2) + b"".join(rows)
    if rows and end + len(added) - 8 <= LARGEST_FORM:
        file.write(added)
        file.seek(4)
        file.write(struct.pack(">I", end + len(added) - 8))


def text(chunks: Chunks) -> Comments:
    """Return what the chunks for text say."""
    rows = [(_TEXT[name], decoded(content.rstrip(b"\0"))) for name, content in chunks if name in _TEXT]
    rows += [("COMMENT", decoded(said)) for *_, said in _remarks(dict(chunks).get(b"COMT", b""))]
    return tuple(dict.fromkeys(row for row in rows if row[1]))


def chapters(chunks: Chunks, rate: int) -> Chapters:
    """Return the markers of a recording of ``rate`` Hz, in their order."""
    return tuple(Chapter(marker.frame / rate, None, decoded(marker.name)) for marker in _in_order(chunks))


def own_names(chunks: Chunks, with_loops: bool) -> list[str]:
    """Return the names of the chunks that another container has no place for; ``with_loops``: it takes INST."""
    told = {*_TOLD, b"INST"} if with_loops else _TOLD
    return list(dict.fromkeys(label(name) for name, _ in chunks if name not in told))


def markers(found: Chapters, rate: int) -> Chunks:
    """Return the chunk that holds chapters; none where there are no chapters."""
    rows = [
        _Marker(number, min(round(row.start_s * rate), _LAST_FRAME), _short(row.title))
        for number, row in enumerate(found[:_MOST_MARKERS], 1)
    ]
    return ((b"MARK", _packed(rows)),) if rows else ()


def sampler(chunks: Chunks, rate: int) -> Chunks:
    """Return an instrument with its loops as the chunks ``inst`` and ``smpl`` of a WAV; none where there is none."""
    content = dict(chunks).get(b"INST", b"")
    if len(content) < _INSTRUMENT.size + 2 * _LOOP.size:
        return ()
    note, cents, *limits, gain_db = _INSTRUMENT.unpack_from(content)
    places = {marker.number: (number, marker.frame) for number, marker in enumerate(_in_order(chunks), 1)}
    loops = []
    for mode, first, behind in _loops(content):
        if mode and first in places and behind in places and places[first][1] < places[behind][1]:
            number, start = places[first]
            loops.append(struct.pack("<6I", number, mode - 1, start, places[behind][1] - 1, 0, 0))
    unshifted = struct.pack("<bbbbbbb", note, cents, max(-128, min(127, gain_db)), *limits)
    pitch, rest = divmod(100 * note - cents, 100)  # INST says how far to shift, smpl where the sound is
    head = struct.pack("<9I", 0, 0, round(1e9 / rate), max(0, pitch), rest * (1 << 32) // 100, 0, 0, len(loops), 0)
    return (b"inst", unshifted), *([(b"smpl", head + b"".join(loops))] if loops else [])


def of_part(chunks: Chunks, start: int, frames: int, rate: int) -> tuple[Chunks, Lost]:
    """Return the chunks of a part of the recording, and what of them could not go with it."""
    behind = {loop[2] for loop in _loops(dict(chunks).get(b"INST", b"")) if loop[0]}
    inside = [
        _Marker(marker.number, marker.frame - start, marker.name)
        for marker in _markers(dict(chunks).get(b"MARK", b""))
        if start <= marker.frame < start + frames + (marker.number in behind)
    ]
    numbers = {marker.number for marker in inside}
    kept, lost = [], []
    for name, content in chunks:
        if name in _OF_THE_WHOLE:
            lost.append(label(name))
            continue
        if name == b"MARK":
            content = _packed(inside)
        elif name == b"COMT":
            content = _packed_remarks((time, mark * (mark in numbers), said) for time, mark, said in _remarks(content))
        elif name == b"INST":
            loops = list(_loops(content))
            within = [loop if {*loop[1:]} <= numbers else (0, 0, 0) for loop in loops]
            lost += (
                ["loops of INST"] if any(old[0] and old != new for old, new in zip(loops, within, strict=True)) else []
            )
            packed = b"".join(_LOOP.pack(*loop) for loop in within)
            content = content[: _INSTRUMENT.size] + packed + content[_INSTRUMENT.size + len(packed) :]
        elif name in ID3:
            lost += id3.timed(content)
            content = id3.of_part(content, start / rate, (start + frames) / rate)
        if name != b"MARK" or inside:
            kept.append((name, content))
    return tuple(kept), tuple((what, WHOLE) for what in lost)


def of_other_channels(chunks: Chunks) -> tuple[Chunks, Lost]:
    """Return the chunks that do not tell which channel is what, and those that do."""
    kept = tuple(row for row in chunks if row[0] != b"CHAN")
    return kept, (("CHAN", OLD_CHANNELS),) * (len(kept) < len(chunks))


def without_measurements(chunks: Chunks) -> Chunks:
    """Return the chunks without what was measured of the samples."""
    return tuple((name, id3.without_measurements(content) if name in ID3 else content) for name, content in chunks)


def _in_order(chunks: Chunks) -> list[_Marker]:
    return sorted(_markers(dict(chunks).get(b"MARK", b"")), key=lambda marker: marker.frame)


def _markers(content: bytes) -> Iterator[_Marker]:
    at = 2
    while at + _MARKER.size <= len(content):
        number, frame, length = _MARKER.unpack_from(content, at)
        at += _MARKER.size
        yield _Marker(number, frame, content[at : at + length])
        at += length + (1 + length) % 2


def _packed(rows: Iterable[_Marker]) -> bytes:
    packed = [
        _MARKER.pack(row.number, row.frame, len(row.name)) + row.name + b"\0" * ((1 + len(row.name)) % 2)
        for row in rows
    ]
    return struct.pack(">H", len(packed)) + b"".join(packed)


def _short(title: str) -> bytes:
    """Return a title that a marker has room for, cut between letters."""
    return title.encode(errors="replace")[:_LONGEST_NAME].decode(errors="ignore").encode()


def _remarks(content: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Time, number of the marker (0 for none) and text."""
    at = 2
    while at + _REMARK.size <= len(content):
        time, number, length = _REMARK.unpack_from(content, at)
        at += _REMARK.size
        yield time, number, content[at : at + length]
        at += length + length % 2


def _packed_remarks(remarks: Iterable[tuple[int, int, bytes]]) -> bytes:
    packed = [_REMARK.pack(time, number, len(said)) + said + b"\0" * (len(said) % 2) for time, number, said in remarks]
    return struct.pack(">H", len(packed)) + b"".join(packed)


def _loops(instrument: bytes) -> Iterator[tuple[int, int, int]]:
    """Play mode (0 none, 1 forward, 2 to and fro) and the markers before the first frame and behind the last."""
    whole = instrument[_INSTRUMENT.size : _INSTRUMENT.size + 2 * _LOOP.size]
    yield from _LOOP.iter_unpack(whole) if len(whole) == 2 * _LOOP.size else ()
