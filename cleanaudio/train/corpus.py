"""Recordings for training, decoded once into one flat file of 16-bit samples.

The cache is what training reads: mapped into memory on the CPU, or copied into the memory of a GPU as it is.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from itertools import repeat
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.files import open_reader
from cleanaudio.audio.resample import resampled
from cleanaudio.audio.temporary import replacing
from cleanaudio.errors import CleanAudioError, InputError, OutputError
from cleanaudio.train.clips import Clip, scan

FORM = 4
"""Of the cache, counted up where other samples come out of the same recordings."""


@dataclass(frozen=True)
class Track:
    """A stretch of the flat samples with one rate and one group.

    Parameters
    ----------
    start, length : int
        In samples.
    rate : int
        Hz.
    group : str
    bandwidth_hz : float
        The lowest of its clips.
    """

    start: int
    length: int
    rate: int
    group: str
    bandwidth_hz: float


@dataclass(frozen=True)
class Corpus:
    """Decoded recordings.

    Parameters
    ----------
    samples : ndarray, shape (all samples,), int16
        Mapped from the cache.
    tracks : tuple of Track
    skipped : tuple of str
        Clips that could not be read, with the reason.
    """

    samples: NDArray[np.int16]
    tracks: tuple[Track, ...]
    skipped: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Return the length of everything."""
        return sum(track.length / track.rate for track in self.tracks)


def load(
    sources: Iterable[Path],
    cache: Path,
    group: Literal["speaker", "type"],
    joined: bool,
    most_rate: int = 48000,
    log: Callable[[str], None] = lambda text: None,
) -> Corpus:
    """Return the recordings of some folders, decoding them first if the cache does not hold them yet.

    Parameters
    ----------
    sources : iterable of Path
        See :func:`cleanaudio.train.clips.scan`.
    cache : Path
        Folder for the decoded samples.
    group : {"speaker", "type"}
    joined : bool
        Whether the clips of one group stand in one track, so that an excerpt may run from one into the next.
    most_rate : int
        Hz; what was recorded at a higher rate is kept at this one.
    log : callable, optional
        Told how many clips could not be read.

    Raises
    ------
    InputError
        Nothing could be read at all.
    OutputError
        The cache cannot be written.
    """
    clips = [clip for source in sources for clip in scan(Path(source), group)]
    containers = find_spec("av") is not None  # without it some are skipped that can be read some day
    key = hashlib.sha256(repr((FORM, group, joined, most_rate, containers, *map(_state, clips))).encode())
    stem = cache / f"{group}-{key.hexdigest()[:16]}"
    index, data = stem.with_suffix(".json"), stem.with_suffix(".i16")
    held = _held(index, data)
    if held is None:
        held = _decoded(clips, index, data, joined, most_rate)
    tracks, skipped = held
    if skipped:
        log(f"{len(skipped)} of {len(clips)} recordings cannot be read, the first: {skipped[0]}")
    if not tracks:
        raise InputError(
            "none of the recordings can be read", path=clips[0].path, remedy="name audio files that are not silent"
        )
    return Corpus(np.memmap(data, np.int16, mode="c"), tracks, skipped)


def _state(clip: Clip) -> tuple:
    """Return what changes where other samples would come out of a clip."""
    try:
        status = os.stat(clip.path)
        there = os.path.realpath(clip.path), status.st_size, status.st_mtime_ns
    except (OSError, ValueError):  # no such file, or no file's name: which is told when it is read
        return str(clip.path), clip.group
    return *there, clip.group, clip.bandwidth_hz, clip.start_s, clip.duration_s


Held = tuple[tuple[Track, ...], tuple[str, ...]]
"""Tracks and skipped clips of a :class:`Corpus`."""


def _held(index: Path, data: Path) -> Held | None:
    """Return what the cache holds of some clips, None where it is not there or no longer whole."""
    try:
        known = json.loads(index.read_text(encoding="utf-8"))
        tracks = tuple(Track(**track) for track in known["tracks"])
        whole = data.stat().st_size == 2 * sum(track.length for track in tracks)
        return (tracks, tuple(known["skipped"])) if whole else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _decoded(clips: list[Clip], index: Path, data: Path, joined: bool, most_rate: int) -> Held:
    """Fill the cache."""
    tracks: list[Track] = []
    skipped = []
    position = 0
    ordered = sorted(clips, key=lambda clip: (clip.group, str(clip.path), clip.start_s))
    workers = os.cpu_count() or 1
    try:
        index.parent.mkdir(parents=True, exist_ok=True)
        with replacing(data) as unfinished, unfinished.open("wb") as out, ThreadPoolExecutor(workers) as pool:
            for first in range(0, len(ordered), 8 * workers):  # so many at a time, for the sake of the memory
                some = ordered[first : first + 8 * workers]
                for clip, found in zip(some, pool.map(_read, some, repeat(most_rate)), strict=True):
                    if isinstance(found, CleanAudioError):
                        skipped.append(found.describe())
                        continue
                    samples, rate = found
                    out.write(samples.tobytes())
                    track = Track(position, len(samples), rate, clip.group, min(clip.bandwidth_hz, rate / 2))
                    position += len(samples)
                    last = tracks[-1] if joined and tracks else None
                    if last and clip.group and _alike(last, track):
                        length, bandwidth = last.length + track.length, min(last.bandwidth_hz, track.bandwidth_hz)
                        tracks[-1] = Track(last.start, length, rate, last.group, bandwidth)
                    else:
                        tracks.append(track)
        text = json.dumps({"tracks": [asdict(track) for track in tracks], "skipped": skipped})
        with replacing(index) as unfinished:
            unfinished.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"the decoded recordings cannot be written: {error.strerror or error}",
            path=data,
            remedy="free some space, or name a folder elsewhere with --cache",
        ) from error
    return tuple(tracks), tuple(skipped)


def _read(clip: Clip, most_rate: int) -> tuple[NDArray[np.int16], int] | CleanAudioError:
    """Return the strongest channel of a clip and its rate, or why it cannot be used."""
    try:
        with open_reader(clip.path) as reader:
            rate = reader.info.rate
            part = clip.within(rate, reader.info.frames)
            reader.seek(part.start)
            channels = reader.read(part.stop - part.start)
    except CleanAudioError as error:
        return error
    except OSError as error:
        return InputError(f"cannot be read: {error.strerror or error}", path=clip.path)
    if reader.repaired:
        return InputError(f"holds {reader.repaired} samples that are not numbers", path=clip.path)
    signal = channels[strongest(channels)]
    if rate > most_rate:
        signal, rate = resampled(signal, rate, most_rate), most_rate
    whole = _rounded(signal)
    return (whole, rate) if whole.any() else InputError("empty or silent", path=clip.path)


def strongest(channels: NDArray[np.float32]) -> int:
    """Return the number of the channel, of (channels, frames), with the most power apart from a constant offset."""
    return int(np.argmax(channels.var(axis=1))) if channels.size else 0


def _rounded(signal: NDArray[np.float32]) -> NDArray[np.int16]:
    """Return a signal in 16 bits, made softer where it reaches beyond full scale."""
    scaled = signal * np.float32(32768)
    over = max(scaled.max(initial=0) / 32767, scaled.min(initial=0) / -32768)
    return np.rint(scaled / over if over > 1 else scaled).astype(np.int16)


def _alike(a: Track, b: Track) -> bool:
    """Whether two clips may share a track: one voice, one rate, about the same bandwidth."""
    return a.group == b.group and a.rate == b.rate and a.bandwidth_hz // 4000 == b.bandwidth_hz // 4000
