"""The recording of an array, opened: its microphones in the order that was asked for, and where they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cleanaudio.audio.bundle import open_side_by_side, picked
from cleanaudio.audio.files import Reader
from cleanaudio.spatial.geometry import Geometry
from cleanaudio.spatial.selection import choose, geometry_of


@dataclass(frozen=True)
class ArrayRecording:
    """An open recording.

    Parameters
    ----------
    reader : Reader
        A channel for each microphone.
    geometry : Geometry or None
        Of these channels.
    names : tuple of int
        What the microphones are called: their numbers in the recording, from 1.
    """

    reader: Reader
    geometry: Geometry | None
    names: tuple[int, ...]


@contextmanager
def open_array(
    paths: Sequence[Path], geometry: Geometry | None, mics: tuple[int, ...] | None
) -> Iterator[ArrayRecording]:
    """Open a recording of several microphones.

    Parameters
    ----------
    paths : sequence of Path
        One file, or a mono file for each microphone that was asked for, in order.
    geometry : Geometry, optional
        Of the microphones that were asked for, or of all.
    mics : tuple of int, optional
        Those that were asked for, counted from 0.

    Raises
    ------
    InputError
        It cannot be read, is mono, lacks a channel, or the geometry does not fit.
    """
    with open_side_by_side(paths) as whole:
        channels, grouped = whole.info.channels, len(paths) > 1
        chosen = choose(channels, None if grouped else mics)
        if geometry is not None and grouped and mics is not None:
            geometry = geometry_of(geometry, None, mics)
        elif geometry is not None:
            geometry = geometry_of(geometry, channels, chosen)
        yield ArrayRecording(picked(whole, chosen), geometry, tuple(mic + 1 for mic in mics or chosen))
