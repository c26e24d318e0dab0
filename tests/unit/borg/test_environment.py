"""What borg is given of our environment, and how it is called by hand."""

from __future__ import annotations

import pytest

from bkp.config.repositories import Repository
from bkp.tools.borg.client import borg_environment, by_hand


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
