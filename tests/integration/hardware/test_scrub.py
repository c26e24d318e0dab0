"""bkp-run scrub and bkp-run follow, on a pool that is a program which replays recorded outputs."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bkp.clock import utc_now
from bkp.liveness import this_process
from bkp.state.fields import Outcome
from bkp.state.results import ScrubResult
from tests.support.hardware_site import REPAIRED, SCRUBBED, STATUS, HardwareSite, pool
from tests.support.probe_world import WATCHED
from tests.support.records import a_run

if TYPE_CHECKING:
    from pathlib import Path

BEFORE = 1_795_000_000  # the scrub of last week
LAST_WEEK = {"start_time": str(BEFORE), "end_time": str(BEFORE + 60)}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HardwareSite:
    found = HardwareSite(tmp_path, monkeypatch)
    found.programs.answer(STATUS, pool(SCRUBBED, **LAST_WEEK))
    found.programs.answer("zpool scrub tank", "", then={STATUS: pool("scrub-in-progress")})
    return found


def test_a_scrub_goes_on_without_its_process_and_the_pool_says_when_it_has_ended(site: HardwareSite) -> None:
    code, begun = site.job("scrub", "--no-wait")
    assert (code, begun["outcome"], begun["ended_at"]) == (0, "running", None)
    assert begun["result"]["progress"] == pytest.approx(0.25, abs=0.1)
    assert site.asked("zpool scrub") == ["zpool scrub tank"]
    assert site.latest("scrub", "tank").outlives_process

    site.programs.answer(STATUS, "", ends_with=1, stderr="cannot open 'tank': no such pool")  # exported meanwhile
    code, followed = site.follow()
    assert (code, followed[0]["outcome"]) == (0, "running")

    site.programs.answer(STATUS, pool(SCRUBBED))
    code, followed = site.follow()
    assert code == 0
    (ended,) = followed
    assert (ended["run_id"], ended["outcome"]) == (begun["run_id"], "success")
    result = ended["result"]
    assert (result["finished"], result["errors"], result["repaired_bytes"], result["adopted"]) == (True, 0, 0, False)
    assert result["examined_bytes"]
    assert result["seconds"]
    assert site.follow() == (0, [])  # there is nothing left to follow
    assert [run.outcome for run in site.store.ledger.runs()] == [Outcome.SUCCESS]
    assert site.asked("zpool scrub") == ["zpool scrub tank"]


@pytest.mark.parametrize(("recording", "commands"), [("scrub-in-progress", []), ("scrub-paused", ["zpool scrub tank"])])
def test_a_scrub_that_somebody_else_started_is_adopted_and_one_that_is_paused_goes_on(
    site: HardwareSite, recording: str, commands: list[str]
) -> None:
    site.programs.answer(STATUS, pool(recording))
    _, begun = site.job("scrub", "--no-wait")
    assert begun["result"]["adopted"] is True
    assert site.asked("zpool scrub") == commands
    site.programs.answer(STATUS, pool(REPAIRED))
    code, (ended,) = site.follow()
    assert (code, ended["outcome"]) == (1, "warning")
    assert "were repaired" in ended["reason"]


@pytest.mark.parametrize(
    ("recording", "reason"),
    [
        ("resilver-in-progress", "the pool is DEGRADED"),
        ("degraded-offline", "the pool is DEGRADED"),
        ("suspended", "the pool is SUSPENDED"),
    ],
)
def test_a_scrub_that_should_not_begin_is_deferred_and_begins_when_it_can(
    site: HardwareSite, recording: str, reason: str
) -> None:
    site.programs.answer(STATUS, pool(recording) if recording != "suspended" else pool(SCRUBBED))
    if recording == "suspended":
        site.world.kernel_says("tank", "SUSPENDED")
    code, run = site.job("scrub")
    assert (code, run["outcome"], run["reason"]) == (4, "deferred", reason)
    assert site.follow() == (0, [])  # no second record of what has not changed
    assert len(site.store.ledger.runs()) == 1
    site.world.kernel_says("tank", "ONLINE")
    site.programs.answer(STATUS, pool(SCRUBBED, **LAST_WEEK))
    code, (run,) = site.follow()
    assert (code, run["outcome"], site.asked("zpool scrub")) == (0, "running", ["zpool scrub tank"])


def test_a_scrub_that_was_deferred_until_its_deadline_has_failed_and_whoever_follows_says_so_once(
    site: HardwareSite,
) -> None:
    site.store.write_ended(a_run("scrub", utc_now() - timedelta(days=40), target="tank"))
    site.programs.answer(STATUS, pool("degraded-offline"))
    due = utc_now() - timedelta(minutes=5)
    site.store.write_ended(a_run("scrub", due, Outcome.DEFERRED, target="tank", result=None, reason="it was not"))
    code, (run,) = site.follow()
    assert (code, run["outcome"]) == (3, "failure")
    assert run["reason"] == "start: its deadline has passed, and it still cannot begin: the pool is DEGRADED"
    assert site.follow() == (0, [])
    assert site.asked("zpool scrub") == []


@pytest.mark.parametrize(
    ("then", "outcome", "reason"),
    [
        (pool(SCRUBBED, state="CANCELED"), "failure", "was canceled: not all of it was read"),
        (pool("resilvered"), "deferred", "a resilver took its place"),
        (pool(SCRUBBED, errors="3"), "failure", "3 errors could not be repaired"),
        (pool(SCRUBBED, **LAST_WEEK), "failure", "does not know of the scrub that was begun"),
    ],
    ids=["canceled", "resilvered", "errors", "another"],
)
def test_what_did_not_go_through_to_its_end_is_no_finished_scrub(
    site: HardwareSite, then: str, outcome: str, reason: str
) -> None:
    site.job("scrub", "--no-wait")
    site.programs.answer(STATUS, then)
    _, (run,) = site.follow()
    assert run["outcome"] == outcome
    assert reason in run["reason"]
    assert not Outcome(run["outcome"]).is_good
    last = site.latest("scrub", "tank").result
    assert isinstance(last, ScrubResult)
    assert last.finished is ("could not" in reason)


def test_a_refused_command_is_a_failure_and_leaves_nothing_under_way(site: HardwareSite) -> None:
    site.programs.answer("zpool scrub tank", "", ends_with=1, stderr="cannot scrub tank: permission denied")
    code, run = site.job("scrub")
    assert (code, run["outcome"], run["outlives_process"]) == (3, "failure", False)
    assert "permission denied" in run["reason"]
    assert site.follow() == (0, [])


def test_another_pool_of_the_same_name_ends_the_run_as_unknown(site: HardwareSite) -> None:
    site.job("scrub", "--no-wait")
    other = json.loads(pool(SCRUBBED))
    other["pools"]["tank"]["pool_guid"] = "42"
    site.programs.answer(STATUS, json.dumps(other))
    _, (run,) = site.follow()
    assert (run["outcome"], "another pool is called tank" in run["reason"]) == ("failure", True)


def test_a_scrub_stands_aside_while_a_nightly_runs_and_goes_on_after_it(site: HardwareSite) -> None:
    site.configure(WATCHED.replace("disks: [one, two]", "disks: [one, two], scrub_pause: 15m"))
    site.programs.answer("zpool scrub -p tank", "", then={STATUS: pool("scrub-paused")})
    night = a_run("nightly", outcome=Outcome.RUNNING, process=this_process())
    site.store.write_running(night, durable=True)
    _, begun = site.job("scrub", "--no-wait")
    assert begun["result"]["paused_by_us"] is True
    assert site.asked("zpool scrub") == ["zpool scrub tank", "zpool scrub -p tank"]
    site.store.write_ended(a_run("nightly"))
    _, (run,) = site.follow()
    assert (run["outcome"], run["result"]["paused_by_us"]) == ("running", False)
    assert site.asked("zpool scrub")[2:] == ["zpool scrub tank"]


def test_a_scrub_that_stands_aside_goes_on_where_that_is_no_longer_configured(site: HardwareSite) -> None:
    site.configure(WATCHED.replace("disks: [one, two]", "disks: [one, two], scrub_pause: 15m"))
    site.programs.answer("zpool scrub -p tank", "", then={STATUS: pool("scrub-paused")})
    site.store.write_running(a_run("nightly", outcome=Outcome.RUNNING, process=this_process()), durable=True)
    site.job("scrub", "--no-wait")
    site.configure(WATCHED)
    _, (run,) = site.follow()
    assert (run["outcome"], run["result"]["paused_by_us"]) == ("running", False)
    assert site.asked("zpool scrub")[-1] == "zpool scrub tank"


def test_a_pause_is_on_record_before_it_is_commanded(site: HardwareSite) -> None:
    """Should the host lose its power in between, whoever follows must not take it for a person's own."""
    site.configure(WATCHED.replace("disks: [one, two]", "disks: [one, two], scrub_pause: 15m"))
    record = site.store.job_dir("scrub", "tank") / "latest.json"
    site.programs.answer("zpool scrub -p tank", "", then={STATUS: pool("scrub-paused")}, keep=record)
    site.store.write_running(a_run("nightly", outcome=Outcome.RUNNING, process=this_process()), durable=True)
    site.job("scrub", "--no-wait")
    assert json.loads(site.programs.kept())["result"]["paused_by_us"] is True


def test_a_dry_run_says_what_would_be_run_and_runs_nothing(site: HardwareSite) -> None:
    done = site.run("scrub", "--dry-run")
    assert "zpool scrub tank" in done.stdout.splitlines()
    assert "borg" not in done.stdout
    assert site.programs.calls() == []
    assert not site.store.root.exists()
