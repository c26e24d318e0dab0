"""What syncoid, ssh and zfs said: a problem with its cure, and the warnings that an exit code of 0 hides.

syncoid ends with 2 for what went wrong, and with 1 for what it passed over; but with 1, too, where an increment failed
right after a first stream, and with 0 where it could not remove old snapshots. So the words decide, not the number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection

Cure = Literal["passes", "person", "never"]
MAX_WARNINGS = 20
MAX_TEXT = 300


@dataclass(frozen=True)
class Problem:
    """Why a pull did not end well.

    `cure`: it passes by itself; a person has to do something; or what was begun never succeeds and has to be given up.
    `is_away`: the live server does not answer, which is no failure.
    """

    cause: str
    cure: Cure
    sentence: str
    remedy: str
    is_away: bool = False


@dataclass(frozen=True)
class Said:
    """What one pull said: the gravest problem, and warnings to be recorded."""

    problem: Problem | None
    warnings: tuple[str, ...]


_AGAIN = "nothing: the next pull goes on where this one stopped"
_GIVE_UP = "give up what was received of it: `bkp-run sync --discard-partial`; the pull then begins that stream anew"

_MODIFIED = re.compile(r"destination (\S+) has been modified since most recent snapshot")
_NO_COMMON = Problem(
    *("no_common", "person", "live server and replica have no snapshot in common that could be built on"),
    "`zfs rename` the replica away and pull anew; keep the old one until that has ended",
)
_AHEAD = Problem(
    *("ahead", "person", "the replica has newer snapshots than the newest that both have"),
    "they were destroyed on the live server, or made here: keep what you need of them, `zfs rollback -r` to the newest "
    "in common, then pull again",
)

# The first that is found in the words counts: from what only a person can mend to what may pass.
_PROBLEMS: tuple[tuple[str, Problem], ...] = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|Host key verification failed|No .* host key is known",
        Problem(
            *("host_key", "person", "the live server's host key is not the one that is pinned"),
            "find out why: another server may answer in its place. Pin a new key once you have compared it",
        ),
    ),
    (
        r"Permission denied \(|Too many authentication failures",
        Problem(
            *("key_refused", "person", "the live server does not accept the key"),
            "`bkp-run ssh-gate` prints what the live server needs; run it there",
        ),
    ),
    (
        r"UNPROTECTED PRIVATE KEY|Load key .*:|Identity file .* not accessible",
        Problem(*("key_unusable", "person", "ssh cannot use the key"), "chmod 600 the identity_file, owned by root"),
    ),
    (
        r"bkp ssh-gate: refused|connection echo test failed for \S+ with exit code 126",
        Problem(
            *("gate_refused", "person", "the gate on the live server refused what syncoid asks for"),
            "its log says what (journalctl -t bkp-ssh-gate); `bkp-run ssh-gate` prints the gate anew",
        ),
    ),
    (
        r"has been modified\s+since most recent snapshot",
        Problem(
            *("modified", "person", "the replica was changed on this server, so nothing can be received into it"),
            "`zfs diff` shows what; `zfs rollback` to its newest received snapshot throws that away; then pull again",
        ),
    ),
    (
        r"no snapshots matching|does not\s+match incremental source|most recent snapshot of",
        _NO_COMMON,
    ),
    (
        (
            r"IV set guid missing|invalid flags combined with -t|contains partially-complete state|"
            r"used in the initial send no longer exists|incremental source \S+ no longer exists"
        ),
        Problem(*("partial", "never", "what was received in part cannot be resumed"), _GIVE_UP),
    ),
    (
        r"encryption key|key is not loaded|Key .* not loaded|keystatus|key must be loaded",
        Problem(
            *("locked", "person", "an encryption key is not loaded, here or on the live server"),
            "`zfs load-key`; raw: true sends without the live server's key",
        ),
    ),
    (
        r"out of space|No space left|quota exceeded|out of disk space",
        Problem(*("full", "person", "there is no room for what was to be received"), "make room on the pool"),
    ),
    (
        r"no snapshots exist on source",
        Problem(
            *("no_snapshot", "person", "a dataset of the live server has no snapshot to send"),
            "make snapshots there (sanoid), or set own_snapshots: true",
        ),
    ),
    (
        r"permission denied|insufficient privilege",
        Problem(
            *("rights", "person", "zfs refuses for lack of rights"),
            "`bkp-run ssh-gate` prints the `zfs allow` lines for the live server; here it must be run as root",
        ),
    ),
    (
        r"dataset does not exist|no datasets found",
        Problem(
            *("missing", "person", "a dataset is not there"),
            "see `zfs list` on both servers: was it renamed, or is its pool not imported?",
        ),
    ),
    (
        r"already target of a zfs receive process",
        Problem(*("busy", "passes", "something else is receiving into the replica"), "nothing, unless it hangs"),
    ),
    (
        r"dataset is busy",
        Problem(
            *("busy", "passes", "the replica was busy"), "nothing; if it stays so, see `zfs holds` of its snapshots"
        ),
    ),
    (
        (
            r"Could not resolve|No route to host|Network is unreachable|Connection refused|Connection timed out|"
            r"connect to host|Host is down|kex_exchange_identification|"
            r"connection echo test failed for \S+ with exit code 255"
        ),
        Problem(
            *("away", "passes", "the live server does not answer"), "nothing, if it is off or asleep", is_away=True
        ),
    ),
    (
        (
            r"Connection (?:closed|reset)|Broken pipe|client_loop|Timeout, server|closed by remote host|"
            r"failed to read from stream|signal received|incomplete stream"
        ),
        Problem(*("cut", "passes", "the connection was cut"), _AGAIN),
    ),
)
_UNKNOWN = Problem("unknown", "person", "syncoid failed", "its log says why")
_WARNING = re.compile(r"(?:WARN(?:ING)?\b|CRITICAL|INFO: clone creation failed|cannot (?:destroy|unmount|mount)\b)")
# What is chosen here, and so no news: nothing is buffered or compressed on the live server.
_EXPECTED = re.compile(r"WARN: (?:mbuffer|lzop) not available on source")
# ZFS 2.1, and ZFS 2.3, which says why.
_BUSY = re.compile(r"cannot destroy snapshot (.+): (?:dataset is busy|it's being held\. Run 'zfs holds .*)")
_NOT_REMOVED = re.compile(r"WARNING: +zfs destroy .* failed")
_NAMED = re.compile(r"zfs destroy '([^']+)'(@[^ ;]+)")
_COUNT = re.compile(r"([0-9]+\.[0-9]+) ([0-9]+)")


def problem_of(text: str) -> Problem:
    """Return what words of ssh, zfs or syncoid mean. Only of something that has failed."""
    return next((problem for pattern, problem in _PROBLEMS if re.search(pattern, text, re.DOTALL)), _UNKNOWN)


def busy_snapshot(line: str) -> str | None:
    """Return the snapshot that could not be removed because something holds it, if that is what the line says."""
    found = _BUSY.fullmatch(line.strip())
    return found[1] if found else None


def really(problem: Problem, text: str, *, lacking: Collection[str], ahead: Collection[str]) -> Problem:
    """Return the problem by its cause: zfs says "modified" as well where a replica has what the live server has not.

    `text` is what the pull printed. `lacking` are the datasets without a snapshot in common, `ahead` the replicas with
    a newer one than the newest in common.
    """
    named = set(_MODIFIED.findall(" ".join(text.split())))
    if problem.cause != "modified" or not named & set(ahead):
        return problem
    return _NO_COMMON if named & set(lacking) else _AHEAD


def read(exit_code: int, text: str, held: Collection[str] = ()) -> Said:
    """Return what a pull that ended with `exit_code` came to; `text` is what it printed, on both streams.

    `held` are snapshots that a nightly run held: they stay until the next pull, which is no warning.
    """
    lines = [line.strip() for line in text.splitlines()]
    busy = {snapshot for line in lines if (snapshot := busy_snapshot(line))}

    def is_news(line: str) -> bool:
        named = {busy_snapshot(line)} & busy
        if _NOT_REMOVED.match(line):
            named = {dataset + snapshot for dataset, snapshot in _NAMED.findall(line)} & busy
        return not named or not named <= set(held)

    found = [line for line in lines if _WARNING.search(line) and not _EXPECTED.match(line) and is_news(line)]
    notable = [line[:MAX_TEXT] for line in found]
    kept = (*dict.fromkeys(notable[:MAX_WARNINGS]),)
    left = len(notable) - MAX_WARNINGS
    more = (f"{left} more warnings are in the log",) if left > 0 else ()
    return Said(problem_of(text) if exit_code != 0 else None, (*kept, *more))


class ByteCount:
    """Adds up what pv counts: seconds and bytes of one stream a line, both from 0 on for the next one."""

    def __init__(self) -> None:
        self._done = 0
        self._stream = (0.0, 0)
        self.seen = False

    def line(self, text: str) -> bool:
        """Take in a line of stderr; return whether it was pv's."""
        found = _COUNT.fullmatch(text.strip())
        if found is None:
            return False
        now, self.seen = (float(found[1]), int(found[2])), True
        if now[0] < self._stream[0] or now[1] < self._stream[1]:
            self._done += self._stream[1]
        self._stream = now
        return True

    @property
    def total(self) -> int:
        """Return the bytes of all streams so far."""
        return self._done + self._stream[1]
