"""What `bkp-run ssh-gate` prints: a script that sh reads as it is meant, with the gate in it, or one clear error."""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from bkp.errors import UsageError
from runner.cli import cli
from runner.ssh_gate.gate import Replication

if TYPE_CHECKING:
    from pathlib import Path

BODY = "AAAAC3NzaC1lZDI1NTE5AAAAINRQrJbD6CpIeGqf22P1GteM7YlB9DVw6D0WoChaQHo3"
PULLS = """
  data: {source: 'bkp@live.example.com:tank/data', target: tank/copy/data, KEYS}
  mail: {source: 'bkp@live.example.com:tank/two words', target: tank/copy/mail, KEYS, raw: true, own_snapshots: false, recursive: false}
"""  # noqa: E501
OTHER = "  other: {source: 'bkp@second.example.com:tank/x', target: tank/copy/x, KEYS}\n"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key.pub"
    path.write_text(f"ssh-ed25519 {BODY} root@server\n", "ascii")
    return path


def printed(key: Path, pulls: str, *arguments: str) -> str:
    config = key.parent / "config.yml"
    keys = f"identity_file: {key.with_suffix('')}, known_hosts: /h"
    text = "schema: 1\nrepositories: {main: {path: /r, sources: [data]}}\n"
    text += "sources: {data: {path: /x}}\nmail: {when: never}\n"
    config.write_text(f"{text}replications:\n{pulls.replace('KEYS', keys)}" if pulls else text, "utf-8")
    done = CliRunner().invoke(cli, ["--config", str(config), "ssh-gate", *arguments], standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.output


def replications(program: str) -> list[Replication]:
    names: dict[str, object] = {"__name__": "copied"}
    exec(compile(program, "gate", "exec"), names)  # noqa: S102 # as Python does on the live server
    found = names["REPLICATIONS"]
    assert isinstance(found, list)
    return [Replication(*each) for each in found]


def test_the_gate_alone_knows_what_is_configured_and_nothing_more(key: Path) -> None:
    assert replications(printed(key, PULLS, "--gate")) == [
        Replication("tank/data", recursive=True, raw=False, own_snapshots=f"syncoid_data_{socket.gethostname()}_"),
        Replication("tank/two words", recursive=False, raw=True, own_snapshots=""),
    ]


def test_the_script_is_one_that_sh_reads_and_has_the_gate_the_key_and_the_rights(key: Path) -> None:
    script = printed(key, PULLS)

    subprocess.run(["sh", "-n"], input=script, text=True, check=True)
    (gate,) = re.findall(r"<<'END_OF_THE_GATE'\n(.*)END_OF_THE_GATE\n", script, re.DOTALL)
    assert gate == printed(key, PULLS, "--gate")
    without = script.replace(gate, "")
    assert [shlex.split(line) for line in without.splitlines() if line.startswith(("zfs allow", "zfs list"))] == [
        ["zfs", "list", "-H", "-o", "name", "tank/data", ">/dev/null"],
        ["zfs", "list", "-H", "-o", "name", "tank/two words", ">/dev/null"],
        ["zfs", "allow", "-u", "bkp", "send,hold,snapshot,destroy,mount", "tank/data"],
        ["zfs", "allow", "-u", "bkp", "send,hold", "tank/two words"],
    ]
    assert f'restrict,command="/usr/bin/python3 -I -S /usr/local/lib/bkp/ssh-gate.py" ssh-ed25519 {BODY} ' in without
    assert "root@server" not in script


def test_the_host_is_named_where_there_are_several(key: Path) -> None:
    assert "tank/x" not in printed(key, PULLS + OTHER, "live.example.com")
    (other,) = replications(printed(key, PULLS + OTHER, "second.example.com", "--gate"))
    assert other.dataset == "tank/x"
    with pytest.raises(UsageError, match="several hosts") as caught:
        printed(key, PULLS + OTHER)
    assert caught.value.remedy == "name one of: live.example.com, second.example.com"
    with pytest.raises(UsageError, match="no replication pulls from 'third'"):
        printed(key, PULLS, "third")
    with pytest.raises(UsageError, match="no replication is configured"):
        printed(key, "")


def test_two_accounts_or_keys_on_one_host_and_root_are_refused(key: Path) -> None:
    same_host = OTHER.replace("second", "live")
    for more in (same_host.replace("bkp@", "b2@"), same_host.replace("KEYS", "identity_file: /k, known_hosts: /h")):
        with pytest.raises(UsageError, match="several accounts or keys"):
            printed(key, PULLS + more)
    with pytest.raises(UsageError, match="pull as root"):
        printed(key, PULLS.replace("bkp@", "root@"))


@pytest.mark.parametrize(
    "content",
    [
        *("", "PRIVATE", f"ssh-ed25519 {BODY}\nssh-ed25519 {BODY}\n"),
        *(f"restrict ssh-ed25519 {BODY}\n", f"ssh-ed25519 {BODY}'; id\n"),
    ],
)
def test_what_is_no_public_key_is_never_printed(key: Path, content: str) -> None:
    key.write_text(content, "ascii")
    with pytest.raises(UsageError, match="does not hold one public key"):
        printed(key, PULLS)


def test_a_key_that_is_not_there_yet_is_made_by_the_command_in_the_remedy(key: Path) -> None:
    key.unlink()
    with pytest.raises(UsageError, match="cannot be read: No such file") as caught:
        printed(key, PULLS)
    assert f"ssh-keygen -t ed25519 -N '' -f {key.with_suffix('')}" in str(caught.value.remedy)
