"""From what the user typed to audio files, one after the other: a million names are never in memory at once.

What is sorted is one folder at a time, so only the names of that folder are held at once.
"""

from __future__ import annotations

import os
import re
import stat
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import BinaryIO, TextIO

from cleanaudio.batch.lists import Entry, list_entries, manifest_entries
from cleanaudio.batch.names import Numbers, RealNames
from cleanaudio.batch.source import NothingFound, Problem, Source, says_nothing_found, unreachable
from cleanaudio.errors import InputError, RecipeError

_MAGIC = re.compile(r"[*?\[]")


def expand(
    inputs: Sequence[str],
    *,
    recursive: bool = False,
    suffixes: Collection[str],
    exclude: Sequence[Path] = (),
    manifest: str | None = None,
    stdin: TextIO | BinaryIO | None = None,
    again: bool = False,
) -> Iterator[Source | Problem]:
    """Find the files behind `inputs`, lazily, in a fixed order, each once.

    Parameters
    ----------
    inputs : sequence of str
        Files; folders; globs (``**`` is any number of folders; without it a folder that matches stands for the audio
        in it; an existing path beats its glob); ``@FILE``, a list of files and folders, one a line; ``@-`` and
        ``@-0``, such a list on stdin, by newline or NUL.
    recursive : bool
        Look into the folders below a folder. Links to folders are followed, after everything else, and each real
        folder is visited once: loops end, and what a tree holds itself keeps its own name.
    suffixes : collection of str
        What counts as audio in a folder, as ``.wav``, in any case of letters.
    exclude : sequence of Path
        Folders that are left out below a folder or glob: the output tree.
    manifest : str, optional
        A JSONL file with ``audio_filepath`` in each line, relative to its folder; ``-`` is stdin.
    stdin : file, optional
        Where ``@-``, ``@-0`` and a manifest ``-`` are read from.
    again : bool
        Yield a file again where it is named again.

    Returns
    -------
    iterator of Source or Problem
        Hidden files and folders, our own temporaries among them, are left out of folders.

    Raises
    ------
    RecipeError
        At the call, if ``-`` is among the inputs (audio on stdin is no file; the caller deals with it) or
        stdin is asked for twice.
    """
    if "-" in inputs:
        raise RecipeError("this command takes no audio on stdin (-)", remedy="a file of that name is called ./-")
    readers = [text for text in inputs if text in ("@-", "@-0")] + ["--manifest -"] * (manifest == "-")
    if len(readers) > 1:
        raise RecipeError(f"{' and '.join(readers)} would both read stdin", remedy="keep one of them")
    if readers and stdin is None:
        raise RecipeError(f"{readers[0]} needs stdin, which is closed")
    return _Search(recursive, suffixes, exclude, again).run(inputs, manifest, stdin)


class _Search:
    """One expansion: its settings, and what it has already found."""

    def __init__(self, recursive: bool, suffixes: Collection[str], exclude: Sequence[Path], again: bool) -> None:
        self._recursive, self._again = recursive, again
        self._suffixes = {"." + suffix.lower().lstrip(".") for suffix in suffixes}
        self._exclude = [os.path.realpath(folder) for folder in exclude]
        self._names = RealNames()
        self._seen = Numbers()

    def run(
        self, inputs: Sequence[str], manifest: str | None, stdin: TextIO | BinaryIO | None
    ) -> Iterator[Source | Problem]:
        for text in inputs:
            yield from self._once(self._typed(text, stdin))
        if manifest is not None:
            yield from self._once(self._listed(manifest, manifest_entries(manifest, stdin)))

    def _once(self, items: Iterator[Source | Problem]) -> Iterator[Source | Problem]:
        for item in items:
            known = len(self._seen)
            if isinstance(item, Problem) or self._again or self._seen.add(self._names.key(item.path)) == known:
                yield item

    def _typed(self, text: str, stdin: TextIO | BinaryIO | None) -> Iterator[Source | Problem]:
        if text in ("@-", "@-0") or (text.startswith("@") and not os.path.lexists(text)):
            return self._listed(text, list_entries(text, stdin))
        if _MAGIC.search(text) and not os.path.lexists(text):
            return self._glob(text)
        return self._named(Entry(text))

    def _listed(self, label: str, items: Iterator[Entry | Problem]) -> Iterator[Source | Problem]:
        empty = True
        for item in items:
            empty = False
            if isinstance(item, Problem):
                yield item
            else:
                yield from self._named(item)
        if empty:
            yield Problem(label, NothingFound("there are no names in this list", path=label))

    def _named(self, entry: Entry) -> Iterator[Source | Problem]:
        path = entry.path
        try:
            mode = os.stat(path).st_mode
        except ValueError:  # a NUL or half a character, which only a manifest can hold
            yield Problem(ascii(path), InputError("no file can have this name", path=ascii(path)))
            return
        except OSError as error:
            yield Problem(path, unreachable(path, error, path))
            return
        if stat.S_ISDIR(mode):
            yield from self._folder(path, _below(entry.root, path))
        elif stat.S_ISREG(mode):
            relative = _below(entry.root, path) or os.path.basename(path)
            yield Source(_path(path), Path(relative), path, entry.meta)
        else:
            yield Problem(
                path, InputError("not a regular file", path=path, remedy="send a pipe to stdin and name it -")
            )

    def _folder(self, folder: str, relative: str) -> Iterator[Source | Problem]:
        empty = True
        for item in self._tree(folder, self._recursive):
            if isinstance(item, Problem):
                empty = False
                yield item
                continue
            below, names = item
            for name in filter(self._is_audio, names):
                empty = False
                path = os.path.join(folder, below, name)
                yield Source(_path(path), Path(relative, below, name), path, found=True)
        if empty:
            remedy = "" if self._recursive else "--recursive looks into the folders below it"
            yield Problem(folder, NothingFound("no audio files in this folder", path=folder, remedy=remedy))

    def _tree(self, root: str, deep: bool) -> Iterator[tuple[str, list[str]] | Problem]:
        """Yield each folder's path below `root` and the names of its files."""
        visited = Numbers()
        trees = deque([""])
        while trees:
            stack = [trees.popleft()]
            while stack:
                below = stack.pop()
                folder = _join(root, below)
                known = len(visited)
                if self._excluded(folder, root) or visited.add(os.fsencode(os.path.realpath(folder))) != known:
                    continue
                try:
                    files, folders, links = _list(folder)
                except OSError as error:
                    yield _unreadable(folder, error)
                    continue
                yield below, _shown(files)
                if deep:
                    stack.extend(os.path.join(below, name) for name in reversed(_shown(folders)))
                    trees.extend(os.path.join(below, name) for name in _shown(links))

    def _glob(self, pattern: str) -> Iterator[Source | Problem]:
        parts = PurePath(pattern).parts
        fixed = next(number for number, part in enumerate(parts) if _MAGIC.search(part))
        root = os.path.join("", *parts[:fixed])
        last = os.path.splitext(parts[-1])[1]
        any_suffix = bool(last) and not _MAGIC.search(last)  # *.pcm takes every such file, * only audio
        empty = True
        for item in self._match(root, "", parts[fixed:] + ("*",) * (parts[-1] == "**")):
            if isinstance(item, Problem):
                empty = False
                yield item
                continue
            path = os.path.join(root, item)
            relative = os.path.basename(item) if ".." in PurePath(item).parts else item
            if os.path.isdir(path):
                if "**" in parts or self._excluded(path, root):
                    continue
                for found in self._folder(path, relative):
                    if not says_nothing_found(found):
                        empty = False
                        yield found
            elif any_suffix or self._is_audio(item):
                empty = False
                yield Source(_path(path), Path(relative), path, found=True)
        if empty:
            yield Problem(pattern, NothingFound("no audio file matches this pattern", path=pattern))

    def _match(self, root: str, below: str, parts: tuple[str, ...]) -> Iterator[str | Problem]:
        """Yield the paths below `root` that match `parts`, seen from its folder `below`."""
        head, rest = parts[0], parts[1:]
        folder = _join(root, below)
        if self._excluded(folder, root):
            return
        if head == "**":
            for item in self._tree(folder, deep=True):
                if isinstance(item, Problem):
                    yield item
                else:
                    yield from self._match(root, _join(below, item[0]), rest)
            return
        try:
            files, folders, links = _list(folder) if _MAGIC.search(head) else _list_one(folder, head)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            yield _unreadable(folder, error)
            return
        for name in sorted(folders + links + ([] if rest else files)):
            if name == head or (fnmatchcase(name, head) and (head.startswith(".") or not name.startswith("."))):
                path = os.path.join(below, name)
                if rest:
                    yield from self._match(root, path, rest)
                else:
                    yield path

    def _is_audio(self, name: str) -> bool:
        return os.path.splitext(name)[1].lower() in self._suffixes

    def _excluded(self, folder: str, root: str) -> bool:
        """Whether `folder` is in a tree that is left out, unless the user named a root inside it."""
        real = os.path.realpath(folder) if self._exclude else ""
        return any(_contains(tree, real) and not _contains(tree, os.path.realpath(root)) for tree in self._exclude)


def _list(folder: str) -> tuple[list[str], list[str], list[str]]:
    """Return the names of the files, the folders, and the links to folders in a folder, each sorted."""
    files: list[str] = []
    folders: list[str] = []
    links: list[str] = []
    with os.scandir(folder or ".") as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            elif not entry.is_symlink():
                if entry.is_file():
                    files.append(entry.name)
            elif os.path.isdir(os.path.join(folder, entry.name)):
                links.append(entry.name)
            else:  # also a link that leads nowhere: its row will say so
                files.append(entry.name)
    return sorted(files), sorted(folders), sorted(links)


def _list_one(folder: str, name: str) -> tuple[list[str], list[str], list[str]]:
    path = os.path.join(folder, name)
    if os.path.isdir(path):
        return [], [name], []
    return [name] if os.path.lexists(path) else [], [], []


def _path(text: str) -> Path:
    return Path.cwd() / "-" if text in ("-", "./-") else Path(text)  # libsndfile takes "-" for stdin


def _join(folder: str, below: str) -> str:
    return os.path.join(folder, below) if below else folder


def _shown(names: list[str]) -> list[str]:
    return [name for name in names if not name.startswith(".")]


def _unreadable(folder: str, error: OSError) -> Problem:
    return Problem(folder, InputError(f"the folder cannot be read: {error.strerror}", path=folder or "."))


def _below(root: str | None, path: str) -> str:
    """Return `path` below `root`, empty where it is not or where `root` is None."""
    if root is None:
        return ""
    root, path = os.path.abspath(root), os.path.abspath(path)
    return os.path.relpath(path, root) if path != root and _contains(root, path) else ""


def _contains(tree: str, path: str) -> bool:
    return path == tree or path.startswith(tree.rstrip(os.sep) + os.sep)
