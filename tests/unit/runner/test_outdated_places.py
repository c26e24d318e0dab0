"""Which locations are to be visited after a change of key."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from bkp.attestations.file import append_attestations
from bkp.config import parse_config
from bkp.key_export import ExportedKey
from runner.key_watch import outdated_places
from tests.unit.attestations.test_attestation_file import NOW, attestation

KEY = ExportedKey("plain", "a" * 64, "1" * 64, usable=True, blob=b"")


def test_of_a_file_that_cannot_be_trusted_no_attestation_counts(tmp_path: Path) -> None:
    config: Any = parse_config(
        f"schema: 1\npaths: {{state: {tmp_path}}}\nmail: {{when: never}}\nsources: {{data: {{path: /srv}}}}\n"
        "repositories: {main: {path: /r, sources: [data]}}\n"
        "audit: {escrow: [{name: safe, holds: [key]}, {name: usb}]}\n"
    )
    assert outdated_places(config, "main", KEY, NOW) == ["safe", "usb"]
    bound = {"repository_id": KEY.repository_id, "bound_to": KEY.fingerprint, "valid_until": NOW + timedelta(days=99)}
    append_attestations(tmp_path / "attestations.jsonl", [attestation(**bound)])
    assert outdated_places(config, "main", KEY, NOW) == ["usb"]
    with (tmp_path / "attestations.jsonl").open("a") as file:
        file.write("{}\n")
    assert outdated_places(config, "main", KEY, NOW) == ["safe", "usb"]
