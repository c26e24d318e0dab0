"""What an odd live server answers, and what was proven of another one, is never taken for a good answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from bkp.config import parse_config
from bkp.errors import StepFailedError
from bkp.state.results import SyncResult
from runner.jobs.sync.gate_test import of_this_server
from runner.jobs.sync.live import Live

if TYPE_CHECKING:
    from pathlib import Path

    from bkp.config.replications import Replication


@pytest.fixture
def replication() -> Replication:
    return parse_config(
        "schema: 1\nmail: {when: never}\nrepositories: {main: {path: /r, sources: [data]}}\n"
        "sources: {data: {path: /x}}\n"
        "replications: {live: {source: 'bkp@live:tank/data', target: tank/copy, identity_file: /k, known_hosts: /h}}\n"
    ).replications["live"]


@pytest.mark.parametrize("answer", ["", r"tank/other\t-\n"])
def test_a_live_server_that_lists_nothing_is_not_one_of_which_nothing_is_missing(
    tmp_path: Path, replication: Replication, answer: str
) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text(f"#!/bin/sh\nprintf '{answer}'\n", "utf-8")
    ssh.chmod(0o755)
    with pytest.raises(StepFailedError, match="does not tell of tank/data"):
        Live(replication, lambda _: None, str(ssh)).snapshots({})


@pytest.mark.parametrize(("source", "counts"), [("bkp@live:tank/data", True), ("bkp@second:tank/data", False)])
def test_what_another_live_server_refused_proves_nothing_of_this_one(
    replication: Replication, source: str, *, counts: bool
) -> None:
    before = SyncResult(
        source=source, target="tank/copy", raw=False, gate="refused", gate_tested_at=datetime(2026, 11, 27, tzinfo=UTC)
    )
    assert of_this_server(before, replication) is (before if counts else None)
    assert of_this_server(None, replication) is None
