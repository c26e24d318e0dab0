"""Which locks of borg are provably dead, and what must never be taken for that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from bkp.config import parse_config
from bkp.tools.borg.locks import Holder, all_dead, holders, is_borg, is_dead, parse_holder

if TYPE_CHECKING:
    from pathlib import Path

    from bkp.config.repositories import Repository

ID = "ab" * 32


def test_a_holder_is_read_from_the_name_of_its_file() -> None:
    assert parse_holder("backup.example.com@3281355014145.26225-0") == Holder("backup.example.com@3281355014145", 26225)
    assert parse_holder("backup@1.7-1f") == Holder("backup@1", 7)
    for name in ("", "backup", "backup@1.x-0", "backup@1.7"):
        assert parse_holder(name) is None


NODE = 0x525400AB0000


@pytest.mark.parametrize(
    ("host", "alive", "dead"),
    [
        (f"backup@{NODE}", False, True),
        (f"backup.example.com@{NODE}", False, True),
        (f"backup@{NODE}", True, False),
        (f"backup@{NODE}", None, False),
        (f"live@{NODE}", False, False),
        (f"backup2@{NODE}", False, False),
        (f"backup@{NODE + 1}", False, False),
        ("backup", False, False),
    ],
)
def test_only_a_holder_of_this_host_that_is_no_borg_is_dead(host: str, alive: bool | None, dead: bool) -> None:
    assert is_dead(Holder(host, 7), "backup", NODE, lambda _: alive) is dead


def test_one_that_may_live_keeps_the_locks_of_the_dead_from_being_broken() -> None:
    gone, living = Holder(f"backup@{NODE}", 7), Holder(f"backup@{NODE}", 9)
    assert all_dead([gone], "backup", NODE, lambda _: False) == [gone]
    assert all_dead([gone, living], "backup", NODE, lambda pid: pid == 9) == []
    assert all_dead([gone, None], "backup", NODE, lambda _: False) == []


def test_a_host_whose_address_was_made_up_proves_nothing() -> None:
    made_up = NODE | 1 << 40
    assert not is_dead(Holder(f"backup@{made_up}", 7), "backup", made_up, lambda _: False)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    folder = tmp_path / "repo"
    folder.mkdir()
    (folder / "config").write_text(f"[repository]\nversion = 1\nid = {ID}\n")
    text = f"""schema: 1
repositories: {{main: {{path: {folder}, passphrase_file: null, sources: [docs]}}}}
sources: {{docs: {{path: {tmp_path}/docs}}}}
mail: {{to: root@example.com}}
"""
    return parse_config(text).repositories["main"]


def _hold(folder: Path, *names: str) -> None:
    (folder / "lock.exclusive").mkdir(parents=True)
    for name in names:
        (folder / "lock.exclusive" / name).touch()


def test_the_locks_of_repository_and_cache_are_both_looked_at(repository: Repository, tmp_path: Path) -> None:
    base = str(tmp_path / "base")
    assert holders(repository, base) == []
    _hold(tmp_path / "repo", "backup@1.7-0")
    _hold(tmp_path / "base/.cache/borg" / ID, "backup@1.8-0")
    assert holders(repository, base) == [Holder("backup@1", 7), Holder("backup@1", 8)]


def test_one_who_only_reads_stands_in_the_roster_alone(repository: Repository, tmp_path: Path) -> None:
    _hold(tmp_path / "repo", "backup@1.7-0")
    roster = tmp_path / "repo/lock.roster"
    roster.write_text('{"exclusive": [["backup@1", 7, 0]], "shared": [["backup@1", 9, 0]]}')
    assert holders(repository, "/nowhere") == [Holder("backup@1", 7), Holder("backup@1", 9)]


@pytest.mark.parametrize("roster", ["{", "[]", '{"shared": [["backup@1"]]}'])
def test_a_roster_that_is_not_understood_may_hold_anybody(repository: Repository, tmp_path: Path, roster: str) -> None:
    _hold(tmp_path / "repo", "backup@1.7-0")
    (tmp_path / "repo/lock.roster").write_text(roster)
    assert None in holders(repository, "/nowhere")


def test_an_empty_roster_is_nobody_as_a_power_cut_leaves_it(repository: Repository, tmp_path: Path) -> None:
    _hold(tmp_path / "repo", "backup@1.7-0")
    (tmp_path / "repo/lock.roster").touch()
    assert holders(repository, "/nowhere") == [Holder("backup@1", 7)]


def test_a_lock_that_is_not_understood_may_be_anybodys(repository: Repository, tmp_path: Path) -> None:
    _hold(tmp_path / "repo", "backup@1.7-0", "of another kind")
    assert holders(repository, "/nowhere") == [Holder("backup@1", 7), None]


def test_a_repository_on_another_host_has_its_own_keeper(repository: Repository) -> None:
    remote = msgspec.structs.replace(repository, path="ssh://borg@elsewhere/repo")
    assert holders(remote, "/nowhere") == []


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (b"/usr/bin/python3\0/usr/bin/borg\0create\0", True),
        (b"/usr/local/bin/borg-linux64\0serve\0", True),
        (b"python3\0-I\0/opt/borg/bin/borg\0", True),
        (b"/usr/bin/sleep\0borg-lock\0", True),
        (b"/usr/sbin/sshd\0-D\0", False),
        (b"", False),
        (b"/opt/borg/bin/postgres\0", False),
    ],
)
def test_a_borg_is_told_by_its_first_words(tmp_path: Path, words: bytes, found: bool) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7/cmdline").write_bytes(words)
    assert is_borg(7, tmp_path) is found


def test_a_number_that_nobody_has_is_no_borg(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    assert is_borg(7, tmp_path) is False


def test_where_processes_are_hidden_an_absent_number_proves_nothing(tmp_path: Path) -> None:
    assert is_borg(7, tmp_path) is None
