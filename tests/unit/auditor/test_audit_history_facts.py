"""What is said of past runs is said of a whole history, or it is unknown."""

import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from auditor.catalogue import resolve
from auditor.evidence import Fact
from auditor.facts.builder import FactBuilder
from auditor.facts.history import collect_history
from auditor.facts.runs import collect_archives, collect_jobs, collect_mail, collect_restores
from auditor.rules.folder import load_rules
from bkp.config import parse_config
from bkp.jobs import JOBS
from bkp.liveness import is_alive
from bkp.state.archives import COMPARED
from bkp.state.fields import Outcome
from bkp.state.reading import Readable
from bkp.state.records import Run
from bkp.state.store import StateStore
from bkp.status import Status
from bkp.survey import survey
from bkp.verdict import Verdict
from tests.support.audit_world import report_on
from tests.support.records import a_mail, a_night, a_run, an_archive, roots

ROOT = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
CONFIG = parse_config(
    "schema: 1\nsources: {home: {path: /srv}}\n"
    "repositories: {main: {path: /repo, sources: [home]}}\n"
    "mail: {to: root@example.com, msmtp: /bin/true, config: /etc/passwd}\n"
)
UNKNOWN_WITHOUT_HISTORY = (
    "archive.main.earlier_archives",
    "archive.main.size_ratio",
    "mail.last_result",
    "mail.last_result_at",
    "mail.confirmed_at",
)
RULES = {rule.id: rule for rule in load_rules(ROOT / "rules").rules}


def the_run(number: int, job: str = "nightly", outcome: Outcome = Outcome.SUCCESS, **changes: Any) -> Run:
    """Return the run of one day."""
    return a_run(job, NOW - timedelta(days=10 - number), outcome, **changes)


def the_night(number: int, **changes: Any) -> Run:
    """Return a good night whose archive is unlike the others."""
    run = the_run(number)
    return msgspec.structs.replace(run, result=a_night(an_archive(run.started_at, **changes)))


@pytest.fixture
def store(tmp_path: Path) -> StateStore:
    """Five good nights of equal size, and a drill."""
    store = StateStore(tmp_path / "state")
    for number in range(5):
        store.write_ended(the_run(number))
    store.write_ended(the_run(5, "drill"))
    return store


def facts_of(store: StateStore) -> dict[str, Fact]:
    builder = FactBuilder(NOW)
    seen = survey(CONFIG, store, lambda: NOW, UTC, is_alive)
    collect_jobs(builder, seen)
    collect_history(builder, seen)
    collect_archives(builder, CONFIG, seen, {})
    collect_restores(builder, CONFIG, seen)
    collect_mail(builder, CONFIG.mail, seen)
    return builder.facts


def verdicts(facts: dict[str, Fact], *names: str) -> list[Verdict]:
    found = {result.id: result.verdict for result in report_on([RULES[name] for name in names], facts, now=NOW).results}
    return [found[name] for name in names]


def test_a_whole_history_gives_every_fact(store: StateStore) -> None:
    facts = facts_of(store)
    assert facts["history.intact"].value is True
    assert facts["history.lines"].value == 6
    assert facts["archive.main.earlier_archives"].value == 4
    assert facts["archive.main.size_ratio"].value == 1.0
    assert {field: facts[f"restore.main.{field}"].value for field in ("files", "matched", "seconds")} == {
        "files": 20, "matched": 20, "seconds": 12.5,
    }  # fmt: skip
    assert verdicts(facts, "HIS-001", "RUN-008", "ALR-001") == [Verdict.PASS] * 3


@pytest.mark.parametrize(
    ("nights", "earlier", "ratio"),
    [
        ([the_night(6, original_bytes=10, size_suspicion="small"), the_night(7)], 5, 1.0),
        ([the_night(6, original_bytes=10, roots=roots("home", missing=("gone",))), the_night(7)], 5, 1.0),
        ([the_night(6, original_bytes=10, size_accepted=True), the_night(7, original_bytes=20)], 1, 2.0),
        ([the_night(6, original_bytes=10, size_accepted=True)], 0, None),
        ([the_night(6, original_bytes=10), the_night(7, original_bytes=2000)], 6, 2.0),
    ],
    ids=[
        "a suspicious night",
        "a night with a root missing",
        "an accepted night",
        "the accepted night itself",
        "small",
    ],
)
def test_the_newest_archive_is_compared_with_the_nights_that_the_runner_calls_usual(
    store: StateStore, nights: list[Run], earlier: int, ratio: float | None
) -> None:
    for night in nights:
        store.write_ended(night)
    facts = facts_of(store)
    assert (facts["archive.main.earlier_archives"].value, facts["archive.main.size_ratio"].value) == (earlier, ratio)


def test_no_more_nights_are_compared_with_than_the_runner_compares_with(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    for number in range(COMPARED + 5):
        store.write_ended(the_run(number - 30))
    assert facts_of(store)["archive.main.earlier_archives"].value == COMPARED


def test_a_source_that_the_newest_archive_lacks_is_named(store: StateStore) -> None:
    assert facts_of(store)["archive.main.missing_sources"].value == ("home",), "its archive names no root"
    store.write_ended(the_night(6, roots=roots("home")))
    assert facts_of(store)["archive.main.missing_sources"].value == ()


def test_a_deferred_run_is_told_as_such_and_its_job_stands_as_before(store: StateStore) -> None:
    before = store.read_job("drill", "main").latest
    assert isinstance(before, Readable)
    deferred = the_run(8, "drill", Outcome.DEFERRED, result=None, reason="on battery", before=before.value.end)
    store.write_ended(deferred)
    facts = facts_of(store)
    assert facts["job.drill.main.last_outcome"].value == "deferred"
    assert facts["job.drill.main.status"].value == "ok"
    assert "deferred: on battery" in str(facts["job.drill.main.explanation"].value)
    assert facts["history.intact"].value is True


@pytest.mark.parametrize(
    ("field", "words"), [("job", set(JOBS)), ("status", set(Status)), ("last_outcome", set(Outcome))]
)
def test_the_catalogue_knows_every_word_that_the_state_can_say_of_a_job(field: str, words: set[str]) -> None:
    assert set(resolve(f"job.check.main.{field}").spec.values) == words


def not_there(path: Path) -> None:
    path.unlink()


def a_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_socket(path: Path) -> None:
    path.unlink()
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's address is short
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(here)


def state_is_a_file(path: Path) -> None:
    path.parent.rename(path.parent.with_name("away"))
    path.parent.write_text("x")


@pytest.mark.parametrize("damage", [a_link, a_folder, a_fifo, a_socket, state_is_a_file])
def test_a_history_that_cannot_be_read_makes_errors_of_its_facts_and_of_nothing_else(
    store: StateStore, damage: Callable[[Path], None]
) -> None:
    before = facts_of(store)
    damage(store.ledger.path)
    facts = facts_of(store)
    assert facts.keys() == before.keys()
    for name in ("history.lines", "history.intact", "history.problem", *UNKNOWN_WITHOUT_HISTORY):
        error = str(facts[name].error)
        assert ("history.jsonl" if damage is not state_is_a_file else "a folder on its path is a file") in error, name
        assert str(store.root) not in error, "a report names no path of this host"
    assert verdicts(facts, "HIS-001", "RUN-008", "ALR-001") == [Verdict.ERROR] * 3
    if damage is not state_is_a_file:
        others = [name for name in facts if not name.startswith("history.") and name not in UNKNOWN_WITHOUT_HISTORY]
        assert {name: facts[name] for name in others} == {name: before[name] for name in others}


def random_bytes(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 40)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def one_word_changed(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"success"', b'"warning"', 1))


def the_first_lines_gone(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[3:]))


def the_last_line_gone(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


@pytest.mark.parametrize(
    "damage",
    [not_there, random_bytes, emptied, torn, one_word_changed, the_first_lines_gone, the_last_line_gone],
)
def test_a_history_that_is_not_whole_is_a_failure_and_nothing_is_concluded_from_what_it_lacks(
    store: StateStore, damage: Callable[[Path], None]
) -> None:
    damage(store.ledger.path)
    facts = facts_of(store)
    assert facts["history.intact"].value is False
    assert facts["history.problem"].value
    for name in UNKNOWN_WITHOUT_HISTORY:
        assert "not intact" in str(facts[name].error), name
    assert verdicts(facts, "HIS-001", "RUN-008", "ALR-001") == [Verdict.FAIL, Verdict.ERROR, Verdict.ERROR]


def test_a_server_on_which_nothing_has_run_yet_has_no_history_to_be_missed(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    facts = facts_of(store)
    assert facts["history.intact"].value is True
    assert facts["archive.main.earlier_archives"].value == 0
    assert facts["mail.last_result"] == Fact(None, facts["mail.last_result"].source, NOW)
    assert verdicts(facts, "HIS-001", "RUN-008") == [Verdict.FAIL, Verdict.NOT_APPLICABLE]
    store.write_running(the_run(1, outcome=Outcome.RUNNING), durable=True)
    assert facts_of(store)["history.intact"].value is True, "a first run that goes on has no line yet"


def test_a_history_begun_anew_is_whole_from_its_first_run_on(store: StateStore) -> None:
    store.ledger.path.rename(store.ledger.path.with_name("history.jsonl.damaged"))
    store.write_ended(the_run(6))
    facts = facts_of(store)
    assert facts["history.intact"].value is True
    assert facts["archive.main.earlier_archives"].value == 0


def test_the_newest_mail_is_that_of_the_history_and_a_record_is_no_evidence(store: StateStore) -> None:
    store.ledger.append_mail(a_mail("kept", at=NOW))
    store.replace_latest(msgspec.structs.replace(store.ledger.runs()[-1], mail="sent"))
    facts = facts_of(store)
    assert (facts["mail.last_result"].value, facts["mail.last_result_at"].value) == ("kept", NOW)
    assert verdicts(facts, "ALR-001") == [Verdict.FAIL]
    store.ledger.append_mail(a_mail("sent", at=NOW))
    assert facts_of(store)["mail.last_result"].value == "sent"


def test_a_lost_record_of_success_does_not_hide_the_archives_before_it(store: StateStore) -> None:
    success = store.job_dir("nightly", "main") / "success.json"
    success.write_bytes(b"{")
    assert facts_of(store)["archive.main.earlier_archives"].error is not None
    success.unlink()
    facts = facts_of(store)
    assert facts["archive.main.earlier_archives"].value == 5
    assert verdicts(facts, "RUN-008") == [Verdict.FAIL], "there is a history, and nothing to compare with it"
