"""The whole command on a small server with real runs of bkp-run behind it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.auditor.conftest import PASSPHRASE, Server, make_server
from tests.support.privilege import close_to_us, without_privilege

BKP_AUDIT = str(Path(sys.executable).parent / "bkp-audit")
OF_ZFS = {"ENC-003", "ENC-007", *(f"ZFS-{number:03d}" for number in range(1, 11))}
OF_DISKS = {f"SMT-{number:03d}" for number in range(1, 7)}  # they apply where the backup lies on a pool, too


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server after two nights, a check, a verification and a drill, all real; in the end borg checks it."""
    server = make_server(tmp_path_factory.mktemp("live") / "server")
    for job in ("nightly", "nightly", "check", "verify", "drill"):
        done = server.program("bkp-run", job)
        assert done.returncode in {0, 1}, done.stderr
    yield server
    server.prove()


@pytest.fixture(scope="module")
def report(lived: Server) -> dict[str, Any]:
    lived.audit("--quiet", "--json", str(lived.root / "r.json"), "--html", str(lived.root / "r.html"))
    loaded: dict[str, Any] = json.loads((lived.root / "r.json").read_text())
    return loaded


def test_what_can_be_shown_passes_and_the_rest_is_said_honestly(report: dict[str, Any]) -> None:
    verdicts: dict[str, list[str]] = {}
    for result in report["results"]:
        if result["id"] not in OF_ZFS | OF_DISKS:
            verdicts.setdefault(result["verdict"], []).append(result["id"])
    assert sorted(verdicts.pop("pass")) == [
        "AUD-001", "ENC-001", "ENC-002", "ENC-006", "ENC-008", "HIS-001", "KEY-010", "KEY-011", "PRM-001", "PRM-002",
        "PRM-003", "PRM-004", "PRM-006", "PRM-008", "PRM-009", "PRM-011", "PRM-012", "PRM-013", "PRM-014", "RUN-001",
        "RUN-002", "RUN-003", "RUN-005", "RUN-006", "RUN-007", "RUN-009", "RUN-011", "RUN-012", "TST-001", "TST-004",
    ]  # fmt: skip
    assert sorted(verdicts.pop("fail")) == ["ALR-001", "DOC-001"], (
        "mail is switched off, and no place holds the runbook"
    )
    assert sorted(verdicts.pop("unattested")) == ["KEY-004", "KEY-005", "KEY-006", "KEY-008"]
    assert sorted(verdicts.pop("not_applicable")) == [
        "ALR-003", "ALR-004", "ALR-005", "ALR-006", "ALR-007", "AUD-004", "ENC-004", "HST-001", "KEY-001", "KEY-002",
        "KEY-003", "KEY-007", "KEY-009", "PRM-010", "PRM-015", "PRM-016", "PRM-017", "REP-001", "REP-002", "REP-003",
        "REP-005", "REP-006", "RUN-008", "RUN-010",
    ]  # fmt: skip
    assert verdicts == {}
    assert report["exit_code"] == 1


def test_places_that_nobody_has_set_up_are_not_assumed(lived: Server, tmp_path: Path) -> None:
    config, report = tmp_path / "config.yml", tmp_path / "report.json"
    config.write_text(lived.config.read_text().split("audit:")[0])
    lived.program("bkp-audit", "--config", str(config), "--quiet", "--json", str(report))
    results = {result["id"]: result for result in json.loads(report.read_text())["results"]}
    assert [results[name]["verdict"] for name in ("KEY-004", "KEY-005", "KEY-006", "KEY-011")] == [
        "unattested", "not_applicable", "fail", "fail",
    ]  # fmt: skip
    assert "no configured location" in results["KEY-006"]["reason"]


def test_rules_of_zfs_apply_where_the_repository_lies_on_it_and_say_so_elsewhere(
    lived: Server, report: dict[str, Any]
) -> None:
    asked = ["findmnt", "--noheadings", "--output", "FSTYPE", "--target", str(lived.repository)]
    kind = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    found = {result["id"]: result for result in report["results"] if result["id"] in OF_ZFS | OF_DISKS}
    assert found.keys() == OF_ZFS | OF_DISKS
    for name in ("ZFS-001", "ZFS-004", "ZFS-005", "SMT-001"):
        assert (found[name]["verdict"] == "not_applicable") is (kind != "zfs"), found[name]["reason"]
    if kind != "zfs":
        assert {result["verdict"] for result in found.values()} == {"not_applicable"}
        assert "no source lies on a ZFS dataset" in found["ENC-003"]["reason"]


def test_the_passphrase_and_the_key_are_in_no_output(lived: Server, report: dict[str, Any]) -> None:
    lived.facts()
    key = lived.key_export.read_text().splitlines()[1]
    outputs = [lived.root / name for name in ("r.json", "r.html", "facts.json")]
    for path in outputs:
        content = path.read_text()
        assert PASSPHRASE not in content
        assert key not in content
    for path in outputs[:2]:
        assert str(lived.root) not in path.read_text(), "a report names no path of this host"


def test_the_passphrase_is_in_no_argument_and_no_environment_of_a_child(lived: Server, tmp_path: Path) -> None:
    """borg is replaced by a wrapper that notes what it was given before it becomes the real one."""
    wrapper = tmp_path / "borg"
    wrapper.write_text(
        f'#!/bin/sh\n{{ tr "\\0" " " </proc/$$/cmdline; echo; tr "\\0" "\\n" </proc/$$/environ; }} >>{tmp_path}/seen\n'
        'exec /usr/bin/borg "$@"\n'
    )
    wrapper.chmod(0o755)
    config = tmp_path / "config.yml"
    config.write_text(lived.config_with_borg(wrapper))
    done = lived.program(BKP_AUDIT, "--config", str(config), "--quiet")
    assert done.returncode == 1, done.stderr
    seen = (tmp_path / "seen").read_text()
    assert seen.count("--lock-wait") == 3, "list, list with an empty passphrase, key export"
    assert PASSPHRASE not in seen
    assert PASSPHRASE not in done.stdout + done.stderr


def test_saved_facts_give_the_same_verdicts_elsewhere(lived: Server, report: dict[str, Any], tmp_path: Path) -> None:
    lived.facts()
    saved = tmp_path / "facts.json"
    saved.write_bytes((lived.root / "facts.json").read_bytes())
    assert saved.stat().st_size > 0
    assert (lived.root / "facts.json").stat().st_mode & 0o777 == 0o600
    done = subprocess.run(
        [BKP_AUDIT, "--facts", str(saved), "--json"],
        env={"PATH": "/nonexistent"},
        cwd="/",
        capture_output=True,
        check=False,
        timeout=120,
    )
    again = json.loads(done.stdout)
    assert {item["id"]: item["verdict"] for item in again["results"]} == {
        item["id"]: item["verdict"] for item in report["results"]
    }


def test_a_source_that_disappears_fails_the_rule_that_asks_for_it(server: Server, tmp_path: Path) -> None:
    text = server.config.read_text().replace("sources: [tree]", "sources: [tree, gone]")
    server.config.write_text(text.replace("  tree: {", f"  gone: {{path: {tmp_path}/gone}}\n  tree: {{"))
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / "file").write_text("here today")
    assert server.program("bkp-run", "nightly").returncode in {0, 1}
    assert server.verdicts()["RUN-007"] == "pass"
    (tmp_path / "gone" / "file").unlink()
    (tmp_path / "gone").rmdir()
    assert server.program("bkp-run", "nightly").returncode == 3
    verdicts = server.verdicts()
    assert verdicts["RUN-002"] == "fail"


def test_torn_state_is_an_error_or_a_failure_and_never_a_pass(lived: Server) -> None:
    path = lived.root / "state/jobs/drill/main/success.json"
    history = lived.root / "state/history.jsonl"
    whole, lines = path.read_bytes(), history.read_bytes()
    try:
        path.write_bytes(whole[: len(whole) // 2])
        history.write_bytes(lines.replace(b'"success"', b'"warning"', 1))
        verdicts = lived.verdicts()
        history.write_bytes(os.urandom(len(lines)))
        random = lived.verdicts()
        history.unlink()
        gone = lived.verdicts()
    finally:
        path.write_bytes(whole)
        history.write_bytes(lines)
    assert verdicts["TST-001"] == "error"
    assert verdicts["TST-004"] in {"error", "fail"}
    assert verdicts["HIS-001"] == random["HIS-001"] == gone["HIS-001"] == "fail"
    assert verdicts["RUN-008"] == random["RUN-008"] == gone["RUN-008"] == "error", "too few to compare is not known"


def a_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def state_is_a_file(path: Path) -> None:
    shutil.rmtree(path.parent)
    path.parent.write_text("x")


@pytest.mark.parametrize("damage", [a_link, a_fifo, close_to_us, state_is_a_file])
def test_a_history_that_cannot_be_read_leaves_the_rest_of_the_audit_as_it_is(
    lived: Server, report: dict[str, Any], tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """The real command, without root's right to read everything: an audit is no reason to be told nothing."""
    state = tmp_path / "state"
    shutil.copytree(lived.root / "state", state)
    config = tmp_path / "config.yml"
    config.write_text(lived.config.read_text().replace(f"{lived.root}/state", str(state)))
    damage(state / "history.jsonl")
    call = without_privilege(BKP_AUDIT, "-c", str(config), "--json")
    done = subprocess.run(call, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    results = {result["id"]: result for result in json.loads(done.stdout)["results"]}
    assert results.keys() == {result["id"] for result in report["results"]}
    assert results["HIS-001"]["verdict"] == results["RUN-008"]["verdict"] == "error"
    assert results["KEY-010"]["verdict"] == "pass"
    assert results["RUN-002"]["verdict"] == ("pass" if damage is not state_is_a_file else "fail")
    assert str(tmp_path) not in done.stdout


def test_the_newest_mail_that_did_not_leave_is_a_failure(tmp_path: Path) -> None:
    server = make_server(tmp_path / "server")
    server.config.write_text(
        server.config.read_text().replace(
            "{when: never}", "{when: always, to: root@example.com, msmtp: /bin/false, config: /etc/passwd}"
        )
    )
    assert server.program("bkp-run", "nightly").returncode == 1
    report = tmp_path / "report.json"
    server.audit("--quiet", "--json", str(report))
    mail = next(result for result in json.loads(report.read_text())["results"] if result["id"] == "ALR-001")
    assert mail["verdict"] == "fail"
    assert "newest mail: found 'kept'" in mail["reason"]


def test_open_permissions_are_found(server: Server) -> None:
    (server.root / "env").chmod(0o644)
    server.key_export.chmod(0o640)
    server.repository.chmod(0o755)
    server.config.chmod(0o666)
    (server.root / "state").chmod(0o777)
    verdicts = server.verdicts()
    assert [verdicts[name] for name in ("PRM-001", "PRM-002", "PRM-003", "PRM-006", "PRM-008")] == ["fail"] * 5
