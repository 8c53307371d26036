"""A recording's file, opened as it is or as a decoder must see it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import BinaryIO

from cleanaudio.audio.spliced import Runs, Spliced
from cleanaudio.errors import InputError


def open_file(name: str) -> BinaryIO:
    """Open a regular file that is not empty, for reading.

    Raises
    ------
    InputError
        No such file, a folder, no permission, empty, or a name that cannot be one.
    """
    try:
        status = os.stat(name)
        if stat.S_ISDIR(status.st_mode):
            raise InputError("is a folder", path=name, remedy="name the recordings in it")
        if not stat.S_ISREG(status.st_mode):
            raise InputError("is not a regular file", path=name, remedy="pipe it into standard input, named -")
        if not status.st_size:
            raise InputError("is empty (0 bytes)", path=name, remedy="record or copy it again")
        return open(name, "rb")
    except FileNotFoundError as error:
        raise InputError("no such file", path=name, remedy="check the name") from error
    except PermissionError as error:
        raise InputError("may not be read", path=name, remedy="give yourself permission, as with chmod u+r") from error
    except ValueError as error:
        raise InputError("is not a file name", path=name, remedy="check the name") from error
    except OSError as error:
        raise InputError(f"cannot be opened: {error.strerror or error}", path=name, remedy="check the name") from error


@dataclass(frozen=True)
class View:
    """A file, or a view of it that begins with ``head`` and goes on with ``runs`` of the file, if there are any.

    Parameters
    ----------
    name : str
        Of the file.
    head : bytes
    runs : tuple of (int, int)
        As in :class:`~cleanaudio.audio.spliced.Spliced`.
    """

    name: str
    head: bytes = b""
    runs: Runs = ()

    def open(self) -> BinaryIO | Spliced:
        """Open it; errors as :func:`open_file`."""
        file = open_file(self.name)
        return Spliced(file, self.head, self.runs) if self.head or self.runs else file
