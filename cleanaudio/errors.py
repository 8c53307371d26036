"""What can go wrong, as types.

Every error that a user may meet derives from :class:`CleanAudioError`. Its message says what is wrong, its
``remedy`` what to do about it, its ``path`` which file it is about. Nothing here prints or exits: the command line
shows :meth:`CleanAudioError.describe`, the batch writes it into the file's row.
"""

from __future__ import annotations

import errno
from os import PathLike


class CleanAudioError(Exception):
    """Base of every error that cleanaudio raises on purpose.

    Parameters
    ----------
    message : str
        What is wrong, in one sentence without a final stop.
    path : str or PathLike, optional
        The file that it is about.
    remedy : str, optional
        What the user can do.
    """

    def __init__(self, message: str, *, path: str | PathLike[str] | None = None, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.path = None if path is None else str(path)
        self.remedy = remedy

    def describe(self) -> str:
        """Return ``path: message (remedy)`` on one line; control characters and bytes that are no UTF-8 are visible."""
        text = f"{self.path}: {self.message}" if self.path is not None else self.message
        if self.remedy:
            text += f" ({self.remedy})"
        return printable(text)

    def __reduce__(self):  # keyword arguments survive the way back from a worker process
        return _rebuild, (type(self), self.message, self.__dict__.copy())


def printable(text: str) -> str:
    """Return a text on one line; control characters, changes of direction and bytes that are no UTF-8 are visible."""
    return "".join(c if c.isprintable() else _visible(c) for c in text)


def _visible(character: str) -> str:
    """Return a character as Python and shells write it; lone surrogates of a file's name are bytes."""
    code = ord(character)
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else ascii(character)[1:-1]


def lack(error: BaseException, path: str | PathLike[str] | None = None) -> CleanAudioError | None:
    """Return an error that says what the machine ran out of: memory or open files; None if it is about neither."""
    if isinstance(error, MemoryError):
        return CleanAudioError("not enough memory", path=path, remedy="fewer --jobs, or a lighter backend")
    if isinstance(error, OSError) and error.errno == errno.EMFILE:
        return CleanAudioError("too many open files", path=path, remedy="raise ulimit -n, or fewer --jobs")
    return None


def _rebuild(kind: type[CleanAudioError], message: str, state: dict) -> CleanAudioError:
    error = kind.__new__(kind)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    return error


class InputError(CleanAudioError):
    """A file or stream that cannot be read, or holds nothing that can be cleaned."""


class DamagedError(InputError):
    """A recording that gives nothing from a place before its end on.

    Parameters
    ----------
    seconds : float
        Where that is.
    whole_s : float
        How long the recording says it is.
    path : str or PathLike
    """

    def __init__(self, seconds: float, whole_s: float, path: str | PathLike[str]) -> None:
        super().__init__(
            f"damaged at {seconds:.2f} s of {whole_s:.2f}: nothing can be read from there on",
            path=path,
            remedy="copy it again",
        )
        self.seconds = seconds


class OutputError(CleanAudioError):
    """A result that cannot be written: no permission, no space, a name that is taken."""


class ResultLost(OutputError):
    """What a command has come to cannot be written to its end; what it did until then stands."""


class FormatError(CleanAudioError):
    """A container or encoding that cannot be read or written as asked."""


class RecipeError(CleanAudioError):
    """An option, backend name or combination of them that makes no sense."""


class BackendUnavailable(CleanAudioError):
    """A backend or format whose optional package is not installed.

    Parameters
    ----------
    name : str
        The backend or feature.
    extra : str, optional
        The pip extra that brings it.
    reason : str, optional
        Why it cannot be used when the package itself is there.
    remedy : str, optional
        What else than the extra brings it.
    """

    def __init__(self, name: str, extra: str | None, reason: str = "", remedy: str = "") -> None:
        super().__init__(
            f"{name} is not available" + (f": {reason}" if reason else ""),
            remedy=remedy or f"pip install 'cleanaudio-cli[{extra}]'",
        )
        self.name = name
        self.extra = extra


class ModelError(CleanAudioError):
    """A model file that is missing, broken, hostile or of a contract that we do not know."""
