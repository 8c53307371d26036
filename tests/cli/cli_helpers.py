"""What the tests of the command line share: files made by hand, logs read back, and processes to send signals to."""

from __future__ import annotations

import csv
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TypeVar

import numpy as np
import soundfile

T = TypeVar("T")

WITHOUT_ROOT = (
    sys.executable,
    "-c",
    "import ctypes, os, sys; drop = ctypes.CDLL(None).prctl; drop(24, 1, 0, 0, 0); drop(24, 2, 0, 0, 0); "
    "os.execv(sys.argv[1], sys.argv[1:])",
)
"""Prefix of a command that shall respect permissions, root or not: gives up CAP_DAC_OVERRIDE and _READ_SEARCH."""


def small_files_only(limit: int) -> tuple[str, ...]:
    """Return the prefix of a command for which no file may grow beyond `limit` bytes, as on a full disk."""
    code = "import os, resource as r, sys; r.setrlimit(r.RLIMIT_FSIZE, ({0}, {0})); os.execv(sys.argv[1], sys.argv[1:])"
    return sys.executable, "-c", code.format(limit)


def write(path: Path, samples: np.ndarray, rate: int = 16000, subtype: str = "PCM_16") -> Path:
    """Write (frames,) or (frames, channels) samples and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:  # soundfile takes some names amiss
        soundfile.write(file, samples, rate, subtype, format=path.suffix[1:].upper())
    return path


def write_damaged(path: Path, samples: np.ndarray, rate: int = 16000) -> Path:
    """Write a FLAC that says how long it is, and of which a decoder gives nothing from its middle on."""
    write(path, samples, rate)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4] = bytes(4)
    path.write_bytes(content)
    return path


def read(path: Path) -> np.ndarray:
    """Return (frames, channels) in float64."""
    with open(path, "rb") as file:
        return soundfile.read(file, always_2d=True)[0]


def shape(path: Path) -> tuple[int, int, int, str, str]:
    """Return rate, channels, frames, format and subtype, by soundfile."""
    with open(path, "rb") as file:
        info = soundfile.info(file)
    return info.samplerate, info.channels, info.frames, info.format, info.subtype


def wav_bytes(
    samples: np.ndarray,
    rate: int = 16000,
    *,
    channels: int = 1,
    riff_size: int | None = None,
    data_size: int | None = None,
    before: bytes = b"",
) -> bytes:
    """Return a WAV of int16 (or float32) samples with the lengths in its header as wished, as a pipe's may be."""
    data = np.asarray(samples).tobytes()
    width = samples.dtype.itemsize
    fmt = struct.pack(
        "<HHIIHH", 3 if width == 4 else 1, channels, rate, rate * channels * width, channels * width, 8 * width
    )
    size = len(data) if data_size is None else data_size
    chunks = b"fmt " + struct.pack("<I", len(fmt)) + fmt + before + b"data" + struct.pack("<I", size) + data
    whole = 4 + len(chunks) if riff_size is None else riff_size
    return b"RIFF" + struct.pack("<I", whole) + b"WAVE" + chunks


def rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a log, or of the log in a folder."""
    log = path / "metrics.csv" if path.is_dir() else path
    with open(log, newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))


def hidden(folder: Path) -> list[Path]:
    """Return what should not be left anywhere below a folder: temporaries and locks."""
    return [path for path in folder.rglob("*") if path.name.startswith(".") or path.name.endswith(".part")]


def audio(folder: Path) -> set[str]:
    """Return the names of everything below a folder but the log, relative to it."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != "metrics.csv")
    return {str(path.relative_to(folder)) for path in found}


def wait_for(what: Callable[[], T], process: subprocess.Popen | None = None, timeout: float = 60.0) -> T:
    """Ask again and again until the answer is true, and return it."""
    end = time.monotonic() + timeout
    while not (answer := what()):
        if process is not None and process.poll() is not None:
            raise AssertionError(f"the program has ended with {process.returncode}")
        if time.monotonic() > end:
            raise AssertionError("it did not happen")
        time.sleep(0.01)
    return answer


@contextmanager
def started(
    *arguments: object,
    stdin: int | IO = subprocess.DEVNULL,
    prefix: Sequence[str] = (),
    environment: Mapping[str, str] = os.environ,
) -> Iterator[subprocess.Popen]:
    """Start the program in a session of its own; it is killed should it be alive at the end."""
    process = subprocess.Popen(
        [*prefix, sys.executable, "-m", "cleanaudio", *map(str, arguments)],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # which tests under nohup ignore
        env={**environment, "OMP_NUM_THREADS": "1"},
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in filter(None, (process.stdin, process.stdout, process.stderr)):
            with suppress(BrokenPipeError):
                pipe.close()


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text().split())
    return found


def who_writes(folder: Path, pid: int) -> int | None:
    """Return the child of a process that has a temporary of this folder open, if one has."""
    for child in children(pid):
        try:
            for link in Path(f"/proc/{child}/fd").iterdir():
                target = os.readlink(link)
                if target.endswith(".part") and Path(target).is_relative_to(folder):
                    return child
        except FileNotFoundError:
            continue
    return None
