"""What a recording says about itself: title, artist and so on, and the chunks of a broadcast WAV."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from os import PathLike

TEXT_FIELDS = (
    "title", "artist", "album", "comment", "date", "tracknumber", "genre", "software", "copyright", "license",
)  # fmt: skip
"""Names of the text tags, as libsndfile knows them."""


@dataclass(frozen=True)
class Tags:
    """Descriptions carried from a recording to its result.

    Parameters
    ----------
    text : dict of str to str
        By the names of :data:`TEXT_FIELDS`.
    chunks : tuple of (bytes, bytes)
        RIFF chunks by identifier and content, byte for byte.
    """

    text: dict[str, str] = field(default_factory=dict)
    chunks: tuple[tuple[bytes, bytes], ...] = ()


def read_tags(path: str | PathLike[str]) -> Tags:
    """Return the tags of a recording; empty where there are none."""
    import soundfile

    with soundfile.SoundFile(os.fsencode(path)) as file:
        return Tags(text=file.copy_metadata())
