"""One reading of the state: how jobs stand, what the past comes to, and when the past is known."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from bkp.attestations.file import append_attestations
from bkp.attestations.model import Attestation
from bkp.concerns import concerns_of
from bkp.config import parse_config
from bkp.config.model import Paths
from bkp.history import read_history
from bkp.holdings import holding_of
from bkp.observations import HostSeen
from bkp.state.fields import Outcome
from bkp.state.files import encode_record, write_record
from bkp.state.observed import not_seen, path_of, read_observation, seen, write_observation
from bkp.state.reading import Missing, Readable, Unreadable
from bkp.state.store import StateStore
from bkp.status import Status
from bkp.survey import Survey, survey
from tests.support.audits import keep
from tests.support.records import START, a_drill, a_mail, a_night, a_run, an_archive, roots

if TYPE_CHECKING:
    from pathlib import Path

    from bkp.state.records import Run

CONFIG = parse_config(
    "schema: 1\nrepositories: {main: {path: /r, sources: [home, etc]}}\n"
    "sources: {home: {path: /srv/home}, etc: {path: /srv/etc}}\nmail: {when: never}\n"
)
NOW = START + timedelta(hours=1)


def look(store: StateStore, *, alive: bool | None = False) -> Survey:
    config = msgspec.structs.replace(CONFIG, paths=Paths(state=str(store.root)))
    return survey(config, store, lambda: NOW, UTC, lambda _process: alive)


def status(found: Survey, job: str = "nightly") -> Status:
    return next(each.status.status for each in found.standings if each.job == job)


@pytest.fixture
def store(tmp_path: Path) -> StateStore:
    return StateStore(tmp_path / "state")


def test_every_configured_job_has_a_standing_though_nothing_ever_ran(store: StateStore) -> None:
    store.root.mkdir()
    found = look(store)
    assert [(each.job, each.status.status) for each in found.standings] == [
        (job, Status.NEVER) for job in ("nightly", "check", "verify", "drill", "prune", "escrow-drill")
    ]
    assert found.past_known
    assert not found.recorded


def test_without_a_state_directory_nothing_is_known(store: StateStore) -> None:
    found = look(store)
    assert {each.status.status for each in found.standings} == {Status.UNKNOWN}
    assert not found.past_known


def test_the_past_is_the_newest_of_each_kind_of_history_and_records_together(store: StateStore) -> None:
    night = START - timedelta(days=2)
    half = an_archive(night, roots=roots("home", missing=("etc",)))
    whole = an_archive(night - timedelta(days=1), roots=roots("home", "etc"))
    store.write_ended(a_run(started=whole.started_at, result=a_night(whole)))
    store.ledger.append_mail(a_mail("sent"))
    store.write_ended(a_run(started=night, outcome=Outcome.FAILURE, result=a_night(half)))
    store.write_ended(a_run("check", night, Outcome.FAILURE))
    store.write_ended(a_run("check", NOW - timedelta(minutes=50), Outcome.INTERRUPTED))
    store.replace_latest(a_run("drill", NOW - timedelta(minutes=30), result=a_drill(missing=1)))
    past = look(store).past
    assert past.sources == {("main", "home"): half.started_at, ("main", "etc"): whole.started_at}
    assert past.verdicts["check", "main"].passed is False
    assert past.drills["main"].result.missing == 1
    assert past.mail is not None
    assert past.mail.result == "sent"
    assert [archive.id for archive in past.archives["main"]] == [whole.id]


def test_a_night_that_failed_is_no_measure_though_its_archive_is_whole(store: StateStore) -> None:
    failed = a_run(outcome=Outcome.FAILURE, result=a_night(an_archive(roots=roots("home", "etc"))))
    store.write_ended(failed)
    past = look(store).past
    assert not past.archives.get("main")
    assert past.sources["main", "home"] == START


def test_the_newest_mail_is_that_of_the_history_whatever_clock_and_records_say(store: StateStore) -> None:
    store.ledger.append_mail(a_mail("failed", at=NOW - timedelta(hours=1)))
    store.ledger.append_mail(a_mail("kept", at=NOW - timedelta(hours=2)))
    store.replace_latest(msgspec.structs.replace(store.write_ended(a_run()), mail="sent"))
    past = look(store).past
    assert past.mail is not None
    assert past.mail.result == "kept"
    assert past.mailed == {"run-of-a-mail": "kept"}


def test_a_mail_from_the_future_vouches_for_nothing(store: StateStore) -> None:
    store.ledger.append_mail(a_mail("sent", at=NOW + timedelta(days=1)))
    store.ledger.append_mail(a_mail("confirmed", at=NOW + timedelta(days=1)))
    past = look(store).past
    assert (past.mail, past.confirmed) == (None, None)


def test_a_history_that_lacks_the_newest_record_is_not_whole(store: StateStore) -> None:
    store.write_ended(a_run())
    assert look(store).history_problem is None
    store.replace_latest(a_run("check", START + timedelta(minutes=20)))
    assert look(store).history_problem == "it lacks the newest recorded run, check on main"
    assert not look(store).past_known


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.unlink(), "it is gone, though runs are recorded"),
        (lambda path: path.write_bytes(b""), "it is gone, though runs are recorded"),
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "its last line is torn"),
        (lambda path: path.write_bytes(b"noise\n"), "line 1 is damaged"),
    ],
)
def test_what_a_damaged_history_lacks_is_unknown(store: StateStore, damage: object, said: str) -> None:
    store.write_ended(a_run())
    damage(store.ledger.path)  # type: ignore[operator]
    found = look(store)
    assert said in str(found.history_problem)
    assert not found.past_known
    assert status(found) is Status.OK, "the record stands beside it"


def test_a_success_whose_record_is_gone_is_not_known_rather_than_never(store: StateStore) -> None:
    store.write_ended(a_run())
    (store.job_dir("nightly", "main") / "success.json").unlink()
    (standing,) = [each for each in look(store).standings if each.job == "nightly"]
    assert standing.success is None
    assert not standing.success_known
    assert not next(each for each in look(store).standings if each.job == "check").latest


def test_records_of_what_nobody_configured_are_kept_apart(store: StateStore) -> None:
    store.write_ended(a_run(target="old"))
    found = look(store)
    assert [(each.job, each.target) for each in found.others] == [("nightly", "old")]
    assert found.recorded


def test_a_record_that_says_something_else_than_its_line_is_not_evidence(store: StateStore) -> None:
    failed = store.write_ended(a_run("check", outcome=Outcome.FAILURE))
    store.replace_latest(msgspec.structs.replace(failed, outcome=Outcome.SUCCESS))
    assert look(store).history_problem == "its line of check on main says something else than that run's record"
    assert not look(store).past_known
    assert status(look(store), "check") is Status.UNKNOWN


def test_an_older_record_that_is_put_back_is_not_evidence(store: StateStore) -> None:
    good = store.write_ended(a_run("check"))
    store.write_ended(a_run("check", START + timedelta(minutes=20), Outcome.FAILURE))
    store.replace_latest(good)
    found = look(store)
    assert status(found, "check") is Status.UNKNOWN
    assert "is older than what the history tells of" in found.standings[1].status.explanation
    assert found.past_known
    assert not found.past.verdicts["check", "main"].passed


@pytest.mark.parametrize("forged", [("latest.json", "success.json"), ("success.json",)])
def test_a_record_of_a_run_that_the_history_never_knew_is_not_evidence(
    store: StateStore, forged: tuple[str, ...]
) -> None:
    """Anybody could write one, with an id and times of his own; the runner writes the line before the record."""
    store.write_ended(a_run("check", START - timedelta(days=60)))
    store.write_ended(a_run())
    made_up = a_run("check", START - timedelta(hours=1), run_id="made-up")
    for name in forged:
        write_record(store.job_dir("check", "main") / name, made_up)
    found = look(store)
    assert status(found, "check") is Status.UNKNOWN
    assert "a run that the history does not know" in found.standings[1].status.explanation


def test_a_run_that_goes_on_cannot_leave_out_the_failure_before_it(store: StateStore) -> None:
    store.write_ended(a_run("check", START - timedelta(hours=2)))
    failed = store.write_ended(a_run("check", START - timedelta(hours=1), Outcome.FAILURE))
    running = a_run("check", START, Outcome.RUNNING, before=failed.end)
    store.write_running(running, durable=True)
    assert status(look(store, alive=True), "check") is Status.FAILED
    store.write_running(msgspec.structs.replace(running, before=None), durable=True)
    assert status(look(store, alive=True), "check") is Status.UNKNOWN


def test_what_is_of_another_host_is_no_evidence_of_this_one_until_it_has_that_name_in_its_own_history(
    store: StateStore,
) -> None:
    write_observation(store.root, "host", "elsewhere", {"host": seen(HostSeen(), "a test", START)})
    keep(store.root, START, host="elsewhere")
    vouched = Attestation(
        id="a", topic="borg-key", subject="safe", level="matched", statement="compared", who="A. Operator",
        host="Elsewhere", at=START, valid_until=START + timedelta(days=9), previous="0" * 64,
    )  # fmt: skip
    append_attestations(store.root / "attestations.jsonl", [vouched])
    store.write_ended(a_run(host="here"))
    foreign = look(store)
    for reading in (foreign.observations.host, foreign.audit):
        assert isinstance(reading, Unreadable)
        assert reading.reason == "is of the host elsewhere, and not of this one"
    assert foreign.attestations.records == ()
    assert [each.host for each in foreign.attestations.elsewhere] == ["Elsewhere"]

    store.write_ended(a_run("check", host="elsewhere"))
    renamed = look(store)
    assert isinstance(renamed.observations.host, Readable)
    assert isinstance(renamed.audit, Readable)
    assert len(renamed.attestations.records) == 1


def test_a_success_is_evidence_while_the_next_one_is_being_recorded(store: StateStore) -> None:
    store.write_ended(a_run("check"))
    before = (store.job_dir("check", "main") / "success.json").read_bytes()
    later = START + timedelta(minutes=20)
    ended = store.write_ended(a_run("check", later))
    store.replace_latest(msgspec.structs.replace(ended, outcome=Outcome.RUNNING, ended_at=None))
    (store.job_dir("check", "main") / "success.json").write_bytes(before)  # its line is there first
    found = look(store, alive=True)
    assert found.standings[1].success_known
    assert status(look(store, alive=False), "check") is Status.UNKNOWN


def test_the_record_of_another_job_is_not_evidence(store: StateStore) -> None:
    store.write_ended(a_run("check", outcome=Outcome.FAILURE))
    path = store.job_dir("check", "main") / "latest.json"
    path.write_bytes(encode_record(a_run("verify")))
    assert status(look(store), "check") is Status.UNKNOWN


def test_records_that_are_all_removed_are_not_never(store: StateStore) -> None:
    run = store.write_ended(a_run("prune", outcome=Outcome.FAILURE, result=None))
    (store.job_dir(run.job, run.target) / "latest.json").unlink()
    assert status(look(store), "prune") is Status.UNKNOWN


def test_a_success_whose_line_is_lost_does_not_hide_the_failure_after_it(store: StateStore) -> None:
    store.write_ended(a_run("check"))
    store.write_ended(a_run("check", START + timedelta(minutes=20), Outcome.FAILURE))
    lines = store.ledger.path.read_bytes().splitlines(keepends=True)
    store.ledger.path.write_bytes(lines[1])
    assert not look(store).past.verdicts["check", "main"].passed


def test_the_last_night_whose_record_cannot_be_read_is_told_by_the_history_if_that_is_whole(store: StateStore) -> None:
    store.write_ended(a_run())
    half = an_archive(START + timedelta(minutes=20), roots=roots("home", missing=("etc",)))
    store.write_ended(a_run(started=half.started_at, outcome=Outcome.FAILURE, result=a_night(half)))
    (store.job_dir("nightly", "main") / "latest.json").write_bytes(b"{")
    made = holding_of(CONFIG, look(store), "main").archive
    assert made is not None
    assert made.id == half.id
    store.ledger.path.write_bytes(store.ledger.path.read_bytes()[:-9])
    assert holding_of(CONFIG, look(store), "main").archive is None


def test_what_became_of_a_mail_is_no_contradiction(store: StateStore) -> None:
    run = store.write_ended(a_run())
    store.replace_latest(msgspec.structs.replace(run, mail="sent"))
    assert look(store).history_problem is None


# ---------------------------------------------------------------- another repository in the same place


def test_what_was_proven_of_a_repository_dies_with_it(store: StateStore) -> None:
    for job in ("nightly", "check", "verify", "drill"):
        store.write_ended(a_run(job, subject="aa" * 32))
    assert {each.status.status for each in look(store).standings if each.job not in {"prune", "escrow-drill"}} == {
        Status.OK
    }
    store.write_ended(a_run(started=START + timedelta(minutes=30), subject="bb" * 32))
    found = look(store)
    assert set(found.past.verdicts) == {("nightly", "main")}
    assert found.past.drills == {}
    standing = {each.job: each for each in found.standings}
    assert standing["nightly"].status.status is Status.OK
    for job in ("check", "verify", "drill"):
        assert standing[job].status.status is Status.UNKNOWN
        assert "is about another repository than the one that is there now" in standing[job].status.explanation
    store.write_ended(a_run("check", START + timedelta(minutes=40), subject="bb" * 32))
    assert status(look(store), "check") is Status.OK


def test_a_repository_elsewhere_whose_id_a_check_cannot_tell_keeps_its_proofs(store: StateStore) -> None:
    store.write_ended(a_run(subject="aa" * 32))
    store.write_ended(a_run("check", subject=None))
    store.write_ended(a_run(started=START + timedelta(minutes=30), subject="aa" * 32))
    assert look(store).past.verdicts["check", "main"].passed


# ---------------------------------------------------------------- a clock that was ahead


AHEAD = START + timedelta(days=365)


def test_order_is_the_historys_and_not_the_clocks(store: StateStore) -> None:
    store.write_ended(a_run("check", AHEAD))
    store.write_ended(a_run("drill", AHEAD))
    store.write_ended(a_run(started=AHEAD, result=a_night(an_archive(AHEAD, roots=roots("home", "etc")))))
    store.write_ended(a_run("check", START, Outcome.FAILURE))
    store.write_ended(a_run("drill", START, result=a_drill(mismatched=9)))
    partial = an_archive(START, roots=roots("home", missing=("etc",)))
    store.write_ended(a_run(started=START, result=a_night(partial)))
    past = look(store).past
    assert past.verdicts["check", "main"].passed is False
    assert past.drills["main"].result.mismatched == 9
    assert past.sources == {("main", "home"): START}
    assert past.untrusted == {("main", "etc")}


def test_a_night_with_the_clock_ahead_hides_neither_the_failure_after_it_nor_its_archive(store: StateStore) -> None:
    ahead = START + timedelta(days=365)
    store.write_ended(a_run("nightly", ahead, result=a_night(an_archive(ahead))))
    lacking = an_archive(START, roots=roots("home", missing=("etc",)))
    store.write_ended(a_run("nightly", START, Outcome.FAILURE, result=a_night(lacking)))
    found = look(store)
    assert status(found) is Status.FAILED
    assert found.standings[0].status.deadline is None
    holding = holding_of(CONFIG, found, "main")
    assert (holding.archive, holding.missing) == (lacking, ("etc",))


@pytest.mark.parametrize("later", [False, True], ids=["nothing after it", "failures after it"])
def test_a_success_from_the_future_is_a_warning_until_the_deadline_of_the_one_before_it(
    store: StateStore, later: bool
) -> None:
    store.write_ended(a_run(started=START - timedelta(days=2)))
    store.write_ended(a_run(started=AHEAD))
    if later:
        store.write_ended(a_run(started=START - timedelta(minutes=30), outcome=Outcome.FAILURE))
    found = look(store)
    assert (status(found), found.standings[0].clock_ahead) == (Status.LATE, True)
    said = {each.kind: each.severity for each in concerns_of(CONFIG, found) if each.object == "nightly on main"}
    assert said == {"clock_ahead": "warning", "job_late": "critical"}


def test_a_success_from_the_future_that_nothing_precedes_is_critical(store: StateStore) -> None:
    store.write_ended(a_run(started=AHEAD))
    said = {each.kind: each.severity for each in concerns_of(CONFIG, look(store)) if each.object == "nightly on main"}
    assert said == {"clock_ahead": "warning", "job_unknown": "critical"}


def test_when_a_source_was_last_whole_is_not_known_if_its_newest_archive_is_dated_in_the_future(
    store: StateStore,
) -> None:
    store.write_ended(a_run(started=AHEAD, result=a_night(an_archive(AHEAD, roots=roots("home")))))
    store.write_ended(a_run("check"))
    found = look(store)
    sources = {each.source: each for each in holding_of(CONFIG, found, "main").sources}
    assert (sources["home"].last_complete_at, sources["home"].known) == (None, False)
    assert sources["etc"].known is found.past_known


def test_what_lies_in_the_future_vouches_for_nothing(store: StateStore) -> None:
    for job in ("nightly", "check", "drill"):
        store.write_ended(a_run(job, AHEAD))
    found = look(store)
    assert (found.past.verdicts, found.past.drills, found.past.sources) == ({}, {}, {})
    assert [each.job for each in found.standings if each.clock_ahead] == ["nightly", "check", "drill"]
    assert {each.status.status for each in found.standings} == {Status.UNKNOWN, Status.NEVER}
    assert not found.standings[0].success_known


def test_damage_that_was_found_with_a_clock_ahead_is_damage(store: StateStore) -> None:
    store.write_ended(a_run("check", AHEAD, Outcome.FAILURE))
    store.write_ended(a_run("drill", AHEAD, result=a_drill(missing=1)))
    past = look(store).past
    assert (past.verdicts["check", "main"].passed, past.verdicts["check", "main"].ended_at) == (False, NOW)
    assert past.drills["main"].ended_at == NOW


# ---------------------------------------------------------------- deferred, and without a process


def recorded(store: StateStore, outcome: Outcome, before: Run | None, **changes: object) -> Survey:
    if before is not None:
        store.write_ended(before)
    run = a_run(started=NOW - timedelta(minutes=30), outcome=outcome, result=None, reason="the pool resilvers")
    run = msgspec.structs.replace(run, before=before.end if before else None, **changes)
    store.replace_latest(run)
    return look(store)


def test_a_deferred_run_leaves_what_came_before_it_in_place(store: StateStore) -> None:
    good = recorded(store, Outcome.DEFERRED, a_run())
    assert status(good) is Status.OK
    assert "deferred: the pool resilvers" in next(each.status.explanation for each in good.standings)


def test_a_deferred_run_does_not_hide_the_failure_before_it(store: StateStore) -> None:
    assert status(recorded(store, Outcome.DEFERRED, a_run(outcome=Outcome.FAILURE, reason="no space"))) is Status.FAILED


def test_a_job_that_was_only_ever_deferred_never_ran(store: StateStore) -> None:
    assert status(recorded(store, Outcome.DEFERRED, None)) is Status.NEVER


def test_deferring_past_the_deadline_is_late(store: StateStore) -> None:
    assert status(recorded(store, Outcome.DEFERRED, a_run(started=START - timedelta(days=3)))) is Status.LATE


@pytest.mark.parametrize("alive", [False, None, True])
def test_a_run_that_goes_on_without_a_process_is_running_until_its_deadline(
    store: StateStore, alive: bool | None
) -> None:
    recorded(store, Outcome.RUNNING, a_run(), outlives_process=True)
    found = look(store, alive=alive)
    assert status(found) is Status.RUNNING
    assert found.standings[0].running_since is not None
    recorded(store, Outcome.RUNNING, a_run(started=START - timedelta(days=3)), outlives_process=True)
    assert status(look(store, alive=alive)) is Status.LATE


# ---------------------------------------------------------------- a history of many jobs


def test_the_nights_are_found_however_many_runs_of_other_jobs_lie_between(store: StateStore) -> None:
    store.ledger.append(a_run(started=START - timedelta(days=9)))
    noise = a_run("check", reason="x" * 100_000)
    for _ in range(60):
        store.ledger.append(noise)
    store.ledger.append(a_run(started=START - timedelta(days=8)))
    nights = store.ledger.last_runs(400, job="nightly", target="main")
    assert [run.started_at for run in nights] == [START - timedelta(days=days) for days in (9, 8)]
    assert len(read_history(store.ledger).past.archives["main"]) == 2


# ---------------------------------------------------------------- observations


def test_an_observation_is_replaced_whole_and_is_no_run(store: StateStore) -> None:
    write_observation(store.root, "pools", "vault", {"tank": seen({"state": "ONLINE"}, "zpool status", NOW)})
    reading = read_observation(store.root, "pools", dict[str, str])
    assert isinstance(reading, Readable)
    part = reading.value.parts["tank"]
    assert (part.value, part.seen_at, part.error) == ({"state": "ONLINE"}, NOW, None)
    assert list(store.recorded()) == []
    assert not store.ledger.path.exists()


def test_what_cannot_be_seen_keeps_its_last_value_with_the_time_of_that(store: StateStore) -> None:
    later = NOW + timedelta(minutes=5)
    before = seen("ONLINE", "zpool status", NOW)
    part = not_seen("zpool took longer than 20 s", "zpool status", later, before)
    assert (part.value, part.seen_at, part.looked_at) == ("ONLINE", NOW, later)
    assert part.error is not None
    assert not_seen("no such pool", "zpool status", later, None).value is None


@pytest.mark.parametrize("content", [b"", b"{}", b'{"schema": 2, "host": "h", "parts": {}}', b'{"schema": 1, "par'])
def test_an_observation_that_is_damaged_is_unreadable(store: StateStore, content: bytes) -> None:
    assert isinstance(read_observation(store.root, "pools", str), Missing)
    path_of(store.root, "pools").parent.mkdir(parents=True)
    path_of(store.root, "pools").write_bytes(content)
    assert isinstance(read_observation(store.root, "pools", str), Unreadable)
