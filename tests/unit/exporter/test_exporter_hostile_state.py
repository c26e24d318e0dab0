"""Whatever lies in the state directory, everything else is published as if it did not."""

import contextlib
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bkp.state.fields import Outcome
from bkp.state.files import MAX_BYTES, modified_at
from bkp.state.records import Run, Step
from bkp.state.results import CheckResult
from exporter.page import render_page
from tests.support.exporter_world import World, archive, at, facts, healthy, make_run
from tests.support.exposition import Metrics, expose, openmetrics_series, text_series
from tests.support.records import a_drill, a_night

DAMAGED = "jobs/check/main/latest.json"


def _symlink(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def _replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _replace_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _replace_by_socket(path: Path) -> None:
    path.unlink()
    with contextlib.chdir(path.parent), contextlib.closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(path.name)


DAMAGE: dict[str, Callable[[Path], Any]] = {
    "torn": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "empty": lambda path: path.write_bytes(b""),
    "oversized": lambda path: path.write_bytes(path.read_bytes() + b" " * MAX_BYTES),
    "of an unknown version": lambda path: path.write_bytes(
        path.read_bytes().replace(b'"schema": 1', b'"schema": 2').replace(b'"schema":1', b'"schema":2')
    ),
    "not UTF-8": lambda path: path.write_bytes(path.read_bytes().replace(b"success", b"succ\xff\xfess")),
    "another kind of JSON": lambda path: path.write_bytes(b"[1, 2, 3]"),
    "nested without end": lambda path: path.write_bytes(b"[" * 200_000),
    "a symbolic link": _symlink,
    "a folder": _replace_by_folder,
    "a named pipe": _replace_by_pipe,
    "a socket": _replace_by_socket,
}


def about_the_damaged(key: tuple[str, frozenset[tuple[str, str]]]) -> bool:
    """Say whether a series tells of the damaged file or of the last attempt that it alone records."""
    name, labels = key
    check = {("job_name", "check"), ("target", "main")} <= labels
    return (
        (check and name == "bkp_job_status")
        or (check and name.startswith("bkp_job_last_attempt_"))
        or ("file", DAMAGED) in labels
        or name in {"bkp_concern", "bkp_concerns"}
        or name == "bkp_state_unreadable_files"
        or name.startswith("bkp_exporter_collector_duration")
    )


@pytest.mark.parametrize("damage", DAMAGE)
def test_an_unreadable_file_is_named_and_everything_else_stays_as_it_was(world: World, damage: str) -> None:
    healthy(world)
    before = Metrics(world)
    DAMAGE[damage](world.store.root / DAMAGED)
    after = Metrics(world)
    assert after.value("state_unreadable_files") == 1
    assert after.value("state_file_unreadable", file=DAMAGED) == 1
    assert after.state("job_status", "status", job_name="check", target="main") == "unknown"
    assert after.value("job_last_attempt_timestamp_seconds", job_name="check", target="main") is None
    kept = {key: value for key, value in before.series.items() if not about_the_damaged(key)}
    assert len(kept) > 200
    assert after.value("concern", kind="state_unreadable", object=DAMAGED, severity="warning") == 1
    assert after.value("concern", kind="job_unknown", object="check on main", severity="warning") == 1
    assert {key: value for key, value in after.series.items() if not about_the_damaged(key)} == kept
    assert DAMAGED in render_page(world.model())


@pytest.mark.parametrize("damage", ["a symbolic link", "a folder", "a named pipe"])
def test_a_history_that_is_no_file_takes_only_the_history_away(world: World, damage: str) -> None:
    healthy(world)
    DAMAGE[damage](world.store.ledger.path)
    metrics = Metrics(world)
    assert metrics.value("state_file_unreadable", file="history.jsonl") == 1
    assert metrics.value("history_intact") is None
    assert metrics.value("history_lines") is None
    assert metrics.state("job_status", "status", job_name="nightly", target="main") == "ok"
    assert metrics.value("check_passed", repository="main", job_name="check") == 1


@pytest.mark.parametrize("seconds", [2**38, -(2**38), 2**62])
def test_a_modification_time_that_no_calendar_has_is_no_time(seconds: int) -> None:
    assert modified_at(seconds * 10**9) is None
    assert modified_at(1_795_000_000 * 10**9) == datetime.fromtimestamp(1_795_000_000, UTC)


def test_texts_from_files_become_valid_label_values_of_bounded_length(world: World) -> None:
    names = ['quote " here', "line\nfeed", "back\\slash", "nul\x00", "ümläut 備份", "x" * 5000, "tab\t\x7f"]
    started = at("23 01:30")
    steps = tuple(Step(name=name, started_at=started, ended_at=started, outcome=Outcome.SUCCESS) for name in names)
    described = facts(started, encryption='e"\n\\', id="i\n" * 500)
    world.record(make_run("nightly", started, steps=steps, result=a_night(repository=described)))
    exposition = expose(world)
    series = text_series(exposition.text.plain)
    assert series == openmetrics_series(exposition.openmetrics.plain)
    found = {dict(labels)["step"] for name, labels in series if name.endswith("_step_duration_seconds")}
    assert found == {name if len(name) <= 200 else name[:199] + "…" for name in names}


def test_names_of_folders_that_are_not_utf8_break_nothing(world: World) -> None:
    (world.store.root / "jobs/nightly" / os.fsdecode(b"caf\xe9 \xff")).mkdir(parents=True)
    exposition = expose(world)
    assert exposition.failed == ()
    assert Metrics(world).value("state_unconfigured_targets") == 1
    render_page(world.model()).encode("utf-8")


def test_steps_of_one_name_give_one_series_and_a_record_cannot_make_thousands(world: World) -> None:
    started = at("23 01:30")
    twice = (
        Step(name="prune", started_at=started, ended_at=started, outcome=Outcome.FAILURE),
        Step(name="prune", started_at=started, ended_at=at("23 01:31"), outcome=Outcome.SUCCESS),
    )
    many = tuple(Step(name=f"step {number}", started_at=started) for number in range(5000))
    world.record(make_run("nightly", started, steps=twice + many))
    metrics = Metrics(world)
    nightly = {"job_name": "nightly", "target": "main"}
    assert metrics.value("job_last_attempt_step_duration_seconds", step="prune", **nightly) == 60
    assert metrics.state("job_last_attempt_step_outcome", "outcome", step="prune", **nightly) == "success"
    assert sum(name == "bkp_job_last_attempt_step_outcome" for name, _ in metrics.series) <= 64 * len(Outcome)


times = st.datetimes(timezones=st.timezones())
texts = st.text(max_size=40)
runs = st.builds(
    make_run,
    st.sampled_from(["nightly", "check", "verify", "drill"]),
    times,
    st.sampled_from(Outcome),
    ended_at=st.none() | times,
    reason=st.none() | texts,
    host=texts,
    log=st.none() | texts,
    messages_dropped=st.integers(0, 2**62),
    steps=st.lists(
        st.builds(Step, name=texts, started_at=times, ended_at=st.none() | times, outcome=st.sampled_from(Outcome)),
        max_size=3,
    ).map(tuple),
    result=st.none()
    | st.builds(
        a_night,
        st.builds(archive, st.just(at("20 01:30")), started_at=times),
        st.builds(facts, st.just(at("20 01:30")), encryption=texts, newest_archive_at=times),
    )
    | st.builds(CheckResult, all_data=st.booleans())
    | st.just(a_drill(missing=1)),
    outlives_process=st.booleans(),
)


@contextlib.contextmanager
def temporary_world() -> Iterator[World]:
    with tempfile.TemporaryDirectory() as folder:
        yield World(Path(folder))


@settings(max_examples=80, deadline=None)
@given(st.lists(runs, max_size=4), st.sampled_from(["latest", "success"]))
def test_records_with_any_times_and_texts_are_published_or_left_out_but_never_break_anything(
    recorded: list[Run], name: str
) -> None:
    with temporary_world() as world:
        for run in recorded:
            path = world.path(run.job, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(msgspec.json.encode(run))
        check_everything(world)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
).map(msgspec.json.encode)


@settings(max_examples=80, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["jobs/nightly/main/latest.json", "jobs/nightly/main/success.json", DAMAGED, "history.jsonl"]),
        st.binary(max_size=300) | JSON,
        max_size=4,
    )
)
@example({"history.jsonl": b"\n\n\n"})
@example({"jobs/nightly/main/latest.json": b'{"schema": 1e400}'})
def test_files_with_any_bytes_are_named_as_unreadable_and_never_break_anything(content: dict[str, bytes]) -> None:
    with temporary_world() as world:
        for name, written in content.items():
            path = world.store.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(written)
        check_everything(world)
        metrics = Metrics(world)
        for name, written in content.items():
            empty_history = name == "history.jsonl" and not written
            assert metrics.value("state_file_unreadable", file=name) == (0 if empty_history else 1)


def check_everything(world: World) -> None:
    """Every collector works, both formats parse and agree, and the page is there."""
    exposition = expose(world)
    assert exposition.failed == ()
    assert text_series(exposition.text.plain) == openmetrics_series(exposition.openmetrics.plain)
    assert "</html>" in render_page(world.model())
