"""What a borg exit means: message id first, then exit code, then text, because 1.2.4 gives warnings no id.

Exit 1 is a warning everywhere but in `check`, where it says that corruption was found (borg(1), "Return codes").
"""

from __future__ import annotations

import errno
import os.path
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from bkp.state.fields import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bkp.state.records import Message


class Problem(StrEnum):
    """Why borg failed, as far as it can be told; each has one remedy."""

    LOCKED = "the repository is locked by another borg"
    PASSPHRASE = "the passphrase is wrong"  # noqa: S105  # a sentence, not a secret
    NO_REPOSITORY = "there is no repository at that path"
    INVALID_REPOSITORY = "what lies at the path is not a usable repository"
    MOVED = "the repository was moved, or is another one than before"
    OLDER = "the repository is older than what this server has seen of it"
    NO_SPACE = "there is not enough free space"
    TARGET_FULL = "there is not enough free space in the folder that is restored to"
    CACHE_FULL = "there is not enough free space for borg's cache"
    COMPACT_FULL = "there is not enough free space to compact, which needs some to begin with"
    READ_ONLY = "the file system of the repository, or of borg's cache, is read-only"
    DISK = "a disk could not be read or written"
    ARCHIVE_EXISTS = "an archive of that name exists"
    NO_ARCHIVE = "there is no archive of that name"
    KEY = "the repository's key is missing or invalid"
    CORRUPT = "the repository is damaged"
    NOT_AUTHENTIC = "what the repository holds is not authentic"
    NO_PERMISSION = "the repository may not be read or written by this user"
    TOO_NEW = "the repository needs a newer borg"
    CONNECTION = "the connection to the repository's host failed"
    USAGE = "borg did not accept the command line"
    SIGNAL = "borg was ended by a signal"
    TIMEOUT = "borg took longer than its time limit"
    CACHE = "borg's cache is damaged"
    NOT_STARTED = "borg could not be started"
    OTHER = "borg failed"

    def remedy(self, borg: str = "borg", repository: str = "REPOSITORY", base: str = "~") -> str:
        """Return what a person should do about it.

        `borg` is how borg is called by hand, with what it needs to know; below `base` lies what it remembers.
        """
        return _REMEDIES[self].format(borg=borg, repository=repository, base=base)


_REMEDIES = {
    Problem.LOCKED: "see who holds it (`ps -C borg`); if no borg runs anywhere, `{borg} break-lock {repository}`",
    Problem.PASSPHRASE: "compare repositories.….passphrase_file with the escrowed passphrase",
    Problem.NO_REPOSITORY: "check that its file system is mounted and its key loaded; for a new one: `{borg} init`",
    Problem.INVALID_REPOSITORY: "check that its file system is mounted; if it is, treat this as damage",
    Problem.MOVED: "if you moved it yourself, run `{borg} info {repository}` once by hand and answer its question",
    Problem.OLDER: "if you put an older copy there yourself: `{borg} delete --cache-only {repository}`, then "
    "`rm {base}/.config/borg/security/$({borg} config {repository} id)/manifest-timestamp` (nothing else there); "
    "if nobody did, treat it as an attack",
    Problem.NO_SPACE: "free space, or reduce retention and run `bkp-run prune`",
    Problem.TARGET_FULL: "free space there, or restore to another file system; the repository is not full",
    Problem.CACHE_FULL: "free space below {base}, or give repositories.….base_dir a place with room (.cache and "
    ".config move there); to prune helps only where the repository lies on the same file system",
    Problem.COMPACT_FULL: "free as much as borg requires there (old snapshots, other data), then run `bkp-run prune`",
    Problem.READ_ONLY: "find out why (dmesg, zpool status), mount it writable; to read it as it is: docs/recovery.md",
    Problem.DISK: "look at the disks (dmesg, zpool status, smartctl) before anything else is written to them",
    Problem.ARCHIVE_EXISTS: "some other program made it: run the nightly again, each run names its archive anew",
    Problem.NO_ARCHIVE: "list the archives with `bkp-run list`",
    Problem.KEY: "restore the key from an escrow copy with `{borg} key import` (never from an unproven one)",
    Problem.CORRUPT: "leave the repository as it is, check the disks (zpool status, smartctl), read docs/recovery.md",
    Problem.NOT_AUTHENTIC: "somebody or something rewrote it: change nothing, keep it as it is, read docs/recovery.md",
    Problem.NO_PERMISSION: "run it as the user who owns the repository (root, usually)",
    Problem.TOO_NEW: "install the borg that wrote it, or a newer one",
    Problem.CONNECTION: "try `ssh` to that host by hand",
    Problem.USAGE: "this is a defect of bkp, or a borg older than 1.2.4: see the log",
    Problem.SIGNAL: "see the journal for who ended it (out of memory, shutdown, an operator)",
    Problem.TIMEOUT: "raise jobs.….timeout, or find out what slows the disk down",
    Problem.CACHE: "remove it with `{borg} delete --cache-only {repository}`; borg makes it anew from the repository",
    Problem.NOT_STARTED: "see that what repositories.….borg names works by hand",
    Problem.OTHER: "see the log",
}

_CLASSES: tuple[tuple[str, int | None, Problem], ...] = (
    # borg's class of error, the exit code that 1.4 gives it, and what it means
    ("CommandError", 4, Problem.USAGE),
    ("Repository.AtticRepository", 11, Problem.INVALID_REPOSITORY),
    ("Repository.CheckNeeded", 12, Problem.CORRUPT),
    ("Repository.DoesNotExist", 13, Problem.NO_REPOSITORY),
    ("Repository.InsufficientFreeSpaceError", 14, Problem.NO_SPACE),
    ("Repository.InvalidRepository", 15, Problem.INVALID_REPOSITORY),
    ("Repository.InvalidRepositoryConfig", 16, Problem.INVALID_REPOSITORY),
    ("Repository.ObjectNotFound", 17, Problem.CORRUPT),
    ("Repository.ParentPathDoesNotExist", 18, Problem.NO_REPOSITORY),
    ("Repository.StorageQuotaExceeded", 20, Problem.NO_SPACE),
    ("Repository.PathPermissionDenied", 21, Problem.NO_PERMISSION),
    ("MandatoryFeatureUnsupported", 25, Problem.TOO_NEW),
    ("NoManifestError", 26, Problem.CORRUPT),
    ("UnsupportedManifestError", 27, Problem.TOO_NEW),
    ("Archive.AlreadyExists", 30, Problem.ARCHIVE_EXISTS),
    ("Archive.DoesNotExist", 31, Problem.NO_ARCHIVE),
    ("KeyfileInvalidError", 40, Problem.KEY),
    ("KeyfileMismatchError", 41, Problem.KEY),
    ("KeyfileNotFoundError", 42, Problem.KEY),
    ("NotABorgKeyFile", 43, Problem.KEY),
    ("RepoKeyNotFoundError", 44, Problem.KEY),
    ("RepoIdMismatch", 45, Problem.KEY),
    ("UnencryptedRepo", 46, Problem.KEY),
    ("UnknownKeyType", 47, Problem.KEY),
    ("UnsupportedPayloadError", 48, Problem.TOO_NEW),
    ("UnsupportedKeyFormatError", 49, Problem.TOO_NEW),
    ("NoPassphraseFailure", 50, Problem.PASSPHRASE),
    ("PasscommandFailure", 51, Problem.PASSPHRASE),
    ("PassphraseWrong", 52, Problem.PASSPHRASE),
    ("PasswordRetriesExceeded", 53, Problem.PASSPHRASE),
    ("Cache.CacheInitAbortedError", 60, Problem.MOVED),
    ("Cache.EncryptionMethodMismatch", 61, Problem.NOT_AUTHENTIC),
    ("Cache.RepositoryAccessAborted", 62, Problem.MOVED),
    ("Cache.RepositoryIDNotUnique", 63, Problem.MOVED),
    ("Cache.RepositoryReplay", 64, Problem.OLDER),
    ("LockError", 70, Problem.LOCKED),
    ("LockErrorT", 71, Problem.LOCKED),
    ("LockFailed", 72, Problem.LOCKED),
    ("LockTimeout", 73, Problem.LOCKED),
    ("ConnectionClosed", 80, Problem.CONNECTION),
    ("ConnectionClosedWithHint", 81, Problem.CONNECTION),
    ("PathNotAllowed", 83, Problem.NO_PERMISSION),
    ("RemoteRepository.RPCServerOutdated", 84, Problem.TOO_NEW),
    ("UnexpectedRPCDataFormatFromServer", 86, Problem.CONNECTION),
    ("ConnectionBrokenWithHint", 87, Problem.CONNECTION),
    ("IntegrityError", 90, Problem.CORRUPT),
    ("FileIntegrityError", 91, Problem.CORRUPT),
    ("DecompressionError", 92, Problem.CORRUPT),
    ("ArchiveTAMInvalid", 95, Problem.NOT_AUTHENTIC),
    ("ArchiveTAMRequiredError", 96, Problem.NOT_AUTHENTIC),
    ("TAMInvalid", 97, Problem.NOT_AUTHENTIC),
    ("TAMRequiredError", 98, Problem.NOT_AUTHENTIC),
    ("TAMUnsupportedSuiteError", 99, Problem.NOT_AUTHENTIC),
    ("IntegrityErrorBase", None, Problem.CORRUPT),
)
_BY_ID = {name: problem for name, _, problem in _CLASSES}
_BY_CODE = {code: problem for _, code, problem in _CLASSES if code is not None}
_MENDED = "a part of borg's cache was damaged, as a power cut may leave it; borg made it anew from the repository"
_ERRNO = re.compile(r"\[Errno ([0-9]+)\]")  # as Python puts it into its messages
_WARNINGS = range(100, 126)  # of 1.4
_NOT_STARTED = {126, 127}  # a shell's (sh(1)), where a script stands in for borg
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_BY_ERRNO = dict.fromkeys(_FULL, Problem.NO_SPACE) | {errno.EROFS: Problem.READ_ONLY, errno.EIO: Problem.DISK}
# A lock that cannot be made (borg.locking): nobody holds it.
_NOT_MADE = "LockFailed"
_BY_LOCK = _BY_ERRNO | {errno.EACCES: Problem.NO_PERMISSION, errno.EPERM: Problem.NO_PERMISSION}
_PLACE = re.compile(r'/borg/(?:crypto/)?(archive|cache|nonces|repository)\.py"')  # frames of a traceback
_OF_CACHE = re.compile(r"/\.(?:cache|config)/borg/")
_HEADINGS = frozenset({"Local Exception", "Remote Exception (see remote log for the traceback)", "Remote Exception"})
_BY_TEXT = (
    ("Data integrity error", Problem.CORRUPT),
    ("Connection closed by remote host", Problem.CONNECTION),
    ("unrecognized arguments", Problem.USAGE),
    ("error: argument", Problem.USAGE),
)


@dataclass(frozen=True)
class Judgement:
    """What became of one borg call."""

    outcome: Outcome
    problem: Problem | None = None
    reason: str | None = None


def judge(operation: str, exit_code: int, messages: Sequence[Message], *, timed_out: bool = False) -> Judgement:
    """Return what `exit_code` and the messages of one `operation` (create, check, …) mean."""
    errors = [message for message in messages if message.level == "error"]
    if timed_out:
        return _failure(Problem.TIMEOUT, ())
    if exit_code in _NOT_STARTED:
        return _failure(Problem.NOT_STARTED, messages[-1:])
    if exit_code >= 128 and not any(message.msgid in _BY_ID for message in errors):
        return _failure(Problem.SIGNAL, errors)
    if operation == "check" and (exit_code == 1 or (exit_code == 0 and errors)):
        return _failure(_problem(exit_code, errors, default=Problem.CORRUPT), errors)
    if exit_code == 0:
        return Judgement(Outcome.WARNING, None, _foremost(errors)) if errors else Judgement(Outcome.SUCCESS)
    if exit_code == 1 or exit_code in _WARNINGS:
        notable = errors + [message for message in messages if message.level == "warning"]
        full = [message for message in notable if _errno(message) in _FULL]
        if full:  # before 1.4.5 a full repository comes as a warning about each file, and all of them are lost
            return _failure(_full(operation, full), full)
        return Judgement(Outcome.WARNING, None, _foremost(notable) if notable else f"borg ended with {exit_code}")
    problem = _problem(exit_code, errors, default=Problem.OTHER)
    return _failure(_full(operation, errors) if problem is Problem.NO_SPACE else problem, errors)


def _full(operation: str, messages: Iterable[Message]) -> Problem:
    """Return what is full: borg's cache, the repository, or where is extracted to; a traceback tells by its place.

    To compact ten segments or more, borg 1.2 requires a whole new one free (about 545 MB), however little it moves.
    """
    if operation == "compact":
        return Problem.COMPACT_FULL
    messages = tuple(messages)
    places = [found[-1] for message in messages if (found := _PLACE.findall(message.text))]
    if any(place in {"cache", "nonces"} for place in places) or any(_OF_CACHE.search(each.text) for each in messages):
        return Problem.CACHE_FULL
    own = "repository" in places or any(message.msgid in _BY_ID for message in messages)
    return Problem.TARGET_FULL if operation == "extract" and not own else Problem.NO_SPACE


def _errno(message: Message) -> int | None:
    """Return the number of the system's error in a message: the last one, as a traceback ends with what it is about."""
    found = _ERRNO.findall(message.text)
    return int(found[-1]) if found else None


def _problem(exit_code: int, errors: Iterable[Message], *, default: Problem) -> Problem:
    errors = tuple(errors)
    if any(_is_of_cache(message) for message in errors):
        return Problem.CACHE
    for message in errors:
        if message.msgid == _NOT_MADE and (problem := _BY_LOCK.get(_errno(message) or 0)) is not None:
            return problem
        if message.msgid in _BY_ID:
            return _BY_ID[message.msgid]
    if exit_code in _BY_CODE:
        return _BY_CODE[exit_code]
    for message in errors:
        if (problem := _BY_ERRNO.get(_errno(message) or 0)) is not None:
            return problem
        for text, problem in _BY_TEXT:
            if text in message.text:
                return problem
    return default


def _is_of_cache(message: Message) -> bool:
    """Return whether borg could not use its own cache: it says so, or ends with a traceback from where it reads it."""
    if message.msgid == "FileIntegrityError":
        return "/.cache/borg/" in message.text
    reads_it = "Traceback" in message.text and "borg/cache.py" in message.text
    about_it = "/.cache/borg/" in message.text or "in _do_open" in message.text
    # A disk that is full or cannot be read is another matter; a file that is not there is not.
    by_system = "[Errno" in message.text and "[Errno 2]" not in message.text
    return reads_it and about_it and not by_system


def _foremost(messages: Sequence[Message]) -> str:
    """Return what to say of a warning: what is lost before what borg has mended, which sounds worse than it is."""
    others = [message for message in messages if not _is_mended(message)]
    return others[0].text if others else f"{_MENDED}: {messages[0].text}"


def _is_mended(message: Message) -> bool:
    """Return whether borg tells of a part of its cache that it could not use and made anew (borg/cache.py)."""
    return "/.cache/borg/" in message.text and message.text.startswith(
        ("Cached archive chunk index of ", "Could not parse integrity data for ", "Could not read integrity file for ")
    )


def _failure(problem: Problem, errors: Sequence[Message]) -> Judgement:
    detail = _telling_line(errors)
    return Judgement(Outcome.FAILURE, problem, f"{problem.value}: {detail}" if detail else problem.value)


def _telling_line(errors: Iterable[Message]) -> str:
    """Return the line that says most: of a traceback the last one, and not that there was one."""
    lines = [message.text.strip().splitlines() for message in errors if message.text.strip()]
    said = next((each for each in lines if each[0] not in _HEADINGS), lines[0] if lines else [""])
    return said[-1].strip() if any("Traceback" in line for line in said) else said[0]


def missing_roots(roots: Iterable[str], messages: Iterable[Message]) -> frozenset[str]:
    """Return the roots that borg says it could not archive at all.

    1.4 has an id (BackupFileNotFoundError and its kin), 1.2.4 only the text "PATH: [Errno 2] …", where PATH is the
    root as os.path.normpath would write it.
    """
    wanted, lost = {root: f"{os.path.normpath(root)}: " for root in roots}, set()
    for message in messages:
        if message.level == "info" or "[Errno" not in message.text:
            continue
        lost |= {root for root, start in wanted.items() if message.text.startswith(start)}
    return frozenset(lost)
