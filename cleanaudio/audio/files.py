"""Opening recordings.

Nothing is loaded whole, and nothing is allocated because a header says so. A file is known by its first bytes, not
by its name. libsndfile decodes, and PyAV what libsndfile does not know; where the length that a header promises is not
there, what is there is counted once.
"""

from __future__ import annotations

import os
from os import PathLike
from typing import BinaryIO

from cleanaudio.audio import mpeg, sniff
from cleanaudio.audio.formats import CONTAINER_SUFFIXES
from cleanaudio.audio.recording import AudioInfo, Reader, check_header
from cleanaudio.audio.view import open_file
from cleanaudio.errors import BackendUnavailable, InputError

__all__ = ["AudioInfo", "Reader", "open_reader", "probe"]

_MPEG_SUFFIXES = (".mp3", ".mp2")


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
    with open_file(name) as file:
        return _open(name, file)


def _open(name: str, file: BinaryIO) -> Reader:
    from cleanaudio.audio import openers  # which loads libsndfile

    size = os.fstat(file.fileno()).st_size
    head = file.read(16)
    kind = sniff.kind_of(head)
    reader = None
    if kind == "wav":
        reader = openers.open_wav(name, file, size)
    elif kind == "ogg":
        reader = openers.open_ogg(name, file, size)
    elif kind == "mpeg":
        reader = openers.open_mpeg(name, file, size)
    elif kind is None:
        reader = openers.open_plain(name, file, size)
    known = kind in ("container", "wav", "ogg") or sniff.is_shared(head)
    suffix = os.path.splitext(name)[1].lower()
    if reader is None and (known or suffix in CONTAINER_SUFFIXES):
        reader = _open_container(name)
    if reader is None and kind is None and suffix in _MPEG_SUFFIXES and mpeg.is_sound(file, size):
        reader = openers.open_mpeg(name, file, size)  # cut out of a broadcast, within a frame
    if reader is None:
        raise InputError("is not audio", path=name, remedy="it begins like no audio file that we know")
    return reader


def _open_container(name: str) -> Reader:
    try:
        from cleanaudio.audio.container import open_container
    except ImportError as error:
        unavailable = BackendUnavailable(f"reading {os.path.splitext(name)[1] or 'this container'}", "formats")
        unavailable.path = name
        raise unavailable from error
    reader = open_container(name)
    check_header(name, reader.info.rate, reader.info.channels)
    return reader
