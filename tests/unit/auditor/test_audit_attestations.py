"""An attestation counts for the thing that was attested, and ends with it."""

import dataclasses
import hashlib
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.engine.rule import judge_rule
from bkp.attestations.file import parse_attestations, read_attestations
from bkp.attestations.model import Attestations
from bkp.verdict import Verdict
from tests.support.audit_world import FINGERPRINT, NOW, OTHER_FINGERPRINT, attestation, evidence, fact, result_of, rule

KEY = "borg.repo.main.key_fingerprint"
WANTED: dict[str, Any] = {
    "topic": "borg-key",
    "question": "Is the copy the same as the key?",
    "level": "matched",
    "valid_for": "P90D",
    "subject": "safe",
    "repository": "borg.repo.main.id",
    "bind_to": KEY,
}
RULE = rule(kind="attested", check=None, attestation=WANTED)
VALUES = {KEY: FINGERPRINT, "borg.repo.main.id": "aa"}


def judged(*records: Any, values: dict[str, Any] | None = None, problem: str | None = None) -> tuple[Verdict, str]:
    result = result_of(RULE, VALUES if values is None else values, records=records, problem=problem)
    return result.verdict, result.reason


def test_a_matching_attestation_passes() -> None:
    verdict, reason = judged(attestation())
    assert verdict is Verdict.PASS
    assert "matched at 'safe' by 'operator'" in reason


def test_a_better_level_is_enough() -> None:
    assert judged(attestation(level="opened"))[0] is Verdict.PASS


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"level": "seen"}, "level seen, wanted matched"),
        ({"bound_to": OTHER_FINGERPRINT}, "re-export to all locations"),
        ({"bound_to": None}, "is for nothing"),
        ({"valid_until": NOW - timedelta(seconds=1)}, "expired"),
        ({"at": NOW - timedelta(days=91)}, "expired"),
        ({"at": NOW + timedelta(days=1)}, "dated in the future"),
        ({"subject": "elsewhere"}, "nobody has attested"),
        ({"topic": "borg-passphrase"}, "nobody has attested"),
        ({"repository_id": "bb"}, "nobody has attested"),
    ],
)
def test_an_attestation_that_does_not_count_says_why(changes: dict[str, Any], reason: str) -> None:
    verdict, said = judged(attestation(**changes))
    assert verdict is Verdict.UNATTESTED
    assert reason in said
    assert FINGERPRINT not in said
    assert OTHER_FINGERPRINT not in said


def test_an_attestation_for_another_host_does_not_count_and_says_so() -> None:
    found = Attestations((attestation(host="other"),)).of_host(frozenset({"host"}))
    known = dataclasses.replace(evidence(VALUES), attestations=found)
    verdict = judge_rule(RULE, known, known.facts, NOW)
    assert verdict.verdict is Verdict.UNATTESTED
    assert "was made for the host 'other'" in verdict.reason


@given(
    st.datetimes(timezones=st.timezones() | st.just(timezone(timedelta(hours=-14)))),
    st.datetimes(timezones=st.just(UTC)),
    st.sampled_from(["P1D", "P90D", "P100Y"]),
)
def test_no_date_in_an_attestation_breaks_the_judgement(at: datetime, until: datetime, valid_for: str) -> None:
    one = rule(kind="attested", check=None, attestation=WANTED | {"valid_for": valid_for})
    result = result_of(one, VALUES, records=[attestation(at=at, valid_until=until)])
    counts = NOW - timedelta(days=36600) <= at <= NOW + timedelta(minutes=5) and until >= NOW
    assert result.verdict is Verdict.UNATTESTED or counts
    assert result.reason


def test_an_attestation_dated_at_the_end_of_time_is_of_the_future() -> None:
    verdict, reason = judged(attestation(at=datetime(9999, 12, 31, 23, 59, tzinfo=UTC)))
    assert verdict is Verdict.UNATTESTED
    assert "dated in the future" in reason


def test_one_good_attestation_among_others_is_enough() -> None:
    assert judged(attestation(level="seen"), attestation(), attestation(bound_to=OTHER_FINGERPRINT))[0] is Verdict.PASS


def test_without_any_it_is_unattested() -> None:
    assert judged()[0] is Verdict.UNATTESTED


def test_with_a_broken_record_none_counts() -> None:
    verdict, reason = judged(attestation(), problem="attestations.jsonl: line 2 does not follow the line before it")
    assert verdict is Verdict.ERROR
    assert "line 2 does not follow" in reason


@pytest.mark.parametrize("value", [None, "error"])
def test_an_unknown_live_key_makes_it_an_error(value: str | None) -> None:
    live = fact(KEY, None, error="locked") if value else fact(KEY, None)
    assert judged(attestation(), values=VALUES | {KEY: live})[0] is Verdict.ERROR


def test_a_hybrid_rule_needs_both() -> None:
    check = {"fact": "host.uid", "op": "eq", "value": 0}
    hybrid = rule(kind="hybrid", attestation=WANTED, check=check)
    both = VALUES | {"host.uid": 0}
    assert result_of(hybrid, both, records=[attestation()]).verdict is Verdict.PASS
    assert result_of(hybrid, both).verdict is Verdict.UNATTESTED
    assert result_of(hybrid, VALUES | {"host.uid": 5}, records=[attestation()]).verdict is Verdict.FAIL


DAY = 86400.0
PLACES: dict[str, Any] = {
    "location.safe.description": "in the office, third drawer",
    "location.safe.holds": ["key", "passphrase"],
    "location.safe.valid_for": 30 * DAY,
    "location.cellar.holds": ["runbook"],
    "location.cellar.valid_for": 30 * DAY,
}
AT_PLACE = rule(kind="attested", check=None, attestation=WANTED | {"location": "key"})
ANY_PLACE = rule(
    kind="attested",
    check=None,
    attestation={key: value for key, value in WANTED.items() if key != "subject"} | {"location": "key"},
)


@pytest.mark.parametrize(
    ("rule_days", "place_days", "own_days", "age", "counts"),
    [
        (90, 30, 365, 29, True),
        (90, 30, 365, 31, False),
        (30, 90, 365, 29, True),
        (30, 90, 365, 31, False),
        (90, 90, 30, 29, True),
        (90, 90, 30, 31, False),
    ],
)
def test_an_attestation_ends_with_the_rule_the_location_or_itself_whichever_is_first(
    rule_days: int, place_days: int, own_days: int, age: int, counts: bool
) -> None:
    one = rule(kind="attested", check=None, attestation=WANTED | {"location": "key", "valid_for": f"P{rule_days}D"})
    at = NOW - timedelta(days=age)
    record = attestation(at=at, valid_until=at + timedelta(days=own_days))
    result = result_of(one, VALUES | PLACES | {"location.safe.valid_for": place_days * DAY}, records=[record])
    assert result.verdict is (Verdict.PASS if counts else Verdict.UNATTESTED)
    assert counts or "expired" in result.reason


def test_what_the_location_is_stands_where_it_is_not_attested() -> None:
    assert (
        "nobody has attested borg-key at 'safe' (in the office, third drawer)"
        in result_of(AT_PLACE, VALUES | PLACES).reason
    )
    assert "at any of 'safe' (in the office, third drawer)" in result_of(ANY_PLACE, VALUES | PLACES).reason
    old = attestation(at=NOW - timedelta(days=31))
    reason = result_of(AT_PLACE, VALUES | PLACES, records=[old]).reason
    assert reason.startswith("borg-key at 'safe' (in the office, third drawer): the attestation of")


@pytest.mark.parametrize("subject", ["my neighbour", "cellar"])
def test_only_a_configured_location_that_is_to_hold_it_counts(subject: str) -> None:
    record = attestation(subject=subject)
    result = result_of(ANY_PLACE, VALUES | PLACES, records=[record])
    assert result.verdict is Verdict.UNATTESTED
    assert f"is of '{subject}', which is no configured escrow location that holds the key" in result.reason
    assert result_of(ANY_PLACE, VALUES | PLACES, records=[attestation(), record]).verdict is Verdict.PASS


@pytest.mark.parametrize("one", [AT_PLACE, ANY_PLACE])
def test_without_a_configured_location_no_attestation_of_one_counts(one: Any) -> None:
    result = result_of(one, VALUES, records=[attestation()])
    assert result.verdict is Verdict.UNATTESTED
    assert "configured escrow location" in result.reason


@pytest.mark.parametrize("field", ["holds", "valid_for"])
def test_a_location_that_is_not_known_makes_it_an_error(field: str) -> None:
    name = f"location.safe.{field}"
    values = VALUES | PLACES | {name: fact(name, None, error="unreadable")}
    assert result_of(AT_PLACE, values, records=[attestation()]).verdict is Verdict.ERROR


@pytest.mark.parametrize("nothing", ["", " ", "-", "…", "\u200b", "\n\t"])
@pytest.mark.parametrize(("field", "reason"), [("who", "names nobody"), ("statement", "states nothing")])
def test_an_attestation_behind_which_nobody_and_nothing_stands_does_not_count(
    field: str, reason: str, nothing: str
) -> None:
    verdict, said = judged(attestation(**{field: nothing}))
    assert verdict is Verdict.UNATTESTED
    assert reason in said


def chained(*records: Any) -> bytes:
    """Return the records as a file with a sound chain."""
    previous, lines = "0" * 64, b""
    for record in records:
        line = msgspec.json.encode(msgspec.structs.replace(record, previous=previous))
        previous = hashlib.sha256(line).hexdigest()
        lines += line + b"\n"
    return lines


THREE = chained(attestation(id="a1"), attestation(id="a2"), attestation(id="a3"))


def test_a_sound_file_is_read_in_order() -> None:
    found = parse_attestations(THREE)
    assert found.problem is None
    assert [record.id for record in found.records] == ["a1", "a2", "a3"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (THREE.replace(b'"a2"', b'"b2"'), "line 3 does not follow"),
        (b"".join(THREE.splitlines(keepends=True)[::2]), "line 2 does not follow"),
        (THREE[:-1], "line 3 is torn"),
        (THREE + b"{}\n", "line 4 is no attestation"),
        (THREE + b"\n", "line 4 is no attestation"),
        (THREE.replace(b'"level":"matched"', b'"level":"certain"', 1), "line 1 is no attestation"),
        (b"\xff\xfe\n", "line 1 is no attestation"),
        (b"[" * 100_000 + b"\n", "longer than"),
        (b"[" * 50_000 + b"\n", "line 1 is no attestation"),
    ],
)
def test_damage_is_named_by_its_line(content: bytes, problem: str) -> None:
    found = parse_attestations(content)
    assert found.problem is not None
    assert problem in found.problem


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    found = parse_attestations(content)
    assert found.problem is not None or not found.records


def test_no_file_means_no_attestation_and_a_link_is_refused(tmp_path: Path) -> None:
    assert read_attestations(tmp_path / "attestations.jsonl").problem is None
    (tmp_path / "real").write_bytes(THREE)
    (tmp_path / "attestations.jsonl").symlink_to("real")
    assert "symbolic link" in str(read_attestations(tmp_path / "attestations.jsonl").problem)
