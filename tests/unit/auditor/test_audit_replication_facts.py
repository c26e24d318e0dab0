"""Facts of replications: what a pull recorded, as it is configured now, and what zfs says of the replica."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING

import pytest

from auditor.facts.builder import FactBuilder
from auditor.facts.replications import collect_replicas, collect_replications, is_here
from bkp.config import parse_config
from bkp.state.results import ReplicaDataset, SyncResult
from bkp.state.store import StateStore
from bkp.survey import survey
from bkp.tools.zfs.client import Zfs
from bkp.tools.zfs.commands import Programs
from tests.support.records import START, a_run

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = parse_config(
    "schema: 1\nrepositories: {main: {path: /r, sources: [data]}}\nmail: {when: never}\nhost: vault\n"
    "sources: {data: {dataset: tank/copy}}\n"
    "replications: {live: {source: 'bkp@live:tank/data', target: tank/copy, identity_file: /k, known_hosts: /h}}\n"
)
NOW = START + timedelta(hours=1)


def recorded(store: StateStore) -> dict[str, object]:
    builder = FactBuilder(NOW)
    collect_replications(builder, CONFIG, survey(CONFIG, store, lambda: NOW, UTC, lambda _process: False))
    return {name.rpartition(".")[2]: fact.error or fact.value for name, fact in builder.facts.items()}


def test_what_the_newest_pull_recorded_is_told_and_that_of_another_source_is_not(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    assert recorded(store)["newest_common_at"] is None
    datasets = (ReplicaDataset(dataset="tank/copy", snapshot="s", snapshot_at=START),)
    result = SyncResult(
        source="bkp@live:tank/data",
        target="tank/copy",
        raw=False,
        datasets=(*datasets, ReplicaDataset(dataset="tank/copy/new")),
        gate="refused",
        gate_tested_at=START,
    )
    store.write_ended(a_run("sync", START, target="live", result=result))
    found = recorded(store)
    assert (found["newest_common_at"], found["lacking"]) == (None, ("tank/copy/new",))
    assert (found["gate"], found["gate_tested_at"], found["source_is_here"]) == ("refused", START, False)
    other = SyncResult(source="bkp@other:tank/data", target="tank/copy", raw=False, datasets=datasets, gate="refused")
    store.write_ended(a_run("sync", START + timedelta(minutes=1), target="live", result=other))
    assert recorded(store)["gate"] is None


class Fake:
    """A zfs that lists these datasets, each a name with its cipher, and prints this of rights on any of them."""

    def __init__(self, folder: Path, datasets: dict[str, str], rights: str = "") -> None:
        kinds = {name: "-" if name.endswith("volume") else "noauto" for name in datasets}
        rows = "".join(f"{name}\t{kinds[name]}\t-\t{cipher}\t1\t0\t-\n" for name, cipher in datasets.items())
        points = "".join(f"{name}\t/{name}\n" for name in datasets)
        for name, text in (("rows", rows), ("points", points), ("rights", rights)):
            (folder / name).write_text(text)
        self.program = folder / "zfs"
        self.program.write_text(
            f'#!/bin/sh\ncd {folder}\n[ "$1" = allow ] && exec cat rights\n'
            'case "$*" in *name,mountpoint*) exec cat points;; *) exec cat rows;; esac\n'
        )
        self.program.chmod(0o755)

    def facts(self) -> dict[str, object]:
        builder = FactBuilder(NOW)
        collect_replicas(builder, CONFIG, Zfs(lambda _: None, programs=Programs(zfs=str(self.program))))
        return {name.rpartition(".")[2]: fact.error or fact.value for name, fact in builder.facts.items()}


@pytest.mark.parametrize(
    ("datasets", "found"),
    [
        ({"tank/copy": "aes-256-gcm"}, "aes-256-gcm"),
        ({"tank/copy": "off"}, "off"),
        ({"tank/copy": "aes-256-gcm", "tank/copy/in": "off"}, "off"),
        ({"tank/copy": "aes-256-gcm", "tank/copy/volume": "off"}, "off"),
        ({"tank/copy": "-"}, None),
    ],
)
def test_how_a_replica_lies_on_the_disks_is_what_zfs_says_now(
    tmp_path: Path, datasets: dict[str, str], found: str | None
) -> None:
    assert Fake(tmp_path, datasets).facts()["encryption"] == found


def test_a_replica_that_cannot_be_asked_about_is_an_error_in_all_that_zfs_would_say(tmp_path: Path) -> None:
    fake = Fake(tmp_path, {"tank/copy": "off"})
    fake.program.write_text("#!/bin/sh\necho 'cannot open: dataset does not exist' >&2; exit 1\n")
    facts = fake.facts()
    assert facts.keys() == {"encryption", "rights"}
    assert all("dataset does not exist" in str(each) for each in facts.values())


RIGHTS = """\
---- Permissions on tank/copy ----------------------------------------
Permission sets:
\t@more destroy,@push
Create time permissions:
\tdestroy
Local permissions:
\tuser root destroy,mount
\tuser reader send,hold
\tgroup two words rollback
Descendent permissions:
\teveryone mount,send
---- Permissions on tank ---------------------------------------------
Permission sets:
\t@push mount,receive
Local permissions:
\tuser not-here destroy
Local+Descendent permissions:
\tuser (unknown: 1001) @more,send
\tuser odd @gone
"""


def test_who_else_may_change_a_replica_is_told_with_the_dataset_on_which_they_may(tmp_path: Path) -> None:
    assert Fake(tmp_path, {"tank/copy": "off", "tank/copy/in": "off"}, RIGHTS).facts()["rights"] == (
        "group two words on tank/copy: rollback",
        "everyone on tank/copy: mount",
        "user (unknown: 1001) on tank: destroy, mount, receive",
        "user odd on tank: @gone",
    )
    assert Fake(tmp_path, {"tank/copy": "off"}).facts()["rights"] == ()


@pytest.mark.parametrize("odd", ["a new heading:\n\tuser x destroy\n", "\tuser x destroy\n"])
def test_rights_in_a_form_that_is_not_known_are_no_rights_that_are_not_there(tmp_path: Path, odd: str) -> None:
    head = "---- Permissions on tank/copy ---\n" if odd.startswith("a") else ""
    facts = Fake(tmp_path, {"tank/copy": "aes-256-gcm"}, head + odd).facts()
    assert "not understood" in str(facts["rights"])
    assert facts["encryption"] == "aes-256-gcm"


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("127.0.0.1", True), ("VAULT", True), ("vault.example.com", True), ("live", False),
     ("192.0.2.7", False)],
)  # fmt: skip
def test_a_live_server_that_is_this_server_is_known_by_its_names(host: str, *, expected: bool) -> None:
    assert is_here(host, "vault.example.com") is expected
