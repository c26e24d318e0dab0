"""The pull from end to end: real job, real gate, stand-in zfs, ssh and syncoid."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bkp.state.fields import Outcome
from bkp.tools.process import Command, run
from runner.jobs.sync import DISCARD, TEST_GATE
from tests.support.fake_pull import HERE, LIVE
from tests.support.pull_world import NOW, PullWorld, made, result_of
from tests.unit.ssh_gate.token_maker import token

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path) -> PullWorld:
    return PullWorld(tmp_path)


def steps(found: object) -> dict[str, str]:
    return {step.name: str(step.outcome) for step in found.steps}  # type: ignore[attr-defined]


def test_a_first_pull_and_the_next_one_record_what_both_servers_have(world: PullWorld) -> None:
    world.live[f"{LIVE}/left"] = {"snapshots": [], "sync": "false"}
    world.play["pull"] = {"stderr": "0.9 100\n1.2 500\n0.4 30\n", "stdout": "INFO: Sending oldest full snapshot\n"}
    first = world.run()
    assert (first.outcome, first.reason) == (Outcome.SUCCESS, None)
    result = result_of(first)
    assert result.newest_common_at == NOW - timedelta(hours=1)
    assert [(each.dataset, each.snapshot) for each in result.datasets or ()] == [
        (HERE, "new"),
        (f"{HERE}/child", "new"),
    ]
    assert result.bytes == 530
    assert (result.gate, result.cure, result.partial) == ("refused", None, ())
    argv = (world.folder / "syncoid.argv").read_text().splitlines()
    assert argv[-2:] == [f"bkp@live:{LIVE}", HERE]
    assert {"--no-rollback", "--recursive", "--identifier=live", "--compress=none"} < set(argv)
    assert "--recvoptions=u o readonly=on o canmount=noauto" in argv
    assert not [word for word in argv if "force" in word or word.startswith("--sendoptions")]
    asked = world.asked()
    assert [each for each in asked if "uname" in each] == ["uname -s", "echo -n ; uname -s"]

    world.now = NOW + timedelta(days=1)
    for each in world.live.values():
        each["snapshots"] = [*each["snapshots"], ["newer", "3" + str(len(each)), made(-23)]]
    second = world.run()
    assert steps(second)["gate"] == "skipped"
    assert result_of(second).gate_tested_at == result.gate_tested_at
    assert not [each for each in world.asked() if "uname" in each]
    world.now = NOW + timedelta(days=6, hours=23, minutes=55)
    assert steps(world.run())["gate"] == "success"


def test_a_dataset_that_the_live_server_has_no_more_is_named_once(world: PullWorld) -> None:
    world.run()
    del world.live[f"{LIVE}/child"]
    found = world.run()
    assert found.outcome is Outcome.WARNING
    assert found.reason == f"measure: the live server has no more of {HERE}/child: it stays as it was received last"
    assert world.run().outcome is Outcome.SUCCESS


def test_nothing_new_makes_no_snapshot_younger(world: PullWorld) -> None:
    world.play["pull"] = {"stdout": "INFO: no snapshots on source newer than new on target. Nothing to do\n"}
    first = world.run()
    world.now = NOW + timedelta(days=3)
    second = world.run()
    assert second.outcome is Outcome.SUCCESS
    assert result_of(second).newest_common_at == result_of(first).newest_common_at == NOW - timedelta(hours=1)
    assert result_of(second).bytes is None


def test_a_snapshot_of_the_same_name_is_not_the_same_and_a_dataset_that_lacks_one_is_named(world: PullWorld) -> None:
    world.run()
    world.live[f"{LIVE}/child"]["snapshots"] = [["new", "9", made(0)]]
    world.live[f"{LIVE}/late"] = {"snapshots": [["new", "8", made(0)]]}
    world.play["pull"] = {"datasets": [LIVE]}
    found = world.run()
    assert result_of(found).lacking == (f"{HERE}/child", f"{HERE}/late")
    assert result_of(found).newest_common_at is None
    assert found.outcome is Outcome.WARNING
    assert "never received" in (found.reason or "")


def test_what_syncoid_hides_behind_0_is_recorded(world: PullWorld) -> None:
    said = "WARN: ZFS resume feature not available on source machine - sync will continue without resume support.\n"
    expected = "WARN: mbuffer not available on source ssh:live - sync will continue without source buffering.\n"
    world.play["pull"] = {"stdout": expected + said}
    found = world.run()
    assert found.outcome is Outcome.WARNING
    assert [each.text for each in found.messages] == [said.strip()]


def test_a_live_server_that_is_away_is_waited_for_and_what_was_measured_stays(world: PullWorld) -> None:
    before = result_of(world.run())
    world.play["ssh"] = {"": "away"}
    found = world.run()
    assert found.outcome is Outcome.DEFERRED
    assert "is off, asleep or away: ssh: connect to host live port 22: No route to host" in (found.reason or "")
    assert found.result is None or result_of(found).datasets == before.datasets
    world.play["ssh"] = {"": "ok"}
    assert world.run().outcome is Outcome.SUCCESS


@pytest.mark.parametrize(
    ("state", "reason"), [("host key", "host key is not the one that is pinned"), ("denied", "does not accept the key")]
)
def test_another_host_key_and_a_refused_key_are_no_absence(world: PullWorld, state: str, reason: str) -> None:
    world.play["ssh"] = {"": state}
    found = world.run()
    assert found.outcome is Outcome.FAILURE
    assert reason in (found.reason or "")
    assert not (world.folder / "syncoid.argv").exists()


@pytest.mark.parametrize("open_for", ["uname -s", "echo -n ; uname -s"])
def test_a_live_server_that_runs_a_forbidden_command_fails_the_job_and_nothing_is_pulled(
    world: PullWorld, open_for: str
) -> None:
    world.play["ssh"][open_for] = "open"
    found = world.run()
    assert found.outcome is Outcome.FAILURE
    assert f"the live server runs what it must refuse: '{open_for}'" in (found.reason or "")
    assert result_of(found).gate == "ran"
    assert not (world.folder / "syncoid.argv").exists()
    world.play["ssh"] = {"": "ok"}
    assert steps(world.run())["gate"] == "success"  # tried again at once, not a week later


def test_an_answer_that_is_not_the_gates_proves_nothing(world: PullWorld) -> None:
    world.play["ssh"]["uname -s"] = "odd"
    found = world.run()
    assert found.outcome is Outcome.FAILURE
    assert "cannot be told: 'uname -s' ended with 1: This account is not available." in (found.reason or "")
    assert found.result is None  # neither "refused" nor "ran"
    assert not (world.folder / "syncoid.argv").exists()


def test_the_gates_test_can_be_asked_for_and_switched_off(world: PullWorld) -> None:
    world.settings = ", gate_test_every: 0s"
    assert steps(world.run())["gate"] == "skipped"
    assert result_of(world.run(TEST_GATE)).gate == "refused"


def test_a_failed_pull_is_measured_all_the_same(world: PullWorld) -> None:
    world.run()
    world.live[LIVE]["snapshots"].append(["third", "33", made(0)])
    world.play["pull"] = {
        "code": 2,
        "stdout": "destination tank/copy has been modified\nsince most recent snapshot\n",
        "datasets": [],
    }
    found = world.run()
    assert found.outcome is Outcome.FAILURE
    assert "the replica was changed on this server" in (found.reason or "")
    assert "zfs rollback" in (found.remedy or "")
    result = result_of(found)
    assert (result.cause, result.cure) == ("modified", "person")
    assert result.newest_common_at == NOW - timedelta(hours=1)
    assert steps(found)["measure"] == "success"


def test_what_was_measured_of_one_live_server_says_nothing_of_another(world: PullWorld) -> None:
    assert result_of(world.run()).newest_common_at is not None
    world.host, world.live = "other", {}
    run = world.run()
    assert run.outcome is Outcome.FAILURE
    assert (result_of(run).gate, result_of(run).datasets) == ("refused", None)


def test_a_replica_that_has_what_the_live_server_has_no_more_was_not_changed_here(world: PullWorld) -> None:
    world.run()
    older = world.live[LIVE]["snapshots"][0]
    world.live[LIVE]["snapshots"] = [older, ["third", "33", made(0)]]
    world.play["pull"] = {
        "code": 2,
        "stdout": "destination tank/copy has been modified\nsince most recent snapshot\n",
        "datasets": [],
    }
    found = world.run()
    assert result_of(found).cause == "ahead"
    assert "changed on this server" not in (found.reason or "")


def test_a_busy_replica_is_not_now(world: PullWorld) -> None:
    world.play["pull"] = {
        "code": 1,
        "stderr": "Cannot sync now: tank/copy is already target of a zfs receive process.\n",
    }
    found = world.run()
    assert found.outcome is Outcome.DEFERRED
    assert result_of(found).cure == "passes"


def test_a_cut_off_receive_is_seen_with_its_age_until_it_is_resumed(world: PullWorld) -> None:
    world.live[LIVE]["snapshots"][1][1] = "77"  # as the token has it
    world.run()
    world.here[HERE]["token"] = token(f"{LIVE}@new")
    world.play["pull"] = {"code": 2, "stderr": "client_loop: send disconnect: Broken pipe\n", "datasets": []}
    first = world.run()
    assert result_of(first).cure == "passes"
    (cut,) = result_of(first).partial
    assert (cut.dataset, cut.base) == (HERE, "new")
    world.now += timedelta(days=2)
    (still,) = result_of(world.run()).partial
    assert still.since == cut.since
    world.here[HERE]["token"] = "-"
    world.play["pull"] = {}
    assert result_of(world.run()).partial == ()


def test_what_can_never_be_resumed_is_given_up_only_when_a_person_says_so(world: PullWorld) -> None:
    world.run()
    (world.folder / "syncoid.argv").unlink()
    world.here[f"{HERE}/child"]["token"] = token(f"{LIVE}/child@new")  # of which another one has the name now
    found = world.run()
    assert found.outcome is Outcome.FAILURE
    assert f"{HERE}/child (of {LIVE}/child@new)" in (found.reason or "")
    assert "--discard-partial" in (found.remedy or "")
    assert result_of(found).cure == "never"
    assert not (world.folder / "syncoid.argv").exists()  # syncoid would have thrown it away by itself
    assert world.here[f"{HERE}/child"]["token"] != "-"
    told = world.run(DISCARD)
    assert told.outcome is Outcome.SUCCESS
    assert world.here[f"{HERE}/child"]["token"] == "-"


def test_raw_is_kept_for_a_replicas_life(world: PullWorld) -> None:
    world.run()
    world.settings, world.play["raw"] = ", raw: true", True
    found = world.run()
    assert found.outcome is Outcome.FAILURE
    assert "the replica tank/copy was begun in the clear" in (found.reason or "")
    world.here, world.guid = {}, "2"  # renamed away: another one may begin
    begun = world.run()
    assert begun.outcome is Outcome.SUCCESS
    assert begun.subject == "2"
    assert {each.guid for each in result_of(begun).datasets or ()} == {"2"}
    assert "--sendoptions=w" in (world.folder / "syncoid.argv").read_text()
    world.settings, world.play["raw"] = "", False
    assert "was begun raw" in (world.run().reason or "")


@pytest.mark.parametrize(("root", "raw"), [(HERE, True), ("tank", False), ("-", True), ("-", False)])
def test_a_replica_that_was_there_before_tells_by_its_encryption_how_it_was_begun(
    world: PullWorld, root: str, raw: bool
) -> None:
    snapshots = {each: {"snapshots": world.live[each]["snapshots"]} for each in world.live}
    world.here = {HERE + name.removeprefix(LIVE): each for name, each in snapshots.items()}
    world.here[HERE]["encryptionroot"] = root
    world.settings, world.play["raw"] = f", raw: {str(raw).lower()}", raw
    assert world.run().outcome is Outcome.SUCCESS
    if root != "-":
        world.settings = f", raw: {str(not raw).lower()}"
        (world.folder / "state/history.jsonl").unlink()
        assert world.run().outcome is Outcome.FAILURE


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        ("rm key", "key cannot be used: No such file"),
        ("chmod 644 key", "is for others to read, too"),
        ("sed -i s/^live/other/ hosts", "holds no host key of live"),
        ("rm hosts", "holds no host key of live"),
    ],
)
def test_without_a_key_of_its_own_or_a_pinned_host_key_nothing_is_asked(
    world: PullWorld, spoil: str, reason: str
) -> None:
    subprocess.run(["sh", "-c", spoil], cwd=world.folder, check=True)
    found = world.run()
    assert found.outcome is Outcome.FAILURE
    assert reason in (found.reason or "")
    assert world.asked() == []


def test_what_ends_a_pull_ends_all_that_it_has_started(tmp_path: Path) -> None:
    """syncoid's pipe of ssh, pv and zfs receive would go on for nobody, and hold the lock."""
    child = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    script = f'{sys.executable} -c "{child}" & wait'
    run(Command(argv=("/bin/sh", "-c", script), whole_session=True), timeout=3)
    pid = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 30
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < deadline:  # noqa: PTH110  # no Path of it is needed
        time.sleep(0.05)
    assert not os.path.exists(f"/proc/{pid}")  # noqa: PTH110
