"""Facts of replications: what a pull recorded, as it is configured now, and how the replica lies on the disks."""

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


@pytest.mark.parametrize(
    ("script", "found"),
    [
        (r"printf 'tank/copy\tencryption\taes-256-gcm\t-\n'", "aes-256-gcm"),
        (r"printf 'tank/copy\tencryption\toff\tdefault\n'", "off"),
        (r"printf 'tank/copy\tencryption\taes-256-gcm\t-\ntank/copy/in\tencryption\toff\tdefault\n'", "off"),
        (r"printf 'tank/copy/in\tencryption\taes-256-gcm\t-\n'", "None"),
        ("echo 'cannot open: dataset does not exist' >&2; exit 1", "dataset does not exist"),
    ],
)
def test_how_a_replica_lies_on_the_disks_is_what_zfs_says_now(tmp_path: Path, script: str, found: str) -> None:
    program = tmp_path / "zfs"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    builder = FactBuilder(NOW)
    collect_replicas(builder, CONFIG, Zfs(lambda _: None, programs=Programs(zfs=str(program))))
    fact = builder.facts["replication.live.encryption"]
    assert found in str(fact.error or fact.value)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("127.0.0.1", True), ("VAULT", True), ("vault.example.com", True), ("live", False),
     ("192.0.2.7", False)],
)  # fmt: skip
def test_a_live_server_that_is_this_server_is_known_by_its_names(host: str, *, expected: bool) -> None:
    assert is_here(host, "vault.example.com") is expected
