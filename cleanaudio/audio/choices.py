"""Choices that the user has and their words, free of NumPy so that the command line can offer them at once."""

from __future__ import annotations

from typing import Literal

ClipMode = Literal["limit", "rescale", "clamp"]
"""What happens to peaks over full scale in integer formats."""

Level = Literal["active", "power"]
"""What counts as the level of speech: that of ITU-T P.56, without pauses, or the mean power."""
