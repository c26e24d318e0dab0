"""The folder that a restore goes into: new or empty, so that it never mixes with or replaces what is there."""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING

from bkp.errors import BkpError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def refuse_used(folder: Path) -> None:
    """Raise `UsageError` or `BkpError` where `new_folder` would, and change nothing."""
    try:
        existing = next(each for each in (folder, *folder.absolute().parents) if os.path.lexists(each))
        if not existing.is_dir():
            raise UsageError(f"{existing} is a file", remedy="name a folder that is new or empty")
        if existing == folder and any(folder.iterdir()):
            raise UsageError(f"{folder} is not empty", remedy="restore into a new folder, then move what you need")
        if not os.access(existing, os.W_OK | os.X_OK):
            number = errno.EROFS if os.statvfs(existing).f_flag & os.ST_RDONLY else errno.EACCES
            raise _not_made(folder, OSError(number, os.strerror(number)))
    except OSError as exc:
        raise _not_made(folder, exc) from exc


def _not_made(folder: Path, exc: OSError) -> BkpError:
    return BkpError(f"cannot make {folder}: {exc.strerror}", remedy="name another folder")


@contextlib.contextmanager
def new_folder(folder: Path) -> Iterator[None]:
    """Make the folder, and take it away again if the block fails with nothing in it."""
    refuse_used(folder)
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise _not_made(folder, exc) from exc
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # something was restored: that stays
            for each in made:
                each.rmdir()
        raise


def lost_there(folder: Path) -> list[str]:
    """Return what the folder's file system cannot keep, and borg drops without a word: a sentence for each.

    Whether the archive holds any is not known: borg lists no ACLs.
    """
    try:
        os.getxattr(folder, "system.posix_acl_access")
    except OSError as exc:
        if exc.errno == errno.EOPNOTSUPP:
            lost = (
                f"the file system of {folder} keeps no ACLs: those of the archive, if it holds any, were not restored"
            )
            return [f"{lost}; restore to one that keeps them (ext4, or ZFS with acltype=posix)"]
    return []
