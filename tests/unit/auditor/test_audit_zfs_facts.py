"""What of the backup lies on ZFS, and how it stands there: asked of programs that answer as zfs and zpool do."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from auditor.engine.rule import judge_rule
from auditor.evidence import Evidence, Facts
from auditor.facts.builder import FactBuilder
from auditor.facts.zfs import collect_zfs, zfs_not_in_time
from auditor.rules.folder import load_rules
from bkp.config import parse_config
from bkp.config.model import Config
from bkp.tools.zfs.client import Zfs
from bkp.tools.zfs.commands import Programs
from bkp.verdict import Verdict
from tests.support.zfs_answers import HEALTHY, ZfsTable

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[3]
RULES = {rule.id: rule for rule in load_rules(ROOT / "rules").rules}
RECORDED = ROOT / "tests" / "fixtures" / "zfs"
OF_ZFS = ("ENC-003", "ENC-007", "ZFS-001", "ZFS-002", "ZFS-003", "ZFS-004", "ZFS-006")


class Host:
    """A host with a repository in a folder, and whatever ZFS its table has."""

    def __init__(self, folder: Path) -> None:
        self.table = ZfsTable(folder / "zfs")
        self.repository = folder / "tank" / "Borg"
        self.mountinfo = folder / "mountinfo"
        self.mountinfo.write_text("22 27 0:21 / /proc rw - proc proc rw\n")
        self.programs = self.table.programs
        self.source = f"path: {folder}"

    def have_repository(self, *, on: str | None = None) -> None:
        """Make the repository; the kernel's table says that its device is the dataset `on`."""
        self.repository.mkdir(parents=True)
        (self.repository / "config").touch()
        if on is not None:
            number = self.repository.stat().st_dev
            device = f"{os.major(number)}:{os.minor(number)}"
            self.mountinfo.write_text(f"90 27 {device} / /anywhere rw - zfs {on} rw\n")

    @property
    def config(self) -> Config:
        return parse_config(
            "schema: 1\nmail: {when: never}\n"
            f"sources:\n  home:\n    {self.source}\n"
            f"repositories:\n  main:\n    path: {self.repository}\n    sources: [home]\n",
            "config.yml",
        )

    def facts(self) -> Facts:
        builder = FactBuilder(NOW)
        zfs = Zfs(lambda _line: None, programs=self.programs)
        collect_zfs(builder, self.config, lambda _text: None, zfs=zfs, mountinfo=self.mountinfo)
        return Facts(builder.facts)

    def verdicts(self) -> dict[str, Verdict]:
        facts = self.facts()
        evidence = Evidence(facts, "host", "UTC", NOW)
        return {name: judge_rule(RULES[name], evidence, facts, NOW).verdict for name in OF_ZFS}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.fixture
def server(host: Host) -> Host:
    """Return the described system: an encrypted source with a child, the repository on a dataset beside it."""
    host.have_repository(on="tank/Secure/Borg")
    host.source = "dataset: tank/Secure/backup"
    host.table.pool("tank")
    host.table.dataset("tank/Secure", mountpoint="none")
    for name in ("tank/Secure/Borg", "tank/Secure/backup", "tank/Secure/backup/photos"):
        host.table.dataset(name, encryptionroot="tank/Secure -", keylocation="none default")
    return host


def value(facts: Facts, name: str) -> Any:
    fact = facts.get(name)
    assert fact is not None, name
    assert fact.error is None, fact.error
    return fact.value


def error(facts: Facts, name: str) -> str:
    fact = facts.get(name)
    assert fact is not None, name
    assert fact.value is None
    assert fact.error is not None, name
    return fact.error


def test_the_described_system_passes_every_rule_of_zfs(server: Host) -> None:
    assert server.verdicts() == dict.fromkeys(OF_ZFS, Verdict.PASS)


def test_each_dataset_is_described_with_what_the_backup_uses_it_for(server: Host) -> None:
    facts = server.facts()
    assert facts.instances("zfs.dataset") == ["tank/Secure/Borg", "tank/Secure/backup", "tank/Secure/backup/photos"]
    assert value(facts, "zfs.source_datasets") == ("tank/Secure/backup",)
    assert value(facts, "zfs.repository_datasets") == ("tank/Secure/Borg",)
    wanted = {
        "name": "tank/Secure/Borg",
        "pool": "tank",
        "sources": (),
        "repositories": ("main",),
        "mounted": True,
        "encryption": "aes-256-gcm",
        "encryption_root": "tank/Secure",
        "key_status": "available",
        "key_location": "file",
        "compression": "zstd",
        "compression_source": "local",
        "atime": "off",
        "atime_source": "inherited",
        "recordsize": 1048576,
        "recordsize_source": "local",
    }
    assert {field: value(facts, f"zfs.dataset.tank/Secure/Borg.{field}") for field in wanted} == wanted
    assert value(facts, "zfs.dataset.tank/Secure/backup/photos.sources") == ("home",)


def test_the_pool_is_described_once(server: Host) -> None:
    facts = server.facts()
    assert facts.instances("zfs.pool") == ["tank"]
    wanted = {"name": "tank", "health": "ONLINE", "readonly": False, "size_bytes": 1000, "free_bytes": 590} | {
        "capacity": 41, "read_errors": 0, "write_errors": 0, "checksum_errors": 0, "data_errors": 0,
    }  # fmt: skip
    assert {field: value(facts, f"zfs.pool.tank.{field}") for field in wanted} == wanted
    assert sum(call.startswith("zpool") for call in server.table.calls) == 2


def test_where_the_key_lies_is_in_no_fact(server: Host) -> None:
    assert not [name for name, fact in server.facts().items() if "secret-name" in f"{fact.value}{fact.source}"]


def test_what_the_configuration_skips_is_not_part_of_the_backup(server: Host) -> None:
    server.source += "\n    skip: [tank/Secure/backup/photos]"
    server.table.dataset("tank/Secure/backup/photos", encryption="off -", encryptionroot="- -")
    assert "tank/Secure/backup/photos" not in server.facts().instances("zfs.dataset")
    assert server.verdicts()["ENC-003"] is Verdict.PASS


@pytest.mark.parametrize(
    ("dataset", "properties", "failing"),
    [
        ("tank/Secure/backup/photos", {"encryption": "off -", "encryptionroot": "- -", "keystatus": "- -"}, "ENC-003"),
        ("tank/Secure/backup", {"keystatus": "unavailable -", "mounted": "no -"}, "ENC-007"),
        ("tank/Secure/Borg", {"compression": "lz4 inherited from tank"}, "ZFS-001"),
        ("tank/Secure/Borg", {"atime": "on default"}, "ZFS-002"),
        ("tank/Secure/Borg", {"recordsize": "131072 default"}, "ZFS-003"),
    ],
)
def test_one_property_that_is_off_fails_its_rule_and_no_other(
    server: Host, dataset: str, properties: dict[str, str], failing: str
) -> None:
    server.table.dataset(dataset, **({"encryptionroot": "tank/Secure -"} | properties))
    assert server.verdicts() == dict.fromkeys(OF_ZFS, Verdict.PASS) | {failing: Verdict.FAIL}


@pytest.mark.parametrize(
    ("pool", "failing"),
    [
        ({"health": "DEGRADED"}, "ZFS-004"),
        ({"status": HEALTHY.format(name="tank").replace("0     0     0", "0     0     9")}, "ZFS-004"),
        ({"capacity": "81"}, "ZFS-006"),
    ],
)
def test_a_pool_that_is_off_fails_its_rule_and_no_other(server: Host, pool: dict[str, str], failing: str) -> None:
    server.table.pool("tank", **pool)
    assert server.verdicts() == dict.fromkeys(OF_ZFS, Verdict.PASS) | {failing: Verdict.FAIL}


def test_a_pool_that_cannot_be_opened_has_no_numbers_and_no_zeros(server: Host) -> None:
    server.table.pool("tank", health="UNAVAIL")
    facts = server.facts()
    assert value(facts, "zfs.pool.tank.health") == "UNAVAIL"
    assert "does not say" in error(facts, "zfs.pool.tank.capacity")
    assert server.verdicts()["ZFS-006"] is Verdict.ERROR


def test_a_status_that_is_refused_leaves_the_rest_of_the_pool_known(server: Host) -> None:
    server.table.pools["tank"]["refuses"] = {"status": "cannot read it: I/O error"}
    server.table.write()
    facts = server.facts()
    assert value(facts, "zfs.pool.tank.health") == "ONLINE"
    assert "cannot read it: I/O error" in error(facts, "zfs.pool.tank.checksum_errors")
    assert server.verdicts()["ZFS-004"] is Verdict.ERROR


def test_without_anything_on_zfs_no_program_is_asked_and_no_rule_applies(host: Host) -> None:
    host.have_repository()
    facts = host.facts()
    assert (value(facts, "zfs.source_datasets"), value(facts, "zfs.repository_datasets")) == ((), ())
    assert host.table.calls == []
    assert host.verdicts() == dict.fromkeys(OF_ZFS, Verdict.NOT_APPLICABLE)


def test_a_host_without_zfs_has_no_error_even_if_its_repository_is_missing(host: Host) -> None:
    host.programs = Programs(zfs="/nonexistent/zfs", zpool="/nonexistent/zpool")
    facts = host.facts()
    assert value(facts, "zfs.installed") is False
    assert [name for name, fact in facts.items() if fact.error] == []
    assert host.verdicts() == dict.fromkeys(OF_ZFS, Verdict.NOT_APPLICABLE)


def test_a_repository_elsewhere_lies_on_no_dataset_of_this_machine(host: Host) -> None:
    host.repository = Path("backup@example.com:repo")
    assert host.verdicts() == dict.fromkeys(OF_ZFS, Verdict.NOT_APPLICABLE)


def test_a_configured_dataset_without_zfs_is_an_error_that_names_the_program(host: Host) -> None:
    host.have_repository()
    host.source = "dataset: tank/Secure/backup"
    host.programs = Programs(zfs="/nonexistent/zfs", zpool="/nonexistent/zpool")
    facts = host.facts()
    assert "/nonexistent/zfs is not installed" in error(facts, "zfs.dataset.tank/Secure/backup.encryption")
    assert "/nonexistent/zpool is not installed" in error(facts, "zfs.pool.tank.health")
    verdicts = host.verdicts()
    assert {verdicts[name] for name in ("ENC-003", "ENC-007", "ZFS-004", "ZFS-006")} == {Verdict.ERROR}


def test_a_dataset_or_pool_that_is_gone_is_an_error_in_the_words_of_zfs(host: Host) -> None:
    host.have_repository()
    host.source = "dataset: tank/Secure/backup"
    facts = host.facts()
    assert "dataset does not exist" in error(facts, "zfs.dataset.tank/Secure/backup.encryption")
    assert value(facts, "zfs.dataset.tank/Secure/backup.sources") == ("home",)
    assert "no such pool" in error(facts, "zfs.pool.tank.health")
    assert host.verdicts()["ENC-003"] is Verdict.ERROR


def test_a_locked_dataset_still_counts_as_the_repositorys_though_its_folder_is_empty(host: Host) -> None:
    host.table.pool("tank")
    host.table.dataset("tank", mountpoint=f"{host.repository.parent} local")
    locked = {"keystatus": "unavailable -", "mounted": "no -"}
    host.table.dataset("tank/Borg", mountpoint=f"{host.repository} inherited from tank", **locked)
    host.table.dataset("tank/Borg2", mountpoint=f"{host.repository}2 local")
    host.table.dataset("tank/deeper", mountpoint=f"{host.repository} local", canmount="off local")
    host.repository.mkdir(parents=True)
    facts = host.facts()
    assert value(facts, "zfs.repository_datasets") == ("tank/Borg",)
    assert value(facts, "zfs.dataset.tank/Borg.mounted") is False
    assert host.verdicts()["ENC-007"] is Verdict.FAIL


def test_a_missing_repository_and_a_zfs_that_does_not_answer_is_unknown_and_never_green(server: Host) -> None:
    (server.repository / "config").unlink()
    server.table.write(refuses="The ZFS modules are not loaded.")
    facts = server.facts()
    assert "The ZFS modules are not loaded" in error(facts, "zfs.repository_datasets")
    assert "cannot tell where repository main lies" in error(facts, "zfs.dataset.repository main.encryption")
    assert server.verdicts() == dict.fromkeys(OF_ZFS, Verdict.ERROR)


def test_a_repository_that_cannot_be_placed_does_not_pass_because_a_source_does(server: Host) -> None:
    (server.repository / "config").unlink()
    server.mountinfo.unlink()
    server.table.dataset("tank/odd\tname")  # zfs list answers in another form than asked for
    verdicts = server.verdicts()
    assert {verdicts[name] for name in ("ENC-003", "ENC-007", "ZFS-001")} == {Verdict.ERROR}


@pytest.mark.parametrize(
    ("said", "fact"),
    [
        ({"atime": "sometimes local"}, "atime"),
        ({"recordsize": "1M local"}, "recordsize"),
        ({"keystatus": "perhaps -"}, "key_status"),
        ({"compression": "zstd elsewhere"}, "compression_source"),
        ({"mounted": "- -"}, "mounted"),
    ],
)
def test_what_zfs_says_and_nobody_understands_is_an_error(server: Host, said: dict[str, str], fact: str) -> None:
    server.table.dataset("tank/Secure/Borg", **said)
    assert "is not understood" in error(server.facts(), f"zfs.dataset.tank/Secure/Borg.{fact}")


@pytest.mark.parametrize(("state", "unlocked"), [("unlocked", True), ("locked", False)])
@pytest.mark.parametrize("release", sorted(path.name for path in RECORDED.iterdir()))
def test_what_real_zfs_said_of_the_described_system_is_judged(
    host: Host, release: str, state: str, unlocked: bool
) -> None:
    host.have_repository(on="tank/Secure/Borg")
    host.source = "dataset: tank/Secure/backup"
    host.table.pool("tank")
    recording = json.loads((RECORDED / release / f"{state}.zfs-get-Hp-all.json").read_text("utf-8"))
    for line in recording["stdout"].splitlines():
        name, key, *said = line.split("\t")
        host.table.datasets.setdefault(name, {})[key] = said
    host.table.write()
    keys = Verdict.PASS if unlocked else Verdict.FAIL
    assert host.verdicts() == dict.fromkeys(OF_ZFS, Verdict.PASS) | {"ENC-007": keys}


def lies_on(host: Host, dataset: str) -> None:
    """Let the kernel's table say that everything of the host's folder lies on a dataset."""
    number = host.repository.parent.parent.stat().st_dev
    host.mountinfo.write_text(f"90 27 {os.major(number)}:{os.minor(number)} / /anywhere rw - zfs {dataset} rw\n")


def test_a_source_given_as_a_path_is_judged_by_the_dataset_it_lies_on(host: Host) -> None:
    host.table.pool("tank")
    host.table.dataset("tank/open", encryption="off default", encryptionroot="- -", keystatus="- -")
    lies_on(host, "tank/open")
    facts = host.facts()
    assert value(facts, "zfs.source_datasets") == ("tank/open",)
    assert value(facts, "zfs.dataset.tank/open.sources") == ("home",)
    assert host.verdicts()["ENC-003"] is Verdict.FAIL


def test_a_source_that_crosses_file_systems_is_judged_by_the_datasets_below_it_too(host: Host) -> None:
    host.table.pool("tank")
    host.table.dataset("tank/open", encryption="off default", encryptionroot="- -", keystatus="- -")
    folder = host.repository.parent.parent
    host.mountinfo.write_text(
        f"90 27 0:99 / {folder}/below rw - zfs tank/open rw\n91 90 0:98 / {folder}/below/.zfs/snapshot/a rw"
        f" - zfs tank/open@a rw\n92 27 0:97 / {folder}-beside rw - zfs tank/other rw\n"
    )
    assert value(host.facts(), "zfs.source_datasets") == ()
    host.source += "\n    one_file_system: false"
    assert value(host.facts(), "zfs.source_datasets") == ("tank/open",)
    assert host.verdicts()["ENC-003"] is Verdict.FAIL


def test_an_open_dataset_above_an_encrypted_one_is_told_but_not_the_pool_itself(server: Host) -> None:
    server.table.dataset("tank", encryption="off default", encryptionroot="- -", keystatus="- -")
    assert server.verdicts()["ENC-003"] is Verdict.PASS
    server.table.dataset("tank/Secure", encryption="off default", encryptionroot="- -", keystatus="- -")
    assert value(server.facts(), "zfs.dataset.tank/Secure/backup.open_parents") == ("tank/Secure",)
    assert server.verdicts()["ENC-003"] is Verdict.FAIL


def test_zfs_that_does_not_answer_in_time_is_an_error_of_its_rules(server: Host) -> None:
    builder = FactBuilder(NOW)
    zfs_not_in_time(builder, "no answer within 90 s")
    facts = Facts(builder.facts)
    evidence = Evidence(facts, "host", "UTC", NOW)
    assert {judge_rule(RULES[name], evidence, facts, NOW).verdict for name in OF_ZFS} == {Verdict.ERROR}
