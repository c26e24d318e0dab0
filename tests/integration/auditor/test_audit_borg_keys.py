"""What the auditor finds out about keys and encryption from the real borg."""

import base64
import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bkp.key_export import parse_key_export
from tests.integration.auditor.conftest import PASSPHRASE, Server


def test_the_fingerprint_is_of_the_decoded_key_and_begins_with_the_paper_keys_id(server: Server) -> None:
    facts = server.facts()
    lines = server.key_export.read_text().splitlines()
    blob = base64.b64decode("".join(lines[1:]))
    assert facts["borg.repo.main.key_fingerprint"] == hashlib.sha256(blob).hexdigest()
    assert facts["borg.repo.main.key_export_fingerprint"] == facts["borg.repo.main.key_fingerprint"]
    assert facts["borg.repo.main.key_export_repository_id"] == facts["borg.repo.main.id"] == lines[0].split()[1]
    paper = server.borg("key", "export", "--paper", str(server.repository))
    id_line = next(line for line in paper.splitlines() if line.startswith("id:")).replace(" ", "")
    assert facts["borg.repo.main.key_fingerprint"][:12] in id_line
    page = server.borg("key", "export", "--qr-html", str(server.repository))
    for content, form in (
        (server.key_export.read_bytes(), "plain"),
        (paper.encode(), "paper"),
        (page.encode(), "page"),
    ):
        key = parse_key_export(content)
        assert (key.form, key.fingerprint) == (form, facts["borg.repo.main.key_fingerprint"])
        assert facts["borg.repo.main.id"].startswith(key.repository_id)


def test_a_change_of_passphrase_makes_the_export_stale(server: Server) -> None:
    before = server.facts()
    server.borg("key", "change-passphrase", str(server.repository), environment={"BORG_NEW_PASSPHRASE": "another"})
    server.passphrase = "another"
    server.write_passphrase_file()
    after = server.facts()
    assert after["borg.repo.main.opens"] is True
    assert after["borg.repo.main.id"] == before["borg.repo.main.id"]
    assert after["borg.repo.main.key_fingerprint"] != before["borg.repo.main.key_fingerprint"]
    assert after["borg.repo.main.key_export_fingerprint"] == before["borg.repo.main.key_fingerprint"]
    assert server.verdicts_on_facts()["KEY-010"] == "fail"
    server.export_key()
    assert server.verdicts()["KEY-010"] == "pass"


def test_a_passphrase_file_that_no_longer_fits_is_a_failure_and_the_rest_an_error(server: Server) -> None:
    server.passphrase = "something else"
    server.write_passphrase_file()
    verdicts = server.verdicts()
    assert verdicts["ENC-006"] == "fail"
    assert verdicts["ENC-001"] == "error"
    assert verdicts["ENC-002"] == "pass"
    assert verdicts["KEY-010"] == "pass", "the key can be compared without any passphrase"
    server.passphrase = PASSPHRASE


def test_an_empty_passphrase_is_found_though_borg_calls_the_repository_encrypted(
    servers: Callable[..., Server],
) -> None:
    server = servers(passphrase="")
    facts = server.facts()
    assert facts["borg.repo.main.encryption"] == "repokey-blake2"
    assert facts["borg.repo.main.empty_passphrase_refused"] is False
    verdicts = server.verdicts_on_facts()
    assert verdicts["ENC-001"] == "pass"
    assert verdicts["ENC-002"] == "fail"


@pytest.mark.parametrize(
    ("encryption", "enc001", "enc002", "key010"),
    [
        ("keyfile-blake2", "pass", "pass", "pass"),
        ("keyfile", "pass", "pass", "pass"),
        ("repokey", "pass", "pass", "pass"),
        ("authenticated-blake2", "fail", "pass", "fail"),
        ("none", "fail", "fail", "fail"),
    ],
)
def test_every_mode_of_borg_is_judged_for_what_it_is(
    servers: Callable[..., Server], encryption: str, enc001: str, enc002: str, key010: str
) -> None:
    server = servers(encryption=encryption)
    assert server.facts()["borg.repo.main.encryption"] == encryption
    verdicts = server.verdicts_on_facts()
    assert (verdicts["ENC-001"], verdicts["ENC-002"]) == (enc001, enc002)
    assert verdicts["KEY-010"] == key010


def test_what_a_lock_hides_is_an_error_and_never_a_pass(server: Server) -> None:
    server.wait_little_for_locks()
    holder = subprocess.Popen(
        ["borg", "with-lock", str(server.repository), "sh", "-c", "echo held; read _"],
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(server.root),
            "BORG_BASE_DIR": str(server.root / "base"),
            "BORG_PASSPHRASE": PASSPHRASE,
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        facts = server.facts()
        assert isinstance(facts["borg.repo.main.opens"], RuntimeError)
        assert "locked" in str(facts["borg.repo.main.opens"])
        verdicts = server.verdicts_on_facts()
        assert verdicts["ENC-001"] == verdicts["ENC-006"] == "error"
        assert verdicts["ENC-002"] == "pass"  # an empty passphrase is refused whoever holds the lock
    finally:
        holder.communicate(b"\n", timeout=60)
    assert server.verdicts()["ENC-001"] == "pass"


def test_a_repository_that_is_gone_is_an_error(server: Server) -> None:
    shutil.rmtree(server.repository)
    server.lost_on_purpose = True
    verdicts = server.verdicts()
    assert verdicts["ENC-001"] == verdicts["ENC-006"] == "error"
    assert verdicts["PRM-003"] == "fail"


def test_a_missing_borg_is_an_error_that_names_it(server: Server) -> None:
    server.config.write_text(server.config_with_borg("/nowhere/borg"))
    facts = server.facts()
    assert "/nowhere/borg is not installed" in str(facts["borg.repo.main.opens"])
    assert server.verdicts()["PRM-006"] == "fail"


def variants(export: str) -> dict[str, str]:
    head, _, body = export.partition("\n")
    body = body.replace("\n", "")
    return {
        "as exported": export,
        "carriage returns": export.replace("\n", "\r\n"),
        "rewrapped": head + "\n" + "\n".join(body[at : at + 40] for at in range(0, len(body), 40)) + "\n",
        "one long line": f"{head}\n{body}\n",
        "a blank line in front": "\n" + export,
        "all on one line": f"{head} {body}",
    }


@pytest.mark.parametrize("name", variants("a\nb"))
def test_usable_as_it_is_means_that_borg_imports_it_and_then_opens(server: Server, tmp_path: Path, name: str) -> None:
    content = variants(server.key_export.read_text())[name]
    key = parse_key_export(content.encode())
    assert key.fingerprint == server.facts()["borg.repo.main.key_fingerprint"]
    scratch = tmp_path / "scratch"  # never into the real repository: import does not verify
    shutil.copytree(server.repository, scratch)
    given = tmp_path / "given"
    given.write_bytes(content.encode())
    environment = {"BORG_BASE_DIR": str(tmp_path / "base"), "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes"}
    server.borg("key", "import", str(scratch), str(given), environment=environment, code=0 if key.usable else 2)
    if key.usable:
        server.borg("list", str(scratch), environment=environment)


def test_a_damaged_export_is_a_failure(server: Server) -> None:
    text = server.key_export.read_text()
    server.key_export.write_text(text[: len(text) // 2])
    assert server.verdicts()["KEY-010"] == "fail"
    server.key_export.unlink()
    verdicts = server.verdicts()
    assert verdicts["KEY-010"] == verdicts["PRM-002"] == "fail"


def test_looking_changes_nothing_in_the_repository(server: Server) -> None:
    def content() -> dict[str, Any]:
        return {str(path): path.read_bytes() for path in sorted(server.repository.rglob("*")) if path.is_file()}

    before = content()
    server.facts()
    assert content() == before
