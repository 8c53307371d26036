"""Samples and frames that wait for what is decided about them later: first in, first out."""

from __future__ import annotations

from collections import deque
from types import EllipsisType
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Kind = TypeVar("Kind", bound=np.generic)


class Queue(Generic[Kind]):
    """Arrays that are joined and cut along one axis, without copying what only waits.

    Arrays are kept as they came, and what comes out may be a view of them: neither may be changed by others.

    Parameters
    ----------
    start : ndarray
        What waits at first. Mostly nothing, an array of length 0: what is given where nothing is asked for.
    axis : int
        The axis of time, counted from the last one: -1 for samples (channels, n), -2 for frames (…, n, bins).
    """

    def __init__(self, start: NDArray[Kind], axis: int = -1) -> None:
        self._axis = axis
        self._behind = (slice(None),) * (-1 - axis)
        self._nothing = self._cut(start, slice(0))
        self._pieces: deque[NDArray[Kind]] = deque()
        self._length = 0
        self.push(start)

    def __len__(self) -> int:
        return self._length

    def push(self, piece: NDArray[Kind]) -> None:
        """Put an array of any length at the end."""
        if length := piece.shape[self._axis]:
            self._pieces.append(piece)
            self._length += length

    def pop(self, length: int) -> NDArray[Kind]:
        """Take so much from the front.

        Raises
        ------
        ValueError
            There is less.
        """
        if not 0 <= length <= self._length:
            raise ValueError(f"{length} of {self._length}")
        self._length -= length
        front: list[NDArray[Kind]] = []
        while length > 0:
            piece = self._pieces.popleft()
            if piece.shape[self._axis] > length:
                self._pieces.appendleft(self._cut(piece, slice(length, None)))
                piece = self._cut(piece, slice(length))
            front.append(piece)
            length -= piece.shape[self._axis]
        if len(front) == 1:
            return front[0]
        return np.concatenate(front, axis=self._axis) if front else self._nothing

    def peek(self, length: int) -> NDArray[Kind]:
        """Return so much from the front and keep it.

        Raises
        ------
        ValueError
            There is less.
        """
        front = self.pop(length)
        if length:
            self._pieces.appendleft(front)
            self._length += length
        return front

    def _cut(self, piece: NDArray[Kind], part: slice) -> NDArray[Kind]:
        index: tuple[EllipsisType | slice, ...] = (..., part, *self._behind)
        return piece[index]
