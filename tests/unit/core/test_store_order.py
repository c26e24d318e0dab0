"""A run's end reaches what it can reach, even where the history cannot be written to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.state.fields import Outcome
from bkp.state.store import StateStore, value_of
from tests.unit.core.support import a_run

if TYPE_CHECKING:
    from pathlib import Path


def test_a_damaged_history_makes_a_success_a_warning_in_every_record(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    (tmp_path / "history.jsonl").write_bytes(b'{"not": "a line of the history"}\n')

    ended = store.write_ended(a_run(outcome=Outcome.SUCCESS))

    assert ended.outcome is Outcome.WARNING
    assert "is damaged" in (ended.reason or "")
    state = store.read_job(ended.job, ended.target)
    assert value_of(state.latest) == value_of(state.success) == ended
    assert list(store.ledger.runs()) == [ended]


def test_a_history_that_cannot_be_written_to_keeps_the_end_out_of_no_other_record(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    (tmp_path / "history.jsonl").mkdir()
    run = a_run(outcome=Outcome.FAILURE, reason="the disk is gone")

    ended = store.write_ended(run)

    assert (ended.outcome, ended.reason) == (Outcome.FAILURE, "the disk is gone")
    assert "this run is missing there" in ended.messages[-1].text
    assert value_of(store.read_job(run.job, run.target).latest) == ended


def test_a_folder_in_place_of_a_record_is_moved_aside_with_all_it_holds(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    in_the_way = store.job_dir("nightly", "main") / "success.json"
    (in_the_way / "kept").mkdir(parents=True)

    (sentence,) = store.clear_the_way("nightly", "main")

    (aside,) = in_the_way.parent.glob("success.json.aside-*")
    assert aside.name in sentence
    assert (aside / "kept").is_dir()
    assert store.clear_the_way("nightly", "main") == []
