"""A state directory that is not there, and a history that says nothing: neither is taken for 'nothing happened'."""

from collections.abc import Callable

import pytest

from bkp.state.fields import Outcome
from bkp.state.parked import park
from exporter.page import build_page
from tests.support.exporter_world import World, healthy, make_run
from tests.support.exposition import Metrics


def _move_away(world: World) -> None:
    world.store.root.rename(world.root / "unmounted")


def _put_a_file_in_its_place(world: World) -> None:
    _move_away(world)
    world.store.root.write_text("in the way", encoding="utf-8")


@pytest.mark.parametrize("deed", [_move_away, _put_a_file_in_its_place])
def test_without_a_state_directory_every_job_is_unknown_and_nothing_that_was_recorded_there_is_zero(
    world: World, deed: Callable[[World], None]
) -> None:
    healthy(world)
    assert Metrics(world).value("state_directory_present") == 1
    deed(world)
    metrics = Metrics(world)
    assert metrics.value("state_directory_present") == 0
    for job in ("nightly", "check", "verify", "drill"):
        labels = {"job_name": job, "target": "main"}
        assert metrics.state("job_status", "status", **labels) == "unknown"
        for name in ("last_success_timestamp_seconds", "deadline_timestamp_seconds", "last_attempt_timestamp_seconds"):
            assert metrics.value(f"job_{name}", **labels) is None
    gone = ("bkp_state_unreadable_", "bkp_state_file_", "bkp_state_unconfigured_", "bkp_history_", "bkp_source_")
    assert [name for name, _ in metrics.series if name.startswith(gone)] == []


def test_without_a_state_directory_the_page_says_why_nothing_is_known(world: World) -> None:
    world.store.root.rmdir()
    page = build_page(world.model())
    why = f"no state directory at {world.store.root}; run bkp-run once or check mounts"
    assert (page.headline, page.tone) == ("1 thing needs attention", "unknown")
    assert [concern.text for concern in page.concerns] == [f"N{why[1:]}."]
    assert {(card.word, card.why) for card in page.repositories[0].jobs} == {("unknown", f"N{why[1:]}.")}
    (card,) = page.repositories
    jobs = [row for job in card.jobs for row in job.rows]
    said = {row.label: row.text for row in (*jobs, *card.rows, *card.sources, *card.proofs, *page.notes)}
    for label in ("last success", "contents", "home", "etc", "structure (check)", "restore drill", "history"):
        assert said[label] == "not known", label


def test_a_state_directory_that_is_there_and_empty_is_that_of_jobs_that_never_ran(world: World) -> None:
    metrics = Metrics(world)
    assert metrics.value("state_directory_present") == 1
    assert metrics.value("state_unreadable_files") == 0
    assert metrics.state("job_status", "status", job_name="nightly", target="main") == "never"


GARBAGE: dict[str, Callable[[bytes], bytes]] = {
    "one line of text": lambda _: b"broken\n",
    "empty lines": lambda _: b"\n\n\n",
    "random bytes": lambda _: b"\xff\x00\n" * 50,
    "an unfinished first line": lambda lines: lines.splitlines()[0][:100],
    "every line damaged": lambda lines: lines.replace(b'"seq"', b'"sec"'),
}


@pytest.mark.parametrize("damage", GARBAGE)
def test_a_history_of_which_no_line_can_be_read_is_an_unreadable_file(world: World, damage: str) -> None:
    healthy(world)
    path = world.store.ledger.path
    path.write_bytes(GARBAGE[damage](path.read_bytes()))
    metrics = Metrics(world)
    assert metrics.value("state_file_unreadable", file="history.jsonl") == 1
    assert metrics.value("state_unreadable_files") == 1
    assert metrics.value("state_file_written_timestamp_seconds", file="history.jsonl") is None
    assert (metrics.value("history_intact"), metrics.value("history_lines")) == (0, 0)
    assert metrics.state("job_status", "status", job_name="nightly", target="main") == "ok"
    assert "does not hold" in build_page(world.model()).concerns[0].text


def test_a_history_of_which_a_line_can_be_read_is_broken_and_not_unreadable(world: World) -> None:
    world.record(make_run("check", "22 03:30", Outcome.INTERRUPTED))
    path = world.store.ledger.path
    path.write_bytes(b"broken\n" + path.read_bytes())
    metrics = Metrics(world)
    assert metrics.value("state_file_unreadable", file="history.jsonl") == 0
    assert (metrics.value("history_intact"), metrics.value("history_lines")) == (0, 0)


def _empty(lines: bytes) -> bytes:
    return lines[:0]


def _cut_the_last_line(lines: bytes) -> bytes:
    return b"".join(lines.splitlines(keepends=True)[:-1])


@pytest.mark.parametrize("deed", [_empty, _cut_the_last_line])
def test_a_history_without_the_newest_recorded_run_does_not_hold_though_its_chain_does(
    world: World, deed: Callable[[bytes], bytes]
) -> None:
    healthy(world)
    world.record(make_run("check", "23 08:00"))
    path = world.store.ledger.path
    path.write_bytes(deed(path.read_bytes()))
    metrics = Metrics(world)
    assert metrics.value("state_file_unreadable", file="history.jsonl") == 0
    assert metrics.value("history_intact") == 0
    page = build_page(world.model())
    assert page.tone == "failed"
    assert any("history of runs does not hold" in concern.text for concern in page.concerns)
    (note,) = [note for note in page.notes if note.label == "history"]
    assert note.tone == "bad"


def test_the_end_of_a_run_that_the_state_could_not_take_is_published_all_the_same(world: World) -> None:
    healthy(world)
    failed = make_run("nightly", "23 03:30", Outcome.FAILURE, reason="the state could not be written")
    park(world.root / "lock", failed)
    metrics = Metrics(world)
    assert metrics.state("job_status", "status", job_name="nightly", target="main") == "failed"
    name = f"{world.root}/lock/unrecorded-{failed.run_id}-nightly-main.json"
    assert metrics.value("state_file_unreadable", file=name) == 0
    assert build_page(world.model()).tone != "ok"


def test_the_end_of_a_run_that_waits_to_be_recorded_and_cannot_be_read_leaves_its_job_unknown(world: World) -> None:
    healthy(world)
    waiting = world.root / "lock" / "unrecorded-20261123T083000Z-0-nightly-main.json"
    waiting.parent.mkdir()
    waiting.write_text("{", encoding="utf-8")
    metrics = Metrics(world)
    assert metrics.state("job_status", "status", job_name="nightly", target="main") == "unknown"
    assert metrics.value("state_file_unreadable", file=str(waiting)) == 1
    said = [line.text for line in build_page(world.model()).concerns if str(waiting) in line.text]
    assert len(said) >= 1


def test_a_later_run_that_is_recorded_outdoes_one_that_waits_and_cannot_be_read(world: World) -> None:
    healthy(world)
    waiting = world.root / "lock" / "unrecorded-20261101T023000Z-0-nightly-main.json"
    waiting.parent.mkdir()
    waiting.write_text("{", encoding="utf-8")
    assert Metrics(world).state("job_status", "status", job_name="nightly", target="main") == "ok"
