"""Recordings for training, as manifests and folders name them."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Literal

from cleanaudio.audio import nemo
from cleanaudio.audio.formats import AUDIO_SUFFIXES
from cleanaudio.errors import InputError


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
        found = sorted(path for path in source.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES)
        clips = [Clip(path, path.parent.name, math.inf) for path in found]
    if not clips:
        raise InputError("no recordings to train on", path=source, remedy="name a folder of audio files or a manifest")
    return clips


Row = Mapping[str, Any]


def _listed(manifest: Path, group: str) -> list[Clip]:
    table = manifest.suffix.lower() == ".csv"
    clips, place = [], f"{manifest}:1"
    try:
        with manifest.open("rb") as file:
            for number, row in _rows(file) if table else _lines(file):
                place = f"{manifest}:{number}"
                name, said = _named(row) if isinstance(row, dict) else nemo.parsed(row, place)
                part = () if table else _part(said)  # a CSV's columns of these names may be anything
                licence = str(said.get("licence") or said.get("license") or "")
                about = str(said.get(group) or ""), _bandwidth_hz(said), str(said.get("source") or ""), licence
                clips.append(Clip(manifest.parent / name, *about, *part))
    except OSError as error:
        raise InputError(f"the manifest cannot be read: {error.strerror or error}", path=manifest) from error
    except (ValueError, OverflowError, TypeError, csv.Error, InputError) as error:
        raise InputError(
            f"not a manifest of recordings: {error}",
            path=place,
            remedy="it needs a column file, or audio_filepath on every line of JSON",
        ) from error
    return clips


def _rows(file: BinaryIO) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows of a CSV as programs and spreadsheets write it, with the number of the line."""
    text = io.TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline="")
    header = text.readline()
    table = csv.DictReader(chain([header], text), delimiter=max(",;\t", key=header.count))
    for row in table:
        if any(row.values()):  # else it is one of the empty rows below a sheet
            yield table.line_num, row


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    return ((number, line) for number, line in enumerate(file, 1) if line.strip())


def _named(row: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    if name := row.get("file") or row.get("audio_filepath"):
        return name, row
    raise ValueError("the row names no file")


def _part(said: Mapping[str, Any]) -> tuple[float, float]:
    """Return start and duration in seconds of what a line in NeMo's form names; one of no length is told later."""
    start, duration = float(said.get("offset") or 0), said.get("duration")
    duration = math.inf if duration is None else float(duration)
    if not (0 <= start < math.inf and duration >= 0):
        raise ValueError(f"offset {start:g}, duration {duration:g}")
    return start, duration


def _bandwidth_hz(said: Mapping[str, Any]) -> float:
    bandwidth_hz = float(said.get("bandwidth_hz") or math.inf)
    if not bandwidth_hz > 0:
        raise ValueError(f"bandwidth_hz {bandwidth_hz:g}")
    return bandwidth_hz
