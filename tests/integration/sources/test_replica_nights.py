"""Nights on a dataset that a replication receives: nothing is created, and what was received last is archived."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from tests.integration.sources.conftest import CHILD, FILES, ODD, OFF, TOP, Server, wait_until

NEW = f"{TOP}/new"
DAY = 86_400


def replicate(server: Server, more: str = "") -> None:
    """Let a replication receive the dataset."""
    config = server.folder / "config.yml"
    pull = f"source: 'bkp@live:tank/data', target: {TOP}, identity_file: /k, known_hosts: /h{more}"
    config.write_text(config.read_text() + f"replications: {{live: {{{pull}}}}}\n")


def receive(server: Server, name: str, *datasets: str, age: int = 0) -> None:
    """Let a snapshot be received that the live server made `age` seconds ago."""
    for dataset in datasets:
        server.pool.write(f"{dataset}@{name}", [["creation", str(int(time.time()) - age), "received"]], [])


def never_mounted(server: Server, dataset: str, folder: str) -> None:
    """Let a dataset be received that nobody has ever mounted: it has no folder."""
    server.add(dataset, mountpoint=folder, canmount="noauto")
    live = server.pool.live(dataset)
    live.mkdir()
    server.call("mount", "-t", "tmpfs", "live", live)
    server.call("sh", "-c", 'echo new >"$1/received"', "sh", live)


def test_a_night_holds_and_mounts_what_was_received_and_creates_nothing(server: Server) -> None:
    replicate(server)
    receive(server, "a", TOP, CHILD, ODD, OFF, NEW, age=DAY)
    receive(server, "b", TOP)  # a pull that is half way
    never_mounted(server, NEW, f"{server.folder}/srv/far/new")
    before = server.pool.existing()

    server.halt_at("borg-create before")
    process = server.start()
    server.wait_halted()
    held = server.pool.existing()
    assert set(held) == set(before)  # nothing that would be in a receive's way
    assert {name for name, each in held.items() if each["holds"]} == {
        f"{each}@a" for each in (TOP, CHILD, ODD, OFF, NEW)
    }
    receive(server, "b", CHILD, ODD)  # goes on meanwhile
    server.go_on()
    record = server.ended(process)

    archive = record["result"]["archive"]
    roots = {root["dataset"]: root for root in archive["roots"]}
    assert {name: (each["path"], each["present"]) for name, each in roots.items()} == {
        TOP: (str(server.tree), True),
        CHILD: (f"{server.tree}/child", True),
        ODD: (str(server.odd), True),
        NEW: (f"{server.folder}/srv/far/new", True),
    }
    assert {each["snapshot"] for each in roots.values()} == {"a"}
    assert all(each["snapshot_at"] for each in roots.values())
    assert archive["files"] == 3 * FILES + 2
    assert not [each for each in server.pool.existing().values() if each["holds"]]
    assert not [each for each in server.left() if "mounted" in each]


def test_a_child_without_a_folder_in_the_snapshot_above_it_is_archived_at_a_place_of_its_own(server: Server) -> None:
    replicate(server)
    receive(server, "a", TOP, CHILD, ODD, OFF, NEW)
    never_mounted(server, NEW, f"{server.tree}/new")
    record = server.nightly()
    root = next(each for each in record["result"]["archive"]["roots"] if each["dataset"] == NEW)
    assert root["path"] == f"{server.folder}/lock/replicas/tank%2Fdata%2Fnew"
    assert "is no folder of the dataset above it" in root["reason"]
    assert record["result"]["archive"]["files"] == 3 * FILES + 2


def test_an_old_replica_is_a_warning_and_what_is_not_received_is_named(server: Server) -> None:
    replicate(server)
    receive(server, "a", TOP, CHILD, ODD, age=3 * DAY)
    record: dict[str, Any] = server.nightly(expect=1)
    said = " ".join(each["text"] for each in record["messages"])
    assert f"{server.tree} is archived as it was 3d ago: {TOP}@a is the newest snapshot that was received" in said

    server.pool.file_of(f"{TOP}@a").unlink()
    record = server.nightly(expect=3)
    assert "is a replica, and no snapshot of it has been received completely yet" in record["reason"]


def test_a_killed_nights_holds_are_released_by_the_next_one_and_nobody_elses(server: Server) -> None:
    replicate(server)
    receive(server, "a", TOP, CHILD, ODD, OFF)
    server.call("sh", "-c", ":")
    marked = server.pool.existing()[f"{CHILD}@a"]["marks"]
    server.pool.write(f"{CHILD}@a", marked, [["keep"]])
    server.halt_at("borg-create before")
    process = server.start()
    server.wait_halted()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    wait_until(lambda: not [each for each in server.left() if each.endswith("is mounted")])
    (server.pool.folder / "reached").unlink()
    assert len([each for each in server.pool.existing().values() if each["holds"]]) == 4

    server.nightly()

    assert {name: each["holds"] for name, each in server.pool.existing().items() if each["holds"]} == {
        f"{CHILD}@a": [["keep"]]
    }
