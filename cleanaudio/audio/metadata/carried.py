"""The chunks of a WAV that belong to the recording: which go with it, and what becomes of them where it changes.

Sources: Microsoft, Multimedia Programming Interface and Data Specifications 1.0 (1991); EBU Tech 3285 and its
supplements 1 (``mext``), 2 (``qlty``), 3 (``levl``) and 5 (``axml``); ITU-R BS.2088 (``chna``, ``bxml``, ``sxml``).
"""

from __future__ import annotations

import os
import re
from typing import BinaryIO

from cleanaudio.audio import riff
from cleanaudio.audio.limits import HELD_BYTES
from cleanaudio.audio.metadata import bext, cart, id3, ixml, marks, smpl
from cleanaudio.audio.metadata.marks import Chunks

ID3 = (b"id3 ", b"ID3 ")
OLD_SAMPLES, OLD_CHANNELS, WHOLE = (
    f"told of the {what}" for what in ("old samples", "old channels", "whole recording")
)
TOO_LONG, NOT_TEXT = f"more than {HELD_BYTES >> 20} MiB", "neither text nor picture"
"""Why a chunk, or an entry of a tag, is left out."""

Lost = tuple[tuple[str, str], ...]
"""What is left out, and why."""

_TECHNICAL = frozenset([
    b"fmt ", b"data", b"ds64", b"fact", b"PEAK", b"wavl", b"slnt",
    b"JUNK", b"junk", b"PAD ", b"pad ", b"FLLR", b"filr", b"fill",
])  # fmt: skip
"""What tells of the file, or holds a place in it: every file has its own."""

_OF_SAMPLES = frozenset([b"levl", b"LGWV", b"MD5 ", b"mext"])
"""Peak envelope, drawn waveform, checksum, MPEG frames: of samples that are others now."""

_OF_THE_WHOLE = frozenset([b"acid", b"strc", b"regn", b"elm1", b"tlst", b"qlty", b"r64m", b"bxml", b"sxml"])
"""Beats, regions, events and times that are counted from the beginning."""

_ADM_CHUNKS = (b"axml", b"bxml")
"""What ``chna`` refers to, and says nothing without."""

_TIMES = re.compile(rb"\b(?:start|end|duration|rtime)\s*=\s*[\"']")


def read(file: BinaryIO) -> tuple[Chunks, Lost]:
    """Return the chunks of a WAV that belong to the recording, and which of them cannot go with it."""
    found, lost = [], []
    room = HELD_BYTES
    for chunk in riff.read_layout(file, os.fstat(file.fileno()).st_size).chunks:
        if chunk.name in _TECHNICAL or not riff.is_named(chunk.name):
            continue
        if chunk.name in _OF_SAMPLES:
            lost.append((label(chunk.name), OLD_SAMPLES))
        elif chunk.size > room:
            lost.append((label(chunk.name), TOO_LONG))
        else:
            room -= chunk.size
            file.seek(chunk.start)
            found.append((chunk.name, file.read(chunk.size)))
    return tuple(found), tuple(lost)


def of_part(chunks: Chunks, start: int, frames: int, rate: int) -> tuple[Chunks, Lost]:
    """Return the chunks of a part of the recording, and what of them could not go with it."""
    kept, lost = [], []
    adm_stays = not any(row[0] in _ADM_CHUNKS and _is_timed(row) for row in chunks)
    for name, content in marks.of_part(chunks, start, frames):
        if _is_timed((name, content)) or (name == b"chna" and not adm_stays):
            lost.append(label(name))
            continue
        if name == b"smpl":
            content, cut = smpl.of_part(content, start, frames)
            lost += ["loops of smpl"] if cut else []
        elif name == b"iXML":
            lost += ["sync points of iXML"] if ixml.without_sync_points(content) != content else []
            content = ixml.later(ixml.without_sync_points(content), start, rate)
        elif name == b"bext":
            content = bext.later(content, start)
        elif name == b"cart":
            content = cart.of_part(content, start, frames)
        elif name in ID3:
            lost += id3.timed(content)
            content = id3.of_part(content, start / rate, (start + frames) / rate)
        kept.append((name, content))
    return tuple(kept), tuple((what, WHOLE) for what in lost)


def of_other_channels(chunks: Chunks) -> tuple[Chunks, Lost]:
    """Return the chunks that do not tell which channel is what, and those that do."""
    gone = [row for row in chunks if row[0] == b"chna" or (row[0] in _ADM_CHUNKS and _is_adm(row))]
    kept = tuple(row for row in chunks if row not in gone)
    return kept, tuple((label(name), OLD_CHANNELS) for name, _ in gone)


def without_measurements(chunks: Chunks) -> Chunks:
    """Return the chunks without what was measured of the samples."""
    edits = {b"bext": bext.without_loudness, b"iXML": ixml.without_loudness}
    edits |= dict.fromkeys(ID3, id3.without_measurements)
    return tuple((name, edits[name](content) if name in edits else content) for name, content in chunks)


def label(name: bytes) -> str:
    """Return the name of a chunk as it is written."""
    return name.decode("latin-1").strip()


def _is_timed(chunk: tuple[bytes, bytes]) -> bool:
    """Whether a chunk counts from the beginning of the recording and cannot be moved."""
    name, content = chunk
    return name in _OF_THE_WHOLE or (name == b"axml" and _is_adm(chunk) and _TIMES.search(content) is not None)


def _is_adm(chunk: tuple[bytes, bytes]) -> bool:
    """Whether a chunk holds an audio definition model, and not some other XML."""
    return chunk[0] == b"bxml" or b"audioFormatExtended" in chunk[1]
