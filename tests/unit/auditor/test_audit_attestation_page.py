"""The commands of docs/attestations.md write what the audit reads."""

import base64
import hashlib
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from auditor.rules.folder import load_rules
from bkp.attestations.file import read_attestations
from bkp.attestations.model import Attestation
from bkp.verdict import Verdict
from tests.support.audit_world import NOW, fact, result_of

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/attestations.md").read_text(encoding="utf-8")
(KEY,) = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
RULES = {rule.id: rule for rule in load_rules(ROOT / "rules").rules}
MEDIA = {"codes.hc": "container", "vaultwarden": "online"}
BLOB = bytes(range(200)) * 2
REPOSITORY = "ab" * 32
FINGERPRINT = hashlib.sha256(BLOB).hexdigest()


def run(script: str, **variables: str) -> None:
    """Run the page's commands with some of their first lines set to something else."""
    for name, value in variables.items():
        script, count = re.subn(rf"^{name}=\S+", f"{name}={value}", script, flags=re.MULTILINE)
        assert count == 1, name
    subprocess.run(["bash", "-euo", "pipefail", "-c", script], check=True)


def facts_of(location: str) -> dict[str, Any]:
    values = {
        "config.escrow_key_locations": [location],
        f"location.{location}.holds": ["key"],
        f"location.{location}.valid_for": 180 * 86400.0,
        f"escrow.{location}.main.location": location,
        f"escrow.{location}.main.medium": MEDIA.get(location, "other"),
        f"escrow.{location}.main.holds_key": True,
        f"escrow.{location}.main.repository_id": REPOSITORY,
        f"escrow.{location}.main.key_fingerprint": FINGERPRINT,
    }
    age = NOW - datetime.now(UTC)  # date(1) in the page's commands knows the real time only
    return {name: fact(name, value, age=age) for name, value in values.items()}


def test_attestations_written_by_hand_count_for_the_rules_they_are_for(tmp_path: Path) -> None:
    copy, file = tmp_path / "copy", tmp_path / "attestations.jsonl"
    body = base64.encodebytes(BLOB).decode().replace("\n", "\r\n")  # as a web form gives it back
    copy.write_bytes(f"BORG_KEY {REPOSITORY}\r\n{body}".encode())
    run(KEY, file=str(file), copy=str(copy))
    run(KEY, file=str(file), copy=str(copy), subject="vaultwarden", level="opened")
    assert file.stat().st_mode & 0o777 == 0o640, "the exporter reads it, too"
    found = read_attestations(file)
    assert found.problem is None
    assert [record.bound_to for record in found.records] == [FINGERPRINT, FINGERPRINT]
    now = datetime.now(UTC) + timedelta(minutes=1)
    for name, location in (
        ("KEY-002", "codes.hc"),
        ("KEY-001", "vaultwarden"),
    ):
        values = facts_of(location)
        assert result_of(RULES[name], values, now=now).verdict is Verdict.UNATTESTED
        result = result_of(RULES[name], values, records=found.records, now=now)
        assert result.verdict is Verdict.PASS, result.reason
        late = now + timedelta(days=181)
        assert result_of(RULES[name], values, records=found.records, now=late).verdict is Verdict.UNATTESTED


def test_the_page_names_every_field_and_every_rule_that_wants_an_attestation() -> None:
    for field in msgspec.structs.fields(Attestation):
        assert f"`{field.name}`" in PAGE
    attested = [rule for rule in RULES.values() if rule.attestation is not None]
    assert attested
    for rule in attested:
        assert rule.attestation is not None
        assert re.search(rf"`{rule.attestation.topic}` .*`{rule.attestation.level}`.*{rule.id}", PAGE), rule.id
        assert "docs/attestations.md" in rule.remediation, rule.id


def test_an_unattested_reason_says_the_digits_that_are_to_be_compared() -> None:
    reason = result_of(RULES["KEY-002"], facts_of("codes.hc"), now=datetime.now(UTC)).reason
    assert (
        reason
        == f"nobody has attested borg-key at 'codes.hc'; wanted level matched or better, for the key {FINGERPRINT[:12]}"
    )
