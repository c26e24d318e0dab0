"""Nights on datasets that come, go, are received, or are called oddly: the others are archived, the reason is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.sources.conftest import CHILD, FILES, ODD, TOP, Server

WHOLE = 3 * FILES + 1
DESTROYED = f"{CHILD} is not archived: it was destroyed or renamed while the night began"
RECEIVING = f"{CHILD} is not archived: it is still being received, and has no files before that is complete"


def said(record: dict[str, Any]) -> list[str]:
    return [each["text"] for each in record["messages"]]


def name_of(record: dict[str, Any]) -> str:
    name: str = record["result"]["archive"]["name"]
    return name


def is_good_without_child(record: dict[str, Any]) -> bool:
    """Whether the archive has a good name, and holds all but the one child."""
    archive = record["result"]["archive"]
    held = {root["dataset"] for root in archive["roots"] if root["present"]}
    good = archive["name"].startswith(f"{record['host']}-")
    return good and held == {TOP, ODD} and archive["files"] == WHOLE - FILES


def be_received(server: Server, dataset: str, **facts: str) -> None:
    """Let a dataset be as it is during its first receive."""
    server.tell_mounts({name: path for name, path in server.mounts.items() if name != dataset})
    server.change(dataset, inconsistent="1", receive_resume_token="1-9d602655a-b8-789c", **facts)


@pytest.mark.parametrize(
    "step", ["get before", "snapshot before", "snapshot within", "snapshot after", "hold after", "mount before"]
)
def test_a_child_that_is_destroyed_while_the_night_begins_is_named_once_and_the_others_are_archived(
    server: Server, step: str
) -> None:
    server.halt_at(step)
    process = server.start()
    server.wait_halted()
    server.destroy(CHILD)
    server.go_on()
    record = server.ended(process, expect=1)
    assert said(record) == [DESTROYED]
    assert is_good_without_child(record)
    assert [each["reason"] for each in record["result"]["archive"]["left_out"] if each["dataset"] == CHILD] == [
        DESTROYED.partition(": ")[2]
    ]
    assert server.left() == []


def test_a_child_that_is_gone_since_the_last_night_is_named_once_with_the_archive_that_holds_it(server: Server) -> None:
    first = server.nightly()
    server.halt_at("list before")  # its mount was still in the table when the night began
    process = server.start()
    server.wait_halted()
    server.destroy(CHILD)
    server.go_on()
    record = server.ended(process, expect=1)
    why = f"it is not there any more; was it destroyed or renamed? {name_of(first)} holds it"
    assert said(record) == [f"{CHILD} is not archived: {why}"]
    assert is_good_without_child(record)
    assert said(server.nightly()) == []


def test_a_child_that_is_skipped_from_now_on_is_not_missed(server: Server) -> None:
    server.nightly()
    server.skip(CHILD)
    assert said(server.nightly()) == []
    server.destroy(CHILD)
    assert said(server.nightly()) == []


@pytest.mark.parametrize("facts", [{}, {"keystatus": "unavailable", "encryption": "aes-256-gcm"}], ids=["plain", "raw"])
def test_a_child_whose_first_receive_is_not_complete_is_left_out_and_the_archive_counts(
    server: Server, facts: dict[str, str]
) -> None:
    be_received(server, CHILD, **facts)
    record = server.nightly(expect=1)
    hint = f"; if it was cut off, resume it, or give it up by `zfs receive -A {CHILD}`"
    assert said(record) == [RECEIVING + hint]
    assert is_good_without_child(record)
    assert {"prune", "compact"} <= {step["name"] for step in record["steps"]}
    assert server.left() == []

    server.change(CHILD, inconsistent="0", receive_resume_token="-", keystatus="-", encryption="off")
    server.tell_mounts(server.mounts)
    assert server.nightly()["result"]["archive"]["files"] == WHOLE


def test_a_child_that_is_received_anew_is_no_first_receive_in_any_night(server: Server) -> None:
    first = server.nightly()
    be_received(server, CHILD)
    for _ in range(2):
        (text,) = said(server.nightly(expect=1))
        assert text.startswith(RECEIVING)
        assert text.endswith(f"; it was archived before, at last in {name_of(first)}")


def test_a_child_whose_next_receive_was_cut_off_is_archived_as_it_is(server: Server) -> None:
    server.change(CHILD, receive_resume_token="1-9d602655a-b8-789c")
    assert server.nightly()["result"]["archive"]["files"] == WHOLE


def test_a_receive_that_becomes_complete_while_the_night_begins_is_the_next_nights(server: Server) -> None:
    be_received(server, CHILD)
    server.halt_at("hold before")
    process = server.start()
    server.wait_halted()
    server.change(CHILD, inconsistent="0", receive_resume_token="-")
    server.go_on()
    why = "it was still being received when the snapshot was taken; the next night has it"
    assert said(server.ended(process, expect=1)) == [f"{CHILD} is not archived: {why}"]


def test_a_source_that_is_being_received_itself_is_missing_and_the_other_is_archived(server: Server) -> None:
    server.add("tank/new", mountpoint="/tank/new", canmount="on", inconsistent="1")
    with_source(server, "new: {dataset: tank/new}")
    record = server.nightly(expect=3)
    assert name_of(record).startswith("incomplete-")
    assert lost(record) == {
        "tank/new": "holds nothing that can be archived (tank/new: it is still being received, and "
        "has no files before that is complete)"
    }
    assert record["result"]["archive"]["files"] == WHOLE
    assert server.left() == []


def test_a_source_that_does_not_exist_is_missing_and_the_other_is_archived(server: Server) -> None:
    with_source(server, "new: {dataset: tank/new}")
    record = server.nightly(expect=3)
    assert name_of(record).startswith("incomplete-")
    why = "does not exist: was it destroyed or renamed, or is its pool not imported?"
    assert lost(record) == {"tank/new": why}
    assert record["result"]["archive"]["files"] == WHOLE


def test_a_snapshot_that_is_destroyed_before_it_is_held_is_told_and_nothing_is_read_instead(server: Server) -> None:
    server.halt_at("hold before")
    process = server.start()
    server.wait_halted()
    for snapshot in server.pool.existing():
        server.pool.file_of(snapshot).unlink()
    server.go_on()
    record = server.ended(process, expect=3)
    why = "has no snapshot: somebody destroyed it before it could be held (`zpool history -i tank` says by what)"
    assert record["reason"] == f"prepare: no source can be read: {TOP} {why}"
    assert record["result"] is None
    assert server.left() == []


def test_a_childs_snapshot_that_is_destroyed_before_it_is_held_is_a_missing_root(server: Server) -> None:
    server.halt_at("hold before")
    process = server.start()
    server.wait_halted()
    for snapshot in server.pool.existing():
        if snapshot.startswith(f"{CHILD}@"):
            server.pool.file_of(snapshot).unlink()
    server.go_on()
    record = server.ended(process, expect=3)
    assert name_of(record).startswith("incomplete-")
    assert record["result"]["archive"]["files"] == WHOLE - FILES
    assert "somebody destroyed it before it could be held" in lost(record)[CHILD]
    assert len(said(record)) == 2  # the root, and the archive that lacks it
    assert server.left() == []


@pytest.mark.parametrize("odd", ["ta\tb", "new\nline", f"a\n{TOP}\t/elsewhere"], ids=["tab", "line feed", "forged row"])
def test_an_odd_mount_point_takes_only_its_own_dataset_out_until_it_is_skipped(server: Server, odd: str) -> None:
    server.change(CHILD, mountpoint=f"/srv/{odd}")
    record = server.nightly(expect=1)
    remedy = "give it another mount point, or skip it"
    path = f"/srv/{odd}"
    assert said(record) == [f"{CHILD} is not archived: its path {path!r} holds a line feed or a tab; {remedy}"]
    assert is_good_without_child(record)
    server.skip(CHILD)
    assert said(server.nightly()) == []


def with_source(server: Server, source: str) -> None:
    """Add a source of the first repository."""
    config = server.folder / "config.yml"
    text = config.read_text().replace("sources: [data]", f"sources: [data, {source.partition(':')[0]}]", 1)
    config.write_text(text.replace(f"dataset: {TOP}}}", f"dataset: {TOP}}}, {source}"))


def lost(record: dict[str, Any]) -> dict[str, str]:
    return {root["dataset"]: root["reason"] for root in record["result"]["archive"]["roots"] if not root["present"]}


def test_a_child_that_is_renamed_out_of_the_source_during_a_night_keeps_no_snapshot(server: Server) -> None:
    server.halt_at("borg-create before")
    process = server.start()
    server.wait_halted()
    server.rename(CHILD, "tank/elsewhere")
    server.go_on()
    record = server.ended(process)
    assert record["outcome"] == "success"
    assert server.left() == []
    assert "tank/elsewhere@bkp-" in Path(record["log"]).read_text()
