"""Containers and encodings: what is taken for audio, what can be written, what an output is when nobody says.

The names are libsndfile's (``WAV``, ``PCM_16``, ``VORBIS`` …).
"""

from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import dataclass
from os import PathLike
from pathlib import PurePath
from typing import TYPE_CHECKING

from cleanaudio.audio import layout
from cleanaudio.audio.encodings import FLOAT_SUBTYPES, PERCEPTUAL
from cleanaudio.audio.sniff import suffix_of
from cleanaudio.audio.wording import kind
from cleanaudio.errors import FormatError

if TYPE_CHECKING:
    from cleanaudio.audio.recording import AudioInfo

SUFFIXES = {
    "WAV": ".wav",
    "WAVEX": ".wav",
    "RF64": ".wav",
    "FLAC": ".flac",
    "OGG": ".ogg",
    "MP3": ".mp3",
    "W64": ".w64",
    "AIFF": ".aiff",
    "CAF": ".caf",
    "AU": ".au",
}
"""Formats that cleanaudio writes and the suffix of each (Opus in Ogg is ``.opus``)."""

WRITTEN_SUFFIXES = frozenset([
    ".wav", ".wave", ".bwf", ".rf64", ".w64", ".flac", ".ogg", ".oga", ".opus", ".mp3",
    ".aif", ".aiff", ".aifc", ".caf", ".au", ".snd",
])  # fmt: skip
"""Suffixes of files whose result can be called the same."""

CONTAINER_SUFFIXES = frozenset([
    ".m4a", ".m4b", ".aac", ".mp4", ".m4v", ".mov", ".mkv", ".mka", ".webm", ".wma", ".wmv", ".asf", ".3gp", ".amr",
    ".ac3", ".ape", ".wv", ".avi", ".mts",
])  # fmt: skip
"""Suffixes of files that need PyAV (``pip install 'cleanaudio-cli[formats]'``)."""

AUDIO_SUFFIXES = WRITTEN_SUFFIXES | CONTAINER_SUFFIXES | {".mp2", ".sph", ".nist"}
"""Suffixes, in lower case, of what is taken for audio in a folder."""

_NOT_WRITTEN = frozenset([
    "MPEG_LAYER_I", "MPEG_LAYER_II", "DWVW_12", "DWVW_16", "DWVW_24", "DWVW_N",
    "ALAC_20", "ALAC_24", "ALAC_32",  # what does not compress, it garbles
])  # fmt: skip
"""libsndfile's table has them, but it does not write them, or not so that they can be read again."""

_NAMES: dict[str, tuple[str, str | None]] = {
    "OPUS": ("OGG", "OPUS"),
    "VORBIS": ("OGG", "VORBIS"),
    "AIF": ("AIFF", None),
    "AIFC": ("AIFF", None),
    "WAVE": ("WAV", None),
    "BWF": ("WAV", None),
    "SND": ("AU", None),
    "OGA": ("OGG", None),
}
_RATES = {
    "OPUS": (8000, 12000, 16000, 24000, 48000),
    "MPEG_LAYER_III": (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000),
}
_HIGHEST_RATE = {"VORBIS": 200_000}
"""libvorbis says nothing above it, and crashes."""
_NEAREST = {
    8: ("PCM_U8", "PCM_S8", "PCM_16"),
    16: ("PCM_16",),
    24: ("PCM_24", "PCM_32", "PCM_16"),
    32: ("PCM_32", "PCM_24", "PCM_16"),
}


@dataclass(frozen=True)
class OutputFormat:
    """How a result is written.

    Parameters
    ----------
    format : str
        Container, one of :data:`SUFFIXES`.
    subtype : str
        Encoding of the samples in it.
    suffix : str
        Of the file's name, with the dot.
    bit_rate : int, optional
        Bits per second that a lossy encoder aims at; None is its default.
    channel_mask : int
        Loudspeaker positions of the channels by the bits of an extensible WAV header, 0 if unknown.
    """

    format: str
    subtype: str
    suffix: str
    bit_rate: int | None = None
    channel_mask: int = 0

    @property
    def is_bounded(self) -> bool:
        """Whether samples above full scale have no room: in all encodings but floating point."""
        return self.subtype not in FLOAT_SUBTYPES


def output_suffix(path: str | PathLike[str], format: str | None = None) -> str:
    """Return the suffix, with its dot, that the result for a file gets.

    Looks at nothing but the names, unless the file's own says nothing.

    Raises
    ------
    FormatError
        ``format`` is not written.
    """
    suffix = _suffix_for(path)
    format = format or _replacing(suffix)
    if format is None:
        return suffix
    container, subtype = _parse(format)
    return ".opus" if subtype == "OPUS" else SUFFIXES[container]


def replacing_format(path: str | PathLike[str], container: str | None = None) -> str | None:
    """Return the format of the result for a file that has to get another; None where it keeps its own.

    Parameters
    ----------
    path : str or PathLike
        Its suffix may say none that is written.
    container : str, optional
        What it really is, once that is known; where cleanaudio does not write that, the suffix decides.
    """
    return _replacing(_suffix_for(path), container)


def _replacing(suffix: str, container: str | None = None) -> str | None:
    suffix = suffix.lower()
    if suffix in WRITTEN_SUFFIXES:
        return None if container is None or container in SUFFIXES else suffix[1:]
    return "mp3" if suffix == ".mp2" else "flac"


def _suffix_for(path: str | PathLike[str]) -> str:
    """Return a file's suffix as it is written or, where it says no format, the one that fits what is inside."""
    own = PurePath(path).suffix
    if own.lower() not in AUDIO_SUFFIXES:
        with suppress(OSError), open(path, "rb") as file:
            return suffix_of(file.read(64)) or own
    return own


def named_format(output: str | PathLike[str], source: str | PathLike[str], format: str | None) -> str | None:
    """Return the format of a file that the user named: as asked for, else what its suffix says.

    Parameters
    ----------
    output, source : str or PathLike
        Names of the result and of the recording.
    format : str, optional
        As asked for.

    Returns
    -------
    str or None
        None where it is to be the recording's own.

    Raises
    ------
    FormatError
        The suffix says another format, or one that is not written.
    """
    suffix = PurePath(output).suffix.lower()
    if format is None:
        own = suffix == PurePath(source).suffix.lower() and suffix in WRITTEN_SUFFIXES
        return None if own else suffix.removeprefix(".")
    if output_suffix(output, format) != output_suffix(output, suffix):
        raise FormatError(f"the name says another format than {format!r}", path=output, remedy="leave one of them out")
    return format


def says_another_format(name: str, suffix: str) -> bool:
    """Whether a name ends like a format's, but not like that of a suffix; ``.aif`` and ``.aiff`` say the same.

    Parameters
    ----------
    name : str
        Of a result.
    suffix : str
        Of its format, without the dot.
    """
    said, own = PurePath(name).suffix.lower(), f".{suffix.lower()}"
    if said == own or said not in AUDIO_SUFFIXES:
        return False
    if not {said, own} <= WRITTEN_SUFFIXES:
        return True
    (one, subtype), (other, other_subtype) = _parse(said), _parse(own)
    return (SUFFIXES[one], subtype) != (SUFFIXES[other], other_subtype)


def output_format(info: AudioInfo, format: str | None = None, subtype: str | None = None) -> OutputFormat:
    """Return the format of the result for an input: the same container and encoding unless asked otherwise.

    A WAV has an extensible header where that alone can say the loudspeaker positions.
    An input in a container that is only read (m4a, mp4, mkv, webm, wma …) becomes FLAC, with 16 bits where its
    encoding is lossy and with its own depth (at most 24) where it is not. A format given without a subtype keeps the
    input's depth where it can. A lossy result has about the input's bit rate.

    Parameters
    ----------
    info : AudioInfo
        Of the input.
    format : str, optional
        A name of :data:`SUFFIXES` in any case, or ``opus`` or ``vorbis``.
    subtype : str, optional
        libsndfile's name of an encoding, in any case.

    Raises
    ------
    FormatError
        The container is not written, or cannot hold the encoding, the rate or the channels; the remedy says what can.
    """
    implied: str | None
    if format is not None:
        container, implied = _parse(format)
    else:
        container, implied = (info.format if info.format in SUFFIXES else "FLAC"), None
    encoding = (subtype or implied or "").upper() or _kept_subtype(info, container)
    _check(info, container, encoding)
    if container == "WAV" and layout.is_special(info.channel_mask, info.channels) and encoding in _possible("WAVEX"):
        container = "WAVEX"
    return OutputFormat(
        container,
        encoding,
        ".opus" if encoding == "OPUS" else SUFFIXES[container],
        bit_rate=info.bit_rate if encoding in PERCEPTUAL else None,
        channel_mask=info.channel_mask,
    )


def names() -> list[str]:
    """Return what formats are called."""
    return [*map(str.lower, SUFFIXES), "opus"]


def check_names(format: str | None, subtype: str | None) -> None:
    """Look whether a format and a subtype exist and go together, before any recording is known.

    Raises
    ------
    FormatError
    """
    container = None if format is None else _parse(format)[0]
    if subtype is None:
        return
    possible = _possible(container)
    if subtype.upper() not in possible:
        message = f"{container} cannot hold" if container else "there is no encoding"
        raise FormatError(f"{message} {subtype.upper()}", remedy=f"choose from {', '.join(possible)}")


def _parse(format: str) -> tuple[str, str | None]:
    name = format.upper().lstrip(".")
    container, subtype = _NAMES.get(name, (name, None))
    if container not in SUFFIXES:
        raise FormatError(f"cannot write {format!r}", remedy=f"choose from {', '.join(names())}")
    return container, subtype


def _possible(container: str | None) -> list[str]:
    """Encodings that can be written into a container, or into any."""
    import soundfile

    written = [name for name in soundfile.available_subtypes(container) if name not in _NOT_WRITTEN]
    return [name for name in written if name != "MPEG_LAYER_III" or container in ("MP3", None)]


def _kept_subtype(info: AudioInfo, container: str) -> str:
    """The input's subtype where the container holds it, else the nearest that keeps its depth."""
    possible = _possible(container)
    if container == "OGG":
        return info.subtype if info.subtype in possible else "VORBIS"
    if container == "MP3":
        return "MPEG_LAYER_III"
    if info.subtype in possible:
        return info.subtype
    if info.subtype in FLOAT_SUBTYPES:
        nearest: tuple[str, ...] = ("FLOAT", "PCM_24")
    else:
        depth = 16 if info.lossy else info.depth or 24
        nearest = _NEAREST[min(step for step in _NEAREST if step >= depth)]
    return next(name for name in nearest if name in possible)


def _check(info: AudioInfo, container: str, encoding: str) -> None:
    import numpy as np
    import soundfile

    if encoding not in _possible(container):
        possible = ", ".join(_possible(container))
        raise FormatError(f"{container} cannot hold {encoding}", path=info.path, remedy=f"{container} takes {possible}")
    rates, highest = _RATES.get(encoding, (info.rate,)), _HIGHEST_RATE.get(encoding, info.rate)
    if info.rate not in rates or info.rate > highest:
        takes = f"up to {highest}" if info.rate > highest else ", ".join(map(str, rates))
        raise FormatError(
            f"{_called(container, encoding)} cannot hold a rate of {info.rate} Hz",
            path=info.path,
            remedy=f"it takes {takes} Hz; choose another format, such as flac",
        )
    try:  # the encoder itself knows best what rates and channels it takes, some of them only with the first sample
        soundfile.write(io.BytesIO(), np.zeros((1, info.channels)), info.rate, encoding, format=container)
    except soundfile.LibsndfileError as error:
        raise FormatError(
            f"{_called(container, encoding)} cannot hold {kind(info.channels, info.rate)}",
            path=info.path,
            remedy="choose another format, such as wav",
        ) from error


def _called(container: str, encoding: str) -> str:
    return container if container in ("FLAC", "MP3") else f"{encoding} in {container}"
