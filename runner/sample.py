"""A random sample of the files that a nightly archives, with their hashes, for the drill to compare.

The tree is walked beside borg. A file that changed since the run began is left out: which content borg saw is unknown.
"""

from __future__ import annotations

import hashlib
import os
import random
import stat
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bkp.patience import in_time
from bkp.patterns import excluder
from bkp.state.records import SampleFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_CHUNK = 1 << 20
_CANCEL_SECONDS = 5.0
_SPARE = 4  # candidates drawn per wanted file, to make up for those that changed or are too large


@dataclass(frozen=True)
class Tree:
    """A tree to draw from: its root, and the patterns that borg leaves out of it.

    borg has one list of patterns for all roots, so every tree needs those of all.
    """

    root: str
    exclude: tuple[str, ...]
    one_file_system: bool


class SampleDrawer:
    """Walks the trees in a thread of its own, then hashes what it drew."""

    def __init__(
        self,
        trees: Sequence[Tree],
        *,
        files: int,
        total_bytes: int,
        skip: Sequence[str] = (),
        rng: random.Random | None = None,
    ) -> None:
        """Draw `files` files of `total_bytes` together at most; folders in `skip` are not entered."""
        self._trees = trees
        self._roots = frozenset(tree.root for tree in trees)
        self._wanted = files
        self._total_bytes = total_bytes
        self._skip = frozenset(filter(None, map(_identity, skip)))
        self._rng = rng or random.Random(os.urandom(16))  # noqa: S311  # fair, and fast enough for millions of files
        self._drawn: list[str] = []
        self._error: Exception | None = None
        self._passed_over: list[str] = []
        self._holding: set[str] = set()
        self._stop = threading.Event()
        self.candidates = 0
        self._thread = threading.Thread(target=self._walk, name="sample", daemon=True)

    def start(self) -> None:
        """Begin to walk."""
        self._thread.start()

    def cancel(self) -> None:
        """End the walk early. One that a file system keeps waiting is left behind: it must not keep the run, too."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(_CANCEL_SECONDS)

    def passed_over(self) -> list[str]:
        """Wait for the walk, then return the folders on other file systems that it met, into which borg does not go."""
        self._thread.join()
        return self._passed_over

    def without_files(self) -> list[str]:
        """Wait for the walk, then return the roots of the trees of which an archive holds nothing but folders."""
        self._thread.join()
        return [tree.root for tree in self._trees if tree.root not in self._holding]

    def hashes(self, unchanged_since_ns: int) -> tuple[SampleFile, ...]:
        """Wait for the walk, then return the hashed sample, in path order.

        `unchanged_since_ns` is when the run began (Unix time in ns); a file whose ctime is not before it is left out.
        """
        self._thread.join()
        if self._error is not None:
            raise self._error
        return in_time(lambda: self._hashed(unchanged_since_ns), None)

    def _hashed(self, unchanged_since_ns: int) -> tuple[SampleFile, ...]:
        chosen: list[SampleFile] = []
        room = self._total_bytes
        for path in self._drawn:
            if len(chosen) == self._wanted:
                break
            found = hash_file(path, limit=room, unchanged_since_ns=unchanged_since_ns)
            if found is not None:
                chosen.append(found)
                room -= found.bytes
        return tuple(sorted(chosen, key=lambda each: each.path))

    def _walk(self) -> None:
        try:
            reservoir, count, draw = self._wanted * _SPARE, 0, self._rng.random
            for path in self._files():
                count += 1
                if count <= reservoir:
                    self._drawn.append(path)
                elif (at := int(draw() * count)) < reservoir:
                    self._drawn[at] = path
            self.candidates = count
            self._rng.shuffle(self._drawn)
        except Exception as exc:  # noqa: BLE001  # handed to the thread that waits for the hashes
            self._error = exc

    def _files(self) -> Iterator[str]:
        for tree in self._trees:
            root = _identity(tree.root)
            if root is not None:  # else borg says that it is gone
                excluded = excluder(tree.exclude) if tree.exclude else None
                yield from self._below(tree.root, excluded, root[0] if tree.one_file_system else None)

    def _below(self, root: str, excluded: Callable[[str], bool] | None, device: int | None) -> Iterator[str]:
        pending = [root]
        while pending and not self._stop.is_set():
            for entry in _entries(pending.pop()):
                kind = _kind(entry)
                if excluded is not None and excluded(entry.path):
                    continue
                if kind != "folder":
                    self._holding.add(root)
                if kind is None:
                    continue
                if kind == "file":
                    if entry.path.isprintable():
                        yield entry.path
                elif self._entered(entry, device):
                    pending.append(entry.path)
                else:  # somebody else tells of what it holds
                    self._holding.add(root)

    def _entered(self, entry: os.DirEntry[str], device: int | None) -> bool:
        """Return whether borg goes into that folder: not into its own, nor into another file system if told so.

        A folder that is a tree itself is walked as that, and by borg a second time: no file is drawn twice.
        """
        if entry.path in self._roots:
            return False
        if device is None and not self._skip:
            return True
        try:
            facts = entry.stat(follow_symlinks=False)
        except OSError:  # gone by now
            return False
        if (facts.st_dev, facts.st_ino) in self._skip:
            return False
        if device in {None, facts.st_dev}:
            return True
        self._passed_over.append(entry.path)
        return False


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    """Yield what a folder holds, as far as it can be read: of the rest borg warns itself."""
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError:
        return


def _kind(entry: os.DirEntry[str]) -> Literal["folder", "file"] | None:
    try:
        if entry.is_dir(follow_symlinks=False):
            return "folder"
        return "file" if entry.is_file(follow_symlinks=False) else None
    except OSError:  # some file systems say it only of the file itself, which may be damaged
        return None


def _identity(path: str) -> tuple[int, int] | None:
    try:
        facts = os.stat(path)  # noqa: PTH116  # as borg does it
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def hash_file(path: str, *, limit: int, unchanged_since_ns: int | None = None) -> SampleFile | None:
    """Return the size and SHA-256 of a regular file; None if it is gone, changed since then, or over `limit` bytes.

    A file that cannot be read is none for the sample either: borg warns of it, and the night goes on without it.
    """
    try:
        return read_hash(path, limit=limit, unchanged_since_ns=unchanged_since_ns)
    except OSError:
        return None


def read_hash(path: str, *, limit: int | None = None, unchanged_since_ns: int | None = None) -> SampleFile | None:
    """Do the same, but raise OSError with the reason if the file cannot be opened or read to its end."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb", buffering=0) as handle:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode) or (limit is not None and before.st_size > limit):
            return None
        digest = hashlib.sha256()
        while data := handle.read(_CHUNK):
            digest.update(data)
        after = os.fstat(descriptor)
    if (before.st_ctime_ns, before.st_size) != (after.st_ctime_ns, after.st_size):
        return None
    if unchanged_since_ns is not None and after.st_ctime_ns >= unchanged_since_ns:
        return None
    return SampleFile(path=path.lstrip("/"), bytes=after.st_size, sha256=digest.hexdigest())
