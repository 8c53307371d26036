"""One run at a time in an output folder; outputs that are begun are noted for the run after one that was killed."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from cleanaudio.errors import OutputError

LOCK_NAME = ".cleanaudio.lock"


class FolderLock:
    """Holds a folder for one run, making it if it is not there; a context manager.

    The lock is the kernel's (``flock``) on a hidden file, so a run that dies, however it dies, does not keep it. The
    file goes away at a clean end and is left, unlocked, by a killed run; the next run takes it over. Removing it is
    safe because who gets the lock looks whether the file that it locked is still the one in the folder.

    The file names the outputs that were begun and are not in the log yet: one that got its name before its run was
    killed is that run's all the same, and may be made anew.

    The lock belongs to the open file, so a process *forked* without ``exec`` shares it and would keep it after the
    death of its parent: start workers by ``spawn`` or ``forkserver``.

    Parameters
    ----------
    folder : Path
        The output folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = os.path.join(folder, LOCK_NAME)
        self._descriptor: int | None = None
        self._inherited = _left(self._path)
        self._begun = set(self._inherited)

    def acquire(self) -> None:
        """Take the lock without waiting, or raise an error that names its holder.

        Raises
        ------
        OutputError
            If another run has it, the folder cannot be written to, or its file system knows no locks.
        """
        while self._descriptor is None:
            descriptor = self._open()
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if is_current(descriptor, self._path):
                    self._inherited = _left(self._path)
                    self._begun = set(self._inherited)
                    self._descriptor = descriptor
                    self._note()
            except OSError as error:
                raise self._explain(error, descriptor) from error
            finally:
                if self._descriptor is None:
                    os.close(descriptor)

    def release(self) -> None:
        """Give the lock back and remove its file; without effect if it is not held.

        The file stays where an output of a killed run still waits to be made anew.
        """
        if self._descriptor is None:
            return
        self._begun = {name for name in self._begun if os.path.lexists(os.path.join(self.folder, name))}
        self._note()
        descriptor, self._descriptor = self._descriptor, None
        try:
            if is_current(descriptor, self._path) and not self._begun:
                os.unlink(self._path)
        except OSError as error:
            raise OutputError(f"the lock cannot be removed: {error.strerror}", path=self._path) from error
        finally:
            os.close(descriptor)

    def __enter__(self) -> FolderLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def begin(self, output: Path) -> None:
        """Note that an output is being made."""
        self._begun.add(self._name(output))
        self._note()

    def end(self, output: Path) -> None:
        """Note that the row of an output is in the log."""
        if self.has_begun(output):
            self._begun.discard(self._name(output))
            self._note()

    def give_up(self, output: Path) -> None:
        """Note that an output was not made; one that a killed run has begun still waits to be made anew."""
        if self._name(output) not in self._inherited:
            self.end(output)

    def has_begun(self, output: Path) -> bool:
        """Whether an output was begun, by this run or by one that was killed, and is not in the log."""
        return self._name(output) in self._begun

    def _name(self, output: Path) -> str:
        return os.path.relpath(output, self.folder)

    def _note(self) -> None:
        if self._descriptor is None:
            return
        content = f"{os.getpid()}\n{json.dumps(sorted(self._begun))}\n".encode()
        with suppress(OSError):  # a full disk: what the note is for may never come
            os.pwrite(self._descriptor, content, 0)
            os.ftruncate(self._descriptor, len(content))

    def _open(self) -> int:
        try:
            os.makedirs(self.folder, exist_ok=True)
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        except OSError as error:
            raise OutputError(
                f"the output folder cannot be written to: {error.strerror}",
                path=self.folder,
                remedy="choose another folder with -o, or mend its permissions",
            ) from error

    def _explain(self, error: OSError, descriptor: int) -> OutputError:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            holder = os.pread(descriptor, 32, 0).partition(b"\n")[0].decode("ascii", "replace")
            who = f"process {holder}" if holder else "another process"
            return OutputError(
                f"{who} is writing into this folder",
                path=self.folder,
                remedy="wait for it to end, or choose another folder with -o",
            )
        return OutputError(
            f"the output folder cannot be locked: {error.strerror}",
            path=self.folder,
            remedy="choose a folder on another file system with -o",
        )


def _left(path: str) -> set[str]:
    """Return the outputs that the file of a killed run names.

    Only its second line counts: after that may stand the end of a longer note before, not cut off yet.
    """
    with suppress(OSError, ValueError, TypeError), open(path, "rb") as file:
        file.readline()
        return set(map(str, json.loads(file.readline())))
    return set()


def is_current(descriptor: int, path: str | os.PathLike[str]) -> bool:
    """Whether an open file is still the one of this name."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
