"""What a file is by its first bytes, whatever its name says."""

from __future__ import annotations

from typing import Literal

from cleanaudio.audio import riff

Kind = Literal["wav", "ogg", "mpeg", "container"]

_CONTAINERS = (
    b"\x1aE\xdf\xa3", b"0&\xb2u\x8ef\xcf\x11", b"ADIF", b"#!AMR", b"MAC ", b"wvpk", b"TTA1", b"FLV\x01", b"MPCK",
    b"\x0bw", b"tBaK", b"DSD ", b".RMF", b"\x00\x00\x01\xba", b".ra\xfd",
)  # fmt: skip
_SHARED = (b"caff", b"FORM")

_SUFFIXES = (
    (b"RIFF", 0, ".wav"),
    (b"RF64", 0, ".wav"),
    (b"BW64", 0, ".wav"),
    (b"fLaC", 0, ".flac"),
    (b"caff", 0, ".caf"),
    (b"OpusHead", 28, ".opus"),
    (b"OggS", 0, ".ogg"),
    (b"FORM", 0, ".aiff"),
    (b"riff", 0, ".w64"),
    (b".snd", 0, ".au"),
    (b"ftyp", 4, ".m4a"),
    (b"\x1aE\xdf\xa3", 0, ".mkv"),
    (b"ID3", 0, ".mp3"),
)
"""First bytes, where they stand, and the suffix of what begins so."""


def kind_of(head: bytes) -> Kind | None:
    """Return which way a file that begins so (12 bytes or more) is opened; None where libsndfile alone knows."""
    if head[:4] in riff.MAGICS:
        return "wav" if head[8:12] == b"WAVE" else "container"
    if head[:4] == b"OggS":
        return "ogg"
    if head[4:8] == b"ftyp" or head.startswith(_CONTAINERS):
        return "container"
    if head[:3] == b"ID3" or _is_mpeg(head):
        return "mpeg"
    return "container" if _is_adts(head) else None


def is_shared(head: bytes) -> bool:
    """Whether PyAV reads what begins so, too, with encodings that libsndfile does not know: CAF and AIFF."""
    return head.startswith(_SHARED)


def suffix_of(head: bytes) -> str | None:
    """Return the suffix that fits the first bytes of a file, ``.mp3`` for bare MPEG frames; None for no known one."""
    for magic, offset, suffix in _SUFFIXES:
        if head[offset : offset + len(magic)] == magic:
            return suffix
    if _is_mpeg(head):
        return ".mp3"
    return ".aac" if _is_adts(head) else None


def _is_mpeg(head: bytes) -> bool:
    """Whether it may be the head of an MPEG audio frame of layer 1 to 3."""
    return len(head) >= 2 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and not _is_adts(head)


def _is_adts(head: bytes) -> bool:
    """Whether it may be the head of an AAC frame (ADTS), whose layer is 0."""
    return len(head) >= 2 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0
