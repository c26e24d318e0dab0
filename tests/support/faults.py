"""A server on which all is well, and for each kind of concern a state of it in which that is wrong."""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from bkp.attestations.file import append_attestations, read_attestations
from bkp.config import Config, load_config
from bkp.disk_health.model import Health, SelfTestKind, SelfTestResult
from bkp.disk_health.second import Disagreement
from bkp.mail.outbox import Outbox
from bkp.observations import HOST_PART, Kernels, Schedulers
from bkp.state.fields import Outcome
from bkp.state.ledger import Ledger
from bkp.state.observed import not_seen
from bkp.state.records import Pause, Run
from bkp.state.results import Gone, Listed, Partial, ReplicaDataset, Root, SyncResult
from bkp.zfs_health.model import Checkpoint, Scan
from tests.support.audits import CLEAN, MIXED, keep
from tests.support.exporter_world import NOW, World, archive, facts, make_run
from tests.support.fake_msmtp import FakeMsmtp
from tests.support.observed import (
    LEFT,
    Observer,
    a_dataset,
    a_disk,
    a_disk_seen,
    a_host,
    a_leaf,
    a_pool,
    a_pool_seen,
    a_test,
    a_tree,
)
from tests.support.observed_world import observed
from tests.support.outside_world import ID, OLD_KEY, outside
from tests.support.records import GIB, a_drill, a_night

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LATELY = NOW - HOUR
LOOKED = NOW - timedelta(minutes=2)
ABORTED = a_test(SelfTestResult.ABORTED, SelfTestKind.LONG, 1)

REPLICAS = ("tank/photos", "tank/papers")


class Site:
    """A whole server below `folder`: repository, replicas, pool, disks, keys elsewhere, audit, mail and watch."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder / "host")
        self.msmtp = FakeMsmtp(folder)
        outside(self.world)
        observed(self.world)
        self.world.mail = f"{{to: root@example.com, msmtp: {self.msmtp.path}, timeout: 20s}}"
        self.world.extra += "watch: {gather: 0s}\n"
        self.world.config_path.write_text(self.world.config_text(), encoding="utf-8")
        self.state = self.world.store.root
        self._good = folder / "good"
        shutil.copytree(self.state, self._good)

    @property
    def config(self) -> Config:
        return load_config(self.world.config_path)

    def mend(self) -> None:
        """Make the state that of a server on which all is well, but for what watch and mail have written since."""
        self.msmtp.set("take")
        aside = self.state.with_name("state-aside")
        if aside.exists():
            aside.rename(self.state)
            (self.state / "watch.json").unlink()  # what was seen meanwhile lies beside the locks, and is newer
        for entry in self.state.iterdir():
            if entry.name not in {"watch.json", "outbox"}:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        shutil.copytree(self._good, self.state, dirs_exist_ok=True, ignore=shutil.ignore_patterns("watch.json"))

    def forget(self) -> None:
        """Make the watch one that has told nothing yet, and the mailbox empty."""
        self.mend()
        shutil.rmtree(self.msmtp.folder)
        self.msmtp.folder.mkdir()
        shutil.rmtree(self.state / "outbox", ignore_errors=True)
        (self.world.root / "lock/watch.json").unlink(missing_ok=True)
        shutil.copy2(self._good / "watch.json", self.state)

    def record(self, job: str, outcome: Outcome = Outcome.SUCCESS, **changes: Any) -> None:
        """Record a run of an hour ago."""
        self.world.record(make_run(job, LATELY, outcome, **changes))

    def night(self, repository: dict[str, Any] | None = None, **changes: Any) -> None:
        """Record the night of an hour ago, with changes to its archive and to what the repository says."""
        made = archive(LATELY, **changes)
        self.record("nightly", result=a_night(made, facts(made.started_at, **(repository or {}))))

    def rewrite(self, change: Callable[[Run], Run | None]) -> None:
        """Record the past anew, each run changed, or left out."""
        runs: list[Run] = []
        Ledger(self.state / "history.jsonl").walk(runs.append, lambda _note: None)
        (self.state / "history.jsonl").unlink()
        shutil.rmtree(self.state / "jobs")
        self.world.record(*(run for each in runs if (run := change(each)) is not None))

    def pull(self, **changes: Any) -> None:
        """Record a pull of photos of an hour ago."""
        dataset = ReplicaDataset(dataset="tank/photos", snapshot="s", snapshot_at=LATELY)
        values: dict[str, Any] = {"raw": False, "datasets": (dataset,), "gate": "refused", "gate_tested_at": LATELY}
        values |= {"source": "bkp@live:tank/photos", "target": "tank/photos"} | changes
        self.record("sync", target="photos", result=SyncResult(**values))

    def observe(self, change: Callable[[Observer], None]) -> None:
        """Have the probe see something else."""
        observer = Observer(self.state, LOOKED, *REPLICAS)
        change(observer)
        observer.write()

    def attest(self, **changes: Any) -> None:
        """Write the attestations anew, each with changes; `without` leaves a location out."""
        path, without = self.state / "attestations.jsonl", changes.pop("without", None)
        words = [each for each in read_attestations(path).records if each.subject != without]
        path.unlink()
        append_attestations(path, [msgspec.structs.replace(each, **changes) for each in words])


def pool(**changes: Any) -> Callable[[Site], None]:
    return lambda site: site.observe(lambda seen: seen.pool(**changes))


def disk(**changes: Any) -> Callable[[Site], None]:
    return lambda site: site.observe(lambda seen: seen.disk(a_disk(**changes)))


def dataset(**changes: Any) -> Callable[[Site], None]:
    def change(seen: Observer) -> None:
        seen.datasets["tank/Secure/Borg"] = seen.part(a_dataset("tank/Secure/Borg", **changes))

    return lambda site: site.observe(change)


def host(**changes: Any) -> Callable[[Site], None]:
    return lambda site: site.observe(lambda seen: seen.host.update({HOST_PART: seen.part(a_host(**changes))}))


def unseen(kind: str, name: str) -> Callable[[Site], None]:
    def change(seen: Observer) -> None:
        parts = getattr(seen, kind)
        parts[name] = not_seen("no answer within 30s", "a test", LOOKED, parts[name])

    return lambda site: site.observe(change)


def removed(kind: str, name: str) -> Callable[[Site], None]:
    return lambda site: site.observe(lambda seen: getattr(seen, kind).pop(name))


def night(repository: dict[str, Any] | None = None, **changes: Any) -> Callable[[Site], None]:
    return lambda site: site.night(repository, **changes)


def pull(**changes: Any) -> Callable[[Site], None]:
    return lambda site: site.pull(**changes)


def moved(run: Run, by: timedelta) -> Run:
    """Return a run as if it had been made so much earlier."""
    ended = run.ended_at - by if run.ended_at is not None else None
    return msgspec.structs.replace(run, started_at=run.started_at - by, ended_at=ended)


def torn(name: str) -> Callable[[Site], None]:
    def tear(site: Site) -> None:
        path = site.state / name
        path.write_bytes(path.read_bytes()[5:])

    return tear


def _failed_check(site: Site) -> None:
    failed = make_run("check", LATELY - HOUR, Outcome.FAILURE, reason="segment 7 is damaged")
    site.world.record(failed, make_run("check", LATELY, Outcome.INTERRUPTED, before=failed.end))


def _paused(site: Site) -> None:
    pause = Pause(job="drill", target="main", until=NOW + DAY, reason="no room", paused_at=LATELY, by="operator")
    site.world.store.write_pause(pause)


def _waiting(site: Site) -> None:
    Outbox(site.state, site.world.root / "lock").put(b"Subject: a report\n\nx\n", NOW - 3 * HOUR)
    site.msmtp.set("down")


def _given_up(site: Site) -> None:
    outbox = Outbox(site.state, site.world.root / "lock")
    outbox.give_up(outbox.put(b"Subject: a report\n\nx\n", LATELY), LATELY)
    site.msmtp.set("down")


def _stale_source(site: Site) -> None:
    def without_etc(run: Run) -> Run:
        if run.job != "nightly":
            return run
        return msgspec.structs.replace(run, result=a_night(archive(run.started_at, missing=("etc",)), facts(NOW)))

    whole = make_run("nightly", NOW - 9 * DAY)
    site.rewrite(without_etc)
    runs: list[Run] = []
    Ledger(site.state / "history.jsonl").walk(runs.append, lambda _note: None)
    (site.state / "history.jsonl").unlink()
    site.world.record(whole, *runs)


def _changed_report(site: Site) -> None:
    first = next((site.state / "audit").iterdir())
    keep(site.state, LATELY, CLEAN)
    first.write_bytes(first.read_bytes().replace(b"vault", b"vaulT"))


def _old_audit(site: Site) -> None:
    shutil.rmtree(site.state / "audit")
    keep(site.state, NOW - 70 * DAY, CLEAN)


def _another_pool(seen: Observer) -> None:
    seen.pools["attic"] = seen.part(a_pool_seen(a_pool(LOOKED, "attic"), devices={}, configured=False))


def _old_look(site: Site) -> None:
    Observer(site.state, NOW - 5 * HOUR, *REPLICAS).write()


FULL = a_pool(LOOKED).space
assert FULL is not None
SCRUBBED = Scan(state="finished", start=NOW - 3 * DAY, end=NOW - 2 * DAY, errors=0, repaired=0)
REPLICA = Root(source="home", path="/srv/home", present=True, dataset="tank/photos", snapshot_at=NOW - 40 * DAY)

FAULTS: dict[str, Callable[[Site], object]] = {
    "state_missing": lambda site: site.state.rename(site.state.with_name("state-aside")),
    "state_unreadable": torn("jobs/check/main/latest.json"),
    "history_broken": torn("history.jsonl"),
    "records_unconfigured": lambda site: site.record("check", target="old"),
    "clock_ahead": lambda site: site.world.record(make_run("check", NOW + DAY)),
    "job_late": lambda site: site.rewrite(lambda run: moved(run, 30 * DAY) if run.job == "drill" else run),
    "job_never": lambda site: site.rewrite(lambda run: None if run.job == "drill" else run),
    "job_failed": lambda site: site.record("nightly", Outcome.FAILURE, reason="the passphrase is wrong"),
    "job_unknown": lambda site: (site.state / "jobs/drill/main/success.json").unlink(),
    "job_paused": _paused,
    "job_warnings": lambda site: site.record("nightly", Outcome.WARNING, reason="a file changed"),
    "mail_failed": _given_up,
    "mail_waiting": _waiting,
    "check_failed": _failed_check,
    "drill_differs": lambda site: site.record("drill", result=a_drill(mismatched=1)),
    "drill_empty": lambda site: site.record("drill", result=a_drill(matched=0)),
    "archive_flawed": night(missing=("etc",)),
    "archive_unconfirmed": night(confirmed=False),
    "archive_small": night(size_suspicion="the archive has 3 files where 100 are usual"),
    "archive_old": night({"newest_archive_at": NOW - 20 * DAY}),
    "archives_gone": lambda site: site.record(
        "nightly",
        result=msgspec.structs.replace(
            a_night(archive(LATELY), facts(LATELY)),
            listed=Listed(held={}, gone={"backup-a": Gone(id="a" * 16, since=LATELY)}),
        ),
    ),
    "archives_incomplete": night({"incomplete_archives": 2}),
    "source_stale": _stale_source,
    "escrow_outdated": lambda site: site.record("check", subject=ID, key_fingerprint=OLD_KEY),
    "escrow_lapsed": lambda site: site.attest(without="bank"),
    "escrow_ending": lambda site: site.attest(valid_until=NOW + 3 * DAY),
    "escrow_unproven": lambda site: site.attest(level="matched"),
    "escrow_unknown": torn("attestations.jsonl"),
    "replica_behind": pull(datasets=(ReplicaDataset(dataset="tank/photos", snapshot="s", snapshot_at=NOW - 9 * DAY),)),
    "replica_unknown": pull(datasets=None),
    "replica_lacking": pull(
        datasets=(
            ReplicaDataset(dataset="tank/photos", snapshot="s", snapshot_at=LATELY),
            ReplicaDataset(dataset="tank/photos/raw"),
        )
    ),
    "replica_cut_off": pull(partial=(Partial(dataset="tank/photos", since=NOW - 4 * DAY),)),
    "replica_gate_open": pull(gate="ran"),
    "replica_archived_old": night(roots=(REPLICA,)),
    "probe_stale": _old_look,
    "pool_missing": removed("pools", "tank"),
    "pool_unknown": unseen("pools", "tank"),
    "pool_not_online": pool(state="DEGRADED", vdevs=a_tree(LEFT, a_leaf("x", "102", "FAULTED"), state="DEGRADED")),
    "pool_suspended": pool(suspended=True),
    "pool_errors": pool(vdevs=a_tree(LEFT, a_leaf("ata-RIGHT_02", "102", checksum=4))),
    "pool_data_errors": pool(data_errors=7),
    "pool_status": pool(status="Mismatch between pool hostid and system hostid."),
    "pool_full": pool(space=msgspec.structs.replace(FULL, capacity=0.85)),
    "pool_unconfigured": lambda site: site.observe(_another_pool),
    "pool_checkpoint": pool(checkpoint=Checkpoint(state="exists", size=4096)),
    "scrub_old": pool(scrub=msgspec.structs.replace(SCRUBBED, end=NOW - 50 * DAY)),
    "scrub_errors": pool(scrub=msgspec.structs.replace(SCRUBBED, errors=3)),
    "scrub_stuck": pool(scrub=Scan(state="canceled", end=NOW - DAY)),
    "dataset_unknown": dataset(mounted=None),
    "dataset_locked": dataset(key_status="unavailable", mounted=False),
    "dataset_unmounted": dataset(mounted=False),
    "disk_missing": lambda site: site.observe(lambda seen: seen.disk(real_path=None)),
    "disk_unknown": unseen("disks", "left"),
    "disk_failing": disk(health=Health.FAILED, failing_now=("Spin_Up",)),
    "disk_sectors": disk(values={"pending_sectors": 1}),
    "disk_hot": disk(values={"temperature_celsius": 65}),
    "disk_worn": disk(values={"wear_ratio": 0.9}),
    "disk_selftest_failed": disk(self_tests=(a_test(SelfTestResult.FAILED, SelfTestKind.LONG, 6),)),
    "disk_selftest_old": disk(self_tests=(a_test(SelfTestResult.PASSED, age_hours=37 * 24),)),
    "disk_selftest_aborted": disk(self_tests=(ABORTED,) * 5),
    "records_disagree": pool(scrub=Scan(state="never")),
    "disk_unconfigured": lambda site: site.observe(
        lambda seen: seen.pools.update({"tank": seen.part(a_pool_seen(a_pool(LOOKED), devices={"101": "/dev/sda"}))})
    ),
    "disk_disagrees": lambda site: site.observe(
        lambda seen: seen.disks.update(
            left=seen.part(
                a_disk_seen(LOOKED, disagreements=(Disagreement(what="health", smartctl="passed", pysmart="failed"),))
            )
        )
    ),
    "host_unknown": unseen("host", HOST_PART),
    "host_undervoltage": host(undervoltage=True),
    "host_usb_resets": host(usb_resets=4),
    "host_no_zfs_module": host(kernels=Kernels(running="6.1", newest="6.2", newest_has_zfs=False)),
    "host_schedules": host(schedulers=Schedulers(scrubs=("a", "b"), self_tests=("smartd -s",))),
    "audit_old": _old_audit,
    "audit_findings": lambda site: keep(site.state, LATELY, MIXED),
    "audit_chain_broken": _changed_report,
    "filesystem_full": night({"free_bytes": 3 * GIB}),
}
