"""A file seen with another beginning, for decoders that stumble over what is there."""

from __future__ import annotations

import io
import os
from typing import BinaryIO


class Spliced(io.RawIOBase):
    """Read-only view: ``head``, then ``file`` from the byte ``skip`` on. Closing it closes the file.

    Parameters
    ----------
    file : binary file
    head : bytes
    skip : int
    """

    def __init__(self, file: BinaryIO, head: bytes, skip: int) -> None:
        self._file = file
        self._head = head
        self._skip = skip
        self._size = len(head) + max(0, os.fstat(file.fileno()).st_size - skip)
        self._position = 0

    def readinto(self, buffer) -> int:
        """Fill the buffer as far as the view reaches and return how far that is."""
        target = memoryview(buffer).cast("B")
        done = 0
        if self._position < len(self._head):
            piece = self._head[self._position : self._position + len(target)]
            target[: len(piece)] = piece
            done = len(piece)
        if done < len(target):
            self._file.seek(self._position + done - len(self._head) + self._skip)
            done += self._file.readinto(target[done:])  # type: ignore[attr-defined]
        self._position += done
        return done

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move, as in any file."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def close(self) -> None:
        """Close the view and the file."""
        self._file.close()
        super().close()
