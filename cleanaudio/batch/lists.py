"""Names from a list or a manifest, read as they come."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import BinaryIO, TextIO, cast

from cleanaudio.audio import nemo
from cleanaudio.batch.source import Problem
from cleanaudio.errors import InputError

_CHUNK = 1 << 16
_LONGEST_NAME = 1 << 16
_LONGEST_LINE = 1 << 24
_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Entry:
    """A file or folder that was named.

    Parameters
    ----------
    path : str
        Where it is.
    root : str, optional
        The folder below which its place is mirrored, if it lies there.
    meta : mapping
        What else is said about it.
    """

    path: str
    root: str | None = None
    meta: Mapping[str, object] = field(default_factory=dict)


def list_entries(text: str, stdin: TextIO | BinaryIO | None) -> Iterator[Entry | Problem]:
    """Yield the names in ``@FILE``, ``@-`` or ``@-0``.

    One a line, blank lines left out; there are no comments, since a name may begin with any character. Relative
    names are relative to the working folder.
    """
    end = b"\0" if text == "@-0" else b"\n"
    file = "-" if text in ("@-", "@-0") else text[1:]
    try:
        with _open(file, stdin) as stream:
            for number, name in enumerate(_records(stream, end, _LONGEST_NAME), 1):
                if end == b"\n":
                    name = name.removesuffix(b"\r")
                if b"\0" in name:
                    yield Problem(f"{text}:{number}", InputError("not a file name", path=text))
                elif name:
                    yield Entry(os.fsdecode(name), root="")
    except OSError as error:
        yield Problem(text, InputError(f"the list cannot be read: {error.strerror or error}", path=file))
    except _TooLongError:
        yield Problem(text, InputError("not a list of names: a line is too long for one", path=file))


def manifest_entries(file: str, stdin: TextIO | BinaryIO | None) -> Iterator[Entry | Problem]:
    """Yield the files of a JSONL manifest in the form of NVIDIA NeMo: ``audio_filepath`` in each line.

    Relative names are relative to the manifest's folder (of a manifest on stdin, ``-``: to the working folder).
    """
    root = "" if file == "-" else os.path.dirname(file)
    try:
        with _open(file, stdin) as stream:
            for number, line in enumerate(_records(stream, b"\n", _LONGEST_LINE), 1):
                if line.strip():
                    yield _manifest_entry(line, f"{file}:{number}", root)
    except OSError as error:
        yield Problem(file, InputError(f"the manifest cannot be read: {error.strerror or error}", path=file))
    except _TooLongError:
        yield Problem(file, InputError("not a manifest: a line is longer than 16 MiB", path=file))


def _manifest_entry(line: bytes, place: str, root: str) -> Entry | Problem:
    try:
        name, meta = nemo.parsed(line, place)
    except InputError as error:
        return Problem(place, error)
    return Entry(os.path.join(root, name), root, meta)


class _TooLongError(Exception):
    pass


def _records(stream: BinaryIO, end: bytes, longest: int) -> Iterator[bytes]:
    """Split a stream, giving each record as soon as it is complete."""
    read = getattr(stream, "read1", stream.read)
    rest, first = b"", True
    while chunk := read(_CHUNK):
        *whole, rest = (rest + chunk).split(end)
        if whole and first:
            whole[0], first = whole[0].removeprefix(_MARK), False
        yield from whole
        if len(rest) > longest:
            raise _TooLongError
    if rest:
        yield rest.removeprefix(_MARK) if first else rest


def _open(file: str, stdin: TextIO | BinaryIO | None) -> AbstractContextManager[BinaryIO]:
    """Open a list without a buffer: a thread that waits for more of it would hold the buffer's lock.

    Python, which closes stdin when the process ends, waits for that lock in vain and aborts.
    """
    if file != "-":
        return cast(BinaryIO, open(file, "rb", buffering=0))
    if isinstance(stdin, io.StringIO):
        return io.BytesIO(os.fsencode(stdin.read()))
    binary = getattr(stdin, "buffer", stdin)
    return nullcontext(cast(BinaryIO, getattr(binary, "raw", binary)))
