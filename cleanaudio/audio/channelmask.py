"""Which files say which channel belongs to which loudspeaker, and how CAF and W64 are made to say it.

Source: Apple, Core Audio Format Specification 1.0 (channel layout chunk).
"""

from __future__ import annotations

import shutil
import struct
from typing import BinaryIO

from cleanaudio.audio import flac, layout, w64
from cleanaudio.audio.formats import OutputFormat
from cleanaudio.audio.metadata import id3
from cleanaudio.audio.spliced import Spliced

_CAF_DESCRIPTION_END = 52
"""Of the chunk that is the first in a CAF."""
_CAF_BITMAP = 1 << 16
_CAF_TAGS = {
    (108 << 16) + 4: "quad",
    (113 << 16) + 3: "3.0",
    (115 << 16) + 4: "4.0",
    (117 << 16) + 5: "5.0",
    (121 << 16) + 6: "5.1",
    (125 << 16) + 7: "6.1(back)",
    (126 << 16) + 8: "7.1(wide)",
    (128 << 16) + 8: "7.1",
    (132 << 16) + 4: "quad(side)",
    (133 << 16) + 3: "2.1",
}
"""Layouts by number whose order is that of WAV."""

REWRITTEN = ("W64", "CAF")
"""Containers in whose header libsndfile leaves the positions out."""

_LFE_CUT = ("VORBIS", "OPUS")
"""Encoders that keep nothing of an LFE but its low frequencies."""

_LARGEST = 1 << 18
"""This bit and those above it stand for no loudspeakers."""


def has_to_say(output_format: OutputFormat, channels: int) -> bool:
    """Whether a file needs its loudspeaker positions in the header, and has a place for them there.

    Parameters
    ----------
    output_format : OutputFormat
        How it is written.
    channels : int
    """
    mask = output_format.channel_mask
    implied = sum(layout.positions(output_format.format, output_format.subtype, channels))
    known = mask.bit_count() == channels and mask < _LARGEST
    return known and layout.is_special(mask, channels) and mask != implied and _has_place(output_format)


def _has_place(output_format: OutputFormat) -> bool:
    container, subtype = output_format.format, output_format.subtype
    if container == "W64":
        return subtype.startswith("PCM")  # else libsndfile and its users would take the samples for integers
    return container in ("FLAC", "WAVEX", "RF64") or (container == "CAF" and not subtype.startswith("ALAC"))


def as_read(output_format: OutputFormat, channels: int) -> int:
    """Return the positions that readers will take a file's channels for, 0 for none; parameters of :func:`left_out`."""
    coded = sum(layout.positions(output_format.format, output_format.subtype, channels))
    return output_format.channel_mask or coded if _has_place(output_format) else coded


def left_out(output_format: OutputFormat, channels: int) -> str | None:
    """Return what a file cannot say of its positions, as a note; None where that is nothing.

    Parameters
    ----------
    output_format : OutputFormat
        How it is written.
    channels : int
    """
    mask, container, subtype = output_format.channel_mask, output_format.format, output_format.subtype
    if _has_place(output_format) or channels == 1:
        return None
    coded = layout.positions(container, subtype, channels)
    meant = sum(coded) or layout.DEFAULTS.get(channels, 0)
    parts = []
    if mask and not layout.alike(mask, meant):
        why = f"in {subtype} {channels} channels are {layout.name(meant)}" if coded else f"no place in {container}"
        parts.append(f"speaker layout {layout.name(mask)} not carried over: {why}")
    if subtype in _LFE_CUT and layout.LFE in coded:
        lfe = sorted(coded).index(layout.LFE)
        if not mask or layout.of_mask(mask, channels)[lfe] != layout.LFE:
            parts.append(f"channel {lfe + 1} becomes the LFE, of which {subtype} keeps only the low frequencies")
    return "; ".join(parts) or None


def read(file: BinaryIO | Spliced) -> int | None:
    """Return the loudspeaker positions that a FLAC or CAF file says, 0 for none; None where it says nothing of them."""
    file.seek(0)
    head = file.read(10)
    start = id3.length(head)
    if head[:4] == b"fLaC" or start:
        return flac.channel_mask(file, start)
    return _read_caf(file) if head[:4] == b"caff" else None


def _read_caf(file: BinaryIO | Spliced) -> int | None:
    size, position = file.seek(0, 2), 8
    while position < size:
        file.seek(position)
        if len(head := file.read(24)) < 24 or head[:4] == b"data":
            return None
        length, tag, bitmap = struct.unpack_from(">QII", head, 4)
        if head[:4] == b"chan":
            names = (mask for mask, name in layout.NAMES.items() if name == _CAF_TAGS.get(tag))
            return bitmap if tag == _CAF_BITMAP else next(names, None)
        position += 12 + length
    return None


def rewrite(source: BinaryIO, target: BinaryIO, mask: int) -> None:
    """Copy a W64 or CAF file that libsndfile has written, with the loudspeaker positions in its header."""
    source.seek(0)
    if source.read(4) == b"caff":
        source.seek(0)
        target.write(source.read(_CAF_DESCRIPTION_END))
        target.write(struct.pack(">4sQIII", b"chan", 12, _CAF_BITMAP, mask, 0))
    else:
        target.write(w64.extensible_head(source, mask))
    shutil.copyfileobj(source, target, 1 << 20)
