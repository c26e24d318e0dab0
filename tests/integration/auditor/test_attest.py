"""Attesting against the real borg: only what was compared is written, and each wrong copy has its own verdict."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.integration.auditor.conftest import PASSPHRASE, Server
from tests.support.loaded import loaded

BY = ("--by", "A. Operator")


def attest(server: Server, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [loaded("bkp-audit"), "-c", str(server.config), "attest", *arguments],
        env={"PATH": "/usr/bin:/bin", "HOME": str(server.root), "LC_ALL": "C.UTF-8"},
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def states(server: Server) -> dict[tuple[str, str], str]:
    rows = json.loads(attest(server, "list", "--json").stdout)
    return {(row["location"], row["what"]): row["state"] for row in rows}


def attestation_file(server: Server) -> Path:
    return server.root / "state/attestations.jsonl"


def test_three_locations_are_attested_and_a_change_of_passphrase_ends_that(server: Server) -> None:
    paper = server.root / "paper.txt"
    paper.write_text(server.borg("key", "export", "--paper", str(server.repository)))
    digits = server.program("bkp-audit", "fingerprint", str(paper)).stdout.split("compare")[1].splitlines()[0].strip()
    export = server.key_export.read_text()
    for done in (
        attest(server, "key", "vaultwarden", *BY, "--fingerprint", digits),
        attest(server, "key", "codes.hc", *BY, "--file", str(paper)),
        attest(server, "key", "locked.hc", *BY, "--stdin", given="\n" + export.replace("\n", "\r\n")),
        *(attest(server, "passphrase", place, *BY, "--stdin", given=PASSPHRASE) for place in ("codes.hc", "locked.hc")),
    ):
        assert done.returncode == 0, done.stderr
        assert "good for KEY-00" in done.stdout
        assert "until 20" in done.stdout
        shown = done.stdout + done.stderr
        assert PASSPHRASE not in shown
        assert export.splitlines()[2] not in shown
    usable = attest(server, "key", "locked.hc", *BY, "--stdin", "--dry-run", given="\n" + export)
    assert "the same key, but usable as it is? no" in usable.stdout
    found = states(server)
    assert found.pop(("vaultwarden", "passphrase")) == "never"
    assert set(found.values()) == {"held"}
    listed = attest(server, "list")
    assert (listed.returncode, "attest passphrase vaultwarden --target main --by" in listed.stdout) == (3, True)
    content = attestation_file(server).read_text()
    assert len(content.splitlines()) == 5
    assert PASSPHRASE not in content
    assert all(line not in content for line in export.splitlines()[1:])

    server.borg("key", "change-passphrase", str(server.repository), environment={"BORG_NEW_PASSPHRASE": "another"})
    server.passphrase = "another"
    assert set(states(server).values()) == {"outdated", "never"}


def test_every_wrong_copy_has_its_own_verdict_and_nothing_is_attested(servers: Callable[..., Server]) -> None:
    server, other = servers(), servers(encryption="keyfile-blake2")
    old = server.root / "old.txt"
    old.write_bytes(server.key_export.read_bytes())
    foreign = other.key_export
    truncated = server.root / "truncated.txt"
    truncated.write_text(server.key_export.read_text()[:500])
    server.borg("key", "change-passphrase", str(server.repository), environment={"BORG_NEW_PASSPHRASE": "another"})
    server.passphrase = "another"
    server.write_passphrase_file()
    digits = "0123456789ab"
    for code, why, arguments, given in (
        (1, "but not the one in use", ("key", "codes.hc", "--file", str(old)), None),
        (1, "is the key of another repository", ("key", "codes.hc", "--file", str(foreign)), None),
        (2, "is a damaged key export: it is cut short", ("key", "codes.hc", "--file", str(truncated)), None),
        (1, "is the fingerprint of no key in use", ("key", "codes.hc", "--fingerprint", digits), None),
        (2, "wanted at least 12 digits", ("key", "codes.hc", "--fingerprint", digits[:11]), None),
        (1, "does not open main", ("passphrase", "codes.hc", "--stdin"), PASSPHRASE),
        (2, "no passphrase was given", ("passphrase", "codes.hc", "--stdin"), ""),
        (2, "there is no terminal", ("passphrase", "codes.hc"), ""),
        (2, "carries matched at most", ("key", "codes.hc", "--level", "opened", "--file", str(old)), None),
        (2, "carries seen at most", ("key", "codes.hc", "--level", "matched"), None),
        (2, "what was compared", ("key", "codes.hc"), None),
        (2, "what was seen", ("key", "codes.hc", "--level", "seen"), None),
        (2, "no escrow location is called", ("key", "codes.hx", "--file", str(old)), None),
        (2, "add runbook to its `holds`", ("runbook", "codes.hc", "--statement", "read it"), None),
        (2, "lies on an encrypted dataset", ("zfs-key", "codes.hc", "--stdin"), "key"),
    ):
        if "opened" in arguments:
            export = server.borg("key", "export", str(server.repository))
            old.write_text(export)
        if arguments[0] == "zfs-key":
            text = server.config.read_text().replace("{name: codes.hc}", "{name: codes.hc, holds: [zfs-key]}")
            server.config.write_text(text)
        done = attest(server, *arguments, *BY, given=given)
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        assert why in done.stderr, (arguments, done.stderr)
        assert "remedy:" in done.stderr
        assert PASSPHRASE not in done.stderr
    assert not attestation_file(server).exists()


def test_asked_location_by_location_the_right_answers_are_attested_and_the_rest_is_told(server: Server) -> None:
    """On a pipe click asks as on a terminal; what is typed without an echo there comes from the pipe, too."""
    server.config.write_text(
        server.config.read_text().replace("{name: vaultwarden}", "{name: vaultwarden, holds: [key]}")
    )
    digits = server.program("bkp-audit", "fingerprint", str(server.key_export)).stdout.split()[3][:12]
    answers = ["A. Operator", digits, str(server.config), "", "", ""]
    done = attest(server, given="\n".join(answers) + "\n")
    assert done.returncode == 1, done.stderr
    assert "attested: the key of main, vaultwarden: matched, by A. Operator" in done.stdout
    assert "is not a key export" in done.stdout
    assert states(server)["vaultwarden", "key"] == "held"
    assert states(server)["codes.hc", "key"] == "never"
