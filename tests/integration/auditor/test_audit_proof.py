"""For each rule one violation on a live host that turns it red, and nothing else: docs/audit-proof.md has the table.

Where rules overlap by their nature (who lacks a key lacks its copies, too), the others are named with the violation.
Rules of ZFS and of systemd are for the lab; of pools, disks and the host the probe's observation is written as it
would be, with one thing amiss, and of a replication the record of a pull.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from auditor.rules.folder import rule_names
from bkp.clock import utc_now
from bkp.config import load_config
from bkp.disk_health.model import Health, SelfTestKind, SelfTestResult
from bkp.mail.outbox import Outbox
from bkp.observations import HOST_PART, Kernels, Schedulers
from bkp.state.audits import newest_kept
from bkp.state.fields import Outcome
from bkp.state.ledger import Ledger
from bkp.state.results import ReplicaDataset, SyncResult
from bkp.state.store import StateStore
from bkp.state.watch import note_ping
from bkp.zfs_health.model import Scan
from dashboards.source.looks import alert_of
from exporter.model import build_model
from exporter.reading import ConfigWatch, HostReader
from tests.integration.auditor.conftest import Server, make_server
from tests.support.loaded import loaded
from tests.support.observed import (
    CONFIGURED,
    LEFT,
    Observer,
    a_disk,
    a_disk_seen,
    a_host,
    a_leaf,
    a_test,
    a_tree,
)
from tests.support.records import a_mail, a_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs/audit-proof.md"
PULLED = "bkp@live.example.com:tank/data"
PLACES = ("vaultwarden", "codes.hc", "locked.hc", "paper")
ELSEWHERE = frozenset(
    {"ENC-003", "ENC-007", "KEY-009", "RUN-010", "ZFS-001", "ZFS-002", "ZFS-003", "ZFS-004", "ZFS-006", "PRM-010"}
    | {"ENC-004", "REP-003"}
)
ASKS_ZFS = {"ENC-004": "error", "REP-003": "error"}  # a replica is configured, and there is no zfs to ask about it
BROKEN, ELSEWHERE_LEAF = a_leaf("ata-RIGHT_02", "102", "FAULTED"), a_leaf("ata-OTHER_07", "107")
OF_PLACES = {f"KEY-00{number}" for number in range(1, 9)}
MEDIA = {"vaultwarden": "online", "codes.hc": "container", "locked.hc": "offline"}
OF_LISTING = {"RUN-006", "RUN-011"}

Gate = Literal["refused", "ran"]
Seen = list[tuple[str, str, str]]  # topic, subject, level


def everything() -> Seen:
    keys = [("borg-key", place, "opened" if place == "codes.hc" else "matched") for place in PLACES]
    passphrases = [("borg-passphrase", place, "matched") for place in PLACES]
    gone = [("old-exports-destroyed", place, "seen") for place in PLACES]
    words = [("recovery-runbook", "codes.hc", "seen"), ("report-read", "operator", "seen")]
    words.append(("replica-site", "cellar", "seen"))
    return [*keys, *passphrases, *gone, ("recovery-drill", "laptop", "seen"), *words]


def without(topic: str, subject: str | None = None) -> Callable[[Server], None]:
    """Nobody has attested that."""

    def change(server: Server) -> None:
        attest(server, [each for each in everything() if each[0] != topic or subject not in {None, each[1]}])

    return change


def attest(server: Server, wanted: Seen) -> None:
    """Write the attestation file, for the key that the export holds."""
    head, body = server.key_export.read_text().split("\n", 1)
    bound = {"repository_id": head.split()[1], "bound_to": hashlib.sha256(base64.b64decode(body)).hexdigest()}
    newest = newest_kept(server.root / "state")
    assert newest is not None
    others = {"report-read": {"bound_to": newest.digest}, "replica-site": {"repository_id": PULLED}}
    now, previous, lines = datetime.now(UTC), "0" * 64, []
    for number, (topic, subject, level) in enumerate(wanted):
        record = {"schema": 1, "id": str(number), "topic": topic, "subject": subject, "level": level}
        record |= others.get(topic, bound)
        record |= {"statement": "compared just now", "who": "operator", "host": os.uname().nodename}
        record |= {"previous": previous}
        record |= {"at": (now - timedelta(hours=1)).isoformat(), "valid_until": (now + timedelta(days=90)).isoformat()}
        lines.append(json.dumps(record).encode())
        previous = hashlib.sha256(lines[-1]).hexdigest()
    path = server.root / "state/attestations.jsonl"
    path.write_bytes(b"\n".join([*lines, b""]))
    path.chmod(0o600)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A host on which every rule that applies passes; what a test does to it is undone after the test."""
    server = make_server(tmp_path_factory.mktemp("proof") / "server")
    root = server.root
    (root / "secrets").mkdir(mode=0o700)
    (root / "env").rename(root / "secrets/env")
    shutil.copytree(ROOT / "rules", root / "rules")
    (root / "waivers.yml").write_text("schema: 1\nwaivers: []\n")
    for name in ("msmtprc", "waivers.yml"):
        (root / name).touch()
        (root / name).chmod(0o600)
    text = server.config.read_text().replace(f"{root}/env", f"{root}/secrets/env")
    text = text.replace("{when: never}", f"{{to: a@example.com, msmtp: /bin/true, config: {root}/msmtprc}}")
    text = text.replace("audit:\n", f"audit:\n  rules: {root}/rules\n  waivers: {root}/waivers.yml\n")
    for place, medium in MEDIA.items():
        text = text.replace(f"{{name: {place}}}", f"{{name: {place}, medium: {medium}}}")
    text = text.replace("medium: offline}]", "medium: offline}, {name: paper}]")
    text = text.replace("medium: container}", "medium: container, holds: [key, passphrase, runbook]}")
    (root / "secrets/heartbeat").write_text("https://example.com/x\n")
    (root / "secrets/heartbeat").chmod(0o600)
    text += f"""replications:
  live:
    source: {PULLED}
    target: tank/copy
    identity_file: {root}/secrets/pull
    known_hosts: {root}/known_hosts
    syncoid: /bin/true
"""
    for name, mode in (("secrets/pull", 0o600), ("known_hosts", 0o644)):
        (root / name).touch(mode)
    text += f"heartbeat: {{address_files: {{watch: {root}/secrets/heartbeat}}}}\n"
    server.config.write_text(f"{text}jobs: {{nightly: {{schedule: '02:30'}}}}\n{CONFIGURED}")
    assert server.program("bkp-run", "nightly").returncode in {0, 1}
    more = {"BORG_NEW_PASSPHRASE": server.passphrase}  # the same passphrase again makes another export, too
    server.borg("key", "change-passphrase", str(server.repository), environment=more)
    server.export_key()
    for job in ("nightly", "nightly", "nightly", "check", "verify", "drill"):
        assert server.program("bkp-run", job).returncode in {0, 1}
    pulled()(server)
    server.audit("--quiet", "--keep")
    attest(server, everything())
    ledger = Ledger(root / "state/history.jsonl")
    ledger.append_mail(a_mail("confirmed", about="test", run_id=None, to="a@example.com", at=datetime.now(UTC)))
    yield server
    server.prove()


def pulled(
    hours: float = 1, outcome: Outcome = Outcome.SUCCESS, host: str = "live.example.com", gate: Gate = "refused"
) -> Callable[[Server], None]:
    """A pull has ended just now, and recorded a newest common snapshot of so many hours ago."""

    def record(server: Server) -> None:
        now = datetime.now(UTC)
        replica = ReplicaDataset(dataset="tank/copy", snapshot="autosnap", snapshot_at=now - timedelta(hours=hours))
        source = f"bkp@{host}:tank/data"
        result = SyncResult(
            source=source, target="tank/copy", raw=False, datasets=(replica,), gate=gate, gate_tested_at=now
        )
        run = a_run("sync", now, outcome, target="live", ended_at=now, host=os.uname().nodename, result=result)
        StateStore(server.root / "state").write_ended(run)

    return record


def pulled_from_here(server: Server) -> None:
    configure("live.example.com", "localhost")(server)
    pulled(host="localhost")(server)


def seen(change: Callable[[Observer], None] = lambda _observer: None) -> Callable[[Server], None]:
    """The probe has looked just now, and saw this amiss."""

    def write(server: Server) -> None:
        observer = Observer(server.root / "state", datetime.now(UTC), "tank/copy")
        change(observer)
        observer.write()

    return write


def the_host(**changes: Any) -> Callable[[Server], None]:
    return seen(lambda observer: observer.host.update({HOST_PART: observer.part(a_host(**changes))}))


def the_disk(**changes: Any) -> Callable[[Server], None]:
    return seen(lambda observer: observer.disk(a_disk(**changes)))


def passed(*tests: tuple[SelfTestKind, int]) -> Callable[[Server], None]:
    return the_disk(self_tests=tuple(a_test(SelfTestResult.PASSED, kind, hours) for kind, hours in tests))


def a_disk_more(observer: Observer) -> None:
    found = a_disk_seen(observer.now, device="sdx", configured=False)
    observer.disks["/dev/sdx"] = observer.part(found)


@pytest.fixture(scope="module")
def sound(host: Server) -> dict[str, str]:
    watched(host)
    return host.verdicts()


def watched(host: Server) -> None:
    """Probe and watch have looked just now."""
    seen()(host)
    assert host.program("bkp-run", "watch").returncode == 0
    pinged(host)


def concerns(server: Server) -> set[tuple[str, str]]:
    """Return what the exporter publishes for alerts: kinds of concern, and what they are about."""
    look = HostReader(ConfigWatch(server.config, utc_now), utc_now).read()
    return {(each.kind, each.object) for each in build_model(look).concerns}


@pytest.fixture(scope="module")
def calm(host: Server, sound: dict[str, str]) -> set[tuple[str, str]]:
    assert sound
    return concerns(host)


@pytest.fixture(scope="module")
def told() -> dict[str, set[str]]:
    """The table's column of alerts, by rule."""
    rows = re.findall(
        r"^\| (\w{3}-\d{3}) \|[^|]*\|[^|]*\|([^|]*)\|[^|]*\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    return {rule: set(re.findall(r"\bBkp\w+", alerts)) for rule, alerts in rows}


@pytest.fixture(scope="module")
def copy_of_host(host: Server, sound: dict[str, str]) -> Path:
    assert sound
    copy = host.root.with_name("kept")
    subprocess.run(["cp", "-a", str(host.root), str(copy)], check=True)
    return copy


@pytest.fixture
def kept(host: Server, copy_of_host: Path) -> Iterator[Server]:
    """The host; whatever a test does to it is undone. Probe and watch looked when the first test began."""
    yield host
    shutil.rmtree(host.root)
    subprocess.run(["cp", "-a", str(copy_of_host), str(host.root)], check=True)


def chmod(name: str, mode: int) -> Callable[[Server], None]:
    return lambda server: (server.root / name).chmod(mode)


def configure(old: str, new: str) -> Callable[[Server], None]:
    def change(server: Server) -> None:
        text = server.config.read_text()
        assert old in text
        server.config.write_text(text.replace(old, new.replace("ROOT", str(server.root))))

    return change


def edit(name: str, old: str, new: str) -> Callable[[Server], None]:
    def change(server: Server) -> None:
        path = server.root / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return change


def another_place(holds: str) -> Callable[[Server], None]:
    return configure("{name: paper}]", f"{{name: paper}}, {{name: safe, holds: [{holds}]}}]")


def nobody_opened(server: Server) -> None:
    attest(server, [(topic, who, "matched" if level == "opened" else level) for topic, who, level in everything()])


def a_mail_that_waits(server: Server) -> None:
    now = datetime.now(UTC) - timedelta(days=2)
    Outbox(server.root / "state", server.root / "lock").put(b"Subject: x\n\n", now)


def no_look_of_the_watch(server: Server) -> None:
    (server.root / "state/watch.json").unlink()


def pinged(server: Server, days: int = 0) -> None:
    note_ping(load_config(server.config), utc_now() - timedelta(days=days))


def a_heartbeat_that_does_not_arrive(server: Server) -> None:
    pinged(server, days=2)


def a_heartbeat_that_others_read(server: Server) -> None:
    (server.root / "secrets/heartbeat").chmod(0o640)


def a_mail_that_did_not_leave(server: Server) -> None:
    text = server.config.read_text()
    server.config.write_text(text.replace("/bin/true", "/bin/false").replace("to: a@", "when: always, to: a@"))
    assert server.program("bkp-run", "nightly").returncode in {0, 1}
    server.config.write_text(text)


def a_run_that_fails(job: str, word: str) -> Callable[[Server], None]:
    """The job is run once with a borg that refuses one command."""

    def change(server: Server) -> None:
        text, wrapper = server.config.read_text(), server.root / "borg"
        wrapper.write_text(f'#!/bin/sh\ncase " $* " in *" {word} "*) exit 2;; esac\nexec {loaded("borg")} "$@"\n')
        wrapper.chmod(0o755)
        server.config.write_text(server.config_with_borg(wrapper))
        assert server.program("bkp-run", job).returncode not in {0, 1}
        server.config.write_text(text)

    return change


def a_paused_drill(server: Server) -> None:
    paused = server.program("bkp-run", "pause", "drill", "--until", "3h", "--reason", "new disks")
    assert paused.returncode == 0


def three_times_as_large(server: Server) -> None:
    (server.root / "source/large").write_bytes(bytes(60_000))
    assert server.program("bkp-run", "nightly").returncode in {0, 1}


def an_archive_of_last_week(server: Server) -> None:
    at = (datetime.now(UTC) - timedelta(days=6)).strftime("%Y-%m-%dT%H:%M:%S")
    name = f"{load_config(server.config).repositories['main'].prefix}-{at}-0000"
    server.borg("create", "--timestamp", at, f"{server.repository}::{name}", str(server.root / "source"))


def a_deleted_archive(server: Server) -> None:
    listed = server.borg("list", "--short", str(server.repository)).split()
    server.borg("delete", f"{server.repository}::{listed[0]}")


def an_expired_waiver(server: Server) -> None:
    entry = "{rule: RUN-008, justification: the disk is on its way, approved_by: A. Operator, expires: 2026-01-01}"
    (server.root / "waivers.yml").write_text(f"schema: 1\nwaivers:\n  - {entry}\n")


def another_passphrase(words: str) -> Callable[[Server], None]:
    """It is changed in the repository, its file and the export; the places outside know nothing of it."""

    def change(server: Server) -> None:
        more = {"BORG_NEW_PASSPHRASE": words, "BORG_DISPLAY_PASSPHRASE": "no"}
        server.borg("key", "change-passphrase", str(server.repository), environment=more)
        (server.root / "secrets/env").write_text(f"export BORG_PASSPHRASE='{words}'\n")
        server.export_key()

    return change


# rule: what is done, the verdict that is wanted, and the rules that follow by their nature
VIOLATIONS: dict[str, tuple[Callable[[Server], None], str, set[str]]] = {
    "ALR-001": (a_mail_that_did_not_leave, "fail", set()),
    "ALR-003": (a_heartbeat_that_does_not_arrive, "fail", set()),
    "ALR-004": (without("report-read"), "unattested", set()),
    "DOC-001": (without("recovery-runbook"), "unattested", set()),
    "ALR-005": (configure("to: a@example.com", "to: b@example.com"), "fail", set()),
    "ALR-006": (a_mail_that_waits, "fail", set()),
    "ALR-007": (no_look_of_the_watch, "fail", {"ALR-003"}),
    "PRM-016": (a_heartbeat_that_others_read, "fail", set()),
    "AUD-001": (an_expired_waiver, "fail", set()),
    "AUD-004": (
        edit("state/attestations.jsonl", "just now", "just how"),
        "fail",
        OF_PLACES | {"ALR-004", "DOC-001", "REP-002"},
    ),
    "ENC-001": (configure("encryption: repokey-blake2", "encryption: repokey"), "fail", set()),
    "ENC-002": (another_passphrase(""), "fail", OF_PLACES | {"ENC-008"}),
    "ENC-006": (
        edit("secrets/env", "canary", "kanary"),
        "fail",
        OF_LISTING | {"ENC-001", "RUN-007", "RUN-009"},
    ),
    "ENC-008": (another_passphrase("x"), "fail", OF_PLACES),
    "HST-001": (the_host(undervoltage=True), "fail", set()),
    "HIS-001": (
        edit("state/history.jsonl", '"success"', '"warning"'),
        "fail",
        OF_LISTING | {"ALR-001", "ALR-005", "KEY-007", "REP-001", "REP-005", "RUN-008"},
    ),
    "KEY-001": (without("borg-key", "vaultwarden"), "unattested", set()),
    "KEY-002": (without("borg-key", "codes.hc"), "unattested", {"KEY-004"}),
    "KEY-003": (without("borg-key", "locked.hc"), "unattested", set()),
    "KEY-004": (nobody_opened, "unattested", set()),
    "KEY-005": (without("borg-key", "paper"), "unattested", set()),
    "KEY-006": (another_place("passphrase"), "unattested", set()),
    "KEY-007": (without("old-exports-destroyed", "codes.hc"), "unattested", set()),
    "KEY-008": (without("recovery-drill"), "unattested", set()),
    "KEY-010": (edit("borg-key.txt", "BORG_KEY", "\nBORG_KEY"), "fail", set()),
    "KEY-011": (configure(", {name: locked.hc, medium: offline}, {name: paper}", ""), "fail", {"KEY-003", "KEY-005"}),
    "PRM-017": (chmod("secrets/pull", 0o640), "fail", set()),
    "PRM-001": (chmod("secrets/env", 0o640), "fail", set()),
    "PRM-002": (chmod("borg-key.txt", 0o640), "fail", set()),
    "PRM-003": (chmod("repository", 0o755), "fail", set()),
    "PRM-004": (chmod("secrets", 0o777), "fail", set()),
    "PRM-006": (chmod("config.yml", 0o666), "fail", set()),
    "PRM-008": (chmod("log", 0o777), "fail", set()),
    "PRM-009": (chmod("repository/README", 0o666), "fail", set()),
    "PRM-011": (chmod("base/.config/borg/security", 0o777), "fail", set()),
    "PRM-012": (chmod("lock", 0o777), "fail", set()),
    "PRM-013": (chmod("waivers.yml", 0o664), "fail", set()),
    "PRM-014": (chmod("rules/runs", 0o777), "fail", set()),
    "PRM-015": (chmod("msmtprc", 0o644), "fail", set()),
    "REP-001": (pulled(hours=48), "fail", set()),
    "REP-002": (pulled_from_here, "fail", set()),
    "REP-005": (pulled(outcome=Outcome.FAILURE, gate="ran"), "fail", set()),
    "REP-006": (configure("jobs: {", "jobs: {sync: {schedule: weekly}, "), "fail", set()),
    "RUN-001": (configure("schedule: '02:30'", "schedule: monthly"), "fail", set()),
    "RUN-002": (a_run_that_fails("nightly", "create"), "fail", set()),
    "RUN-003": (a_run_that_fails("check", "check"), "fail", set()),
    "RUN-005": (a_run_that_fails("verify", "check"), "fail", set()),
    "RUN-006": (configure("    base_dir", "    keep: {weekly: 1}\n    base_dir"), "fail", set()),
    "RUN-007": (
        configure("sources: [tree]\nsources:\n", "sources: [tree, new]\nsources:\n  new: {path: ROOT/rules}\n"),
        "fail",
        set(),
    ),
    "RUN-008": (three_times_as_large, "fail", set()),
    "RUN-009": (an_archive_of_last_week, "fail", set()),
    "RUN-011": (a_deleted_archive, "fail", set()),
    "RUN-012": (a_paused_drill, "fail", set()),
    "SMT-001": (the_disk(health=Health.FAILED), "fail", set()),
    "SMT-002": (passed((SelfTestKind.SHORT, 240), (SelfTestKind.LONG, 300)), "fail", set()),
    "SMT-003": (passed((SelfTestKind.SHORT, 20), (SelfTestKind.LONG, 900)), "fail", set()),
    "SMT-004": (the_disk(values={"pending_sectors": 8}), "fail", set()),
    "SMT-005": (the_host(schedulers=Schedulers(scrubs=("cron",), self_tests=("smartd", "cron"))), "fail", set()),
    "SMT-006": (seen(a_disk_more), "fail", set()),
    "ZFS-005": (seen(lambda observer: observer.pool(scrub=Scan(state="paused"))), "fail", set()),
    "ZFS-007": (seen(lambda observer: observer.pool(vdevs=a_tree(LEFT, BROKEN))), "fail", set()),
    "ZFS-008": (seen(lambda observer: observer.pool(vdevs=a_tree(LEFT, ELSEWHERE_LEAF))), "fail", set()),
    "ZFS-009": (the_host(schedulers=Schedulers(scrubs=("cron", "a.timer"), self_tests=("smartd",))), "fail", set()),
    "ZFS-010": (the_host(kernels=Kernels(running="6.1", newest="6.12", newest_has_zfs=False)), "fail", set()),
    "TST-001": (lambda server: shutil.rmtree(server.root / "state/jobs/drill"), "fail", {"TST-004"}),
    "TST-004": (a_run_that_fails("drill", "extract"), "fail", set()),
}


def test_every_rule_that_applies_passes_before_anything_is_done(sound: dict[str, str]) -> None:
    assert {name: verdict for name, verdict in sound.items() if verdict not in {"pass", "not_applicable"}} == ASKS_ZFS


def test_every_shipped_rule_is_proven_here_or_elsewhere() -> None:
    assert VIOLATIONS.keys() | ELSEWHERE == rule_names(ROOT / "rules")


def test_a_keyfile_that_others_read_turns_its_rule_red_and_nothing_else(servers: Callable[..., Server]) -> None:
    server = servers("keyfile-blake2")
    before, known = server.verdicts(), concerns(server)
    assert before["PRM-010"] == "pass"
    (keyfile,) = (server.root / "base/.config/borg/keys").iterdir()
    keyfile.chmod(0o640)
    after = server.verdicts()
    assert {rule: verdict for rule, verdict in after.items() if verdict != before[rule]} == {"PRM-010": "fail"}
    assert concerns(server) == known


@pytest.mark.parametrize("name", sorted(VIOLATIONS))
def test_one_violation_turns_its_rule_red_and_nothing_else_and_fires_the_alerts_of_the_table(
    kept: Server, sound: dict[str, str], calm: set[tuple[str, str]], told: dict[str, set[str]], name: str
) -> None:
    violate, wanted, also = VIOLATIONS[name]
    assert sound[name] == "pass"
    violate(kept)
    after = kept.verdicts()
    assert after[name] == wanted
    assert {rule for rule, verdict in after.items() if verdict != sound[rule]} - {name} == also
    assert {alert_of(kind) for kind, _ in concerns(kept) - calm} == told[name]
