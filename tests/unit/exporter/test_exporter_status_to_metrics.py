"""What real state files become as metrics, job by job and repository by repository."""

from datetime import timedelta
from typing import Any

import pytest

from bkp.state.fields import Outcome
from bkp.state.reading import Readable
from bkp.state.records import Step
from exporter.page import build_page
from tests.support.exporter_world import World, archive, at, every_status, facts, healthy, make_run
from tests.support.exposition import Metrics
from tests.support.records import GIB, a_drill, a_message, a_night, steps

JOBS = ("nightly", "check", "verify", "drill")


def test_a_job_that_never_ran_is_there_from_the_start_with_zero_as_last_success_and_deadline(world: World) -> None:
    metrics = Metrics(world)
    for job in JOBS:
        labels = {"job_name": job, "target": "main"}
        assert metrics.state("job_status", "status", **labels) == "never"
        assert metrics.value("job_last_success_timestamp_seconds", **labels) == 0
        assert metrics.value("job_deadline_timestamp_seconds", **labels) == 0
        assert metrics.value("job_last_attempt_timestamp_seconds", **labels) is None
        assert metrics.state("job_last_attempt_outcome", "outcome", **labels) is None


def test_a_good_night_gives_success_deadline_duration_and_steps(world: World) -> None:
    healthy(world)
    metrics = Metrics(world)
    nightly = {"job_name": "nightly", "target": "main"}
    assert metrics.state("job_status", "status", **nightly) == "ok"
    assert metrics.value("job_last_attempt_timestamp_seconds", **nightly) == at("23 01:30").timestamp()
    assert metrics.value("job_last_success_timestamp_seconds", **nightly) == at("23 01:42").timestamp()
    assert metrics.value("job_deadline_timestamp_seconds", **nightly) == at("24 03:30").timestamp()  # 02:30 CET + 2 h
    assert metrics.value("job_last_attempt_duration_seconds", **nightly) == 720
    assert metrics.value("job_last_success_duration_seconds", **nightly) == 720
    assert metrics.value("job_last_attempt_step_duration_seconds", step="create", **nightly) == 240
    assert metrics.state("job_last_attempt_step_outcome", "outcome", step="prune", **nightly) == "success"
    assert metrics.state("job_last_attempt_mail", "mail", **nightly) == "not wanted"
    assert metrics.value("job_running_since_timestamp_seconds", **nightly) is None
    assert metrics.value("job_info", schedule="02:30", late_severity="critical", **nightly) == 1


def test_a_failed_attempt_keeps_the_last_success_apart_from_it(world: World) -> None:
    healthy(world)
    start = at("23 08:00")
    world.record(
        make_run(
            "nightly", start, Outcome.FAILURE, steps=steps(start, "create", failed="create", exit_code=2), mail="failed"
        )
    )
    metrics = Metrics(world)
    nightly = {"job_name": "nightly", "target": "main"}
    assert metrics.state("job_status", "status", **nightly) == "failed"
    assert metrics.state("job_last_attempt_outcome", "outcome", **nightly) == "failure"
    assert metrics.state("job_last_attempt_step_outcome", "outcome", step="create", **nightly) == "failure"
    assert metrics.state("job_last_attempt_mail", "mail", **nightly) == "failed"
    assert metrics.value("job_last_attempt_timestamp_seconds", **nightly) == start.timestamp()
    assert metrics.value("job_last_success_timestamp_seconds", **nightly) == at("23 01:42").timestamp()


def test_a_job_becomes_late_by_the_clock_alone(world: World) -> None:
    healthy(world)
    nightly = {"job_name": "nightly", "target": "main"}
    deadline = at("24 03:30")
    world.now = deadline
    assert Metrics(world).state("job_status", "status", **nightly) == "ok"
    world.now = deadline + timedelta(seconds=1)
    metrics = Metrics(world)
    assert metrics.state("job_status", "status", **nightly) == "late"
    assert metrics.value("job_deadline_timestamp_seconds", **nightly) == deadline.timestamp()


def test_a_job_without_a_schedule_has_no_deadline_at_all(world: World) -> None:
    world.config_path.write_text(world.config_text() + "jobs:\n  drill:\n    schedule: null\n", encoding="utf-8")
    by_hand = {"job_name": "drill", "target": "main"}
    assert Metrics(world).value("job_deadline_timestamp_seconds", **by_hand) is None
    assert Metrics(world).value("job_last_success_timestamp_seconds", **by_hand) == 0
    world.record(make_run("drill", "1 05:00"))
    metrics = Metrics(world)
    assert metrics.state("job_status", "status", **by_hand) == "ok"
    assert metrics.value("job_deadline_timestamp_seconds", **by_hand) is None
    assert metrics.value("job_info", schedule="", late_severity="warning", **by_hand) == 1


def test_a_run_under_way_shows_since_when_and_a_dead_one_is_a_failure(world: World) -> None:
    healthy(world)
    run = make_run("nightly", "23 08:00", Outcome.RUNNING, steps=steps(at("23 08:00"), "snapshot"))
    world.record(run)
    world.start_process(run.process)
    nightly = {"job_name": "nightly", "target": "main"}
    metrics = Metrics(world)
    assert metrics.state("job_status", "status", **nightly) == "running"
    assert metrics.value("job_running_since_timestamp_seconds", **nightly) == at("23 08:00").timestamp()
    assert metrics.value("job_last_attempt_duration_seconds", **nightly) is None
    assert metrics.value("job_last_success_duration_seconds", **nightly) == 720

    world.set_boot("7d3c1d1e-0000-4000-8000-000000000002")  # the machine was started again since
    metrics = Metrics(world)
    assert metrics.state("job_status", "status", **nightly) == "failed"
    assert metrics.value("job_running_since_timestamp_seconds", **nightly) is None


def test_every_status_there_is_comes_out_of_state_files(three: World) -> None:
    every_status(three)
    metrics = Metrics(three)
    found = {metrics.state("job_status", "status", job_name=job, target=t) for job in JOBS for t in three.repositories}
    assert found == {"ok", "late", "failed", "never", "running", "unknown"}


def test_warnings_and_errors_of_the_last_attempt_are_counted(world: World) -> None:
    messages = (a_message("one"), a_message("two"), a_message("three", "error"), a_message("four", "info"))
    world.record(make_run("nightly", "23 01:30", Outcome.WARNING, messages=messages, messages_dropped=7))
    metrics = Metrics(world)
    nightly = {"job_name": "nightly", "target": "main"}
    assert metrics.value("job_last_attempt_warnings", **nightly) == 2
    assert metrics.value("job_last_attempt_errors", **nightly) == 1
    assert metrics.value("job_last_attempt_dropped_messages", **nightly) == 7
    assert metrics.state("job_last_attempt_outcome", "outcome", **nightly) == "warning"


def test_a_repository_shows_what_borg_last_said_of_it(world: World) -> None:
    healthy(world)
    metrics = Metrics(world)
    assert metrics.value("repository_info", repository="main", id="ab" * 32, encryption="repokey-blake2") == 1
    assert metrics.value("repository_archives", repository="main") == 17
    assert metrics.value("repository_incomplete_archives", repository="main") == 0
    assert metrics.value("repository_deduplicated_size_bytes", repository="main") == 187 * GIB
    assert metrics.value("repository_filesystem_free_bytes", repository="main") == 1260 * GIB
    assert metrics.value("repository_newest_archive_timestamp_seconds", repository="main") == at("23 01:31").timestamp()
    assert metrics.value("last_archive_files", repository="main") == 48_213
    assert metrics.value("last_archive_duration_seconds", repository="main") == 480
    assert metrics.value("last_archive_confirmed", repository="main") == 1


def test_a_figure_that_the_newest_record_leaves_open_comes_from_an_older_one_and_the_age_says_so(world: World) -> None:
    world.record(make_run("nightly", "22 01:30", result=a_night(repository=facts(at("22 01:30")))))
    later = facts(at("22 01:30"), archives=16, original_bytes=None)
    world.record(make_run("nightly", "23 03:30", Outcome.FAILURE, result=a_night(repository=later)))
    metrics = Metrics(world)
    assert metrics.value("repository_archives", repository="main") == 16
    assert metrics.value("repository_original_size_bytes", repository="main") == 3540 * GIB
    assert metrics.value("repository_facts_timestamp_seconds", repository="main") == at("22 01:30").timestamp()


def test_figures_of_another_repository_id_are_not_mixed_in(world: World) -> None:
    world.record(make_run("nightly", "22 01:30", result=a_night(repository=facts(at("22 01:30")))))
    other = facts(at("22 01:30"), id="cd" * 32, original_bytes=None)
    world.record(make_run("nightly", "23 03:30", Outcome.FAILURE, result=a_night(repository=other)))
    metrics = Metrics(world)
    assert metrics.value("repository_info", repository="main", id="cd" * 32, encryption="repokey-blake2") == 1
    assert metrics.value("repository_original_size_bytes", repository="main") is None


def test_a_source_that_drops_out_keeps_the_time_of_its_last_archive_and_the_others_go_on(world: World) -> None:
    for night, missing in (("20 01:30", ()), ("21 01:30", ("etc",)), ("22 01:30", ("home", "etc"))):
        outcome = Outcome.FAILURE if missing else Outcome.SUCCESS
        world.record(make_run("nightly", night, outcome, result=a_night(archive(at(night), missing=missing))))
    metrics = Metrics(world)
    name = "source_last_complete_backup_timestamp_seconds"
    assert metrics.value(name, repository="main", source="home") == at("21 01:31").timestamp()  # only in the history
    assert metrics.value(name, repository="main", source="etc") == at("20 01:31").timestamp()
    assert metrics.value("last_archive_missing_sources", repository="main") == 2


@pytest.mark.parametrize(
    ("outcome", "changes"),
    [
        pytest.param(Outcome.FAILURE, {"files": 0}, id="set aside: all files are excluded"),
        pytest.param(Outcome.FAILURE, {"files": 0, "original_bytes": 0, "deduplicated_bytes": 0}, id="empty"),
        pytest.param(Outcome.FAILURE, {"confirmed": False}, id="not listed by the repository"),
        pytest.param(Outcome.INTERRUPTED, {"confirmed": False}, id="killed between create and confirm"),
        pytest.param(Outcome.RUNNING, {"confirmed": False}, id="not confirmed yet"),
    ],
)
def test_an_archive_that_the_runner_has_not_accepted_is_not_confirmed_and_makes_no_source_fresh(
    world: World, outcome: Outcome, changes: dict[str, Any]
) -> None:
    healthy(world)
    world.record(make_run("nightly", "23 08:00", outcome, result=a_night(archive(at("23 08:00"), **changes))))
    metrics = Metrics(world)
    assert metrics.value("last_archive_start_timestamp_seconds", repository="main") == at("23 08:01").timestamp()
    assert metrics.value("last_archive_confirmed", repository="main") == 0
    for source in ("home", "etc"):
        last = metrics.value("source_last_complete_backup_timestamp_seconds", repository="main", source=source)
        assert last == at("23 01:31").timestamp()


def test_an_archive_set_aside_for_one_source_is_not_confirmed_and_still_makes_the_others_fresh(world: World) -> None:
    healthy(world)
    aside = archive(at("23 08:00"), missing=("etc",))
    world.record(make_run("nightly", "23 08:00", Outcome.FAILURE, result=a_night(aside)))
    metrics = Metrics(world)
    assert metrics.value("last_archive_confirmed", repository="main") == 0
    name = "source_last_complete_backup_timestamp_seconds"
    assert metrics.value(name, repository="main", source="home") == at("23 08:01").timestamp()
    assert metrics.value(name, repository="main", source="etc") == at("23 01:31").timestamp()


def test_a_source_that_never_was_in_an_archive_is_zero_while_the_history_is_whole_and_absent_when_not(
    world: World,
) -> None:
    name = "source_last_complete_backup_timestamp_seconds"
    assert Metrics(world).value(name, repository="main", source="home") == 0
    world.record(make_run("check", "22 03:30"), make_run("check", "23 03:30"))
    assert Metrics(world).value(name, repository="main", source="home") == 0
    history = world.store.ledger.path
    history.write_bytes(history.read_bytes().replace(b"success", b"failure", 1))
    metrics = Metrics(world)
    assert metrics.value("history_intact") == 0
    assert metrics.value("history_lines") == 1
    assert metrics.value(name, repository="main", source="home") is None


@pytest.mark.parametrize("job", ["check", "verify"])
def test_the_verdict_of_a_check_outlives_an_interrupted_or_running_one(world: World, job: str) -> None:
    labels = {"repository": "main", "job_name": job}
    assert Metrics(world).value("check_passed", **labels) is None
    world.record(make_run(job, "8 03:30"))
    assert Metrics(world).value("check_passed", **labels) == 1
    world.record(make_run(job, "15 03:30", Outcome.FAILURE))
    assert Metrics(world).value("check_passed", **labels) == 0
    world.record(make_run(job, "16 03:30", Outcome.INTERRUPTED), make_run(job, "17 03:30", Outcome.RUNNING))
    metrics = Metrics(world)
    assert metrics.value("check_passed", **labels) == 0
    assert metrics.value("check_finished_timestamp_seconds", **labels) == at("15 03:42").timestamp()


def test_a_verdict_that_could_be_hidden_by_a_lost_history_is_not_given(world: World) -> None:
    world.record(make_run("check", "8 03:30"), make_run("check", "15 03:30", Outcome.FAILURE))
    world.record(make_run("check", "16 03:30", Outcome.INTERRUPTED))
    world.store.ledger.path.unlink()
    metrics = Metrics(world)
    assert metrics.value("check_passed", repository="main", job_name="check") is None
    assert metrics.value("state_file_unreadable", file="history.jsonl") == 1
    assert metrics.value("history_intact") is None


def test_a_drill_shows_its_counts_even_when_a_later_one_could_not_compare(world: World) -> None:
    world.record(make_run("drill", "14 04:30", Outcome.FAILURE, result=a_drill(matched=17, mismatched=2, missing=1)))
    world.record(make_run("drill", "21 04:30", Outcome.FAILURE, reason="the archive is gone"))
    metrics = Metrics(world)
    values = {
        name: metrics.value(f"drill_{name}", repository="main")
        for name in (
            "files",
            "matched_files",
            "mismatched_files",
            "missing_files",
            "duration_seconds",
            "restored_bytes",
        )
    }
    assert values == {
        "files": 20,
        "matched_files": 17,
        "mismatched_files": 2,
        "missing_files": 1,
        "duration_seconds": 12.5,
        "restored_bytes": 61_203_456,
    }
    assert metrics.value("drill_finished_timestamp_seconds", repository="main") == at("14 04:42").timestamp()


def test_a_duration_below_zero_is_a_moved_clock_and_no_duration(world: World) -> None:
    start = at("23 01:30")
    step = Step(name="create", started_at=start, ended_at=at("23 01:20"), outcome=Outcome.SUCCESS)
    world.record(make_run("nightly", start, ended_at=at("23 01:25"), steps=(step,)))
    metrics = Metrics(world)
    nightly = {"job_name": "nightly", "target": "main"}
    assert metrics.value("job_last_attempt_duration_seconds", **nightly) is None
    assert metrics.value("job_last_attempt_step_duration_seconds", step="create", **nightly) is None
    assert metrics.value("job_last_success_duration_seconds", **nightly) is None
    assert metrics.state("job_last_attempt_outcome", "outcome", **nightly) == "success"


def test_records_that_the_configuration_does_not_name_are_counted_and_not_mixed_in(world: World) -> None:
    world.record(make_run("nightly", "23 01:30", target="old"))
    metrics = Metrics(world)
    assert metrics.value("state_unconfigured_targets") == 1
    assert metrics.value("job_last_success_timestamp_seconds", job_name="nightly", target="old") is None


def test_a_lost_record_of_the_last_success_is_unknown_and_not_never(world: World) -> None:
    healthy(world)
    world.path("nightly", "success").unlink()
    metrics = Metrics(world)
    nightly = {"job_name": "nightly", "target": "main"}
    assert metrics.state("job_status", "status", **nightly) == "unknown"
    assert metrics.value("job_last_success_timestamp_seconds", **nightly) is None
    assert metrics.value("job_deadline_timestamp_seconds", **nightly) is None


def test_a_deferred_run_is_no_failure_and_hides_neither_the_end_before_it_nor_the_verdict(world: World) -> None:
    healthy(world)
    labels = {"job_name": "check", "target": "main"}
    bad = make_run("check", "23 03:30", Outcome.FAILURE, reason="segment 1181 is damaged")
    for before, status, passed in ((None, "ok", 1), (bad, "failed", 0)):
        if before is not None:
            world.record(before)
        latest = world.store.read_job("check", "main").latest
        assert isinstance(latest, Readable)
        world.record(make_run("check", "23 08:00", Outcome.DEFERRED, reason="a night runs", before=latest.value.end))
        metrics = Metrics(world)
        assert metrics.state("job_last_attempt_outcome", "outcome", **labels) == "deferred"
        assert metrics.state("job_status", "status", **labels) == status
        assert metrics.value("check_passed", repository="main", job_name="check") == passed
    world.now = at("30 12:00")
    assert Metrics(world).state("job_status", "status", **labels) == "late"  # however often it is deferred


def test_a_job_that_was_only_ever_deferred_never_ran(world: World) -> None:
    world.record(make_run("check", "23 08:00", Outcome.DEFERRED, reason="a night runs"))
    metrics = Metrics(world)
    assert metrics.state("job_status", "status", job_name="check", target="main") == "never"
    assert metrics.value("job_last_success_timestamp_seconds", job_name="check", target="main") == 0
    assert metrics.value("check_passed", repository="main", job_name="check") is None


def test_a_run_that_outlives_its_process_goes_on_after_a_reboot_until_its_deadline(world: World) -> None:
    healthy(world)
    world.record(make_run("check", "23 08:00", Outcome.RUNNING, outlives_process=True))
    world.set_boot("7d3c1d1e-0000-4000-8000-000000000002")
    labels = {"job_name": "check", "target": "main"}
    metrics = Metrics(world)
    assert metrics.state("job_status", "status", **labels) == "running"
    assert metrics.value("job_running_since_timestamp_seconds", **labels) == at("23 08:00").timestamp()
    world.now = at("30 12:00")
    metrics = Metrics(world)
    assert metrics.state("job_status", "status", **labels) == "late"
    assert metrics.value("job_running_since_timestamp_seconds", **labels) == at("23 08:00").timestamp()


@pytest.mark.parametrize("damage", ["torn", "gone", "cut"])
def test_what_a_history_that_is_not_whole_may_hide_is_not_given(world: World, damage: str) -> None:
    healthy(world)
    for job, result in (("check", None), ("drill", a_drill(matched=17, missing=3))):
        world.record(make_run(job, "22 12:00", Outcome.FAILURE, result=result))
        world.record(make_run(job, "23 08:00", Outcome.INTERRUPTED))
    path = world.store.ledger.path
    lines = path.read_bytes().splitlines(keepends=True)
    whole = Metrics(world)
    assert whole.value("check_passed", repository="main", job_name="check") == 0
    assert whole.value("drill_matched_files", repository="main") == 17
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(b"".join(lines[:-4]) + (lines[-4][:-20] if damage == "torn" else b""))
    metrics = Metrics(world)
    assert metrics.value("check_passed", repository="main", job_name="check") is None
    assert metrics.value("drill_matched_files", repository="main") is None
    assert metrics.value("check_passed", repository="main", job_name="verify") == 1  # its latest record says so itself
    assert (metrics.value("history_intact") or 0) == 0


def test_a_source_that_the_last_archive_does_not_know_is_missing_in_it(world: World) -> None:
    healthy(world)
    assert Metrics(world).value("last_archive_missing_sources", repository="main") == 0
    world.sources = ("home", "etc", "mail")
    world.config_path.write_text(world.config_text(), encoding="utf-8")
    assert Metrics(world).value("last_archive_missing_sources", repository="main") == 1
    assert any("lacks mail" in concern.text for concern in build_page(world.model()).concerns)
