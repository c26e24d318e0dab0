"""What borg is given of our environment, and how it is called by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bkp.config.repositories import Repository
from bkp.tools.borg.client import Borg, borg_environment, by_hand

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("ssh://backup@host/srv/repo", True),
        ("ssh://host/srv/repo", True),
        ("host:srv/repo", True),
        ("/srv/re@po", False),
    ],
)
def test_the_ssh_agent_is_for_repositories_on_other_hosts(
    monkeypatch: pytest.MonkeyPatch, path: str, given: bool
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    environment = borg_environment(Repository(path=path, sources=("docs",)))
    assert environment.get("SSH_AUTH_SOCK") == ("/run/agent" if given else None)


def test_borg_by_hand_knows_what_our_calls_know() -> None:
    assert by_hand(Repository(path="/r", sources=("docs",))) == "borg"
    own = Repository(path="/r", sources=("docs",), base_dir="/srv/my base", borg="/opt/borg")
    assert by_hand(own) == "BORG_BASE_DIR='/srv/my base' /opt/borg"


def test_borg_tests_its_own_code_until_it_went_well_once_in_a_run(tmp_path: Path) -> None:
    borg = tmp_path / "borg"
    borg.write_text('#!/bin/sh\necho "$1 ${BORG_SELFTEST:-tested}"\ntest "$1" != broken\n')
    borg.chmod(0o755)
    client = Borg(Repository(path="/r", sources=("docs",), borg=str(borg)), None)
    said = [client.call((operation,)).completed.stdout.decode().strip() for operation in ("broken", "list", "prune")]
    assert said == ["broken tested", "list tested", "prune disabled"]
