"""borg's command lines as pure tuples (borg(1)). No secret is ever among them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bkp.config.repositories import Keep, Repository, Source

REMOVING = frozenset({"prune", "compact"})  # operations after which something is gone for good
_POINTER = 8


def _common(lock_wait: float) -> tuple[str, ...]:
    return ("--log-json", "--lock-wait", str(max(1, round(lock_wait))))


def archive_glob(repository: Repository) -> str:
    """Return the pattern of the archives that retention counts; those that are set aside never match it."""
    return f"{repository.prefix}-*"


def create(
    repository: Repository,
    archive: str,
    roots: Sequence[str],
    sources: Sequence[Source],
    *,
    lock_wait: float,
    comment: str,
    dry_run: bool = False,
) -> tuple[str, ...]:
    """Return `borg create` of `roots`; the reply is JSON on stdout. A dry run lists nothing and writes nothing."""
    patterns = tuple(word for source in sources for pattern in source.exclude for word in ("--exclude", pattern))
    return (
        *("create", *_common(lock_wait), "--progress"),
        *(("--dry-run",) if dry_run else ("--json", "--comment", comment)),
        *("--compression", repository.compression),
        *("--checkpoint-interval", str(int(repository.checkpoint_interval.total_seconds()))),
        *(("--one-file-system",) if all(source.one_file_system for source in sources) else ()),
        *patterns,
        f"{repository.path}::{archive}",
        *roots,
    )


def list_archives(repository: Repository, *, lock_wait: float, checkpoints: bool = False) -> tuple[str, ...]:
    """Return `borg list` of the whole repository as JSON: enough to confirm an archive by its id.

    borg hides the saved progress of archives that never came to their end, unless `checkpoints` are asked for.
    """
    return (
        "list",
        *_common(lock_wait),
        *(("--consider-checkpoints",) if checkpoints else ()),
        "--json",
        repository.path,
    )


def rename(repository: Repository, archive: str, new_name: str, *, lock_wait: float) -> tuple[str, ...]:
    """Return `borg rename`."""
    return ("rename", *_common(lock_wait), f"{repository.path}::{archive}", new_name)


def prune(
    repository: Repository,
    *,
    lock_wait: float,
    glob: str | None = None,
    keep: Keep | None = None,
    dry_run: bool = False,
) -> tuple[str, ...]:
    """Return `borg prune` over our own archives only, saying which are kept and which go."""
    rules = keep or repository.keep
    counts = (("daily", rules.daily), ("weekly", rules.weekly), ("monthly", rules.monthly), ("yearly", rules.yearly))
    return (
        *("prune", *_common(lock_wait), "--list"),
        *(("--dry-run",) if dry_run else ("--stats",)),
        *(("--keep-within", rules.within) if rules.within else ()),
        *(("--keep-last", str(rules.last)) if rules.last else ()),
        *(word for kind, count in counts if count for word in (f"--keep-{kind}", str(count))),
        *("--glob-archives", glob or archive_glob(repository), repository.path),
    )


def compact(repository: Repository, *, lock_wait: float) -> tuple[str, ...]:
    """Return `borg compact`, which says how much it freed."""
    return (
        *("compact", *_common(lock_wait), "--progress", "--verbose"),
        *("--threshold", str(repository.compact_threshold), repository.path),
    )


def check(repository: Repository, *, lock_wait: float, verify_data: bool) -> tuple[str, ...]:
    """Return `borg check`; with `verify_data` every chunk is decrypted and authenticated."""
    return (
        *("check", *_common(lock_wait), "--progress", "--info"),
        *(("--verify-data",) if verify_data else ()),
        repository.path,
    )


def extract(
    repository: Repository,
    archive: str,
    paths: Sequence[str],
    *,
    lock_wait: float,
    dry_run: bool = False,
    progress: bool = False,
    numeric_ids: bool = False,
    sparse: bool = False,
) -> tuple[str, ...]:
    """Return `borg extract` of `paths` (as archived; all if empty) into the working directory.

    `sparse`: runs of zeros become holes, as they were in a sparse file; the content is the same.
    """
    return (
        *("extract", *_common(lock_wait)),
        *(("--progress",) if progress else ()),
        *(("--dry-run", "--list") if dry_run else ()),
        *(("--numeric-ids",) if numeric_ids else ()),
        *(("--sparse",) if sparse else ()),
        f"{repository.path}::{archive}",
        *paths,
    )


def break_lock(repository: Repository, *, lock_wait: float) -> tuple[str, ...]:
    """Return `borg break-lock`, which removes the repository's lock and its cache's, whoever holds them."""
    return ("break-lock", *_common(lock_wait), repository.path)


def delete_cache(repository: Repository, *, lock_wait: float) -> tuple[str, ...]:
    """Return `borg delete --cache-only`: the local cache goes, and borg makes it anew from the repository."""
    return ("delete", *_common(lock_wait), "--cache-only", repository.path)


def in_chunks(paths: Sequence[str], limit: int) -> Iterator[list[str]]:
    """Yield the paths in their order, in lists that each take at most `limit` bytes of a command line.

    A path takes its own bytes, the one that ends it and a pointer (execve(2)); one that alone takes more is alone.
    """
    chunk: list[str] = []
    room = limit
    for path in paths:
        size = len(os.fsencode(path)) + 1 + _POINTER
        if chunk and size > room:
            yield chunk
            chunk, room = [], limit
        chunk.append(path)
        room -= size
    if chunk:
        yield chunk


def key_export(repository: Repository, *, lock_wait: float) -> tuple[str, ...]:
    """Return `borg key export` to stdout; it needs no passphrase."""
    return ("key", "export", *_common(lock_wait), repository.path, "-")
