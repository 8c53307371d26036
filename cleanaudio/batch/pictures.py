"""Where the pictures of recordings go: the folders of the inputs are mirrored, no two get one name."""

from __future__ import annotations

from itertools import chain, count
from pathlib import Path

from cleanaudio.batch.source import Source
from cleanaudio.errors import OutputError


class Pictures:
    """Gives the pictures of each recording the beginning of their names.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._taken: set[str] = set()

    def of(self, source: Source) -> str:
        """Return the beginning of the names of a recording's pictures."""
        relative = source.relative
        names = chain((relative.with_suffix(""), relative), (f"{relative}-{number}" for number in count(2)))
        name = next(name for name in map(str, names) if name not in self._taken)
        self._taken.add(name)
        return str(self._folder / name)


def make_folder(folder: Path) -> None:
    """Make a folder where there is none.

    Raises
    ------
    OutputError
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot be made: {error.strerror}", path=folder) from None
