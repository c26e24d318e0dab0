"""Kept reports of the audit: one JSON file each, numbered, and chained by the SHA-256 of the file before.

    audit/NUMBER-TIME.json      such as audit/000007-20260201T060000Z.json

The newest is the one with the highest number: a report that was made while the clock was ahead hides no later one.
`bkp-audit` alone writes here. Whoever reads the state may read them: they hold no secret.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from bkp.errors import StateError
from bkp.severity import Severity
from bkp.state.fields import Count, Record, UtcTime
from bkp.state.files import as_record, make_dir, read_bytes, read_record, write_record
from bkp.state.locking import lock_within
from bkp.state.reading import Missing, Readable, Unreadable
from bkp.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from bkp.state.reading import Reading

R = TypeVar("R")

FIRST = "0" * 64
MOST = 120  # ten years of months
MOST_BYTES = 64 << 20
_NAME = re.compile(r"(\d{6,9})-\d{8}T\d{6}Z\.json", re.ASCII)
_UNFINISHED = re.compile(rf"\.{_NAME.pattern}\.\d+\.tmp", re.ASCII)
_PATIENCE = 20.0  # seconds: another writer holds the folder for as long as one file takes


class Kept(Record, Generic[R], frozen=True, kw_only=True):
    """A report as it is kept.

    `previous` is the SHA-256 of the file of the report before it; 64 zeros where there was none, or none that could be
    read. `unmet_since`: since which report each rule is not met, by the rule's id.
    """

    schema: Literal[1] = 1
    number: Count
    previous: str
    unmet_since: dict[str, UtcTime]
    report: R


class KeptRule(Record, frozen=True, kw_only=True):
    """What a kept report says of one rule, as far as others than the audit read it.

    `counts`: whether it keeps the audit from being clean. `failure` is the title, said as its failure.
    """

    id: str
    title: str
    failure: str | None = None
    severity: Severity
    verdict: Verdict
    waived: bool = False
    counts: bool = False

    @property
    def unmet(self) -> bool:
        """Return whether the rule needs somebody: not met as far as is known, and not waived."""
        return self.verdict.needs_somebody and not self.waived


class KeptTotals(Record, frozen=True, kw_only=True):
    """How many rules got each verdict."""

    rules: Count
    passed: Count
    failed: Count
    error: Count
    unattested: Count
    not_applicable: Count
    waived: Count


class KeptReport(Record, frozen=True, kw_only=True):
    """A kept report, as far as others than the audit read it; docs/report.schema.json has all of it. Times are UTC."""

    program: str
    host: str
    judged_at: UtcTime
    rules_digest: str
    fail_on: Severity
    exit_code: int
    totals: KeptTotals
    results: tuple[KeptRule, ...]


class _Link(Record, frozen=True, kw_only=True):
    """What the chain needs of a kept report: its content is held by the digest, whatever it says."""

    schema: Literal[1] = 1
    number: Count
    previous: str


@dataclass(frozen=True)
class KeptFile:
    """One file of the folder: its number and where it is."""

    number: int
    path: Path


class KeptReports:
    """The kept reports below a state directory."""

    def __init__(self, state: Path) -> None:
        self.folder = state / "audit"

    def files(self) -> list[KeptFile]:
        """Return the files, the oldest first. Raise `StateError` if the folder is there and cannot be read."""
        try:
            with os.scandir(self.folder) as entries:
                names = [entry.name for entry in entries]
        except FileNotFoundError:
            return []
        except OSError as exc:
            raise StateError(
                f"cannot read the folder of reports, {self.folder.name} in the state directory: {exc.strerror}",
                remedy="check its permissions",
            ) from exc
        found = (KeptFile(int(match[1]), self.folder / name) for name in names if (match := _NAME.fullmatch(name)))
        return sorted(found, key=lambda each: (each.number, each.path.name))

    def newest(self, read: Callable[[Path], Reading[Kept[KeptReport]]] | None = None) -> Reading[Kept[KeptReport]]:
        """Return the newest report, missing, or why it cannot be read: an older one never takes its place.

        `read` is for a caller that remembers.
        """
        try:
            files = self.files()
        except StateError as exc:
            return Unreadable(self.folder, exc.message)
        return (read or read_kept)(files[-1].path) if files else Missing(self.folder)

    def keep(self, report: object, judged_at: datetime, unmet_since: Mapping[str, datetime]) -> Path:
        """Keep a report and return its file; the oldest go where there are too many, or where they are too large.

        Raise `StateError` if it cannot be kept; what is there then stays as it is.
        """
        make_folder(self.folder)
        with self._locked():
            self._clear_unfinished()
            files = self.files()
            number = files[-1].number + 1 if files else 1
            kept = Kept(
                number=number,
                previous=(digest_of(files[-1].path) if files else None) or FIRST,
                unmet_since=dict(unmet_since),
                report=report,
            )
            path = self.folder / f"{number:06d}-{judged_at:%Y%m%dT%H%M%SZ}.json"
            write_record(path, kept)
            self._drop_oldest()
        return path

    def problem(self) -> str | None:
        """Return the first thing that is wrong with the chain of reports; None if it holds, or if there are none."""
        try:
            files = self.files()
        except StateError as exc:
            return exc.message
        before: KeptFile | None = None
        digest = ""
        for each in files:
            content = read_bytes(each.path)
            reading = as_record(content, _Link)
            if not isinstance(content, Readable) or not isinstance(reading, Readable):
                return f"{each.path.name} {getattr(reading, 'reason', 'is gone')}"
            if reading.value.number != each.number:
                return f"{each.path.name} says that it is number {reading.value.number}"
            if before is not None:
                if each.number != before.number + 1:
                    return f"a report between {before.path.name} and {each.path.name} is gone"
                if reading.value.previous != digest:
                    return f"{before.path.name} is not what it was when {each.path.name} was made"
            before, digest = each, hashlib.sha256(content.value).hexdigest()
        return None

    def _drop_oldest(self) -> None:
        files = self.files()
        sizes = [each.path.lstat().st_size for each in files]
        while len(files) > 1 and (len(files) > MOST or sum(sizes) > MOST_BYTES):
            with contextlib.suppress(FileNotFoundError):
                files[0].path.unlink()
            files, sizes = files[1:], sizes[1:]

    def _clear_unfinished(self) -> None:
        """Remove what writers left that were killed: whoever holds the lock is the only writer that lives."""
        for entry in list(os.scandir(self.folder)):
            if _UNFINISHED.fullmatch(entry.name):
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)  # noqa: PTH108

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as exc:
            raise StateError(f"cannot open the folder of reports {self.folder}: {exc.strerror}") from exc
        try:
            if not lock_within(descriptor, fcntl.LOCK_EX, _PATIENCE):
                raise StateError(
                    f"another program holds the folder of reports {self.folder} for {_PATIENCE:g} seconds",
                    remedy=f"find it with `lsof {self.folder}` and end it",
                )
            yield
        finally:
            os.close(descriptor)


def read_kept(path: Path) -> Reading[Kept[KeptReport]]:
    """Return a kept report, or why it cannot be had. Never raises."""
    return read_record(path, Kept[KeptReport])


def digest_of(path: Path) -> str | None:
    """Return the SHA-256 of a kept report's file, as sha256sum(1) prints it; None if it cannot be read."""
    reading = read_bytes(path)
    return hashlib.sha256(reading.value).hexdigest() if isinstance(reading, Readable) else None


@dataclass(frozen=True)
class NewestReport:
    """The newest kept report: its number, when it was made (UTC), and the SHA-256 of its file."""

    number: int
    at: datetime
    digest: str


def newest_kept(state: Path) -> NewestReport | None:
    """Return the newest report below a state directory; None if none is kept. Raise `StateError` for a damaged one."""
    files = KeptReports(state).files()
    if not files:
        return None
    reading, digest = read_kept(files[-1].path), digest_of(files[-1].path)
    if not isinstance(reading, Readable) or digest is None:
        why = reading.reason if isinstance(reading, Unreadable) else "cannot be read"
        raise StateError(f"{files[-1].path.name} {why}", remedy="look at it, and move it away if it is damaged")
    return NewestReport(reading.value.number, reading.value.report.judged_at, digest)


def make_folder(folder: Path) -> None:
    """Make the folder of reports. Raise `StateError` if that cannot be done."""
    try:
        make_dir(folder)
    except OSError as exc:
        raise StateError(
            f"cannot make the folder of reports {folder}: {exc.strerror}", remedy="check free space and permissions"
        ) from exc
