"""What an ONNX file says about itself, read without running it, and whether it is safe to hand to a runtime.

ONNX is a Protocol Buffers message (onnx.proto3). Only the fields that matter here are decoded; the weights are
skipped. This needs no package, so that a model's card can be shown and a hostile file refused before anything heavy
is imported.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from hashlib import sha256
from os import PathLike
from pathlib import Path

from cleanaudio.errors import ModelError
from cleanaudio.models.protobuf import fields, message_of, text_of

MAX_BYTES = 2_000_000_000
"""Largest model file that is read; Protocol Buffers themselves end at 2 GiB."""

KNOWN_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc"})
"""Operator sets that onnxruntime itself brings."""

_MAX_DEPTH = 64

# message → field number → (message inside, or None for a value that we look at)
_SCHEMA: dict[str, dict[int, str | None]] = {
    "Model": {7: "Graph", 14: "Entry", 20: "Training", 25: "Function"},
    "Graph": {1: "Node", 5: "Tensor", 15: "Sparse"},
    "Node": {5: "Attribute", 7: None},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "Sparse", 23: "Sparse"},
    "Sparse": {1: "Tensor", 2: "Tensor"},
    "Tensor": {13: "Entry", 14: None},
    "Function": {7: "Node", 10: None},
    "Training": {1: "Graph", 2: "Graph"},
    "Entry": {1: None, 2: None},
}


@dataclass(frozen=True)
class OnnxFile:
    """An ONNX model that was read and found harmless.

    Parameters
    ----------
    data : bytes
        The model itself.
    digest : str
        Its SHA-256; two are equal when digest and origin are.
    origin : str
        Where it came from, for messages.
    metadata : mapping of str
        The card: the file's ``metadata_props``.
    """

    data: bytes = field(repr=False, compare=False)
    digest: str
    origin: str = ""
    metadata: dict[str, str] = field(default_factory=dict, compare=False)


def read(path: str | PathLike[str], limit: int = MAX_BYTES) -> OnnxFile:
    """Read and check an ONNX file.

    Raises
    ------
    ModelError
        Missing, not a regular file, too large, or refused by :func:`checked`.
    """
    return checked(read_bytes(path, limit), str(path))


def stamp(path: str | PathLike[str]) -> tuple[int, int]:
    """Return modification time in ns and size of a file, zeros where there is none."""
    try:
        facts = os.stat(path)
    except (OSError, ValueError):
        return 0, 0
    return facts.st_mtime_ns, facts.st_size


def read_bytes(path: str | PathLike[str], limit: int = MAX_BYTES) -> bytes:
    """Return the bytes of a model file, at most ``limit``.

    Raises
    ------
    ModelError
    """
    try:
        facts = os.stat(path)
        if not stat.S_ISREG(facts.st_mode):  # opening a pipe would wait for a writer
            raise ModelError("a model must be a regular file", path=path)
        if facts.st_size > limit:
            raise ModelError(f"a model of {facts.st_size / 1e9:.1f} GB is more than {limit / 1e9:g} GB", path=path)
        with Path(path).open("rb") as file:
            return file.read(limit)
    except FileNotFoundError:
        raise ModelError(
            "there is no such model file",
            path=path,
            remedy="check the name, or see cleanaudio models list",
        ) from None
    except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
        raise ModelError(f"cannot be read: {getattr(error, 'strerror', None) or error}", path=path) from error


def checked(data: bytes, origin: str) -> OnnxFile:
    """Check the bytes of an ONNX model.

    Parameters
    ----------
    data : bytes
    origin : str
        File name for messages.

    Raises
    ------
    ModelError
        Not an ONNX model, broken, with weights in other files, or with operators that need foreign code.
    """
    try:
        facts = _Facts()
        facts.visit("Model", memoryview(data), 0)
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        raise ModelError(f"is not an ONNX model, or broken ({error})", path=origin) from error
    if not facts.graphs:
        raise ModelError("is not an ONNX model: it holds no graph", path=origin)
    if facts.external:
        raise ModelError(
            "keeps its weights in other files, which is not allowed",
            path=origin,
            remedy="save it as one file, e.g. with onnx.save(onnx.load(FILE), NEW)",
        )
    foreign = sorted(facts.domains - facts.functions - KNOWN_DOMAINS)
    if foreign:
        raise ModelError(f"uses operators that need foreign code: {', '.join(foreign)}", path=origin)
    return OnnxFile(data, sha256(data).hexdigest(), origin, facts.metadata)


class _Facts:
    """Collects what matters while walking the message."""

    def __init__(self) -> None:
        self.metadata: dict[str, str] = {}
        self.domains: set[str] = set()
        self.functions: set[str] = set()
        self.external = False
        self.graphs = 0

    def visit(self, message: str, data: memoryview, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise ValueError("nested too deeply")
        schema = _SCHEMA[message]
        self.graphs += message == "Graph"
        for number, value, _ in fields(data):
            if number not in schema:
                continue
            inside = schema[number]
            if inside == "Entry":
                self._entry(message, value)
            elif inside is not None:
                self.visit(inside, message_of(value), depth + 1)
            elif message == "Node":
                self.domains.add(text_of(value))
            elif message == "Function":
                self.functions.add(text_of(value))
            elif message == "Tensor" and value != 0:  # data_location: anything but the default
                self.external = True

    def _entry(self, message: str, value: int | memoryview) -> None:
        if message == "Tensor":  # external_data
            self.external = True
            return
        pair = {number: text_of(text) for number, text, _ in fields(message_of(value)) if number in (1, 2)}
        self.metadata[pair.get(1, "")] = pair.get(2, "")
