"""The one list of concerns: what looks green on its own, and is not."""

from __future__ import annotations

import dataclasses
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from bkp.concerns import KINDS, Concern, concerns_of
from bkp.concerns.model import gravest_first
from bkp.config import parse_config
from bkp.state.fields import Outcome
from bkp.state.store import StateStore
from bkp.survey import survey
from tests.support.records import (
    GIB,
    START,
    a_drill,
    a_mail,
    a_message,
    a_night,
    a_repository,
    a_run,
    an_archive,
    roots,
)

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = parse_config(
    "schema: 1\nrepositories: {main: {path: /r, sources: [home, etc]}}\n"
    "sources: {home: {path: /srv/home}, etc: {path: /srv/etc}}\nmail: {when: never}\n"
)
NOW = START + timedelta(hours=6)
WHOLE = roots("home", "etc")


@pytest.fixture
def store(tmp_path: Path) -> StateStore:
    """A server on which all is well."""
    store = StateStore(tmp_path / "state")
    for job in ("check", "verify", "drill"):
        store.write_ended(a_run(job, START - timedelta(hours=1)))
    night(store)
    return store


def night(store: StateStore, repository: dict[str, Any] | None = None, **archive: Any) -> None:
    facts = {"archives": 7, "newest_archive_at": START, "free_bytes": 500 * GIB, "size_bytes": 1000 * GIB}
    made = an_archive(**({"roots": WHOLE} | archive))
    store.write_ended(a_run(result=a_night(made, a_repository(**(facts | (repository or {}))))))


def seen(store: StateStore, *, days: int = 0, alive: bool = False) -> list[Concern]:
    now = NOW + timedelta(days=days)
    return concerns_of(CONFIG, survey(CONFIG, store, lambda: now, UTC, lambda _process: alive))


def kinds(store: StateStore, **look: Any) -> dict[str, str]:
    return {each.kind: each.severity for each in seen(store, **look)}


def test_all_is_well_and_nothing_is_said(store: StateStore) -> None:
    assert seen(store) == []


def test_every_kind_is_explained_and_an_unknown_one_is_refused() -> None:
    assert all(KINDS.values())
    with pytest.raises(ValueError, match="nonsense"):
        Concern("nonsense", "info", "x", "x", "x")


def test_the_gravest_come_first_and_equals_keep_their_order() -> None:
    names = [("job_failed", "warning"), ("job_late", "critical"), ("mail_failed", "info"), ("job_never", "critical")]
    found = gravest_first(Concern(kind, severity, "x", "x", "x") for kind, severity in names)  # type: ignore[arg-type]
    assert [each.kind for each in found] == ["job_late", "job_never", "job_failed", "mail_failed"]


@pytest.mark.parametrize(
    ("repository", "archive", "kind", "severity"),
    [
        ({}, {"roots": roots("home", missing=("etc",))}, "archive_flawed", "critical"),
        ({}, {"roots": roots("home")}, "archive_flawed", "critical"),
        ({}, {"files": 0}, "archive_flawed", "critical"),
        ({}, {"confirmed": False}, "archive_unconfirmed", "warning"),
        ({}, {"size_suspicion": "the archive has 3 files where 100 are usual"}, "archive_small", "warning"),
        ({"newest_archive_at": START - timedelta(days=20)}, {}, "archive_old", "critical"),
        ({"newest_archive_at": None, "archives": 0}, {}, "archive_old", "critical"),
        ({"incomplete_archives": 2}, {}, "archives_incomplete", "info"),
        ({"free_bytes": 90 * GIB}, {}, "filesystem_full", "warning"),
        ({"free_bytes": 30 * GIB}, {}, "filesystem_full", "warning"),
        ({"free_bytes": 0}, {}, "filesystem_full", "critical"),
    ],
)
def test_a_night_that_succeeded_may_still_leave_something_to_look_at(
    store: StateStore, repository: dict[str, Any], archive: dict[str, Any], kind: str, severity: str
) -> None:
    night(store, repository, **archive)
    assert kinds(store)[kind] == severity


def test_the_share_that_is_to_be_free_is_enough(store: StateStore) -> None:
    night(store, {"free_bytes": 100 * GIB})
    assert seen(store) == []


def test_the_archive_of_a_night_under_way_need_not_be_proven_yet(store: StateStore) -> None:
    unproven = a_night(an_archive(NOW, roots=WHOLE, confirmed=False), a_repository(newest_archive_at=START))
    store.write_running(a_run(started=NOW, outcome=Outcome.RUNNING, result=unproven), durable=True)
    assert seen(store, alive=True) == []
    assert "archive_unconfirmed" in kinds(store, alive=False)


def test_a_size_that_somebody_accepted_is_no_concern(store: StateStore) -> None:
    night(store, size_suspicion="small", size_accepted=True)
    assert seen(store) == []


def test_warnings_of_a_run_are_said_and_a_mail_that_nobody_got(store: StateStore) -> None:
    warned = a_run(
        outcome=Outcome.WARNING,
        reason="/srv/home/db: file changed",
        messages=(a_message("x"),),
        result=a_night(an_archive(roots=WHOLE)),
    )
    store.write_ended(warned)
    store.ledger.append_mail(a_mail("failed"))
    assert kinds(store) == {"job_warnings": "warning", "mail_failed": "warning"}


@pytest.mark.parametrize(
    ("result", "kind", "severity"),
    [
        (a_drill(matched=0), "drill_empty", "warning"),
        (a_drill(mismatched=1), "drill_differs", "critical"),
        (a_drill(missing=3), "drill_differs", "critical"),
        (msgspec.structs.replace(a_drill(), mismatched=1), "drill_differs", "critical"),  # says two things at once
    ],
)
def test_a_drill_proves_something_only_if_all_came_back(
    store: StateStore, result: Any, kind: str, severity: str
) -> None:
    store.write_ended(a_run("drill", START, result=result))
    assert kinds(store)[kind] == severity


def test_a_check_that_failed_is_critical_and_stays_so_while_the_next_one_runs(store: StateStore) -> None:
    failed = a_run("check", START, Outcome.FAILURE, reason="segment 7 is damaged")
    store.write_ended(failed)
    assert kinds(store) == {"job_failed": "critical"}
    running = msgspec.structs.replace(a_run("check", START + timedelta(hours=1), Outcome.RUNNING), before=failed.end)
    store.write_running(running, durable=True)
    (concern,) = seen(store, alive=True)
    assert (concern.kind, concern.severity) == ("job_failed", "critical")
    assert "segment 7 is damaged; a run is under way" in concern.sentence
    store.write_ended(a_run("check", START + timedelta(hours=2), Outcome.INTERRUPTED, before=failed.end))
    assert kinds(store)["check_failed"] == "critical", "an interrupted check does not take the verdict back"


def test_what_is_wrong_with_the_last_archive_stays_wrong_while_the_next_night_runs(store: StateStore) -> None:
    night(store, size_suspicion="the archive has 3 files where 100 are usual")
    begun = a_run(started=START + timedelta(hours=1), outcome=Outcome.RUNNING, result=None)
    store.write_running(begun, durable=True)
    assert kinds(store, alive=True)["archive_small"] == "warning"
    made = a_night(an_archive(START + timedelta(hours=2), roots=WHOLE, confirmed=False))
    store.write_running(msgspec.structs.replace(begun, result=made), durable=True)
    (still,) = seen(store, alive=True)  # tonight's archive is not judged before its night has ended
    assert still.kind == "archive_small"
    assert "3 files where 100 are usual" in still.sentence


def test_a_nightly_that_failed_is_a_warning_until_its_deadline_and_critical_after_it(store: StateStore) -> None:
    store.write_ended(a_run(started=START + timedelta(hours=1), outcome=Outcome.FAILURE, result=None))
    assert kinds(store) == {"job_failed": "warning"}
    assert kinds(store, days=2)["job_late"] == "critical"


def test_what_never_ran_is_a_concern(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    found = seen(StateStore(tmp_path / "state"))
    assert [(each.severity, each.object) for each in found if each.kind == "job_never"] == [
        ("critical", "nightly on main"),
        ("warning", "check on main"),
        ("warning", "verify on main"),
        ("warning", "drill on main"),
    ]


def test_without_a_state_directory_there_is_one_concern_and_it_is_critical(tmp_path: Path) -> None:
    assert kinds(StateStore(tmp_path / "nowhere")) == {"state_missing": "critical"}


def test_a_damaged_record_and_a_damaged_history_are_concerns(store: StateStore) -> None:
    (store.job_dir("check", "main") / "latest.json").write_bytes(b"{")
    store.ledger.path.write_bytes(store.ledger.path.read_bytes()[5:])
    store.write_ended(a_run(target="old"))
    assert kinds(store) == {
        "state_unreadable": "warning",
        "job_unknown": "warning",
        "history_broken": "critical",
        "records_unconfigured": "info",
    }


def test_a_source_that_is_in_no_good_archive_for_long_is_said_though_the_nights_are_on_time(store: StateStore) -> None:
    store.ledger.path.unlink()
    before = START - timedelta(days=5)
    store.write_ended(a_run(started=before, result=a_night(an_archive(before, roots=WHOLE))))
    night(store, roots=roots("home", missing=("etc",)))
    found = {each.kind: each for each in seen(store)}
    assert "source etc" in found["source_stale"].sentence
    assert found["source_stale"].since == before


def test_that_the_night_is_late_hides_nothing_that_was_too_old_before(store: StateStore) -> None:
    assert set(kinds(store, days=2)) == {"job_late"}, "that the newest archive is as old as the last night says nothing"
    store.ledger.path.unlink()
    before = START - timedelta(days=5)
    store.write_ended(a_run(started=before, result=a_night(an_archive(before, roots=WHOLE))))
    night(store, {"newest_archive_at": before}, roots=roots("home", missing=("etc",)))
    old = {"archive_old": "critical", "source_stale": "critical"}
    assert old.items() <= kinds(store).items()
    assert (old | {"job_late": "critical"}).items() <= kinds(store, days=2).items()


def test_a_defect_in_one_part_is_said_and_silences_no_other(store: StateStore) -> None:
    store.write_ended(a_run("check", START, Outcome.FAILURE, reason="segment 7 is damaged"))
    look = survey(CONFIG, store, lambda: NOW, UTC, lambda _process: False)
    broken = dataclasses.replace(look, now=None)  # type: ignore[arg-type]  # what no caller may do
    found = concerns_of(CONFIG, broken)
    assert {each.kind for each in found} == {"internal_error", "job_failed"}
    assert "defect of bkp" in next(each.sentence for each in found if each.kind == "internal_error")
