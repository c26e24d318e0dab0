"""Concerns about replications: what looks green because a job succeeded, and is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from bkp.concerns import Concern, concerns_of
from bkp.config import parse_config
from bkp.state.fields import Outcome
from bkp.state.observed import seen, write_observation
from bkp.state.results import Partial, ReplicaDataset, SyncResult
from bkp.state.store import StateStore
from bkp.survey import survey
from bkp.zfs_health.model import DatasetHealth
from tests.support.records import START, a_night, a_repository, a_run, an_archive, roots

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = parse_config(
    "schema: 1\nrepositories: {main: {path: /r, sources: [data]}}\nmail: {when: never}\n"
    "sources: {data: {dataset: tank/copy}}\n"
    "replications: {live: {source: 'bkp@live:tank/data', target: tank/copy, identity_file: /k, known_hosts: /h}}\n"
)
SOURCE, TARGET = "bkp@live:tank/data", "tank/copy"


def hours(count: float) -> datetime:
    """Return a time so many hours before the pull."""
    return START - timedelta(hours=count)


def pulled(**changes: Any) -> SyncResult:
    facts: dict[str, Any] = {
        "datasets": (ReplicaDataset(dataset=TARGET, snapshot="s", snapshot_at=hours(1)),),
        "gate": "refused",
        "gate_tested_at": hours(1),
    }
    facts |= {"source": SOURCE, "target": TARGET, "raw": False}
    return SyncResult(**(facts | changes))


@pytest.fixture
def store(tmp_path: Path) -> StateStore:
    return StateStore(tmp_path / "state")


def of_replicas(store: StateStore, *, after: float = 1) -> dict[str, Concern]:
    """Return the concerns about the replication so many hours after its last pull, by kind."""
    now = START + timedelta(hours=after)
    found = concerns_of(CONFIG, survey(CONFIG, store, lambda: now, UTC, lambda _process: False))
    return {each.kind: each for each in found if each.object == "replication live"}


def test_a_replica_that_is_near_its_live_server_is_no_concern(store: StateStore) -> None:
    store.write_ended(a_run("sync", START, target="live", result=pulled()))
    assert of_replicas(store) == {}


def test_the_lag_grows_without_a_pull_and_with_one_that_finds_nothing_to_do(store: StateStore) -> None:
    store.write_ended(a_run("sync", START, target="live", result=pulled()))
    assert of_replicas(store, after=34) == {}
    late = of_replicas(store, after=36)
    assert (set(late), late["replica_behind"].severity) == ({"replica_behind"}, "warning")
    assert late["replica_behind"].since == hours(1)
    assert of_replicas(store, after=96)["replica_behind"].severity == "critical"
    old = (ReplicaDataset(dataset=TARGET, snapshot="s", snapshot_at=hours(72)),)
    store.write_ended(a_run("sync", START + timedelta(hours=1), target="live", result=pulled(datasets=old)))
    assert set(of_replicas(store, after=2)) == {"replica_behind"}


def test_the_oldest_dataset_counts_and_one_that_is_lacking_hides_no_lag(store: StateStore) -> None:
    datasets = (
        ReplicaDataset(dataset=TARGET, snapshot="s", snapshot_at=hours(1)),
        ReplicaDataset(dataset=f"{TARGET}/old", snapshot="r", snapshot_at=hours(100)),
        ReplicaDataset(dataset=f"{TARGET}/none"),
    )
    store.write_ended(a_run("sync", START, target="live", result=pulled(datasets=datasets)))
    found = of_replicas(store)
    assert set(found) == {"replica_behind", "replica_lacking"}
    assert f"{TARGET}/none" in found["replica_lacking"].sentence


@pytest.mark.parametrize(
    "changes",
    [
        {"datasets": None},
        {"datasets": ()},
        {"datasets": (ReplicaDataset(dataset=TARGET, snapshot="s", snapshot_at=hours(-9)),)},
    ],
)
def test_what_was_never_compared_or_comes_from_the_future_is_unknown(
    store: StateStore, changes: dict[str, Any]
) -> None:
    store.write_ended(a_run("sync", START, target="live", result=pulled(**changes)))
    assert set(of_replicas(store)) == {"replica_unknown"}


def test_a_pull_of_another_source_or_target_says_nothing_of_this_one(store: StateStore) -> None:
    store.write_ended(a_run("sync", START, target="live", result=pulled(source="bkp@other:tank/data")))
    assert set(of_replicas(store)) == {"replica_unknown"}


def test_what_was_pulled_into_a_dataset_says_nothing_of_another_one_in_its_place(store: StateStore) -> None:
    child = ReplicaDataset(dataset=f"{TARGET}/child", guid="2", snapshot="s", snapshot_at=hours(1))
    datasets = (ReplicaDataset(dataset=TARGET, guid="1", snapshot="s", snapshot_at=hours(1)), child)
    store.write_ended(a_run("sync", START, target="live", result=pulled(datasets=datasets), subject="1"))

    def found(*guids: str | None, minutes: int = 30) -> dict[str, Concern]:
        names = ("tank", TARGET, f"{TARGET}/child")
        seen_at = START + timedelta(minutes=minutes)
        parts = {
            name: seen(DatasetHealth(name=name, guid=guid), "zfs list", seen_at)
            for name, guid in zip(names, ("0", *guids), strict=False)
        }
        write_observation(store.root, "datasets", "vault", parts)
        return of_replicas(store)

    assert found("1", "2") == found("1", None) == found("9", minutes=5) == {}
    for guids, said in (
        (("9", "2"), f"{TARGET} is another dataset"),
        (("1", "8"), f"{TARGET}/child is another dataset"),
    ):
        (anew,) = found(*guids).values()
        assert (anew.kind, anew.severity) == ("replica_unknown", "critical")
        assert said in anew.sentence
    assert "is not there any more" in found("1")["replica_unknown"].sentence
    assert "is not there any more" in found()["replica_unknown"].sentence
    store.write_ended(a_run("sync", START + timedelta(minutes=20), outcome=Outcome.FAILURE, target="live", subject="9"))
    found("9", "8", minutes=5)
    assert set(of_replicas(store)) == set()  # the job says it: nothing that it recorded counts any more
    anew_pulled = tuple(replace(each, guid=guid) for each, guid in zip(datasets, "98", strict=True))
    store.write_ended(
        a_run("sync", START + timedelta(minutes=25), target="live", result=pulled(datasets=anew_pulled), subject="9")
    )
    assert of_replicas(store) == {}


def test_a_success_without_a_result_is_unknown_and_a_job_that_never_ran_says_so_itself(store: StateStore) -> None:
    assert of_replicas(store) == {}
    store.write_ended(a_run("sync", START, target="live"))
    assert set(of_replicas(store)) == {"replica_unknown"}


def test_what_is_not_resumed_for_two_pulls_or_never_can_be(store: StateStore) -> None:
    cut = (Partial(dataset=TARGET, since=hours(0)),)
    store.write_ended(a_run("sync", START, target="live", result=pulled(partial=cut)))
    assert of_replicas(store, after=1) == {}
    assert "replica_cut_off" in of_replicas(store, after=49)
    never = pulled(partial=cut, cause="partial", cure="never")
    store.write_ended(a_run("sync", START, outcome=Outcome.FAILURE, target="live", result=never))
    assert "--discard-partial" in of_replicas(store)["replica_cut_off"].remedy


def test_a_live_server_that_runs_what_it_must_refuse_is_critical_and_not_to_have_tried_is_a_warning(
    store: StateStore,
) -> None:
    store.write_ended(a_run("sync", START, outcome=Outcome.FAILURE, target="live", result=pulled(gate="ran")))
    assert of_replicas(store)["replica_gate_open"].severity == "critical"
    untested = pulled(gate=None, gate_tested_at=None)
    store.write_ended(a_run("sync", START + timedelta(minutes=1), target="live", result=untested))
    assert of_replicas(store)["replica_gate_open"].severity == "warning"
    long_ago = pulled(gate_tested_at=hours(24 * 22))
    store.write_ended(a_run("sync", START + timedelta(minutes=2), target="live", result=long_ago))
    assert of_replicas(store)["replica_gate_open"].severity == "warning"


def test_an_archive_of_an_old_replica_is_told_though_the_night_succeeded(store: StateStore) -> None:
    store.write_ended(a_run("sync", START, target="live", result=pulled()))
    (root,) = roots("data")
    old = replace(root, dataset=TARGET, snapshot="s", snapshot_at=hours(60))
    archive = an_archive(roots=(old,))
    store.write_ended(a_run(result=a_night(archive, a_repository())))
    assert set(of_replicas(store)) == {"replica_archived_old"}
    assert "2d 12h before" in of_replicas(store)["replica_archived_old"].sentence
