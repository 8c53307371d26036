"""Samples through libsndfile, as they are, without what python-soundfile does around each read.

After every read python-soundfile seeks to where the decoder already is. That costs time with small blocks, and it fails
at the end of a FLAC stream of unknown length and hides what came before the damaged place of a file. So the read
function itself is called here; all else goes through the public interface.
"""

from __future__ import annotations

import os
from typing import BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from cleanaudio.audio import channelmask, layout
from cleanaudio.audio.metadata.description import Chapters, Picture, decoded
from cleanaudio.audio.spliced import Spliced

OPEN_LENGTH = (1 << 63) - 1
"""What libsndfile says where a stream leaves its length open."""

_COUNTING_BLOCK = 65536
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


def _text(sound: soundfile.SoundFile) -> dict[str, str]:
    """Return the tags that libsndfile knows, in whatever encoding they are."""
    found = {}
    for name, number in soundfile._str_types.items():
        if text := soundfile._snd.sf_get_string(sound._file, number):
            found[name] = decoded(soundfile._ffi.string(text))
    return found
