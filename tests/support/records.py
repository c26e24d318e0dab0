"""One builder of records for all tests: runs, archives, repositories and drills as the runner writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from bkp.state.fields import Outcome
from bkp.state.records import MailNote, Message, Process, Run, Step
from bkp.state.results import (
    Archive,
    CheckResult,
    DrillResult,
    NightlyResult,
    RepositoryFacts,
    Root,
    ScrubResult,
    SelfTestRecord,
)

START = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)
PROCESS = Process(pid=4711, started_ticks=12345, boot_id="7d3c1d1e-0000-4000-8000-000000000001")
GIB = 1 << 30


def an_archive(started: datetime = START, **changes: Any) -> Archive:
    """Return a confirmed archive without roots; two of different times are different archives."""
    made = Archive(
        name=f"backup-{started:%Y-%m-%dT%H:%M:%S}",
        id=f"{int(started.timestamp()):064x}",
        started_at=started,
        ended_at=started + timedelta(minutes=8),
        files=100,
        original_bytes=1000,
        compressed_bytes=700,
        deduplicated_bytes=10,
        confirmed=True,
    )
    return msgspec.structs.replace(made, **changes)


def roots(*present: str, missing: tuple[str, ...] = ()) -> tuple[Root, ...]:
    """Return the roots of these sources, of which some were missing."""
    return tuple(Root(source=each, path=f"/srv/{each}", present=each not in missing) for each in (*present, *missing))


def a_repository(**changes: Any) -> RepositoryFacts:
    """Return what borg says of a repository."""
    facts = RepositoryFacts(id="ab" * 32, location="/tank/Secure/Borg/backup-repo", encryption="repokey-blake2")
    return msgspec.structs.replace(facts, **changes)


def a_night(archive: Archive | None = None, repository: RepositoryFacts | None = None) -> NightlyResult:
    """Return the result of a night."""
    return NightlyResult(archive=archive or an_archive(), repository=repository or a_repository())


def a_drill(*, matched: int = 20, mismatched: int = 0, missing: int = 0) -> DrillResult:
    """Return the result of a drill."""
    return DrillResult(
        archive="backup-2026-11-21T02:30:00",
        archive_id="5f" * 32,
        files=matched + mismatched + missing,
        bytes=61_203_456,
        matched=matched,
        mismatched=mismatched,
        missing=missing,
        seconds=12.5,
    )


def a_scrub(started: datetime, **changes: Any) -> ScrubResult:
    """Return a scrub of ten minutes that found nothing."""
    ended = started + timedelta(minutes=11)
    values: dict[str, Any] = {
        "started_at": started + timedelta(minutes=1), "ended_at": ended, "finished": True, "seen_at": ended,
        "progress": 1.0, "errors": 0, "repaired_bytes": 0, "examined_bytes": 720 * GIB, "seconds": 600,
    }  # fmt: skip
    return ScrubResult(**(values | changes))


def a_self_test(started: datetime, **changes: Any) -> SelfTestRecord:
    """Return a short self-test that passed."""
    values: dict[str, Any] = {
        "kind": "short", "ended_as": "passed", "said": "Completed without error", "begun_at": started,
        "seen_at": started + timedelta(minutes=11), "progress": 1.0, "minutes": 2, "power_on_hours": 12_000,
    }  # fmt: skip
    return SelfTestRecord(**(values | changes))


def a_run(job: str = "nightly", started: datetime = START, outcome: Outcome = Outcome.SUCCESS, **changes: Any) -> Run:
    """Return a run of 12 minutes with the result of its job; one that is `running` has no end and no result."""
    running = outcome is Outcome.RUNNING
    result = {
        "nightly": NightlyResult(archive=an_archive(started), repository=a_repository()),
        "check": CheckResult(all_data=False),
        "verify": CheckResult(all_data=True),
        "drill": a_drill(),
        "scrub": a_scrub(started),
        "selftest-short": a_self_test(started),
        "selftest-long": a_self_test(started, kind="long", minutes=700),
    }.get(job)
    values: dict[str, Any] = {
        "run_id": f"{started:%Y%m%dT%H%M%SZ}-{job}",
        "job": job,
        "target": "main",
        "host": "vault",
        "outcome": outcome,
        "started_at": started,
        "ended_at": None if running else started + timedelta(minutes=12),
        "process": PROCESS,
        "result": None if running else result,
        "log": f"/var/log/borg/{job}.log",
        "versions": {"borg": "1.4.0"},
    }
    values |= changes
    if "run_id" not in changes and (values["target"], outcome) != ("main", Outcome.SUCCESS):
        values["run_id"] += f"-{values['target']}-{outcome}"  # no two runs share one
    return Run(**values)


def a_mail(result: Any = "sent", **changes: Any) -> MailNote:
    """Return the line of a mail that reported a run."""
    values: dict[str, Any] = {"message_id": "<1@vault>", "about": "run", "to": "root@example.com", "at": START}
    return MailNote(**({**values, "run_id": "run-of-a-mail", "result": result} | changes))


def drilled(run: Run) -> DrillResult:
    """Return what a drill compared."""
    assert isinstance(run.result, DrillResult)
    return run.result


def described(run: Run) -> RepositoryFacts:
    """Return the repository as a night describes it."""
    assert isinstance(run.result, NightlyResult)
    return run.result.repository


def steps(started: datetime, *names: str, failed: str | None = None, exit_code: int = 0) -> tuple[Step, ...]:
    """Return steps of 2, 4, 6 … minutes, one after the other."""
    found = []
    for number, name in enumerate(names, 1):
        ended = started + timedelta(minutes=2 * number)
        outcome = Outcome.FAILURE if name == failed else Outcome.SUCCESS
        code = exit_code if name == failed else 0
        found.append(Step(name=name, started_at=started, ended_at=ended, outcome=outcome, exit_code=code))
        started = ended
    return tuple(found)


def a_message(text: str, level: Any = "warning") -> Message:
    """Return a message of borg's."""
    return Message(level=level, text=text, msgid="FileNotFound")
