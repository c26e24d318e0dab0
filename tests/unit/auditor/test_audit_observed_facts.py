"""What the probe saw becomes facts with their age, and what it did not see becomes nothing that passes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from auditor.facts.builder import FactBuilder
from auditor.facts.host import collect_config
from auditor.facts.observed import collect_observed
from auditor.rules.folder import load_rules
from bkp.config import parse_config
from bkp.disk_health.model import ExitBit, Health, Protocol, SelfTestKind, SelfTestResult
from bkp.disk_health.second import Disagreement
from bkp.observations import HOST_PART, Kernels, Observations, Schedulers, read_observations
from bkp.state.observed import not_seen
from bkp.verdict import Verdict
from bkp.zfs_health.model import Scan
from runner.probe import commands
from tests.support.audit_world import report_on
from tests.support.observed import (
    CONFIGURED,
    LEFT,
    Observer,
    a_dataset,
    a_disk,
    a_disk_seen,
    a_failing_disk,
    a_host,
    a_leaf,
    a_pool,
    a_pool_seen,
    a_test,
    a_tree,
)
from tests.support.probe_world import WATCHED, ProbeWorld, a_config, recorded

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.evidence import Fact
    from bkp.config.model import Config

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[3]
RULES = [
    rule
    for rule in load_rules(ROOT / "rules").rules
    if rule.id in {"ZFS-005", "ZFS-007", "ZFS-008", "ZFS-009", "ZFS-010"} or rule.id[:3] in {"SMT", "HST"}
]
ALL = {rule.id for rule in RULES}
OF_DISKS = {name for name in ALL if name.startswith("SMT")}
OF_POOLS = {name for name in ALL if name.startswith("ZFS")}
BACKUP = (
    "schema: 1\nmail: {when: never}\n"
    "repositories: {main: {path: /tank/Secure/Borg/backup-repo, sources: [home]}}\n"
    "sources: {home: {dataset: tank/Secure, skip: [tank/Secure/Borg]}}\n"
)
LONG_AGO = timedelta(days=2)


def facts_of(config: Config, seen: Observations, now: datetime, lying: tuple[str, ...] = ()) -> dict[str, Fact]:
    """Return the facts of an audit at `now`; `lying` are datasets that hold a repository, as zfs says."""
    builder = FactBuilder(now)
    collect_config(builder, config)
    builder.of("zfs").add("zfs", {"source_datasets": (), "repository_datasets": lying})
    for dataset in lying:
        pool = dataset.partition("/")[0]
        values = {"name": dataset, "pool": pool, "sources": (), "repositories": ("main",)}
        builder.of("zfs.dataset", dataset).add("zfs", values)
        builder.of("zfs.pool", pool).add("zpool", {"name": pool})
    collect_observed(builder, config, seen)
    return builder.facts


class World:
    """A state directory with observations of a server on which all is well."""

    def __init__(self, folder: Path) -> None:
        self.config = parse_config(BACKUP + CONFIGURED)
        self.observer = Observer(folder, NOW)
        self.lying: tuple[str, ...] = ("tank/Secure/Borg",)

    def configure(self, extra: str) -> None:
        self.config = parse_config(BACKUP + extra)

    def facts(self, later: timedelta = timedelta(), *, write: bool = True) -> dict[str, Fact]:
        if write:
            self.observer.write()
        return facts_of(self.config, read_observations(self.observer.state), NOW + later, self.lying)

    def verdicts(self, later: timedelta = timedelta(), *, write: bool = True) -> dict[str, Verdict]:
        results = report_on(RULES, self.facts(later, write=write), now=NOW + later).results
        return {result.id: result.verdict for result in results}

    def wrong(self, later: timedelta = timedelta(), *, write: bool = True) -> dict[str, Verdict]:
        return {name: each for name, each in self.verdicts(later, write=write).items() if each is not Verdict.PASS}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_on_a_watched_server_on_which_all_is_well_every_rule_passes(world: World) -> None:
    assert world.verdicts() == dict.fromkeys(ALL, Verdict.PASS)


def test_facts_have_the_time_of_what_was_seen_and_not_of_the_audit(world: World) -> None:
    world.observer.disk(asleep=True, health_at=NOW - LONG_AGO)
    facts = world.facts(timedelta(minutes=4))
    assert facts["pool.tank.state"].collected_at == NOW
    assert facts["disk.left.health"].collected_at == NOW - LONG_AGO
    assert facts["disk.left.present"].collected_at == NOW
    assert facts["disk.left.asleep"].value is True
    assert (facts["disk.left.temperature"].value, facts["disk.left.temperature"].error) == (None, None)
    assert facts["disk.right.temperature"].value == 34


def test_each_pool_and_disk_is_described(world: World) -> None:
    facts = world.facts()
    pool = {
        "configured": True,
        "uses": ("source home", "repository main"),
        "present": True,
        "state": "ONLINE",
        "suspended": False,
        "troubled_devices": (),
        "unwatched_devices": (),
        "damaged_files": False,
        "capacity": 0.4,
        "scrub_state": "finished",
        "scrub_ended_at": NOW - LONG_AGO,
        "scrub_days": 2.0,
        "scrub_limit": 36.0,
        "scrub_errors": 0,
        "scrub_repaired_bytes": 0,
        "scrub_schedulers": ("/etc/cron.d/zfsutils-linux",),
    }
    assert {field: facts[f"pool.tank.{field}"].value for field in pool} == pool
    disk = {
        "configured": True,
        "pools": ("tank",),
        "present": True,
        "asleep": False,
        "health": "passed",
        "failed_self_tests": (),
        "long_test_days": 12.5,
        "temperature_limit": 50,
        "wear": None,
        "wear_limit": 0.8,
        "reallocated_sectors": 0,
        "self_test_schedulers": ("smartd -s",),
    }
    assert {field: facts[f"disk.left.{field}"].value for field in disk} == disk
    assert round(float(str(facts["disk.left.short_test_days"].value)), 3) == 0.833


def test_the_datasets_of_the_backup_are_described_and_no_others(world: World) -> None:
    world.observer.datasets["tank/scratch"] = world.observer.part(a_dataset("tank/scratch"))
    del world.observer.datasets["tank/Secure"]
    facts = world.facts()
    assert {name.rpartition(".")[0] for name in facts if name.startswith("dataset.")} == {
        "dataset.tank/Secure", "dataset.tank/Secure/Borg",
    }  # fmt: skip
    assert facts["dataset.tank/Secure.present"].value is False
    assert facts["dataset.tank/Secure/Borg.uses"].value == ("repository main",)
    assert facts["dataset.tank/Secure/Borg.snapshots"].value == 0


def scrubbed(**changes: Any) -> Callable[[Observer], None]:
    values: dict[str, Any] = {"state": "finished", "end": NOW - LONG_AGO, "errors": 0, "repaired": 0}
    return lambda observer: observer.pool(scrub=Scan(**(values | changes)))


def self_tests(*results: tuple[SelfTestResult, SelfTestKind, int]) -> Callable[[Observer], None]:
    return lambda observer: observer.disk(a_disk(self_tests=tuple(a_test(*each) for each in results)))


def measures(**values: Any) -> Callable[[Observer], None]:
    return lambda observer: observer.disk(a_disk(values=values))


def the_host(**changes: Any) -> Callable[[Observer], None]:
    return lambda observer: observer.host.update({HOST_PART: observer.part(a_host(**changes))})


def a_found_pool(observer: Observer) -> None:
    seen = a_pool_seen(a_pool(NOW, "attic", vdevs=a_tree(a_leaf("usb-X", "9"), name="attic")), devices={})
    observer.pools["attic"] = observer.part(seen)


PASSED, FAILED, ABORTED = SelfTestResult.PASSED, SelfTestResult.FAILED, SelfTestResult.ABORTED
SHORT, LONG = SelfTestKind.SHORT, SelfTestKind.LONG
DIFFERING = (Disagreement(what="assessment", smartctl="passed", pysmart="FAIL"),)
TWO_TIMERS = ("zfs-scrub-weekly@tank.timer", "zfs-scrub-monthly@other.timer")


@pytest.mark.parametrize(
    ("spoil", "failing"),
    [
        (scrubbed(end=NOW - timedelta(days=37)), {"ZFS-005"}),
        (scrubbed(end=NOW + timedelta(days=1)), {"ZFS-005"}),
        (scrubbed(errors=1), {"ZFS-005"}),
        (scrubbed(repaired=4096), {"ZFS-005"}),
        (scrubbed(state="paused"), {"ZFS-005"}),
        (scrubbed(state="canceled"), {"ZFS-005"}),
        (scrubbed(state="never"), {"ZFS-005"}),
        (lambda observer: observer.pool(state="DEGRADED"), {"ZFS-007"}),
        (lambda observer: observer.pool(suspended=True), {"ZFS-007"}),
        (lambda observer: observer.pool(vdevs=a_tree(LEFT, a_leaf("x", "102", "FAULTED"))), {"ZFS-007"}),
        (lambda observer: observer.pool(vdevs=a_tree(LEFT, a_leaf("x", "102", checksum=1))), {"ZFS-007"}),
        (lambda observer: observer.pool(data_errors="some"), {"ZFS-007"}),
        (lambda observer: observer.pool(vdevs=a_tree(LEFT, a_leaf("x", "103"))), {"ZFS-008"}),
        (a_found_pool, {"ZFS-008"}),
        (the_host(schedulers=Schedulers(scrubs=("a", "b"), self_tests=("c",))), {"ZFS-009"}),
        (the_host(schedulers=Schedulers(scrubs=TWO_TIMERS[1:], self_tests=("c",))), {"ZFS-009"}),
        (the_host(schedulers=Schedulers(scrubs=TWO_TIMERS)), {"SMT-005"}),
        (the_host(kernels=Kernels(running="1", newest="2", newest_has_zfs=False)), {"ZFS-010"}),
        (the_host(undervoltage=True), {"HST-001"}),
        (lambda observer: observer.disk(a_failing_disk()), {"SMT-001", "SMT-002", "SMT-003", "SMT-004"}),
        (lambda observer: observer.disk(disagreements=DIFFERING), {"SMT-001"}),
        (self_tests((PASSED, SHORT, 200), (PASSED, LONG, 300)), {"SMT-002"}),
        (self_tests((ABORTED, SHORT, 1), (PASSED, LONG, 300)), {"SMT-002"}),
        (self_tests((PASSED, SHORT, 20), (FAILED, LONG, 30), (PASSED, LONG, 300)), {"SMT-002", "SMT-003"}),
        (self_tests((PASSED, SHORT, 20), (PASSED, LONG, 900)), {"SMT-003"}),
        (self_tests((PASSED, SHORT, 20), (ABORTED, LONG, 30)), {"SMT-003"}),
        (measures(pending_sectors=1), {"SMT-004"}),
        (measures(temperature_celsius=50), {"SMT-004"}),
        (measures(wear_ratio=0.8), {"SMT-004"}),
        (measures(spare_ratio=0.1, spare_threshold_ratio=0.1), {"SMT-004"}),
        (measures(reallocated_sectors=None, media_errors=None), {"SMT-004"}),
        (
            lambda observer: observer.disks.update(
                {"/dev/sdx": observer.part(a_disk_seen(NOW, device="sdx", configured=False))}
            ),
            {"SMT-006"},
        ),
    ],
)  # fmt: skip
def test_what_was_seen_amiss_fails_its_rule_and_no_other(
    world: World, spoil: Callable[[Observer], None], failing: set[str]
) -> None:
    spoil(world.observer)
    assert world.wrong() == dict.fromkeys(failing, Verdict.FAIL)


@pytest.mark.parametrize(
    ("spoil", "unknown"),
    [
        (scrubbed(state="in progress", start=NOW, end=None), {"ZFS-005"}),
        (scrubbed(state="not told", end=None), {"ZFS-005"}),
        (scrubbed(errors=None), {"ZFS-005"}),
        (lambda observer: observer.pool(suspended=None), {"ZFS-007"}),
        (lambda observer: observer.pool(data_errors=None), {"ZFS-007"}),
        (lambda observer: observer.pool(vdevs=()), {"ZFS-007", "ZFS-008"}),
        (lambda observer: observer.pool(problems=("a line of its configuration",)), {"ZFS-007"}),
        (the_host(schedulers=None), {"ZFS-009", "SMT-005"}),
        (the_host(kernels=None), {"ZFS-010"}),
        (lambda observer: observer.disk(a_disk(health=Health.UNKNOWN, passed=None)), {"SMT-001"}),
        (lambda observer: observer.disk(a_disk(self_tests=None)), {"SMT-002", "SMT-003"}),
        (
            lambda observer: observer.disk(asleep=True, health_at=NOW - timedelta(days=8)),
            {"SMT-001", "SMT-002", "SMT-003", "SMT-004"},
        ),
    ],
)
def test_what_was_not_told_is_an_error_of_its_rule_and_of_no_other(
    world: World, spoil: Callable[[Observer], None], unknown: set[str]
) -> None:
    spoil(world.observer)
    assert world.wrong() == dict.fromkeys(unknown, Verdict.ERROR)


def test_a_failed_self_test_that_smartctl_does_not_show_is_a_failure(world: World) -> None:
    world.observer.disk(a_disk(self_tests=None, exit_bits=(ExitBit.SELF_TEST_LOG,)))
    assert world.verdicts()["SMT-002"] is Verdict.FAIL
    world.observer.disk(a_disk(exit_bits=(ExitBit.SELF_TEST_LOG,)))  # all that it shows have passed
    assert world.wrong() == {"SMT-002": Verdict.FAIL}


def test_a_host_that_does_not_tell_of_undervoltage_is_not_judged_by_it(world: World) -> None:
    the_host(undervoltage=None)(world.observer)
    assert world.wrong() == {"HST-001": Verdict.NOT_APPLICABLE}


# ---------------------------------------------------------------- what is configured and not there, or not seen


def test_a_pool_and_a_disk_that_are_gone_never_pass(world: World) -> None:
    observer = world.observer
    observer.pools["tank"] = not_seen("no pool tank is imported", "zpool", NOW, observer.pools["tank"], missing=True)
    observer.disks["left"] = not_seen("it is not there", "smartctl", NOW, observer.disks["left"], missing=True)
    facts = world.facts()
    assert (facts["pool.tank.present"].value, facts["disk.left.present"].value) == (False, False)
    assert facts["pool.tank.state"].value is facts["disk.left.health"].value is None
    wanted = {"ZFS-005", "ZFS-007", "ZFS-008", "SMT-001", "SMT-002", "SMT-003", "SMT-004"}
    assert world.wrong() == dict.fromkeys(wanted, Verdict.FAIL)


def test_what_was_configured_after_the_last_look_is_not_there_yet(world: World) -> None:
    world.configure(CONFIGURED.replace("disks: {", "disks: {new: {path: /dev/disk/by-id/ata-NEW_09}, "))
    facts = world.facts()
    assert facts["disk.new.present"].value is False
    assert world.verdicts()["SMT-001"] is Verdict.FAIL


def test_a_value_from_an_earlier_look_is_no_evidence(world: World) -> None:
    observer = world.observer
    observer.pools["tank"] = not_seen("zpool gave no answer within 20 s", "zpool", NOW, observer.pools["tank"])
    observer.disks["left"] = not_seen("smartctl gave no answer within 60 s", "smartctl", NOW, observer.disks["left"])
    assert world.facts()["pool.tank.state"].error == "zpool gave no answer within 20 s"
    assert world.facts()["disk.left.health"].error == "smartctl gave no answer within 60 s"
    wanted = {"ZFS-005", "ZFS-007", "ZFS-008", "SMT-001", "SMT-002", "SMT-003", "SMT-004"}
    assert world.wrong() == dict.fromkeys(wanted, Verdict.ERROR)


@pytest.mark.parametrize(
    ("later", "words"),
    [(LONG_AGO, "the probe last looked 2d ago"), (-LONG_AGO, "the probe's last look lies in the future")],
)
def test_when_the_probe_stands_still_or_the_clock_was_wrong_nothing_passes(
    world: World, later: timedelta, words: str
) -> None:
    facts = world.facts(later)
    assert words in str(facts["pool.tank.state"].error)
    assert words in str(facts["disk.left.health"].error)
    assert words in str(facts["host.undervoltage"].error)
    assert world.wrong(later) == dict.fromkeys(ALL, Verdict.ERROR)


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b'{"schema": 1, "host": "h", "parts": 3}'])
def test_observations_that_are_not_there_or_damaged_make_nothing_pass(world: World, content: bytes | None) -> None:
    world.observer.write()
    for path in (world.observer.state / "observed").iterdir():
        path.unlink()
        if content is not None:
            path.write_bytes(content)
    wrong = world.wrong(write=False)
    if content is None:
        assert wrong.pop("SMT-006") is Verdict.FAIL, "a probe that never looked has found nothing"
        wrong["SMT-006"] = Verdict.ERROR
    assert wrong == dict.fromkeys(ALL, Verdict.ERROR)


# ---------------------------------------------------------------- nothing configured


def test_where_nothing_is_configured_and_nothing_was_seen_no_rule_applies(world: World) -> None:
    world.configure("")
    world.lying = ()
    assert world.verdicts(write=False) == dict.fromkeys(ALL, Verdict.NOT_APPLICABLE)
    world.observer.pools, world.observer.datasets, world.observer.disks = {}, {}, {}
    the_host(undervoltage=None)(world.observer)
    assert world.verdicts() == dict.fromkeys(ALL, Verdict.NOT_APPLICABLE)


def test_a_backup_on_a_pool_that_nobody_configured_and_no_probe_saw_is_not_green(world: World) -> None:
    world.configure("")
    facts = world.facts(write=False)
    assert facts["pool.tank.configured"].value is False
    assert facts["pool.tank.uses"].value == ("repository main",)
    verdicts = world.verdicts(write=False)
    assert Verdict.PASS not in {verdicts[name] for name in OF_POOLS | OF_DISKS}
    assert verdicts["ZFS-008"] is Verdict.FAIL
    assert verdicts["SMT-001"] is Verdict.FAIL


def test_a_backup_on_a_pool_that_the_probe_found_is_judged_though_nobody_configured_it(world: World) -> None:
    world.configure("")
    observer = world.observer
    observer.pools["tank"] = observer.part(a_pool_seen(a_pool(NOW, suspended=True), configured=False))
    for name, device in (("left", "sda"), ("right", "sdb")):
        del observer.disks[name]
        seen = a_disk_seen(NOW, device=device, path=f"/dev/{device}", health=None, health_at=None, configured=False)
        observer.disks[f"/dev/{device}"] = observer.part(seen)
    facts = world.facts()
    assert facts["probe.found_pools"].value == ("tank",)
    assert facts["probe.found_disks"].value == ("/dev/sda", "/dev/sdb")
    assert facts["disk./dev/sda.pools"].value == ("tank",)
    assert facts["disk./dev/sda.health"].error == "nobody configured it, so it is not read"
    failing = {"ZFS-005", "ZFS-007", "ZFS-008", *OF_DISKS}
    assert world.wrong() == dict.fromkeys(failing, Verdict.FAIL)


# ---------------------------------------------------------------- from the programs' outputs to the verdict


@pytest.fixture
def probed(tmp_path: Path) -> ProbeWorld:
    return ProbeWorld(tmp_path)


def judged(probed: ProbeWorld) -> dict[str, Verdict]:
    probed.look()
    facts = facts_of(a_config(WATCHED), probed.before, probed.now)
    return {result.id: result.verdict for result in report_on(RULES, facts, now=probed.now).results}


def test_what_recorded_programs_print_is_judged(probed: ProbeWorld) -> None:
    before = judged(probed)
    assert [before[name] for name in ("ZFS-007", "ZFS-008", "SMT-006")] == [Verdict.PASS] * 3
    assert before["SMT-001"] is Verdict.ERROR, "the recorded disk says PASSED, and smartctl that it could not read all"
    probed.say(commands.status_json("tank"), recorded("zfs/trixie/degraded-removed.zpool-status-j"))
    assert judged(probed)["ZFS-007"] is Verdict.FAIL
    probed.hang(commands.status_json("tank"))
    assert judged(probed)["ZFS-007"] is Verdict.ERROR
    probed.kernel_says("tank", "SUSPENDED")
    assert judged(probed)["ZFS-007"] is Verdict.FAIL


def test_an_age_that_no_disk_can_have_is_no_reason_to_lose_the_audit(world: World) -> None:
    tampered = msgspec.structs.replace(a_test(SelfTestResult.PASSED, SelfTestKind.LONG, 1), age_hours=10**12)
    world.observer.disk(a_disk(self_tests=(tampered,)))
    assert world.wrong() == {"SMT-002": Verdict.FAIL, "SMT-003": Verdict.FAIL}


def test_errors_that_the_pool_itself_counts_are_trouble(world: World) -> None:
    (root,) = a_tree()
    world.observer.pool(vdevs=(msgspec.structs.replace(root, checksum=4),))
    assert world.facts()["pool.tank.troubled_devices"].value == ("tank ONLINE 4 checksum errors",)
    assert world.wrong() == {"ZFS-007": Verdict.FAIL}
    world.observer.pool(vdevs=(msgspec.structs.replace(root, state="DEGRADED"),))  # under a pool that says ONLINE
    assert world.wrong() == {"ZFS-007": Verdict.FAIL}


def test_a_disk_without_self_tests_is_passed_over_and_not_red(world: World) -> None:
    nvme = a_disk(protocol=Protocol.NVME, smartctl_version="7.3", self_tests=None)
    world.observer.disk(nvme)
    facts = world.facts()
    assert facts["probe.testable_disks"].value == ("right",)
    assert facts["disk.left.self_tests_possible"].value is False
    assert world.wrong() == {}
    world.observer.disks["right"] = world.observer.part(a_disk_seen(NOW, nvme, "sdb"))
    assert world.wrong() == {"SMT-002": Verdict.NOT_APPLICABLE, "SMT-003": Verdict.NOT_APPLICABLE}


def test_a_pool_and_a_disk_that_nobody_configured_make_only_the_rules_about_that_red(world: World) -> None:
    world.lying = ()
    elsewhere = BACKUP.replace("{home: {dataset: tank/Secure, skip: [tank/Secure/Borg]}}", "{home: {path: /home}}")
    world.config = parse_config(elsewhere)
    world.observer.pools["tank"] = world.observer.part(a_pool_seen(a_pool(NOW), configured=False))
    wrong = {name: each for name, each in world.wrong().items() if each is not Verdict.NOT_APPLICABLE}
    assert set(wrong) <= {"ZFS-008", "ZFS-010", "SMT-006"}
