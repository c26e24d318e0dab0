"""A ZFS key at a location: tried without being loaded, and known again by what changes with it."""

from datetime import UTC, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from auditor.attest.good_for import uses
from auditor.attest.proof import Proof, of_zfs_key
from auditor.attest.site import Site
from auditor.cli.attest import Given
from auditor.cli.attest_interactive import ask_all
from auditor.engine.rule import judge_rule
from auditor.evidence import Evidence, Facts
from auditor.facts.builder import FactBuilder
from auditor.facts.host import collect_escrow
from auditor.facts.zfs import collect_zfs
from auditor.rules.folder import load_rules
from bkp.attestations import topics
from bkp.attestations.model import Attestations
from bkp.config import parse_config
from bkp.errors import RefutedError, UsageError
from bkp.resources import data_dir
from bkp.tools.zfs.client import Zfs, ZfsError
from bkp.verdict import Verdict
from tests.support.zfs_answers import ZfsTable
from tests.unit.attestations.test_attestation_file import NOW

PASSPHRASE, RAW = "canary of a dataset", bytes(range(32))


class Host:
    """A host whose source is an encrypted dataset."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.table = folder, ZfsTable(folder / "zfs")
        self.zfs = Zfs(lambda _line: None, programs=self.table.programs)
        self.have("passphrase", PASSPHRASE, salt="77")

    def have(self, form: str, key: str, *, salt: str = "0", place: str = "prompt", root: str = "tank/Secure") -> None:
        values = {"encryptionroot": root, "guid": "4711", "keyformat": form, "keylocation": place, "key": key}
        values |= {"pbkdf2iters": "350000", "pbkdf2salt": salt, "encryption": "aes-256-gcm"}
        self.table.datasets[root] = {name: [value, "-"] for name, value in values.items()}
        self.table.write()

    def site(self, holds: str = "[zfs-key]") -> Site:
        text = (
            f"schema: 1\npaths: {{state: {self.folder}}}\nmail: {{when: never}}\n"
            "sources: {data: {dataset: tank/Secure}}\nrepositories: {main: {path: 'ssh://a@b/r', sources: [data]}}\n"
            f"audit: {{escrow: [{{name: usb, holds: {holds}}}]}}\n"
        )
        return Site(parse_config(text), NOW, UTC, self.zfs)

    def attest(self, copy: bytes, target: str | None = None) -> None:
        site = self.site()
        site.attest(topics.ZFS_KEY, "usb", [of_zfs_key(site, "usb", copy, target)], "A. Operator")

    def verdict(self, holds: str = "[zfs-key]") -> tuple[Verdict, str]:
        site, builder = self.site(holds), FactBuilder(NOW)
        mountinfo = self.folder / "mountinfo"
        mountinfo.write_text("22 27 0:21 / /proc rw - proc proc rw\n")
        collect_zfs(builder, site.config, lambda _text: None, zfs=self.zfs, mountinfo=mountinfo)
        collect_escrow(builder, site.config)
        facts = Facts(builder.facts)
        rule = next(each for each in load_rules(data_dir("rules")).rules if each.id == "KEY-009")
        found = judge_rule(rule, Evidence(facts, "h", "UTC", NOW, Attestations(site.records)), facts, NOW)
        return found.verdict, found.reason


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_passphrase_that_fits_is_attested_and_a_change_of_it_ends_that(host: Host, end: str) -> None:
    assert host.verdict()[0] is Verdict.UNATTESTED
    host.attest(f"{PASSPHRASE}{end}".encode())
    assert host.verdict() == (Verdict.PASS, host.verdict()[1])
    host.have("passphrase", PASSPHRASE, salt="78")  # what change-key does, even to the same passphrase
    verdict, reason = host.verdict()
    assert verdict is Verdict.UNATTESTED
    assert "changed" in reason
    written = (host.folder / "attestations.jsonl").read_text()
    assert PASSPHRASE not in written
    assert all(PASSPHRASE not in call for call in host.table.calls)
    assert PASSPHRASE not in host.table.environments


def test_a_raw_key_is_known_by_the_file_that_holds_it(host: Host) -> None:
    file = host.folder / "key"
    file.write_bytes(RAW)
    host.have("raw", RAW.hex(), place=f"file://{file}")
    host.attest(RAW)
    assert host.verdict()[0] is Verdict.PASS
    file.write_bytes(bytes(32))
    assert host.verdict()[0] is Verdict.UNATTESTED
    assert RAW.hex() not in (host.folder / "attestations.jsonl").read_text()


@pytest.mark.parametrize("copy", [b"another", PASSPHRASE[:-1].encode(), b""])
def test_a_copy_that_does_not_fit_is_refuted_and_never_shown(host: Host, copy: bytes) -> None:
    with pytest.raises(RefutedError, match="is not the key of tank/Secure") as caught:
        of_zfs_key(host.site(), "usb", copy, None)
    assert copy.decode() not in str(caught.value) or not copy
    host.have("raw", RAW.hex())
    with pytest.raises(ZfsError, match="too short"):
        of_zfs_key(host.site(), "usb", RAW[:-1], None)
    with pytest.raises(RefutedError):
        of_zfs_key(host.site(), "usb", RAW[::-1], None)
    assert not (host.folder / "attestations.jsonl").exists()


def test_the_rule_that_counts_it_is_named_with_the_day_until_which_it_counts(host: Host) -> None:
    site = host.site()
    proof = of_zfs_key(site, "usb", PASSPHRASE.encode(), None)
    (record,) = site.attest(topics.ZFS_KEY, "usb", [proof], "A. Operator")
    (use,) = uses(site, load_rules(data_dir("rules")), record, proof.target)
    assert (use.rule.id, use.until) == ("KEY-009", NOW + timedelta(days=180)), "as its location says"


def test_which_encryption_root_is_meant_is_asked_where_there_are_several(host: Host) -> None:
    with pytest.raises(UsageError, match="no encryption root 'tank/other'"):
        of_zfs_key(host.site(), "usb", b"x", "tank/other")
    host.table.datasets["tank/Secure"]["encryptionroot"] = ["-", "-"]
    host.table.write()
    with pytest.raises(UsageError, match="lies on an encrypted dataset"):
        of_zfs_key(host.site(), "usb", b"x", None)
    assert host.verdict()[0] is Verdict.NOT_APPLICABLE


@pytest.mark.parametrize(("form", "key"), [("raw", RAW), ("hex", RAW.hex().encode())])
def test_a_key_on_a_stick_that_is_pulled_out_is_not_known_and_never_said_to_be_changed(
    host: Host, form: str, key: bytes
) -> None:
    file = host.folder / "key"
    host.have(form, RAW.hex(), place=f"file://{file}")
    host.attest(key)
    verdict, reason = host.verdict()
    assert (verdict, "is not there" in reason) == (Verdict.ERROR, True)
    assert [each.state.value for each in host.site().standings()] == ["unknown"]
    file.write_bytes(key)
    assert host.verdict()[0] is Verdict.PASS, "bound to the copy that fitted"
    file.write_bytes(key[::-1])
    assert host.verdict()[0] is Verdict.UNATTESTED


def test_a_zfs_that_answers_only_once_does_not_make_another_key_of_it(host: Host) -> None:
    host.attest(PASSPHRASE.encode())
    host.table.write("zfs hangs")
    with pytest.raises(ZfsError):
        _ = host.site().zfs_keys


def asked(host: Host, *answers: str) -> tuple[int, list[str], str]:
    """Answer what `bkp-audit attest` asks; return its code, what would be attested, and all that was shown."""
    found: list[str] = []

    def record(_given: Given, proofs: list[Proof]) -> int:
        found.extend(proof.statement for proof in proofs)
        return 0

    with CliRunner().isolation(input="\n".join(["A. Operator", *answers, ""])) as (out, *_):
        code = ask_all(host.site(), record)
        return code, found, out.getvalue().decode()


def test_a_person_is_asked_for_a_zfs_passphrase_unseen_and_for_the_file_of_a_raw_key(host: Host) -> None:
    code, found, shown = asked(host, PASSPHRASE)
    assert (code, found) == (0, ["The passphrase key at usb fits tank/Secure (zfs load-key -n)"])
    assert "passphrase as it is there (not shown)" in shown
    code, found, shown = asked(host, "a wrong one")
    assert (code, found, "NOT attested: the ZFS key at usb is not the key" in shown) == (1, [], True)
    file = host.folder / "key"
    file.write_bytes(RAW)
    host.have("raw", RAW.hex())
    assert asked(host, str(file))[:2] == (0, ["The raw key at usb fits tank/Secure (zfs load-key -n)"])
    assert asked(host, str(host.folder / "nothing"))[:2] == (1, [])
    assert asked(host, "")[:2] == (0, []), "an empty answer passes it over"


def test_a_child_with_a_key_of_its_own_is_another_key_to_keep(host: Host) -> None:
    host.have("passphrase", "of the child", salt="5", root="tank/Secure/own")
    host.table.datasets["tank/Secure/own"]["guid"] = ["4712", "-"]
    host.table.write()
    host.attest(PASSPHRASE.encode(), "tank/Secure")
    assert host.verdict()[0] is Verdict.UNATTESTED
    assert [each.state.value for each in host.site().standings()] == ["held", "never"]
    host.attest(b"of the child", "tank/Secure/own")
    assert host.verdict()[0] is Verdict.PASS


def test_an_encrypted_dataset_whose_key_no_location_is_to_hold_fails_and_a_silent_zfs_is_an_error(host: Host) -> None:
    assert host.verdict("[key]")[0] is Verdict.FAIL
    host.table.write("zfs hangs")
    assert host.verdict()[0] is Verdict.ERROR
