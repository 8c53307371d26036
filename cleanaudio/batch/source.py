"""What a plan is made from: a recording to work on, or what is wrong with something that the user named."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cleanaudio.errors import CleanAudioError, InputError


class NothingFound(InputError):
    """No audio in a folder, behind a pattern or in a list, which is no fault of a file."""


@dataclass(frozen=True)
class Source:
    """A recording to work on.

    Parameters
    ----------
    path : Path
        Where it is; for one of several files, the name that stands for all of them.
    relative : Path
        Its path below the root that the user named, never with ``..``: how a folder tree is mirrored. The name alone
        for a single file; below its fixed leading folders for a glob; in a list below the working folder and in a
        manifest below the manifest's folder, where it lies there.
    label : str
        How it is called in rows and messages: as the user wrote it.
    meta : mapping
        The other keys of its line in a manifest.
    found : bool
        It was found in a folder or by a glob, not named.
    parts : tuple of Path
        The files of a recording that has several.
    """

    path: Path
    relative: Path
    label: str
    meta: Mapping[str, object] = field(default_factory=dict)
    found: bool = False
    parts: tuple[Path, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """Return the files that it is made of."""
        return self.parts or (self.path,)


@dataclass(frozen=True)
class Problem:
    """Something is wrong with one thing that the user named.

    Parameters
    ----------
    label : str
        What the user wrote; for a line of a list or manifest ``FILE:LINE``.
    error : CleanAudioError
        What is wrong with it; :class:`NothingFound` where that is only that there is nothing.
    """

    label: str
    error: CleanAudioError


def says_nothing_found(item: object) -> bool:
    """Return whether an item is a problem, and only that there is nothing."""
    return isinstance(item, Problem) and isinstance(item.error, NothingFound)


def unreachable(path: str | os.PathLike[str], error: OSError, label: str) -> InputError:
    """Return what is wrong with a file that cannot be looked at.

    Parameters
    ----------
    path : str or PathLike
    error : OSError
        What looking at it raised.
    label : str
        How it is called in messages.
    """
    message, remedy = (error.strerror or str(error)).lower(), "check its name"
    if error.errno == errno.ENOENT and os.path.islink(path):
        message, remedy = "the link leads nowhere", "remove the link or mend it"
    elif error.errno == errno.ELOOP:
        remedy = "remove the links that lead to each other"
    elif error.errno == errno.EACCES:
        remedy = "give yourself permission for its folder"
    return InputError(message, path=label, remedy=remedy)
