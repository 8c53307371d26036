"""Recordings for training: found through manifests or folders, decoded once into one flat file of 16-bit samples.

The cache is what training reads: mapped into memory on the CPU, or copied into the memory of a GPU as it is.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import repeat
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cleanaudio.audio.temporary import replacing
from cleanaudio.errors import InputError

SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif"})


@dataclass(frozen=True)
class Clip:
    """One recording that a manifest or folder names, or a part of it.

    Parameters
    ----------
    path : Path
    group : str
        Speaker of a voice, type of a noise.
    bandwidth_hz : float
        How far the recording reaches; infinite where nobody measured it.
    source, licence : str
        Where it came from, under which terms; empty where the manifest does not say.
    start_s, duration_s : float
        Which part of it; infinite to its end.
    """

    path: Path
    group: str
    bandwidth_hz: float
    source: str = ""
    licence: str = ""
    start_s: float = 0.0
    duration_s: float = math.inf

    def within(self, rate: int, frames: int) -> slice:
        """Return which of the frames of the recording it is."""
        start, stop = (round(min(s * rate, frames)) for s in (self.start_s, self.start_s + self.duration_s))
        return slice(start, stop)


@dataclass(frozen=True)
class Track:
    """A stretch of the flat samples with one rate and one group.

    Parameters
    ----------
    start, length : int
        In samples.
    rate : int
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


def scan(source: Path, group: Literal["speaker", "type"]) -> list[Clip]:
    """List the recordings of a folder or manifest.

    Parameters
    ----------
    source : Path
        A ``manifest.csv`` with the column ``file``, a JSONL manifest in NeMo's form (``audio_filepath``, and of a part
        ``offset`` and ``duration`` in seconds), or a folder: the ``manifest.csv`` in and below it where there are any,
        else ``*.jsonl`` and ``*manifest*.json`` in it, else all audio files, grouped by the folder they lie in.
    group : {"speaker", "type"}
        The column to group by.

    Raises
    ------
    InputError
        Nothing there, or a manifest that cannot be read.
    """
    below = () if source.is_file() else source.rglob("manifest.csv")
    lines = [*source.glob("*.jsonl"), *source.glob("*manifest*.json")]  # other JSON tells about its neighbour
    manifests = [source] if source.is_file() else sorted(below) or sorted(lines)
    if manifests:
        clips = [clip for manifest in manifests for clip in _listed(manifest, group)]
    else:
        found = sorted(path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES)
        clips = [Clip(path, path.parent.name, float("inf")) for path in found]
    if not clips:
        raise InputError("no recordings to train on", path=source, remedy="name a folder of audio files or a manifest")
    return clips


def _listed(manifest: Path, group: str) -> list[Clip]:
    try:
        with manifest.open(encoding="utf-8", newline="") as file:
            if manifest.suffix == ".csv":
                rows: list[dict] = list(csv.DictReader(file))
            else:
                rows = [json.loads(line) for line in file if line.strip()]
        return [
            Clip(
                manifest.parent / (row.get("file") or row["audio_filepath"]),
                str(row.get(group) or ""),
                float(row.get("bandwidth_hz") or "inf"),
                str(row.get("source") or ""),
                str(row.get("licence") or row.get("license") or ""),
                *(() if manifest.suffix == ".csv" else _part(row)),  # a CSV's columns of these names may be anything
            )
            for row in rows
        ]
    except (OSError, KeyError, ValueError, OverflowError, AttributeError, TypeError) as error:
        raise InputError(
            f"not a manifest of recordings ({type(error).__name__}: {error})",
            path=manifest,
            remedy="it needs a column file, or audio_filepath on every line of JSON",
        ) from error


def _part(row: dict) -> tuple[float, float]:
    """Return start and duration in seconds of what a line in NeMo's form names."""
    start, duration = float(row.get("offset") or 0), float(row.get("duration") or "inf")
    if not (0 <= start < math.inf and duration >= 0):
        raise ValueError(f"offset {start:g}, duration {duration:g}")
    return start, duration


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
        See :func:`scan`.
    cache : Path
        Folder for the decoded samples.
    group : {"speaker", "type"}
    joined : bool
        Whether the clips of one group stand in one track, so that an excerpt may run from one into the next.
    most_rate : int
        What was recorded at a higher rate is kept at this one.
    log : callable, optional
        Told how many clips could not be read.

    Raises
    ------
    InputError
        Nothing could be read at all.
    """
    clips = [clip for source in sources for clip in scan(Path(source), group)]
    key = hashlib.sha256(f"3 {group} {joined} {most_rate}".encode())
    for clip in clips:
        state = clip.path.stat() if clip.path.exists() else None
        known = state and (state.st_size, state.st_mtime_ns)
        key.update(f"{clip.path.name} {clip.group} {clip.bandwidth_hz} {known}".encode(errors="surrogateescape"))
        if clip.start_s or clip.duration_s < math.inf:
            key.update(f" {clip.start_s} {clip.duration_s}".encode())
        key.update(b"\n")
    stem = cache / f"{group}-{key.hexdigest()[:16]}"
    index, data = stem.with_suffix(".json"), stem.with_suffix(".i16")
    if not index.exists():
        _decode(clips, index, data, joined, most_rate)
    known = json.loads(index.read_text(encoding="utf-8"))
    if known["skipped"]:
        log(f"{len(known['skipped'])} of {len(clips)} recordings cannot be read, the first: {known['skipped'][0]}")
    if not known["tracks"]:
        raise InputError(
            "none of the recordings can be read", path=clips[0].path, remedy="name audio files that are not silent"
        )
    tracks = tuple(Track(**track) for track in known["tracks"])
    return Corpus(np.memmap(data, np.int16, mode="c"), tracks, tuple(known["skipped"]))


def _decode(clips: list[Clip], index: Path, data: Path, joined: bool, most_rate: int) -> None:
    index.parent.mkdir(parents=True, exist_ok=True)
    tracks: list[Track] = []
    skipped = []
    position = 0
    ordered = sorted(clips, key=lambda clip: (clip.group, str(clip.path), clip.start_s))
    workers = os.cpu_count() or 1
    with replacing(data) as unfinished, unfinished.open("wb") as out, ThreadPoolExecutor(workers) as pool:
        for first in range(0, len(ordered), 8 * workers):  # so many at a time, for the sake of the memory
            some = ordered[first : first + 8 * workers]
            for clip, (samples, rate, problem) in zip(some, pool.map(_read, some, repeat(most_rate)), strict=True):
                if problem:
                    skipped.append(f"{clip.path}: {problem}")
                    continue
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


def _read(clip: Clip, most_rate: int) -> tuple[NDArray[np.int16], int, str]:
    """Return the first channel of a clip, its rate, and why it cannot be used, if so."""
    import soundfile

    nothing = np.zeros(0, np.int16)
    try:
        with soundfile.SoundFile(os.fsencode(clip.path)) as file:
            rate, part = file.samplerate, clip.within(file.samplerate, file.frames)
            if part.start:
                file.seek(part.start)
            samples = file.read(part.stop - part.start, "int16", always_2d=True)
    except soundfile.LibsndfileError as error:
        return nothing, 0, error.error_string  # the whole would name the file once more, as bytes
    except OSError as error:
        return nothing, 0, str(error)
    mono = np.ascontiguousarray(samples[:, 0])
    if not mono.any():
        return nothing, 0, "empty or silent"
    if rate > most_rate:
        import soxr

        mono, rate = soxr.resample(mono, rate, most_rate), most_rate
    return mono, rate, ""


def _alike(a: Track, b: Track) -> bool:
    """Whether two clips may share a track: one voice, one rate, about the same bandwidth."""
    return a.group == b.group and a.rate == b.rate and a.bandwidth_hz // 4000 == b.bandwidth_hz // 4000


def liveliness(corpus: Corpus, tracks: int = 60) -> float:
    """Return how much the level moves at the pace of syllables: the median over some tracks.

    The measure is the power of the modulation of the log level between 2 and 8 Hz over that below 25 Hz, times its
    depth in dB. Voices reach about four times as much as noise does, so that folders that were swapped stand out.
    """
    values = []
    for track in corpus.tracks[:: max(1, len(corpus.tracks) // tracks)]:
        samples = corpus.samples[track.start : track.start + min(track.length, 6 * track.rate)].astype(np.float32)
        hop = track.rate // 50
        level = np.mean(samples[: len(samples) // hop * hop].reshape(-1, hop) ** 2, axis=1) + 1.0
        if len(level) < 50:
            continue
        decibels = np.maximum(10 * np.log10(level), 10 * np.log10(level.max()) - 40)
        power = np.abs(np.fft.rfft((decibels - decibels.mean()) * np.hanning(len(level)))) ** 2
        pace = np.fft.rfftfreq(len(level), 0.02)
        share = power[(pace >= 2) & (pace <= 8)].sum() / (power.sum() + 1e-9)
        values.append(share * decibels.std())
    return float(np.median(values)) if values else 0.0


def swapped(speech: Corpus, noise: Corpus) -> bool:
    """Whether the noise sounds more like voices than the speech does."""
    return liveliness(noise) > liveliness(speech)
