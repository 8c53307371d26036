"""Samples through libsndfile, as they are, without what python-soundfile does around each read.

After every read python-soundfile seeks to where the decoder already is. That costs time with small blocks, and it fails
at the end of a FLAC stream of unknown length and hides what came before the damaged place of a file. So the read
function itself is called here; all else goes through the public interface.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import lru_cache
from typing import BinaryIO, Literal

import numpy as np
import soundfile
from numpy.typing import NDArray

from cleanaudio.audio import channelmask, layout
from cleanaudio.audio.encodings import DEPTHS
from cleanaudio.audio.metadata.description import Chapters, Picture, decoded
from cleanaudio.audio.recording import AudioInfo, Reader, check_header
from cleanaudio.audio.spliced import Spliced
from cleanaudio.audio.view import View
from cleanaudio.errors import InputError

Length = Literal["known", "promised", "doubtful"]

OPEN_LENGTH = (1 << 63) - 1
"""What libsndfile says where a stream leaves its length open."""

_COUNTING_BLOCK = 65536
_UNKNOWN_ENCODING = (1, 4, 18)
"""libsndfile's errors: format not recognised, encoding not supported, encoding not implemented."""

_IN_OTHER_WORDS = {7: "nothing in it can be decoded", 24: "the header claims a rate of 0 Hz"}
"""What libsndfile calls no regular file, and an incomplete struct."""

_HEAD = 4096
"""Bytes in which the first packet of an Ogg file is."""


class SndfileSource:
    """A file open in libsndfile.

    Parameters
    ----------
    file : binary file or Spliced
        Closed with the source. A real file is read by libsndfile itself, a view through callbacks.

    Attributes
    ----------
    sound : soundfile.SoundFile
    frames : int
        As the header, or libsndfile's estimate, has it.
    channel_mask : int
        Loudspeaker positions that the file says or its encoding gives to so many channels, else 0; those of WAV and
        W64 are not looked for.
    text : dict of str to str
        Tags by libsndfile's names.

    Raises
    ------
    soundfile.LibsndfileError
        libsndfile cannot read it.
    """

    def __init__(self, file: BinaryIO | Spliced) -> None:
        self._file = file  # kept open: libsndfile uses its descriptor
        file.seek(0)
        self._head = file.read(_HEAD)
        said = channelmask.read(file)
        self._open()
        self.frames = self.sound.frames
        coded = self._positions()
        self.channel_mask = sum(coded) if said is None else said
        self._order = layout.reading(coded)
        self.text: dict[str, str] = _text(self.sound)
        self.pictures: tuple[Picture, ...] = ()
        self.chapters: Chapters = ()

    def _open(self) -> None:
        if isinstance(self._file, Spliced):
            self._file.seek(0)
            self.sound = soundfile.SoundFile(self._file)
        else:
            os.lseek(self._file.fileno(), 0, os.SEEK_SET)
            self.sound = soundfile.SoundFile(self._file.fileno(), closefd=False)

    def _positions(self) -> tuple[int, ...]:
        sound = self.sound
        if sound.subtype == "OPUS" and not layout.opus_has_positions(self._head):
            return ()
        return layout.positions(sound.format, sound.subtype, sound.channels)

    def read(self, frames: int) -> NDArray[np.float32]:
        """Return the next frames, (n, channels) with n < ``frames`` only at the end or before a damaged place."""
        block = np.empty((frames, self.sound.channels), dtype=np.float32)
        done = 0
        while done < frames:
            target = soundfile._ffi.from_buffer("float[]", block[done:])
            got = soundfile._snd.sf_readf_float(self.sound._file, target, frames - done)
            if got <= 0:
                break
            done += got
        return block[:done] if self._order is None else block[:done, self._order]

    def seek(self, frame: int) -> None:
        """Move to a frame; where the decoder cannot, by decoding up to it."""
        try:
            self.sound.seek(frame)
        except soundfile.LibsndfileError:
            self.sound.close()
            self._open()
            while frame > 0 and (got := len(self.read(min(frame, _COUNTING_BLOCK)))):
                frame -= got

    def reaches_end(self) -> bool:
        """Whether the last frame that the header promises is there; leaves the source at the beginning."""
        if self.frames == 0:
            return True
        if self.frames == OPEN_LENGTH:
            return False
        try:
            self.sound.seek(self.frames - 1)
            there = len(self.read(1)) == 1
            self.sound.seek(0)
        except soundfile.LibsndfileError:
            return False
        return there

    def count(self) -> int:
        """Return how many frames there are from here to the end, by decoding them."""
        total = 0
        while got := len(self.read(_COUNTING_BLOCK)):
            total += got
        return total

    def close(self) -> None:
        """Close the file."""
        self.sound.close()
        self._file.close()


def open_sndfile(view: View, channel_mask: int = 0, length: Length = "promised") -> Reader | None:
    """Open a recording that libsndfile decodes.

    Parameters
    ----------
    view : View
    channel_mask : int
        Loudspeaker positions where the caller knows them, else 0.
    length : {"known", "promised", "doubtful"}
        How sure it is how long the recording is: a promised length is checked at its end, and counted by decoding
        where that is not there; a doubtful one is counted.

    Returns
    -------
    Reader or None
        None where libsndfile does not know the encoding.

    Raises
    ------
    InputError
        It is damaged beyond reading.
    """
    name = view.name
    file = view.open()
    try:
        source = SndfileSource(file)
    except soundfile.LibsndfileError as error:
        file.close()
        if error.code in _UNKNOWN_ENCODING:
            return None
        reason = _IN_OTHER_WORDS.get(error.code, error.error_string.rstrip("."))
        raise InputError(f"cannot be read: {reason}", path=name, remedy="the file is damaged; copy it again") from error
    sound = source.sound
    if sound.format == "RAW":  # a guess from nothing
        source.close()
        return None
    try:
        check_header(name, sound.samplerate, sound.channels)
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
            info = cut_short(info, promised)
        source = SndfileSource(view.open())
    return Reader(info, source)


def cut_short(info: AudioInfo, promised: int) -> AudioInfo:
    """Return the same with a warning that fewer frames are there than the header promises."""
    return info.warned(f"the header promises {promised} frames, {info.frames} are there")


@lru_cache(maxsize=64)
def _count(view: View, size: int, mtime_ns: int) -> int:
    """Count the frames of a file of this size and time by decoding it, once for all passes over it."""
    source = SndfileSource(view.open())
    try:
        return source.count()
    finally:
        source.close()


def _text(sound: soundfile.SoundFile) -> dict[str, str]:
    """Return the tags that libsndfile knows, in whatever encoding they are."""
    found = {}
    for name, number in soundfile._str_types.items():
        if text := soundfile._snd.sf_get_string(sound._file, number):
            found[name] = decoded(soundfile._ffi.string(text))
    return found
