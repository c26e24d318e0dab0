"""Whose a snapshot is: only what is provably ours and dead is ever named for removal."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkp.errors import StepFailedError
from bkp.state.records import Process
from bkp.tools.zfs.replies import Mark
from runner.sources.marks import BOOT, HOST, KEYS, PID, RUN, TICKS, dead_snapshots, host_mark, marks_of, snapshot_name

HERE, ELSEWHERE = "0123456789abcdef", "fedcba9876543210"
RUN_ID, OTHER_RUN = "20261123T023000Z-0a1b2c3d", "20261124T023000Z-ffffffff"
PROCESS = Process(pid=4711, started_ticks=12345, boot_id="7d3c1d1e-0000-4000-8000-000000000001")
DATASET = "tank/Secure/backup"


def marked(
    run_id: str = RUN_ID,
    process: Process = PROCESS,
    *,
    host: str = HERE,
    snapshot: str | None = None,
    source: str = "local",
) -> list[Mark]:
    name = snapshot or f"{DATASET}@{snapshot_name(run_id)}"
    return [Mark(name, key, value, source) for key, value in marks_of(run_id, process, host).items()]


def dead(_process: Process) -> bool:
    return False


def test_our_own_snapshot_of_a_dead_run_is_found() -> None:
    assert dead_snapshots(marked(), HERE, dead) == [RUN_ID]


def test_the_run_is_judged_by_pid_start_and_boot_together() -> None:
    asked: list[Process] = []

    def ask(process: Process) -> bool:
        asked.append(process)
        return False

    dead_snapshots(marked(), HERE, ask)
    assert asked == [PROCESS]


def test_a_run_that_lives_or_may_live_keeps_its_snapshot() -> None:
    assert dead_snapshots(marked(), HERE, lambda _process: True) == []
    assert dead_snapshots(marked(), HERE, lambda _process: None) == []


def test_of_two_overlapping_runs_the_living_one_keeps_its_snapshot() -> None:
    living = Process(pid=99, started_ticks=1, boot_id=PROCESS.boot_id)
    marks = [*marked(), *marked(OTHER_RUN, living)]
    assert dead_snapshots(marks, HERE, lambda process: process == living) == [RUN_ID]


def test_another_hosts_snapshot_is_left_alone() -> None:
    assert dead_snapshots(marked(host=ELSEWHERE), HERE, dead) == []


def test_a_received_snapshot_is_left_alone() -> None:
    assert dead_snapshots(marked(source="received"), HERE, dead) == []
    assert dead_snapshots(marked(source=f"inherited from {DATASET}"), HERE, dead) == []


def test_a_snapshot_that_merely_carries_our_prefix_is_left_alone() -> None:
    foreign = f"{DATASET}@bkp-{RUN_ID}"
    assert dead_snapshots([Mark(foreign, key, "-", "-") for key in KEYS], HERE, dead) == []
    assert dead_snapshots([], HERE, dead) == []


def test_a_snapshot_that_lacks_any_one_mark_is_left_alone() -> None:
    for key in KEYS:
        assert dead_snapshots([mark for mark in marked() if mark.key != key], HERE, dead) == []


def test_a_snapshot_of_another_name_is_left_alone() -> None:
    for name in (
        f"{DATASET}@monthly",
        f"{DATASET}@bkp-{OTHER_RUN}",
        f"{DATASET}@",
        DATASET,
        f"{DATASET}@x@bkp-{RUN_ID}",
    ):
        assert dead_snapshots(marked(snapshot=name), HERE, dead) == []


def test_a_run_id_that_is_none_of_ours_is_left_alone() -> None:
    for run_id in ("", "a,b", "x%y", "../x", f"{RUN_ID}\n", f"{RUN_ID}%x", "२0261123T023000Z-0a1b2c3d"):
        assert dead_snapshots(marked(run_id), HERE, dead) == []


def test_marks_that_are_no_numbers_are_left_alone() -> None:
    for key, value in (
        (PID, "4711x"),
        (PID, ""),
        (PID, "²"),
        (PID, "-1"),
        (TICKS, "1.5"),
        (TICKS, "9" * 400),
        (BOOT, ""),
    ):
        changed = [replace(mark, value=value) if mark.key == key else mark for mark in marked()]
        assert dead_snapshots(changed, HERE, dead) == [], (key, value)


ANYTHING = st.text(max_size=30) | st.sampled_from([RUN_ID, OTHER_RUN, HERE, "4711", PROCESS.boot_id, "-"])
MARKS = st.lists(
    st.builds(
        Mark,
        snapshot=st.sampled_from([f"{DATASET}@bkp-{RUN_ID}", f"{DATASET}@bkp-{OTHER_RUN}", f"{DATASET}@daily"]),
        key=st.sampled_from(KEYS),
        value=ANYTHING,
        source=st.sampled_from(["local", "received", "inherited from tank", "-"]),
    ),
    max_size=40,
)


@given(MARKS)
def test_whatever_marks_there_are_nothing_is_named_that_is_not_wholly_ours(marks: list[Mark]) -> None:
    for run_id in dead_snapshots(marks, HERE, dead):
        ours = {
            mark.key: mark.value
            for mark in marks
            if mark.source == "local" and mark.snapshot == f"{DATASET}@{snapshot_name(run_id)}"
        }
        assert set(ours) == set(KEYS)
        assert (ours[HOST], ours[RUN]) == (HERE, run_id)


@given(MARKS)
def test_foreign_marks_never_keep_our_dead_snapshot_or_take_a_living_one(marks: list[Mark]) -> None:
    others = [mark for mark in marks if mark.snapshot.endswith("@daily") or OTHER_RUN in mark.snapshot]
    found = dead_snapshots([*others, *marked()], HERE, lambda process: process == PROCESS)
    assert RUN_ID not in found
    assert RUN_ID in dead_snapshots([*others, *marked()], HERE, dead)


def test_the_mark_of_a_host_is_stable_and_does_not_give_its_machine_id_away(tmp_path: Path) -> None:
    path = tmp_path / "machine-id"
    path.write_text("3d1219c7c4c5404aaa1f6d2a48adfda4\n")
    mark = host_mark(path)
    assert mark == host_mark(path)
    assert len(mark) == 16
    assert mark not in path.read_text()
    path.write_text("00000000000000000000000000000001\n")
    assert host_mark(path) != mark


def test_a_machine_without_an_id_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(StepFailedError, match="machine-id cannot be read") as caught:
        host_mark(tmp_path / "machine-id")
    assert caught.value.remedy == "run systemd-machine-id-setup"
