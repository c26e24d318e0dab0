"""Nights on stand-in ZFS: what is archived, in which order things happen, and that no crash leaves anything behind."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from bkp.liveness import boot_id
from runner.sources.marks import host_mark
from tests.integration.sources.conftest import CHILD, FILES, ODD, OFF, TOP, Server, wait_until

STEPS = [
    *("snapshot before", "snapshot after", "hold before", "hold after", "mount before", "mount after"),
    *("borg-create before", "borg-create after", "borg-list before", "release before", "release after"),
    *("destroy before", "destroy after", "borg-prune before"),
]


def statuses(server: Server) -> list[str]:
    """What borg said of each regular file in the last archive: A and M were read, U was not."""
    events = [json.loads(line) for line in (server.folder / "create.log").read_text().splitlines() if line[:1] == "{"]
    return [each["status"] for each in events if each["type"] == "file_status" and each["status"] in "AMU"]


def archived(server: Server, archive: str, target: str = "main") -> set[str]:
    return set(server.call("borg", "list", "--short", f"{server.folder}/{target}::{archive}").splitlines())


def test_the_second_night_reads_almost_nothing_again_and_paths_are_the_live_ones(server: Server) -> None:
    first = server.nightly()
    assert statuses(server).count("A") == 3 * FILES + 1
    second = server.nightly()
    again = [each for each in statuses(server) if each != "U"]
    assert len(again) <= 3 * FILES // 100
    assert statuses(server).count("U") >= 3 * FILES * 99 // 100

    assert first["result"]["archive"]["files"] == second["result"]["archive"]["files"] == 3 * FILES + 1
    roots = {root["dataset"]: root["path"] for root in second["result"]["archive"]["roots"]}
    assert roots == {TOP: str(server.tree), CHILD: f"{server.tree}/child", ODD: str(server.odd)}
    assert [each["dataset"] for each in second["result"]["archive"]["left_out"]] == [OFF]
    paths = archived(server, second["result"]["archive"]["name"])
    for folder in (server.tree, server.tree / "child", server.odd):
        assert f"{folder}/file 1".lstrip("/") in paths
    assert not [path for path in paths if "bkp-" in path or "pool" in path]
    assert server.left() == []


def test_while_borg_reads_the_snapshots_are_held_and_seen_by_this_run_alone(server: Server) -> None:
    server.halt_at("borg-create before")
    process = server.start()
    server.wait_halted()
    run_id = json.loads((server.folder / "state/jobs/nightly/main/latest.json").read_text())["run_id"]
    existing = server.pool.existing()
    assert set(existing) == {f"{dataset}@bkp-{run_id}" for dataset in (TOP, CHILD, ODD, OFF)}
    assert all(each["holds"] == [[f"bkp-{run_id}"]] for each in existing.values())
    marks = {key: value for key, value, _ in existing[f"{TOP}@bkp-{run_id}"]["marks"]}
    assert (marks["bkp:run"], marks["bkp:boot"], marks["bkp:pid"]) == (run_id, boot_id(), str(process.pid))
    seen = ["@bkp-" in Path(f"/proc/{pid}/mountinfo").read_text() for pid in (process.pid, server.anchor)]
    assert seen == [True, False]
    server.go_on()
    server.ended(process)
    assert server.left() == []


@pytest.mark.parametrize("step", STEPS)
def test_sigkill_at_any_step_leaves_no_mount_at_once_and_nothing_after_the_next_night(
    server: Server, step: str
) -> None:
    server.halt_at(step)
    process = server.start()
    server.wait_halted()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    wait_until(lambda: not [each for each in server.left() if each.endswith("is mounted")])
    (server.pool.folder / "reached").unlink()

    server.nightly()

    assert server.left() == []
    assert [run["outcome"] for run in server.history()] == ["interrupted", "success"]
    assert (server.folder / "lock/repository-main.lock").read_text() == ""


@pytest.mark.parametrize(
    "step",
    [
        *("snapshot before", "snapshot after", "hold after", "mount after", "borg-create before"),
        *("release before", "release after", "destroy before", "destroy after"),
    ],
)
def test_sigterm_takes_the_snapshot_away_at_once(server: Server, step: str) -> None:
    server.halt_at(step)
    process = server.start()
    server.wait_halted()
    process.send_signal(signal.SIGTERM)
    record = server.ended(process, expect=130)
    assert record["outcome"] == "interrupted"
    assert server.left() == []
    assert not [each for each in record["messages"] if "cannot destroy" in each["text"]]


def test_two_overlapping_nights_on_one_dataset_take_nothing_from_each_other(server: Server) -> None:
    server.halt_at("borg-create before")
    first = server.start("main")
    server.wait_halted()
    held = server.pool.existing()

    server.nightly("second")

    assert server.pool.existing() == held
    server.go_on()
    assert server.ended(first)["result"]["archive"]["files"] == 3 * FILES + 1
    assert server.left() == []


def test_foreign_snapshots_with_our_prefix_lose_nothing(server: Server) -> None:
    ours = [["bkp:host", host_mark(), "local"], ["bkp:boot", "another", "local"], ["bkp:pid", "1", "local"]]
    ours += [["bkp:ticks", "1", "local"]]
    foreign = {
        f"{TOP}@bkp-by-hand": [],
        f"{TOP}@bkp-received": [[key, value, "received"] for key, value, _ in ours]
        + [["bkp:run", "received", "received"]],
        f"{TOP}@bkp-elsewhere": [["bkp:host", "0" * 16, "local"], *ours[1:], ["bkp:run", "elsewhere", "local"]],
        f"{TOP}@bkp-other-name": [*ours, ["bkp:run", "another-name", "local"]],
        f"{TOP}@bkp-lacking": [*ours[:-1], ["bkp:run", "lacking", "local"]],
        f"{TOP}@autosnap_daily": [*ours, ["bkp:run", "daily", "local"]],
    }
    for name, marks in foreign.items():
        server.pool.write(name, marks, [])
    server.pool.write(f"{TOP}@bkp-dead", [*ours, ["bkp:run", "dead", "local"]], [["bkp-dead"]])

    server.nightly()

    assert set(server.pool.existing()) == set(foreign)  # the last one was provably ours and dead


def test_a_locked_child_fails_the_night_and_what_can_be_read_is_kept_apart(server: Server) -> None:
    server.change(CHILD, keystatus="unavailable", encryption="aes-256-gcm")
    record = server.nightly(expect=3)
    assert record["result"]["archive"]["name"].startswith("incomplete-")
    assert [root["path"] for root in record["result"]["archive"]["roots"] if not root["present"]] == [
        f"{server.tree}/child"
    ]
    assert any("is locked" in message["text"] for message in record["messages"])
    assert "prune" not in [step["name"] for step in record["steps"]]
    assert server.left() == []


def test_a_snapshot_that_cannot_be_mounted_is_a_missing_root(server: Server) -> None:
    server.change(CHILD, mountpoint=f"{server.folder}/nowhere")
    record = server.nightly(expect=3)
    assert any("no folder to be mounted over: mount it once" in message["text"] for message in record["messages"])
    assert server.left() == []


@pytest.mark.parametrize("what", ["state", "log", "lock", "main", "borg/.cache"])
def test_what_the_run_needs_below_a_covered_mount_point_is_refused_with_the_way_out(server: Server, what: str) -> None:
    server.change(ODD, mountpoint=str(server.folder / what))
    record = server.nightly(expect=3)
    assert "would cover" in record["reason"]
    log = (server.folder / "log").glob("nightly-main-*.log")
    assert "mount_at to a fixed path such as /run/bkp/data" in "".join(path.read_text() for path in log)
    assert server.left() == []


def test_at_a_fixed_path_the_same_works(server: Server) -> None:
    fixed = server.folder / "run/fixed"
    config = server.folder / "config.yml"
    config.write_text(config.read_text().replace(f"dataset: {TOP}", f"dataset: {TOP}, mount_at: {fixed}"))
    record = server.nightly(expect=1)  # the child from elsewhere has no place there, and is named
    assert [root["path"] for root in record["result"]["archive"]["roots"]] == [str(fixed), f"{fixed}/child"]
    assert f"{fixed}/child/file 1".lstrip("/") in archived(server, record["result"]["archive"]["name"])
    assert {each["dataset"] for each in record["result"]["archive"]["left_out"]} == {ODD, OFF}
    assert server.left() == []


def test_a_directory_source_below_a_covered_mount_point_is_refused(server: Server) -> None:
    config = server.folder / "config.yml"
    text = config.read_text().replace("sources: [data]", "sources: [etc, data]")
    config.write_text(text.replace("sources: {data:", f"sources: {{etc: {{path: {server.tree}/child}}, data:"))
    assert "source etc" in server.nightly(expect=3)["reason"]
    assert server.left() == []


@pytest.mark.parametrize("step", ["hold", "mount", "borg-create", "borg-list"])
def test_whatever_fails_nothing_is_left_behind(server: Server, step: str) -> None:
    server.fail_at(step)
    server.nightly(expect=3)
    assert server.left() == []


def test_a_source_of_which_nothing_can_be_archived_fails_the_night_although_another_can(server: Server) -> None:
    server.add("tank/off", mountpoint="/tank/off", canmount="off")
    config = server.folder / "config.yml"
    text = config.read_text().replace("sources: [data]", "sources: [data, off]")
    config.write_text(text.replace(f"dataset: {TOP}}}", f"dataset: {TOP}}}, off: {{dataset: tank/off}}"))
    record = server.nightly(expect=3)
    (lost,) = [root for root in record["result"]["archive"]["roots"] if not root["present"]]
    assert (lost["source"], lost["dataset"]) == ("off", "tank/off")
    assert "holds nothing that can be archived (tank/off: canmount=off" in lost["reason"]
    assert server.left() == []


def test_files_at_the_mount_point_of_an_unmounted_dataset_are_not_hidden_without_a_word(server: Server) -> None:
    server.tell_mounts({name: path for name, path in server.mounts.items() if name != CHILD})
    roots = server.nightly()["result"]["archive"]["roots"]  # nothing lies there yet
    assert [each["reason"] for each in roots if each["dataset"] == CHILD] == [
        "its dataset is not mounted; its snapshot was archived all the same"
    ]
    server.call("sh", "-c", 'echo "of the dataset above" >"$1"', "sh", server.pool.live(TOP) / "child/stray")
    record = server.nightly(expect=3)
    assert record["result"]["archive"]["name"].startswith("incomplete-")
    assert any("child holds files although its dataset is not mounted" in each["text"] for each in record["messages"])
    assert server.left() == []


def test_at_a_fixed_path_that_is_a_link_the_link_alone_would_be_archived(server: Server) -> None:
    (server.folder / "run").mkdir()
    (server.folder / "run/link").symlink_to(server.folder / "elsewhere")
    (server.folder / "elsewhere").mkdir()
    config = server.folder / "config.yml"
    server.skip(CHILD)
    config.write_text(
        config.read_text().replace(f"dataset: {TOP}", f"dataset: {TOP}, mount_at: {server.folder}/run/link")
    )
    assert "run/link is a symbolic link" in server.nightly(expect=3)["reason"]
    assert server.left() == []


def test_a_snapshot_that_is_covered_by_that_of_another_is_a_missing_root(server: Server) -> None:
    """By a link in its path: its parent's snapshot, which is mounted later, lies over it."""
    (server.folder / "a").symlink_to(server.tree)
    server.call("mkdir", server.tree / "odd")
    server.tell_mounts(server.mounts | {ODD: server.folder / "a/odd"})
    record = server.nightly(expect=3)
    (lost,) = [root for root in record["result"]["archive"]["roots"] if not root["present"]]
    assert (lost["dataset"], lost["reason"]) == (ODD, "is covered by the snapshot of another dataset")
    assert server.left() == []


def test_a_volume_is_named_because_borg_sees_no_files_of_it(server: Server) -> None:
    server.add(f"{TOP}/disk", mountpoint="-", canmount="-")
    record = server.nightly(expect=1)
    assert any(f"{TOP}/disk is not archived: it is a volume" in each["text"] for each in record["messages"])
    server.skip(f"{TOP}/disk")
    server.nightly()


def test_a_file_system_from_elsewhere_below_a_dataset_is_named_until_it_is_excluded(server: Server) -> None:
    media = server.tree / "media"
    server.call("mkdir", media)
    server.tell_mounts(server.mounts | {"other/media": media}, device="0:1")
    text = (server.folder / "bin/mountinfo").read_text().replace("0:1", "0:0", len(server.mounts))
    (server.folder / "bin/mountinfo").write_text(text)
    (named,) = [each["text"] for each in server.nightly(expect=1)["messages"]]
    assert named.startswith(f"{media} (other/media) is mounted below {server.tree} and not archived")
    config = server.folder / "config.yml"
    config.write_text(config.read_text().replace(f"dataset: {TOP}", f"dataset: {TOP}, exclude: ['pp:{media}']"))
    server.nightly()


def test_a_dataset_that_comes_too_late_for_the_snapshot_is_named(server: Server) -> None:
    server.halt_at("snapshot within")
    process = server.start()
    server.wait_halted()
    server.add(f"{TOP}/new", mountpoint=f"{server.tree}/new", canmount="on")
    server.go_on()
    record = server.ended(process, expect=1)
    assert any(f"{TOP}/new is not archived: it was created while" in each["text"] for each in record["messages"])
    assert server.left() == []


def test_at_a_fixed_path_a_repository_inside_is_never_archived_into_itself(server: Server) -> None:
    device = server.folder.stat().st_dev
    server.tell_mounts({TOP: server.folder}, device=f"{os.major(device)}:{os.minor(device)}")
    config = server.folder / "config.yml"
    config.write_text(config.read_text().replace(f"dataset: {TOP}", f"dataset: {TOP}, mount_at: /run/bkp-test"))
    record = server.nightly(expect=3)
    assert f"the repository {server.folder}/main lies in this source" in record["reason"]
    assert "exclude: ['pp:/run/bkp-test/main']" in record["remedy"]
    assert server.left() == []
