"""Frames that wait for what is decided later about them: first in, first out."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[Any]


class FrameQueue:
    """Arrays of shape (…, frames, bins), joined and cut along the frames without copying what only waits."""

    def __init__(self) -> None:
        self._pieces: deque[Frames] = deque()
        self.frames = 0

    def push(self, piece: Frames) -> None:
        """Put (…, n, bins) at the end."""
        if piece.shape[-2]:
            self._pieces.append(piece)
            self.frames += piece.shape[-2]

    def pop(self, count: int) -> Frames:
        """Take the first ``count`` frames, 0 < count ≤ frames."""
        taken = self._cut(count, keep=False)
        self.frames -= count
        return taken

    def peek(self, count: int) -> Frames:
        """Return the first ``count`` frames and keep them."""
        return self._cut(count, keep=True)

    def _cut(self, count: int, keep: bool) -> Frames:
        if not 0 < count <= self.frames:
            raise ValueError(f"{count} of {self.frames} frames")
        found: list[Frames] = []
        for piece in self._pieces:
            found.append(piece[..., :count, :])
            count -= found[-1].shape[-2]
            if not count:
                break
        if not keep:
            used = found[-1].shape[-2]
            rest = self._pieces[len(found) - 1][..., used:, :]
            for _ in found:
                self._pieces.popleft()
            if rest.shape[-2]:
                self._pieces.appendleft(rest)
        return found[0] if len(found) == 1 else np.concatenate(found, axis=-2)
