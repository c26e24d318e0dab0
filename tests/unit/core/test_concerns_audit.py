"""What is said of the audit: late, not to be read, from the future, or with rules that are not met."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from bkp.audit_due import audit_standing
from bkp.concerns import Concern, concerns_of
from bkp.config import parse_config
from bkp.state.audits import KeptRule
from bkp.state.store import StateStore
from bkp.survey import Survey, survey
from bkp.verdict import Verdict
from tests.support.audits import CLEAN, MIXED, keep
from tests.support.records import a_run

if TYPE_CHECKING:
    from pathlib import Path

TEXT = (
    "schema: 1\nrepositories: {main: {path: /r, sources: [home]}}\nsources: {home: {path: /srv/home}}\n"
    "mail: {when: never}\naudit: {schedule: %s}\n"
)
MONTHLY = parse_config(TEXT % "monthly")
FIRST_RUN = datetime(2026, 5, 10, 12, tzinfo=UTC)
DUE = datetime(2026, 6, 2, tzinfo=UTC)  # the first of the month, and a day of grace


@pytest.fixture
def store(tmp_path: Path) -> StateStore:
    store = StateStore(tmp_path / "state")
    store.write_ended(a_run("check", FIRST_RUN))
    return store


def look(store: StateStore, now: datetime) -> Survey:
    return survey(MONTHLY, store, lambda: now, UTC, lambda _: False)


def said(store: StateStore, now: datetime) -> list[Concern]:
    about = {"the audit", "audit", "the kept reports"}
    found = concerns_of(MONTHLY, look(store, now))
    return [each for each in found if each.object in about or each.object.startswith("audit/")]


def test_a_new_server_is_not_late_and_one_whose_timer_never_started_is(store: StateStore) -> None:
    assert said(store, DUE) == []
    (late,) = said(store, DUE + timedelta(seconds=1))
    assert (late.kind, late.severity, late.since) == ("audit_old", "warning", DUE)
    assert late.sentence == "an audit was due, and none was ever kept"


def test_an_audit_is_late_when_the_next_one_was_due_and_a_day_has_passed(store: StateStore) -> None:
    keep(store.root, datetime(2026, 6, 1, 6, tzinfo=UTC))
    due = datetime(2026, 7, 2, tzinfo=UTC)
    assert audit_standing(MONTHLY.audit, look(store, DUE)).deadline == due
    assert said(store, due) == []
    (late,) = said(store, due + timedelta(minutes=1))
    assert late.sentence == "an audit was due, and the newest is 30d 18h old"
    keep(store.root, due + timedelta(hours=1))
    assert said(store, due + timedelta(hours=2)) == []


def test_an_audit_by_hand_only_is_never_late(store: StateStore) -> None:
    by_hand = parse_config(TEXT % "null")
    found = survey(by_hand, store, lambda: DUE + timedelta(days=4000), UTC, lambda _: False)
    assert audit_standing(by_hand.audit, found).deadline is None
    assert "audit_old" not in {each.kind for each in concerns_of(by_hand, found)}


def test_a_report_from_the_future_is_said_and_its_findings_with_it(store: StateStore) -> None:
    keep(store.root, DUE + timedelta(days=900), MIXED)
    assert audit_standing(MONTHLY.audit, look(store, DUE)).deadline is None
    assert [each.kind for each in said(store, DUE)] == ["clock_ahead", "audit_findings"]


@pytest.mark.parametrize("damage", ["torn", "closed"])
def test_the_newest_report_that_cannot_be_read_is_said_and_no_older_one_speaks_for_it(
    store: StateStore, damage: str
) -> None:
    keep(store.root, DUE)
    path = keep(store.root, DUE + timedelta(hours=1), MIXED)
    if damage == "torn":
        path.write_bytes(path.read_bytes()[:100])
    else:
        path.unlink()
        path.symlink_to("/etc/hostname")
    found = look(store, DUE + timedelta(hours=2))
    assert audit_standing(MONTHLY.audit, found).kept is None
    (concern,) = said(store, DUE + timedelta(hours=2))
    assert (concern.kind, concern.object) == ("state_unreadable", f"audit/{path.name}")
    assert "what the newest audit found is not known" in concern.sentence


def test_rules_that_are_not_met_are_named_the_gravest_first(store: StateStore) -> None:
    keep(store.root, DUE, CLEAN)
    assert said(store, DUE) == []
    keep(store.root, DUE, MIXED)
    (found,) = said(store, DUE)
    assert (found.kind, found.severity, found.since) == ("audit_findings", "warning", DUE)
    assert found.sentence == (
        "the newest audit: 3 rules not met: KEY-001 (The exported key is not the live one),"
        " KEY-002 (The key lies elsewhere), RUN-001 (Nights succeed)"
    )


def test_what_does_not_count_is_information_and_what_is_waived_is_none(store: StateStore) -> None:
    waived = KeptRule(id="PRM-001", title="Closed", severity="low", verdict=Verdict.FAIL, waived=True)
    keep(store.root, DUE, (waived, *CLEAN))
    assert said(store, DUE) == []
    keep(store.root, DUE, (KeptRule(id="PRM-002", title="Closed", severity="low", verdict=Verdict.FAIL), *CLEAN))
    (found,) = said(store, DUE)
    assert found.severity == "info"
    assert found.sentence == "the newest audit: 1 rule not met, none of which counts: PRM-002 (Closed)"


def test_an_audit_that_is_not_clean_although_every_rule_is_met_is_no_clean_one(store: StateStore) -> None:
    keep(store.root, DUE, CLEAN, exit_code=1)  # too few rules applied, or rules were left out
    (found,) = said(store, DUE)
    assert (found.severity, found.sentence) == (
        "warning",
        "the newest audit: it was not clean, for another reason than a rule",
    )


def test_the_folder_of_reports_that_is_closed_is_not_an_audit_that_never_was(store: StateStore) -> None:
    keep(store.root, DUE)
    folder = store.root / "audit"
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    folder.write_text("no folder", encoding="utf-8")
    (found,) = said(store, DUE)
    assert (found.kind, found.object) == ("state_unreadable", "audit")


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        ("changed", "000001-20260602T000000Z.json is not what it was when 000002-20260602T010000Z.json was made"),
        ("torn", "000001-20260602T000000Z.json is torn"),
        ("removed", "a report between 000001-20260602T000000Z.json and 000003-20260602T020000Z.json is gone"),
    ],
)
def test_a_report_that_was_changed_since_is_said_until_it_is_put_back_or_the_older_ones_are_away(
    store: StateStore, damage: str, why: str
) -> None:
    first, second, _ = (keep(store.root, DUE + timedelta(hours=hour)) for hour in range(3))
    content, now = first.read_bytes(), DUE + timedelta(hours=4)
    assert said(store, now) == []
    if damage == "removed":
        second.unlink()
    else:
        first.write_bytes(content.replace(b"vault", b"vaulT") if damage == "changed" else content[:100])
    (found,) = said(store, now)
    assert (found.kind, found.severity) == ("audit_chain_broken", "warning")
    assert why in found.sentence
    if damage != "removed":
        first.write_bytes(content)
        assert said(store, now) == []
    first.unlink()
    assert said(store, now) == [], "the chain begins with the next one"
