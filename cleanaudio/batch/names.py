"""File names as keys of a few bytes each, so that the plan of a million files stays small."""

from __future__ import annotations

import os
from array import array
from hashlib import blake2b

_FOLDERS_KEPT = 4096


def fingerprint(key: bytes) -> int:
    """Return 64 bits of BLAKE2b, never 0.

    Two of a million different keys share theirs with a probability of 3e-8.
    """
    return int.from_bytes(blake2b(key, digest_size=8).digest(), "little") or 1


class RealNames:
    """Turns every way of writing a path into one name: ``a.wav``, ``./a.wav``, ``/data/a.wav``.

    Links in its folder are resolved, the last component is not: two links to one recording are two names (collections
    that store by content consist of such links), the same folder reached by two ways is one.
    """

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}

    def real(self, path: str | os.PathLike[str]) -> str:
        """Return the name.

        Raises
        ------
        ValueError
            If no file can have this name: it holds a NUL.
        """
        folder, name = os.path.split(os.fspath(path))
        if name in ("", ".", ".."):
            return os.path.realpath(path)
        resolved = self._folders.get(folder)
        if resolved is None:
            if len(self._folders) >= _FOLDERS_KEPT:
                self._folders.clear()
            resolved = self._folders[folder] = os.path.realpath(folder or ".")
        return os.path.join(resolved, name)

    def key(self, path: str | os.PathLike[str]) -> bytes:
        """Return the name as the file system's bytes.

        Raises
        ------
        ValueError
            If no file can have this name: it holds a NUL or half a character.
        """
        return os.fsencode(self.real(path))


class Numbers:
    """Numbers keys in the order in which they came, from 0, at 18 to 36 bytes a key whatever its length.

    An open hash table of 64-bit fingerprints; the keys themselves are not kept.
    """

    def __init__(self) -> None:
        self._count = 0
        self._make_room(64)

    def __len__(self) -> int:
        return self._count

    def find(self, key: bytes) -> int | None:
        """Return the number of `key`, or None if it never came."""
        slot = self._slot(fingerprint(key))
        return self._numbers[slot] if self._prints[slot] else None

    def add(self, key: bytes) -> int:
        """Return the number of `key`; a new key's is the length before."""
        value = fingerprint(key)
        slot = self._slot(value)
        if self._prints[slot]:
            return self._numbers[slot]
        if 3 * (self._count + 1) > 2 * len(self._prints):
            self._grow()
            slot = self._slot(value)
        self._prints[slot] = value
        self._numbers[slot] = self._count
        self._count += 1
        return self._count - 1

    def _slot(self, value: int) -> int:
        mask = len(self._prints) - 1
        slot = value & mask
        while self._prints[slot] not in (0, value):
            slot = (slot + 1) & mask
        return slot

    def _make_room(self, slots: int) -> None:
        self._prints = array("Q", bytes(8 * slots))
        self._numbers = array("I", bytes(4 * slots))

    def _grow(self) -> None:
        prints, numbers = self._prints, self._numbers
        self._make_room(2 * len(prints))
        for value, number in zip(prints, numbers, strict=True):
            if value:
                slot = self._slot(value)
                self._prints[slot] = value
                self._numbers[slot] = number
