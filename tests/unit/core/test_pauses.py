"""Pauses: what they hide, what they do not, and that none can hide anything for good."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from bkp.errors import StateError
from bkp.pauses import LONGEST
from bkp.state.fields import Outcome
from bkp.state.records import Pause
from tests.support.records import a_run
from tests.unit.core import test_concerns

if TYPE_CHECKING:
    from bkp.concerns import Concern
    from bkp.state.store import StateStore

DAYS = 3
LATE = test_concerns.NOW + timedelta(days=DAYS)
store = test_concerns.store  # the fixture: a server on which all is well


def pause(**changes: Any) -> Pause:
    """Return one of the nightly that began an hour before `LATE` and lasts a day."""
    begun = LATE - timedelta(hours=1)
    whole = Pause(
        job="nightly", target="main", until=begun + timedelta(days=1), reason="new disk", paused_at=begun, by="admin"
    )
    return msgspec.structs.replace(whole, **changes)


def seen_late(store: StateStore) -> dict[str, Concern]:
    """Return what is said days after the night, of the nightly and of the state."""
    found = test_concerns.seen(store, days=DAYS)
    return {each.kind: each for each in found if each.job in {None, ("nightly", "main")}}


def late_kinds(store: StateStore) -> dict[str, str]:
    return {kind: each.severity for kind, each in seen_late(store).items()}


def test_that_a_paused_job_is_late_is_said_as_information_alone(store: StateStore) -> None:
    assert late_kinds(store)["job_late"] == "critical"
    assert store.write_pause(pause()) is None
    assert late_kinds(store) == {"job_paused": "info"}
    said = seen_late(store)["job_paused"]
    assert "admin paused it until" in said.sentence
    assert "new disk; meanwhile its deadline has passed" in said.sentence
    assert said.remedy == "`bkp-run resume nightly --target main` ends the pause"


def test_a_pause_ends_by_itself_and_all_is_said_at_once(store: StateStore) -> None:
    store.write_pause(pause(until=LATE))
    assert "job_late" in late_kinds(store)
    assert "job_paused" not in late_kinds(store)


def test_a_pause_hides_nothing_that_a_run_found(store: StateStore) -> None:
    failed = a_run(started=LATE - timedelta(hours=2), outcome=Outcome.FAILURE, reason="borg: no such repository")
    store.write_ended(failed)
    store.write_pause(pause())
    found = seen_late(store)
    assert found["job_late"].sentence.endswith("the last run: borg: no such repository")
    assert "meanwhile" not in found["job_paused"].sentence


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"paused_at": LATE + timedelta(hours=1)}, "lies in the future"),
        ({"until": LATE + LONGEST}, "lasts longer than 31 days"),
        ({"target": "other"}, "is of nightly on other"),
        ({"job": "check"}, "is of check on main"),
    ],
)
def test_a_pause_that_nobody_could_set_pauses_nothing_and_is_reported(
    store: StateStore, changes: dict[str, Any], why: str
) -> None:
    store.pause_path("nightly", "main").write_bytes(msgspec.json.encode(pause(**changes)))
    found = seen_late(store)
    assert "job_late" in found
    assert found["state_unreadable"].sentence.endswith(f"{why}: it pauses nothing")


def test_a_torn_file_pauses_nothing_and_is_reported(store: StateStore) -> None:
    store.pause_path("nightly", "main").write_bytes(b'{"schema": 1, "job": "night')
    assert {"job_late", "state_unreadable"} <= set(late_kinds(store))


def test_a_pause_and_its_end_stand_in_the_history_and_break_no_chain(store: StateStore) -> None:
    store.write_pause(pause())
    assert store.remove_pause(pause(), "root") is None
    assert not store.pause_path("nightly", "main").exists()
    assert store.ledger.verify().intact
    notes = [json.loads(line).get("note") for line in store.ledger.path.read_text().splitlines()]
    assert notes[-2].startswith("admin paused nightly on main until ")
    assert notes[-2].endswith(": new disk")
    assert notes[-1].startswith("root ended the pause of nightly on main")


def test_a_history_that_cannot_be_written_keeps_no_pause_from_being_set(store: StateStore) -> None:
    store.ledger.path.unlink()
    store.ledger.path.mkdir()
    assert "cannot append to the history" in (store.write_pause(pause()) or "")
    assert store.pause_path("nightly", "main").exists()


def test_a_pause_that_cannot_be_written_is_an_error(store: StateStore) -> None:
    store.pause_path("nightly", "main").mkdir(parents=True)
    with pytest.raises(StateError, match=r"pause\.json"):
        store.write_pause(pause())
