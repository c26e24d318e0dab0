"""Permissions as lstat(2) tells them, and folders through which somebody else could replace a secret."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from auditor.facts.builder import FactBuilder
from auditor.facts.hops import folder_flaws, walk, weak_inside
from auditor.facts.permissions import collect_permissions, places
from auditor.rules.folder import load_rules
from bkp.config import parse_config
from tests.support.audit_world import NOW
from tests.support.privilege import STRANGER, close_to_us, without_privilege

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder of which every folder above is safe, or sticky as /tmp."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    return folder


def collected(home: Path, **changes: Any) -> dict[str, Any]:
    for name, mode in (("env", 0o600), ("key.txt", 0o600), ("config.yml", 0o644)):
        path = home / name
        if not path.exists() and not path.is_symlink():
            path.touch()
            path.chmod(mode)
    (home / "repository").mkdir(mode=0o700, exist_ok=True)
    text = f"""
        schema: 1
        paths: {{state: {home}/state, log: {home}/log}}
        repositories:
          main: {{path: {home}/repository, passphrase_file: {home}/env, key_export: {home}/key.txt, sources: [s]}}
        sources:
          s: {{path: {home}/tree}}
        mail: {{to: root@example.com}}
    """
    builder = FactBuilder(NOW)
    config = parse_config(text)
    (home / "rules").mkdir(exist_ok=True)
    wanted = places(config, home / "config.yml", home / "attestations.jsonl", home / "rules")
    collect_permissions(builder, wanted)
    return {name: fact.value for name, fact in builder.facts.items()}


def test_the_mode_owner_and_kind_are_told(home: Path) -> None:
    facts = collected(home)
    assert facts["file.main.passphrase.mode"] == "0600"
    assert facts["file.main.passphrase.kind"] == "regular file"
    assert facts["file.main.passphrase.uid"] == os.geteuid()
    assert facts["file.main.passphrase.owner_trusted"] is True
    assert facts["file.main.passphrase.acl"] is False
    assert facts["dir.main.mode"] == "0700"
    assert facts["dir.state.exists"] is False
    assert "file.attestations.mode" not in facts


@pytest.mark.parametrize("mode", [0o400, 0o644, 0o4755, 0o1777])
def test_every_bit_of_a_mode_is_told(home: Path, mode: int) -> None:
    (home / "env").touch()
    (home / "env").chmod(mode)
    assert collected(home)["file.main.passphrase.mode"] == f"{mode:04o}"


def test_a_secret_that_is_a_link_is_told_as_a_link(home: Path) -> None:
    (home / "real").touch()
    (home / "env").symlink_to("real")
    assert collected(home)["file.main.passphrase.kind"] == "symbolic link"


def test_a_configuration_that_is_a_link_is_judged_by_what_it_points_to(home: Path) -> None:
    (home / "real.yml").touch()
    (home / "real.yml").chmod(0o666)
    (home / "config.yml").symlink_to("real.yml")
    facts = collected(home)
    assert facts["file.config.kind"] == "regular file"
    assert facts["file.config.mode"] == "0666"


def test_no_source_names_a_path(home: Path) -> None:
    builder = FactBuilder(NOW)
    (home / "config.yml").touch()
    config = parse_config(
        f"schema: 1\nrepositories:\n  main: {{path: {home}/r, sources: [s]}}\nsources:\n  s: {{path: {home}}}\n"
        "mail: {to: root@example.com}\n"
    )
    collect_permissions(builder, places(config, home / "config.yml", home / "attestations.jsonl", home / "rules"))
    assert not [name for name, fact in builder.facts.items() if str(home) in fact.source or "/root" in fact.source]


def test_a_folder_that_others_may_write_is_weak_unless_it_is_sticky(home: Path) -> None:
    inner = home / "inner"
    inner.mkdir()
    before = walk(inner / "secret").weak
    for mode, wanted in ((0o777, True), (0o1777, False), (0o755, False)):
        inner.chmod(mode)
        assert bool(set(walk(inner / "secret").weak) - set(before)) is wanted


def test_a_link_on_the_way_leads_through_both_chains_and_has_an_owner(home: Path) -> None:
    (home / "real").mkdir()
    (home / "real" / "secret").touch()
    (home / "link").symlink_to("real")
    assert walk(home / "link" / "secret").real == str(home / "real" / "secret")
    before = set(walk(home / "link" / "secret").weak)
    (home / "real").chmod(0o777)
    (flaw,) = set(walk(home / "link" / "secret").weak) - before
    assert flaw.endswith("others may write")
    (home / "real").chmod(0o755)
    if os.geteuid() == 0:
        os.chown(home / "link", STRANGER, STRANGER, follow_symlinks=False)
        (flaw,) = set(walk(home / "link" / "secret").weak) - before
        assert flaw.startswith("link ")
        assert flaw.endswith(f"it belongs to uid {STRANGER}")


def test_a_link_with_dots_is_followed_as_the_kernel_follows_it(home: Path) -> None:
    (home / "a/b").mkdir(parents=True)
    (home / "a/secret").touch()
    (home / "link").symlink_to("a/b")
    assert walk(home / "link" / ".." / "secret").real == str(home / "a/secret")
    (home / "up").symlink_to("./a/../a/secret")
    assert walk(home / "up").real == str(home / "a/secret")


@pytest.mark.parametrize(("rights", "weak"), [("rwx", True), ("r-x", False)])
def test_a_list_that_lets_somebody_write_into_a_folder_is_weak(home: Path, rights: str, weak: bool) -> None:
    inner = home / "inner"
    inner.mkdir(mode=0o700)
    before = set(walk(inner / "secret").weak)
    subprocess.run(["setfacl", "-m", f"u:{STRANGER}:{rights}", str(inner)], check=True)
    found = set(walk(inner / "secret").weak) - before
    assert [f"lets uid {STRANGER} write" in flaw for flaw in found] == [True] * weak
    subprocess.run(["setfacl", "-m", "m::r-x", str(inner)], check=True)
    assert set(walk(inner / "secret").weak) == before, "the mask takes the right away again"


def test_a_list_that_is_given_to_what_is_made_in_a_folder_is_told(home: Path) -> None:
    (home / "state").mkdir(mode=0o750)
    subprocess.run(["setfacl", "-d", "-m", f"u:{STRANGER}:rwx", str(home / "state")], check=True)
    assert collected(home)["dir.state.acl"] is True


def test_what_somebody_else_could_change_below_a_folder_is_told_by_reason_and_count(home: Path) -> None:
    data = home / "repository" / "data" / "0"
    data.mkdir(parents=True, mode=0o700)
    for number in range(4):
        (data / str(number)).touch(mode=0o600)
    assert collected(home)["dir.main.weak_inside"] == ()
    (data / "1").chmod(0o602)
    (data / "2").chmod(0o606)
    os.link(data / "3", home / "elsewhere")
    (data / "link").symlink_to("/nowhere")
    wanted = ["others may write: 2"]
    if os.geteuid() == 0:
        os.chown(data / "0", STRANGER, 0)
        wanted.insert(0, f"belongs to uid {STRANGER}: 1")
    assert collected(home)["dir.main.weak_inside"] == tuple(wanted)
    assert weak_inside(str(home / "repository"), links=True) == tuple(
        sorted([*wanted, "has a second name (a hard link): 1"])
    )


def test_a_lock_that_goes_while_the_repository_is_looked_at_is_no_reason_not_to_know(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = home / "repository/lock.exclusive"
    lock.mkdir(parents=True)
    scandir = os.scandir

    def given_back_at_that_moment(path: str) -> Any:
        if path == str(lock):
            lock.rmdir()
        return scandir(path)

    monkeypatch.setattr(os, "scandir", given_back_at_that_moment)
    assert weak_inside(str(home / "repository"), links=True) == ()
    assert not lock.exists()
    with pytest.raises(FileNotFoundError):
        weak_inside(str(home / "nothing"), links=True)


def test_everything_that_the_programs_trust_is_looked_at(home: Path) -> None:
    (home / "base/.config/borg/keys").mkdir(parents=True)
    (home / "base/.config/borg/keys/k").touch(mode=0o600)
    text = f"""
        schema: 1
        paths: {{state: {home}/state, log: {home}/log, lock: {home}/lock, scratch: {home}/scratch}}
        replications:
          live: {{source: "b@live:t/d", target: t/c, identity_file: {home}/pull, known_hosts: {home}/known}}
        repositories:
          main: {{path: {home}/r, base_dir: {home}/base, encryption: keyfile-blake2, sources: [s]}}
        sources: {{s: {{path: {home}/tree}}}}
        audit: {{waivers: {home}/waivers.yml}}
        mail: {{to: root@example.com, config: {home}/msmtprc}}
    """
    found = places(parse_config(text), home / "config.yml", home / "attestations.jsonl", home / "rules")
    assert {f"{place.space}.{place.instance}" for place in found} == {
        "file.config", "file.main.passphrase", "file.main.key-export", "file.main.keyfile-1", "file.borg", "file.msmtp",
        "file.python", "file.mail-config", "file.attestations", "file.waivers", "file.history", "dir.main",
        "dir.main.base", "dir.bkp", "dir.auditor", "dir.exporter", "dir.runner", "dir.libraries", "dir.units",
        "dir.state", "dir.log", "dir.lock", "dir.scratch", "dir.rules", "file.live.pull-key", "file.live.host-key",
        "file.syncoid",
    }  # fmt: skip
    judged = {
        rule.each.namespace for rule in load_rules(ROOT / "rules").rules if rule.id.startswith("PRM") and rule.each
    }
    assert judged == {"file", "dir"}
    text_of_rules = "".join(path.read_text() for path in (ROOT / "rules/permissions").glob("*.yml"))
    for role in {place.role for place in found}:
        assert role in text_of_rules, "each has its permission rule"


def folder(mode: int, uid: int, gid: int) -> os.stat_result:
    return os.stat_result((0o040000 | mode, 1, 1, 2, uid, gid, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("mode", "uid", "gid", "unsafe"),
    [
        (0o755, 0, 0, False),
        (0o775, 0, 0, False),
        (0o775, 0, 50, True),
        (0o777, 0, 0, True),
        (0o1777, 0, 0, False),
        (0o1775, 0, 50, False),
        (0o700, 65534, 65534, True),
        (0o1777, 65534, 65534, True),
        (0o700, os.geteuid(), 50, False),
    ],
)
def test_who_may_replace_what_is_in_a_folder(mode: int, uid: int, gid: int, unsafe: bool) -> None:
    assert bool(list(folder_flaws("/", folder(mode, uid, gid)))) is unsafe


def test_a_secret_that_is_a_loop_of_links_is_told_without_a_traceback(home: Path) -> None:
    (home / "env").symlink_to("env")
    facts = collected(home)
    assert facts["file.main.passphrase.kind"] == "symbolic link"
    assert facts["file.main.passphrase.weak_hops"] is None


COLLECT = """
import sys
from pathlib import Path
from auditor.facts.builder import FactBuilder
from auditor.facts.permissions import collect_permissions, places
from auditor.facts.runs import collect_mail
from bkp.config import parse_config
from bkp.liveness import is_alive
from bkp.state.store import StateStore
from bkp.survey import survey
from datetime import datetime, UTC
closed = Path(sys.argv[1])
config = parse_config(f"schema: 1\\nrepositories: {{main: {{path: {closed}/r, sources: [s]}}}}\\n"
    f"sources: {{s: {{path: /srv}}}}\\n"
    f"mail: {{to: root@example.com, msmtp: {closed}/msmtp, config: {closed}/msmtprc}}\\n")
builder = FactBuilder(datetime.now(UTC))
collect_permissions(builder, places(config, closed / "config.yml", closed / "attestations.jsonl", closed / "rules"))
state = StateStore(closed / "state")
collect_mail(builder, config.mail, survey(config, state, lambda: builder.now, UTC, is_alive))
for name, fact in builder.facts.items():
    print(name, fact.value, fact.error, sep="\\t")
"""


def test_what_lies_in_a_folder_that_cannot_be_entered_is_unknown_and_not_absent(home: Path) -> None:
    closed = home / "closed"
    closed.mkdir()
    close_to_us(closed)
    call = without_privilege(sys.executable, "-c", COLLECT, str(closed))
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=False)
    closed.chmod(0o755)
    assert done.stderr == ""
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    told = {name: (value, error) for name, value, error in rows}
    unknown = ("None", "Permission denied")
    for name in ("file.attestations.exists", "file.attestations.mode", "dir.main.exists", "file.config.mode"):
        assert told[name] == unknown, name
    assert told["mail.program_runnable"] == told["mail.configuration_found"] == unknown
