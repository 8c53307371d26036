"""A file seen with another beginning, or without some of its parts, for decoders that stumble over what is there."""

from __future__ import annotations

import io
import os
from bisect import bisect_right
from itertools import accumulate
from typing import BinaryIO

Runs = tuple[tuple[int, int], ...]


class Spliced(io.RawIOBase):
    """Read-only view: ``head``, then pieces of a file. Closing it closes the file.

    Parameters
    ----------
    file : binary file
    head : bytes
    runs : tuple of (int, int)
        Beginning and end of each piece, as offsets in the file.
    """

    def __init__(self, file: BinaryIO, head: bytes, runs: Runs) -> None:
        self._file = file
        self._head = head
        self._runs = runs
        self._starts = [len(head), *accumulate((end - start for start, end in runs), initial=len(head))][1:]
        self._size = self._starts.pop() if runs else len(head)
        self._position = 0

    def readinto(self, buffer) -> int:
        """Fill the buffer as far as the view reaches and return how far that is."""
        target = memoryview(buffer).cast("B")
        done = 0
        while done < len(target) and (got := self._read_piece(target[done:])):
            done += got
        return done

    def _read_piece(self, target: memoryview) -> int:
        """Read at most to the end of the present piece."""
        if self._position >= self._size:
            return 0
        if self._position < len(self._head):
            piece = self._head[self._position : self._position + len(target)]
        else:
            run = bisect_right(self._starts, self._position) - 1
            start, end = self._runs[run]
            offset = start + self._position - self._starts[run]
            self._file.seek(offset)
            piece = self._file.read(min(len(target), end - offset))
        target[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

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
