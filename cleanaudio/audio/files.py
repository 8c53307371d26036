"""Opening recordings.

Nothing is loaded whole, and nothing is allocated because a header says so. A file is known by its first bytes, not
by its name. libsndfile decodes; where a header misleads it, it gets a view with a mended header (WAV from a pipe, MP3
with a wrong or missing length), and where the promised length is not there, what is there is counted once. Of
recordings that follow each other in one file it would read the first alone: each gets a view of its own.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import pairwise
from os import PathLike
from typing import BinaryIO, Literal

from cleanaudio.audio import flac, mpeg, ogg, riff, w64
from cleanaudio.audio.array import MAX_CHANNELS, RATES
from cleanaudio.audio.encodings import DEPTHS
from cleanaudio.audio.formats import AUDIO_SUFFIXES, BIT_RATE_SUBTYPES, CONTAINER_SUFFIXES
from cleanaudio.audio.joined import Part, open_joined
from cleanaudio.audio.recording import AudioInfo, Reader, Source
from cleanaudio.audio.spliced import Runs, Spliced
from cleanaudio.audio.wording import first_few
from cleanaudio.errors import BackendUnavailable, InputError

__all__ = ["AUDIO_SUFFIXES", "AudioInfo", "Reader", "open_reader", "probe"]

_LONGEST_HEAD = 64 << 20
"""Bytes of tags before the sound that are kept in memory."""

_SMALLEST = 42
"""Bytes of the shortest head of a FLAC or Ogg stream: with less, nothing is to be read."""

_UNKNOWN_ENCODING = (1, 4, 18)
"""libsndfile's errors: format not recognised, encoding not supported, encoding not implemented."""

_NO_RATE = 24
"""libsndfile's error for what it calls an incomplete struct."""

_Length = Literal["known", "promised", "doubtful"]


def probe(path: str | PathLike[str]) -> AudioInfo:
    """Return what a file is; errors as :func:`open_reader`."""
    with open_reader(path) as reader:
        return reader.info


def open_reader(path: str | PathLike[str]) -> Reader:
    """Open a recording for reading.

    Raises
    ------
    InputError
        No such file, a folder, no permission, empty, not audio, or damaged beyond reading.
    BackendUnavailable
        The container needs PyAV, which is not installed.
    """
    name = os.fspath(path)
    with _open_file(name) as file:
        return _open(name, file)


def _open_file(name: str) -> BinaryIO:
    """Open a regular file that is not empty."""
    try:
        status = os.stat(name)
        if stat.S_ISDIR(status.st_mode):
            raise InputError("is a folder", path=name, remedy="name the recordings in it")
        if not stat.S_ISREG(status.st_mode):
            raise InputError("is not a regular file", path=name, remedy="pipe it into standard input, named -")
        if not status.st_size:
            raise InputError("is empty (0 bytes)", path=name, remedy="record or copy it again")
        return open(name, "rb")
    except FileNotFoundError as error:
        raise InputError("no such file", path=name, remedy="check the name") from error
    except PermissionError as error:
        raise InputError("may not be read", path=name, remedy="give yourself permission, as with chmod u+r") from error
    except ValueError as error:
        raise InputError("is not a file name", path=name, remedy="check the name") from error
    except OSError as error:
        raise InputError(f"cannot be opened: {error.strerror or error}", path=name, remedy="check the name") from error


@dataclass(frozen=True)
class _View:
    """A file, or a view of it that begins with ``head`` and goes on with ``runs`` of the file, if there are any."""

    name: str
    head: bytes = b""
    runs: Runs = ()

    def open(self) -> BinaryIO | Spliced:
        file = _open_file(self.name)
        return Spliced(file, self.head, self.runs) if self.head or self.runs else file


_OGG, _MPEG, _WAV, _CONTAINER = "ogg", "mpeg", "wav", "container"
_MPEG_SUFFIXES = (".mp3", ".mp2")
_CONTAINER_MAGICS = (
    *(b"\x1aE\xdf\xa3", b"0&\xb2u\x8ef\xcf\x11", b"ADIF", b"#!AMR", b"MAC ", b"wvpk", b"TTA1", b"FLV\x01", b"MPCK"),
    *(b"\x0bw", b"tBaK", b"DSD ", b".RMF", b"\x00\x00\x01\xba", b".ra\xfd"),
)
_STRAY_BYTES = 16
"""Fewer behind the samples are padding."""
_SHARED_MAGICS = (b"caff", b"FORM")
"""Of containers that PyAV reads, too, with encodings that libsndfile does not know."""


def _kind(head: bytes) -> str | None:
    """Tell by the first bytes which way a file is opened; None where libsndfile alone knows."""
    if head[:4] in riff.MAGICS:
        return _WAV if head[8:12] == b"WAVE" else _CONTAINER
    if head[:4] == b"OggS":
        return _OGG
    if head[4:8] == b"ftyp" or head.startswith(_CONTAINER_MAGICS):
        return _CONTAINER
    if head[:3] == b"ID3":
        return _MPEG
    if len(head) >= 2 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        return _CONTAINER if head[1] & 0xF6 == 0xF0 else _MPEG  # AAC frames (ADTS) have layer 0
    return None


def _open(name: str, file: BinaryIO) -> Reader:
    size = os.fstat(file.fileno()).st_size
    head = file.read(16)
    kind = _kind(head)
    reader = None
    if kind != _CONTAINER:
        opener = {_WAV: _open_wav, _OGG: _open_ogg, _MPEG: _open_mpeg}.get(kind or "", _open_plain)
        reader = opener(name, file, size)
    known = kind in (_CONTAINER, _WAV, _OGG) or head.startswith(_SHARED_MAGICS)
    suffix = os.path.splitext(name)[1].lower()
    if reader is None and (known or suffix in CONTAINER_SUFFIXES):
        reader = _open_container(name)
    if reader is None and kind is None and suffix in _MPEG_SUFFIXES and mpeg.is_sound(file, size):
        reader = _open_mpeg(name, file, size)  # cut out of a broadcast, within a frame
    if reader is None:
        raise InputError("is not audio", path=name, remedy="it begins like no audio file that we know")
    return reader


def _open_plain(name: str, file: BinaryIO, size: int) -> Reader | None:
    file.seek(0)
    if file.read(4) == b"fLaC":
        return _open_flac(name, file, size)
    mended, end = w64.mended_head(file), w64.samples_end(file, size)
    whole = mended is None and end == size
    view = _View(name) if whole else _View(name, mended or b"", ((len(mended or b""), end),))
    reader = _open_sndfile(view, channel_mask=w64.channel_mask(file) or 0)
    if reader is not None and (promised := _promised_size(file)) > size and promised < riff.OPEN_SIZE:
        reader.info = _warned(reader.info, f"the header promises {promised} bytes, {size} are there")
    return reader


def _open_flac(name: str, file: BinaryIO, size: int, start: int = 0) -> Reader | None:
    later = _later_flac(name, size, os.fstat(file.fileno()).st_mtime_ns, start)
    return _open_parts(name, (0, *later, size)) if later else _open_sndfile(_View(name))


@lru_cache(maxsize=64)
def _later_flac(name: str, size: int, mtime_ns: int, start: int) -> tuple[int, ...]:
    """Look through a file of this size and time for streams after the first, once for all passes over it."""
    with _open_file(name) as file:
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


def _open_wav(name: str, file: BinaryIO, size: int) -> Reader | None:
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
    view = _View(name) if header is None else _View(name, header, ((layout.data.start, size),))
    reader = _open_sndfile(view, channel_mask=layout.channel_mask)
    if reader is None:
        return None
    if layout.stray >= _STRAY_BYTES:
        what = f"{layout.stray} bytes behind the samples that the header counts are left out"
        reader.info = _warned(reader.info, f"{what}; if they are sound: ffmpeg -ignore_length 1 -i IN.wav OUT.wav")
    missing = layout.data.size - layout.available
    if missing > 0 and not layout.unknown_length and layout.block_align:
        reader.info = _short(reader.info, layout.data.size // layout.block_align)
    return reader


def _open_ogg(name: str, file: BinaryIO, size: int) -> Reader | None:
    stream = ogg.describe(file, size)
    if stream is not None and stream.is_flac:  # libsndfile takes it for damaged
        raise InputError("is FLAC within Ogg", path=name, remedy="take it out: ffmpeg -i IN.ogg -c:a copy OUT.flac")
    damaged = stream is not None and stream.damaged > 0
    length: _Length = "doubtful" if damaged else "promised"
    if stream is not None and len(stream.links) > 1:
        reader = _open_parts(name, (*stream.links, size), length)
    else:
        reader = _open_sndfile(_View(name), length=length)
    if reader is None or stream is None:
        return reader
    if damaged:
        reader.info = _passed_over(reader.info, stream.damaged)
    elif not stream.ended:
        reader.info = _warned(reader.info, "the stream breaks off without an end mark")
    if reader.info.subtype in BIT_RATE_SUBTYPES and reader.info.frames:
        mean = round(8 * (size - stream.audio_start) / reader.info.seconds)
        reader.info = replace(reader.info, bit_rate=stream.nominal_bit_rate or mean)
    return reader


def _open_mpeg(name: str, file: BinaryIO, size: int) -> Reader | None:
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


def _mpeg_view(name: str, file: BinaryIO, scan: mpeg.Scan, alone: bool) -> _View:
    layer_3 = scan.first.layer == 3
    if alone and not (layer_3 and not scan.consistent and scan.start < _LONGEST_HEAD):
        return _View(name)
    return _View(name, scan.mended_head(file) if layer_3 and scan.head < _LONGEST_HEAD else b"", scan.runs)


def _open_stretch(name: str, file: BinaryIO, scan: mpeg.Scan, alone: bool = True) -> Reader | None:
    """Open frames of one kind; nothing says how many samples the layers 1 and 2 have."""
    view = _mpeg_view(name, file, scan, alone)
    reader = _open_sndfile(view, length="known" if scan.first.layer == 3 else "doubtful")
    if reader is None:
        return None
    reader.info = replace(reader.info, bit_rate=scan.bit_rate)
    if scan.promised and scan.frames < scan.promised - 1:
        text = f"the header promises {scan.promised} MPEG frames, {scan.frames} are there"
        reader.info = _warned(reader.info, text)
    elif scan.damaged:
        reader.info = _passed_over(reader.info, scan.damaged)
    return reader


def _open_parts(name: str, offsets: Sequence[int], length: _Length = "promised") -> Reader | None:
    """Open recordings that follow each other between these offsets; what cannot be read of them is named."""
    parts: list[Part] = []
    lost = []
    for start, end in pairwise(offsets):
        view = _View(name, runs=((start, end),))
        try:
            stray = bool(parts) and end - start < _SMALLEST
            reader = None if stray else _open_sndfile(view, length=length)
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
        whole.info = _warned(whole.info, text)
    return whole


def _open_container(name: str) -> Reader:
    try:
        from cleanaudio.audio.container import open_container
    except ImportError as error:
        unavailable = BackendUnavailable(f"reading {os.path.splitext(name)[1] or 'this container'}", "formats")
        unavailable.path = name
        raise unavailable from error
    reader = open_container(name)
    _check(name, reader.info.rate, reader.info.channels)
    return reader


def _source(view: _View) -> Source:
    from cleanaudio.audio.sndfile import SndfileSource

    return SndfileSource(view.open())


def _open_sndfile(view: _View, channel_mask: int = 0, length: _Length = "promised") -> Reader | None:
    """Open by libsndfile; None where it does not know the encoding.

    A ``promised`` length is checked at its end, a ``doubtful`` one counted.
    """
    import soundfile

    from cleanaudio.audio.sndfile import OPEN_LENGTH, SndfileSource

    name = view.name
    file = view.open()
    try:
        source = SndfileSource(file)
    except soundfile.LibsndfileError as error:
        file.close()
        if error.code in _UNKNOWN_ENCODING:
            return None
        reason = "the header claims a rate of 0 Hz" if error.code == _NO_RATE else error.error_string.rstrip(".")
        raise InputError(f"cannot be read: {reason}", path=name, remedy="the file is damaged; copy it again") from error
    sound = source.sound
    if sound.format == "RAW":  # a guess from nothing
        source.close()
        return None
    try:
        _check(name, sound.samplerate, sound.channels)
    except InputError:
        source.close()
        raise
    info = AudioInfo(
        name,
        sound.samplerate,
        sound.channels,
        source.frames,
        sound.format,
        sound.subtype,
        sound.endian,
        channel_mask=channel_mask or source.channel_mask,
        depth=DEPTHS.get(sound.subtype),
    )
    unsure = length == "doubtful" or source.frames == OPEN_LENGTH
    if unsure or (length == "promised" and not source.reaches_end()):
        promised = source.frames
        source.close()  # a decoder that has met a damaged place is not used again
        status = os.stat(name)
        info = replace(info, frames=_count(view, status.st_size, status.st_mtime_ns))
        if promised not in (OPEN_LENGTH, info.frames) and length == "promised":
            if not info.frames:
                raise InputError(
                    f"nothing of the {promised} frames that the header promises can be read",
                    path=name,
                    remedy="the file is damaged; copy it again",
                )
            info = _short(info, promised)
        source = SndfileSource(view.open())
    return Reader(info, source)


@lru_cache(maxsize=64)
def _count(view: _View, size: int, mtime_ns: int) -> int:
    """Count the frames of a file of this size and time by decoding it, once for all passes over it."""
    from cleanaudio.audio.sndfile import SndfileSource

    source = SndfileSource(view.open())
    try:
        return source.count()
    finally:
        source.close()


def _check(name: str, rate: int, channels: int) -> None:
    if not 1 <= channels <= MAX_CHANNELS:
        raise InputError(
            f"the header claims {channels} channels", path=name, remedy=f"at most {MAX_CHANNELS} can be worked on"
        )
    if rate not in RATES:
        raise InputError(
            f"the header claims a rate of {rate} Hz", path=name, remedy=f"{RATES[0]} to {RATES[-1]} Hz can be worked on"
        )


def _warned(info: AudioInfo, text: str) -> AudioInfo:
    return replace(info, warnings=(*info.warnings, text))


def _passed_over(info: AudioInfo, places: int) -> AudioInfo:
    return _warned(info, f"damaged places: {places}; what follows them is read without a gap")


def _short(info: AudioInfo, promised: int) -> AudioInfo:
    return _warned(info, f"the header promises {promised} frames, {info.frames} are there")
