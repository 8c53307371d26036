"""Containers and encodings: what can be written, and what an output is when nobody says.

The names are libsndfile's (``WAV``, ``PCM_16``, ``VORBIS`` …), so that every table here is also an answer to
"what does soundfile say about this file".
"""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import PurePath
from typing import TYPE_CHECKING

import soundfile

from cleanaudio.errors import FormatError

if TYPE_CHECKING:
    from cleanaudio.audio.files import AudioInfo

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

SNDFILE_SUFFIXES = frozenset(
    [
        *(".wav", ".wave", ".bwf", ".rf64", ".w64", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2"),
        *(".aif", ".aiff", ".aifc", ".caf", ".au", ".snd", ".sph", ".nist"),
    ]
)
"""Suffixes of files that libsndfile reads."""

_KEPT_SUFFIXES = SNDFILE_SUFFIXES - {".snd", ".sph", ".nist"}

CONTAINER_SUFFIXES = frozenset(
    [
        *(".m4a", ".m4b", ".aac", ".mp4", ".m4v", ".mov", ".mkv", ".mka", ".webm", ".wma", ".wmv", ".asf", ".3gp"),
        *(".amr", ".ac3", ".ape", ".wv", ".avi", ".mts"),
    ]
)
"""Suffixes of files that need PyAV (``pip install 'cleanaudio-cli[formats]'``)."""

AUDIO_SUFFIXES = SNDFILE_SUFFIXES | CONTAINER_SUFFIXES
"""Suffixes, in lower case, of what is taken for audio in a folder."""

LOSSY_SUBTYPES = frozenset(
    [
        *("VORBIS", "OPUS", "MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III", "ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM"),
        *("GSM610", "G721_32", "G723_24", "G723_40", "NMS_ADPCM_16", "NMS_ADPCM_24", "NMS_ADPCM_32", "VOX_ADPCM"),
    ]
)

_ALIASES = {
    "OPUS": ("OGG", "OPUS"),
    "VORBIS": ("OGG", "VORBIS"),
    "AIF": ("AIFF", None),
    "WAVE": ("WAV", None),
}
_OPUS_RATES = (8000, 12000, 16000, 24000, 48000)
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)


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
        Bits per second that a lossy encoder aims at.
    channel_mask : int
        Loudspeaker positions of an extensible WAV header, 0 if unknown.
    """

    format: str
    subtype: str
    suffix: str
    bit_rate: int | None = None
    channel_mask: int = 0


def output_format(info: AudioInfo, format: str | None = None, subtype: str | None = None) -> OutputFormat:
    """Return the format of the result for an input, the same container and encoding unless asked otherwise.

    An input in a container that is only read (m4a, mp4, mkv, webm, wma …) becomes FLAC: PCM_16 where the encoding is
    lossy, PCM_24 where it is lossless and deeper. A format without a subtype keeps the input's depth where it can.

    Raises
    ------
    FormatError
        The container is not written, cannot hold the encoding, the rate or the channels; the message lists what can.
    """
    raise_for = info.path
    wanted, implied = _ALIASES.get(str(format).upper(), (str(format).upper(), None)) if format else (None, None)
    container = wanted or (info.format if info.format in SUFFIXES else "FLAC")
    encoding = (subtype or implied or "").upper() or _kept_subtype(info, container)
    if container not in SUFFIXES:
        raise FormatError(f"cannot write {container}", path=raise_for, remedy="choose from " + ", ".join(SUFFIXES))
    if not soundfile.check_format(container, encoding):
        possible = ", ".join(soundfile.available_subtypes(container))
        raise FormatError(f"{container} cannot hold {encoding}", path=raise_for, remedy=f"{container} takes {possible}")
    rates = {"OPUS": _OPUS_RATES, "MPEG_LAYER_III": _MP3_RATES}.get(encoding)
    if rates and info.rate not in rates:
        raise FormatError(
            f"{encoding} cannot hold {info.rate} Hz",
            path=raise_for,
            remedy=f"it takes {', '.join(map(str, rates))} Hz; choose another --format, such as flac",
        )
    suffix = ".opus" if encoding == "OPUS" else SUFFIXES[container]
    return OutputFormat(container, encoding, suffix, bit_rate=info.bit_rate if encoding in LOSSY_SUBTYPES else None)


def _kept_subtype(info: AudioInfo, container: str) -> str:
    """The input's subtype if the container holds it, else the nearest that loses nothing it need not lose."""
    if info.format in SUFFIXES and soundfile.check_format(container, info.subtype):
        return info.subtype
    for candidate in ("FLOAT", "PCM_24") if info.subtype in ("FLOAT", "DOUBLE", "PCM_24", "PCM_32") else ("PCM_16",):
        if soundfile.check_format(container, candidate):
            return candidate
    return soundfile.default_subtype(container) or "PCM_16"


def output_suffix(path: PathLike[str], format: str | None = None) -> str:
    """Return the suffix of the output of a file that has not been opened yet.

    Parameters
    ----------
    path : PathLike
        The input.
    format : str, optional
        The container asked for, in any case of letters.

    Raises
    ------
    FormatError
        A container that is not written.
    """
    if format is None:
        suffix = PurePath(path).suffix
        return suffix if suffix.lower() in _KEPT_SUFFIXES else SUFFIXES["FLAC"]
    name = format.upper()
    if name == "OPUS":
        return ".opus"
    container = _ALIASES.get(name, (name, None))[0]
    if container not in SUFFIXES:
        raise FormatError(f"cannot write {format}", remedy="choose from " + ", ".join(SUFFIXES))
    return SUFFIXES[container]
