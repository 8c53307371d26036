"""Opening what libsndfile decodes: each container has its own ways to mislead it.

Where a header misleads libsndfile, it gets a view with a mended header (WAV from a pipe, MP3 with a wrong or missing
length). Of recordings that follow each other in one file it would read the first alone: each gets a view of its own.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial
from itertools import pairwise
from typing import BinaryIO

from cleanaudio.audio import flac, mpeg, ogg, riff, w64
from cleanaudio.audio.encodings import PERCEPTUAL
from cleanaudio.audio.joined import Part, open_joined
from cleanaudio.audio.limits import HELD_BYTES
from cleanaudio.audio.recording import AudioInfo, Reader
from cleanaudio.audio.sndfile import Length, SndfileSource, cut_short, open_sndfile
from cleanaudio.audio.view import View, open_file
from cleanaudio.audio.wording import first_few
from cleanaudio.errors import InputError

_SMALLEST = 42
"""Bytes of the shortest head of a FLAC or Ogg stream: with less, nothing is to be read."""

_STRAY_BYTES = 16
"""Fewer behind the samples are padding."""


def open_plain(name: str, file: BinaryIO, size: int) -> Reader | None:
    """Open FLAC, AIFF, W64, CAF, AU and what else libsndfile alone knows; None where it does not."""
    file.seek(0)
    if file.read(4) == b"fLaC":
        return _open_flac(name, file, size)
    mended, end = w64.mended_head(file), w64.samples_end(file, size)
    whole = mended is None and end == size
    view = View(name) if whole else View(name, mended or b"", ((len(mended or b""), end),))
    reader = open_sndfile(view, channel_mask=w64.channel_mask(file) or 0)
    if reader is not None and (promised := _promised_size(file)) > size and promised < riff.OPEN_SIZE:
        reader.info = reader.info.warned(f"the header promises {promised} bytes, {size} are there")
    return reader


def _open_flac(name: str, file: BinaryIO, size: int, start: int = 0) -> Reader | None:
    later = _later_flac(name, size, os.fstat(file.fileno()).st_mtime_ns, start)
    return _open_parts(name, (0, *later, size)) if later else open_sndfile(View(name))


@lru_cache(maxsize=64)
def _later_flac(name: str, size: int, mtime_ns: int, start: int) -> tuple[int, ...]:
    """Look through a file of this size and time for streams after the first, once for all passes over it."""
    with open_file(name) as file:
        return flac.later_streams(file, start)


def _promised_size(file: BinaryIO) -> int:
    """Bytes of the whole file by the header of an AIFF, W64 or AU file; 0 where it does not say."""
    file.seek(0)
    head = file.read(24)
    if head[:4] == b"FORM" and len(head) >= 8:
        return struct.unpack_from(">I", head, 4)[0] + 8
    if head[:4] == b"riff" and len(head) == 24:
        return struct.unpack_from("<Q", head, 16)[0]
    if head[:4] == b".snd" and len(head) >= 12:
        return sum(struct.unpack_from(">II", head, 4))
    return 0


def open_wav(name: str, file: BinaryIO, size: int) -> Reader | None:
    """Open WAV, RF64 or BW64, of a known length or from a pipe; None where libsndfile does not know the encoding."""
    layout = riff.read_layout(file, size)
    if layout.oversized is not None:
        chunk = layout.oversized
        raise InputError(
            f"the header claims a chunk {chunk.name.decode('latin-1')!r} of {chunk.size} bytes, "
            f"the file has {size - chunk.start} more",
            path=name,
            remedy="the file is cut short or damaged; copy it again",
        )
    if layout.data is None:
        raise InputError("the WAV header ends before any samples", path=name, remedy="copy or record it again")
    header = riff.patched_header(file, layout)
    view = View(name) if header is None else View(name, header, ((layout.data.start, size),))
    reader = open_sndfile(view, channel_mask=layout.channel_mask)
    if reader is None:
        return None
    if layout.stray >= _STRAY_BYTES:
        what = f"{layout.stray} bytes behind the samples that the header counts are left out"
        reader.info = reader.info.warned(f"{what}; if they are sound: ffmpeg -ignore_length 1 -i IN.wav OUT.wav")
    missing = layout.data.size - layout.available
    if missing > 0 and not layout.unknown_length and layout.block_align:
        reader.info = cut_short(reader.info, layout.data.size // layout.block_align)
    return reader


def open_ogg(name: str, file: BinaryIO, size: int) -> Reader | None:
    """Open Vorbis or Opus, also several recordings in a chain; None where libsndfile does not know the encoding."""
    stream = ogg.describe(file, size)
    if stream is not None and stream.is_flac:  # libsndfile takes it for damaged
        raise InputError("is FLAC within Ogg", path=name, remedy="take it out: ffmpeg -i IN.ogg -c:a copy OUT.flac")
    damaged = stream is not None and stream.damaged > 0
    length: Length = "doubtful" if damaged else "promised"
    if stream is not None and len(stream.links) > 1:
        reader = _open_parts(name, (*stream.links, size), length)
    else:
        reader = open_sndfile(View(name), length=length)
    if reader is None or stream is None:
        return reader
    if damaged:
        reader.info = _passed_over(reader.info, stream.damaged)
    elif not stream.ended:
        reader.info = reader.info.warned("the stream breaks off without an end mark")
    if reader.info.subtype in PERCEPTUAL and reader.info.frames:
        mean = round(8 * (size - stream.audio_start) / reader.info.seconds)
        reader.info = replace(reader.info, bit_rate=stream.nominal_bit_rate or mean)
    return reader


def open_mpeg(name: str, file: BinaryIO, size: int) -> Reader | None:
    """Open frames of MPEG audio, or a FLAC behind ID3 tags; None where there is neither."""
    scans = mpeg.stretches(file, size)
    if not scans:
        start = mpeg.after_id3(file, size)
        file.seek(start)
        return _open_flac(name, file, size, start) if file.read(4) == b"fLaC" else None
    if len(scans) == 1:
        return _open_stretch(name, file, scans[0])
    parts = []
    for scan in scans:
        if (reader := _open_stretch(name, file, scan, alone=False)) is not None:
            reader.close()
            parts.append(Part(reader.info, partial(_source, _mpeg_view(name, file, scan, alone=False))))
    return open_joined(parts) if parts else None


def _mpeg_view(name: str, file: BinaryIO, scan: mpeg.Scan, alone: bool) -> View:
    layer_3 = scan.first.layer == 3
    if alone and not (layer_3 and not scan.consistent and scan.start < HELD_BYTES):
        return View(name)
    return View(name, scan.mended_head(file) if layer_3 and scan.head < HELD_BYTES else b"", scan.runs)


def _open_stretch(name: str, file: BinaryIO, scan: mpeg.Scan, alone: bool = True) -> Reader | None:
    """Open frames of one kind; nothing says how many samples the layers 1 and 2 have."""
    view = _mpeg_view(name, file, scan, alone)
    reader = open_sndfile(view, length="known" if scan.first.layer == 3 else "doubtful")
    if reader is None:
        return None
    reader.info = replace(reader.info, bit_rate=scan.bit_rate)
    if scan.promised and scan.frames < scan.promised - 1:
        text = f"the header promises {scan.promised} MPEG frames, {scan.frames} are there"
        reader.info = reader.info.warned(text)
    elif scan.damaged:
        reader.info = _passed_over(reader.info, scan.damaged)
    return reader


def _open_parts(name: str, offsets: Sequence[int], length: Length = "promised") -> Reader | None:
    """Open recordings that follow each other between these offsets; what cannot be read of them is named."""
    parts: list[Part] = []
    lost = []
    for start, end in pairwise(offsets):
        view = View(name, runs=((start, end),))
        try:
            stray = bool(parts) and end - start < _SMALLEST
            reader = None if stray else open_sndfile(view, length=length)
        except InputError:
            if not parts:
                raise
            reader = None
        if reader is None:
            lost.append(f"{end - start} bytes from byte {start} on")
            continue
        reader.close()
        if reader.info.frames:
            parts.append(Part(reader.info, partial(_source, view)))
    if not parts:
        return None
    whole = open_joined(parts)
    if lost:
        text = f"a recording that was joined on cannot be read and is left out: {first_few(lost)}"
        whole.info = whole.info.warned(text)
    return whole


def _source(view: View) -> SndfileSource:
    return SndfileSource(view.open())


def _passed_over(info: AudioInfo, places: int) -> AudioInfo:
    return info.warned(f"damaged places: {places}; what follows them is read without a gap")
