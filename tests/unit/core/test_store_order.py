"""A run's end reaches what it can reach, even where the history cannot be written to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bkp.errors import StateError
from bkp.state.records import Outcome
from bkp.state.store import StateStore, value_of
from tests.unit.core.support import a_run

if TYPE_CHECKING:
    from pathlib import Path


def test_a_damaged_history_is_an_error_but_the_end_is_still_the_latest(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    (tmp_path / "history.jsonl").write_bytes(b'{"not": "a line of the history"}\n')
    run = a_run(outcome=Outcome.FAILURE, reason="the disk is gone")

    with pytest.raises(StateError, match="damaged"):
        store.write_ended(run)

    latest = value_of(store.read_job(run.job, run.target).latest)
    assert latest is not None
    assert latest.outcome is Outcome.FAILURE
