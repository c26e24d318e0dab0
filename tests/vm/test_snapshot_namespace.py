"""The facts the nightly rests on: a snapshot mounted over its dataset's own mount point, seen by one process only."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from tests.vm.lab import states

if TYPE_CHECKING:
    from tests.vm.lab.guest import Guest
    from tests.vm.lab.pool import Pool
    from tests.vm.lab.states import State

FILES, IN_CHILD = 400, 200
BORG = "BORG_PASSPHRASE=lab BORG_RELOCATED_REPO_ACCESS_IS_OK=yes borg"


@pytest.fixture(scope="module")
def server_state() -> State | None:
    return states.POOL


@pytest.fixture(scope="module")
def tree(server: Guest, pool: Pool) -> str:
    """Some files in the dataset and in a child of it; return the path."""
    root = pool.path(pool.backup)
    server.script(
        f"""
        zfs create {pool.backup}/child
        for number in $(seq {FILES}); do echo "$number" > {root}/file-$number; done
        for number in $(seq {IN_CHILD}); do echo "$number" > {root}/child/file-$number; done
        # borg reads all files again that are as new as the newest: let that be one
        until touch {root}/last && [ {root}/last -nt {root}/child/file-{IN_CHILD} ]; do :; done
        {BORG} init --encryption=repokey-blake2 {repository(pool)}
        """
    )
    return root


def repository(pool: Pool) -> str:
    return f"{pool.path(pool.borg)}/facts"


def inside(pool: Pool, snapshot: str, command: str) -> str:
    """Return a command line that runs `command` where the snapshot lies over the datasets, and nowhere else."""
    # Past mount.zfs: since ZFS 2.3 that helper refuses to mount a snapshot over a folder that is not empty.
    mounts = "\n".join(
        f"mount --internal-only -t zfs -o ro {dataset}@{snapshot} {pool.path(dataset)}"
        for dataset in (pool.backup, f"{pool.backup}/child")
    )
    script = shlex.quote(f"{mounts}\n{command}")
    return f"unshare --mount --propagation private bash -euc {script}"


def back_up(pool: Pool, tree: str, snapshot: str) -> list[str]:
    """Take a snapshot, archive the tree from inside it, drop the snapshot; return the status borg gave each file."""
    guest = pool.guest
    guest.run(f"zfs snapshot -r {pool.backup}@{snapshot}")
    create = f"{BORG} create --list --log-json {repository(pool)}::{snapshot} {tree} 2>&1 >/dev/null"
    listing = guest.run(inside(pool, snapshot, f"{create} | jq -r 'select(.type == \"file_status\") | .status'"))
    guest.run(f"zfs destroy -r {pool.backup}@{snapshot}")
    return listing.lines


@pytest.mark.smoke
def test_the_second_run_reads_almost_nothing_again_and_paths_are_the_live_ones(pool: Pool, tree: str) -> None:
    first = back_up(pool, tree, "facts-1")
    second = back_up(pool, tree, "facts-2")

    assert first.count("A") == FILES + IN_CHILD + 1
    read_again = second.count("A") + second.count("M")
    assert read_again <= (FILES + IN_CHILD) // 100
    assert second.count("U") == FILES + IN_CHILD + 1 - read_again
    paths = pool.guest.run(f"{BORG} list --short {repository(pool)}::facts-2").lines
    assert f"{tree}/child/file-1".lstrip("/") in paths
    assert sum("/file-" in path for path in paths) == FILES + IN_CHILD
    pool.guest.run(f"{BORG} check {repository(pool)}")


def test_inside_lies_the_snapshot_and_outside_the_live_file(pool: Pool, tree: str) -> None:
    guest = pool.guest
    guest.run(f"echo old > {tree}/changing && zfs snapshot -r {pool.backup}@seen && echo new > {tree}/changing")

    assert guest.run(inside(pool, "seen", f"cat {tree}/changing")).text == "old"

    assert guest.read(f"{tree}/changing").strip() == "new"
    assert "@seen" not in guest.read("/proc/mounts")
    guest.run(f"zfs destroy -r {pool.backup}@seen && rm {tree}/changing")


def test_user_properties_are_set_in_the_same_step_on_every_snapshot(pool: Pool, tree: str) -> None:
    guest = pool.guest
    guest.run(f"zfs snapshot -r -o lab:run=42 -o lab:boot=b {pool.backup}@marked")
    for dataset in (pool.backup, f"{pool.backup}/child"):
        assert pool.property("lab:run", f"{dataset}@marked") == "42"
        assert pool.property("lab:boot", f"{dataset}@marked") == "b"
    guest.run(f"zfs destroy -r {pool.backup}@marked")


def test_a_hold_keeps_a_snapshot_until_it_is_released(pool: Pool, tree: str) -> None:
    guest = pool.guest
    guest.run(f"zfs snapshot -r {pool.backup}@held && zfs hold -r lab-run {pool.backup}@held")

    refused = guest.run(f"zfs destroy -r {pool.backup}@held", check=False)

    assert refused.code != 0
    assert f"{pool.backup}@held" in pool.snapshots()
    guest.run(f"zfs release -r lab-run {pool.backup}@held && zfs destroy -r {pool.backup}@held")
    assert f"{pool.backup}@held" not in pool.snapshots()


def test_after_sigkill_inside_no_mount_is_left_and_the_snapshot_can_go(pool: Pool, tree: str) -> None:
    guest = pool.guest
    guest.run(f"rm -f /run/lab-inside && zfs snapshot -r {pool.backup}@killed")
    guest.start_unit("lab-inside", inside(pool, "killed", f"cd {tree}; touch /run/lab-inside; sleep infinity"))
    ready = "test -e /run/lab-inside || ! systemctl is-active --quiet lab-inside.service"
    guest.wait_until("the process to be inside, or to fail", ready)
    assert guest.run("systemctl is-active lab-inside.service", check=False).text == "active"
    busy = guest.run(f"zfs destroy -r {pool.backup}@killed", check=False)
    assert busy.code == 1
    assert "busy" in busy.stderr

    guest.run("systemctl kill --signal=KILL lab-inside.service")
    guest.wait_unit_ended("lab-inside.service")

    guest.wait_until("the snapshot to be free", f"zfs destroy -r {pool.backup}@killed")
    assert not [name for name in pool.snapshots() if name.endswith("@killed")]
    assert "@killed" not in guest.read("/proc/mounts")
    guest.run("systemctl reset-failed lab-inside.service", check=False)
