"""What somebody vouched for counts while it is recent, of the wanted level, and of the very key in use."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from auditor.cli.attest_interactive import in_order
from auditor.engine.rule import judge_rule
from auditor.evidence import Evidence, Facts
from auditor.facts.builder import FactBuilder
from auditor.facts.host import collect_escrow
from auditor.rules.folder import load_rules
from bkp.attestations import topics
from bkp.attestations.duties import Duty, LiveKey, State, duties, opened, stand, standings
from bkp.attestations.model import Attestations
from bkp.config.reports import EscrowLocation
from bkp.config.values import Duration
from bkp.resources import data_dir
from bkp.verdict import Verdict
from tests.unit.attestations.test_attestation_file import NOW, attestation
from tests.unit.core.config_support import BASE, accepted

RULES = load_rules(data_dir("rules")).rules
KEY = LiveKey("a" * 64, "1" * 64)
SAFE = EscrowLocation(name="safe", valid_for=Duration(days=180))
DUTY = Duty(topics.KEY, SAFE, "main", KEY)
BOUND = {"repository_id": KEY.id, "bound_to": KEY.fingerprint, "valid_until": NOW + timedelta(days=365)}


@pytest.mark.parametrize(
    ("changes", "state", "why"),
    [
        ({}, State.HELD, ""),
        ({"level": "opened"}, State.HELD, ""),
        ({"at": NOW - timedelta(days=170)}, State.ENDING, ""),
        ({"at": NOW - timedelta(days=181)}, State.EXPIRED, "expired"),
        ({"valid_until": NOW - timedelta(seconds=1)}, State.EXPIRED, "expired"),
        ({"at": NOW + timedelta(days=1)}, State.WEAK, "future"),
        ({"level": "seen"}, State.WEAK, "wanted matched"),
        ({"who": "  "}, State.WEAK, "who vouches"),
        ({"bound_to": "2" * 64}, State.OUTDATED, "another key"),
        ({"bound_to": None}, State.OUTDATED, "another key"),
        ({"repository_id": "b" * 64}, State.OUTDATED, "another repository"),
        ({"subject": "elsewhere"}, State.NEVER, "nobody"),
        ({"topic": "borg-passphrase"}, State.NEVER, "nobody"),
    ],
)
def test_one_attestation(changes: dict[str, Any], state: State, why: str) -> None:
    found = stand(DUTY, [attestation(**(BOUND | changes))], NOW)
    assert found.state is state
    assert why in found.why
    assert bool(found.why) is not found.state.counts


def test_the_newest_that_counts_is_taken_and_a_later_one_that_does_not_hides_none() -> None:
    good, weak = attestation(**BOUND), attestation(id="later", **(BOUND | {"level": "seen"}))
    assert stand(DUTY, [good, weak], NOW).record == good


def test_without_a_known_key_nothing_is_told_and_never_that_it_is_held() -> None:
    found = stand(unknown(None), [attestation(**BOUND)], NOW)
    assert found.state is State.UNKNOWN
    assert found.matches is None


def unknown(key: LiveKey | None) -> Duty:
    return Duty(topics.KEY, SAFE, "main", key)


def test_matches_says_whether_the_copy_is_of_the_key_in_use() -> None:
    assert stand(DUTY, [attestation(**BOUND)], NOW).matches is True
    assert stand(DUTY, [attestation(**(BOUND | {"bound_to": "2" * 64}))], NOW).matches is False
    assert stand(DUTY, [attestation(**(BOUND | {"level": "seen"}))], NOW).matches is None
    assert stand(DUTY, [], NOW).matches is None


def test_an_attestation_of_one_repository_says_nothing_of_another() -> None:
    other = LiveKey("b" * 64, "3" * 64)
    both = [attestation(**BOUND), attestation(**(BOUND | {"repository_id": other.id, "bound_to": other.fingerprint}))]
    assert stand(DUTY, both, NOW).state is State.HELD
    assert stand(Duty(topics.KEY, SAFE, "other", other), both, NOW).state is State.HELD


def test_what_was_attested_of_one_repository_does_not_make_another_outdated() -> None:
    """Nobody has ever attested the other: that its key was changed would be a false alarm."""
    other = Duty(topics.KEY, SAFE, "other", LiveKey("b" * 64, "3" * 64))
    found = standings([DUTY, other], [attestation(**BOUND)], NOW)
    assert [each.state for each in found] == [State.HELD, State.NEVER]
    assert standings([other], [attestation(**BOUND)], NOW)[0].state is State.OUTDATED, (
        "that repository is there no more"
    )


def test_a_repository_that_was_opened_stays_so_for_a_year_unless_its_key_changes() -> None:
    config = msgspec.structs.replace(
        accepted(BASE), audit=msgspec.structs.replace(accepted(BASE).audit, escrow=(SAFE,))
    )
    record = attestation(**(BOUND | {"level": "opened", "at": NOW - timedelta(days=300)}))
    assert stand(DUTY, [record], NOW).state is State.EXPIRED, "the location is to be looked at more often"
    found = opened(config, "main", KEY, [record], NOW)
    assert found is not None
    assert found.record == record
    assert opened(config, "main", LiveKey(KEY.id, "2" * 64), [record], NOW) is None
    assert opened(config, "main", KEY, [record], NOW + timedelta(days=66)) is None
    assert opened(config, "main", KEY, [attestation(**BOUND)], NOW) is None, "compared is not opened"


def test_a_person_is_asked_first_for_what_does_not_count_then_for_what_ends_first() -> None:
    days = (170, None, 10, 175)
    found = [
        stand(DUTY, [] if age is None else [attestation(**(BOUND | {"at": NOW - timedelta(days=age)}))], NOW)
        for age in days
    ]
    assert [found.index(each) for each in in_order(found)] == [1, 3, 0, 2]


def test_what_is_to_be_held_follows_the_configuration() -> None:
    config = accepted(BASE)
    assert not list(duties(config, {}))
    places = (SAFE, EscrowLocation(name="usb", holds=("zfs-key", "runbook")))
    config = msgspec.structs.replace(config, audit=msgspec.structs.replace(config.audit, escrow=places))
    found = [(each.topic.word, each.location.name, each.target) for each in duties(config, {}, {"tank/Secure": None})]
    name = next(iter(config.repositories))
    assert found == [
        ("key", "safe", name),
        ("passphrase", "safe", name),
        ("zfs-key", "usb", "tank/Secure"),
        ("runbook", "usb", None),
    ]
    open_one = msgspec.structs.replace(config.repositories[name], encryption="none")
    config = msgspec.structs.replace(config, repositories={name: open_one})
    assert not [each for each in duties(config, {}) if each.target], "where there is no key none is to be kept"


@pytest.mark.parametrize("days", [0, 20, 75, 79, 81, 200, 364, 366, -1])
@pytest.mark.parametrize("level", ["seen", "matched", "opened"])
@pytest.mark.parametrize("valid_for", [30, 80, 400])
@pytest.mark.parametrize("medium", [None, "online", "container", "offline"])
def test_the_audit_judges_each_location_once_and_as_everybody_else_does(
    days: int, level: str, valid_for: int, medium: Any
) -> None:
    place = EscrowLocation(name="safe", valid_for=Duration(days=valid_for), medium=medium)
    both = msgspec.structs.replace(accepted(BASE), audit=msgspec.structs.replace(accepted(BASE).audit, escrow=(place,)))
    name = next(iter(both.repositories))
    at = NOW - timedelta(days=days)
    record = attestation(**(BOUND | {"level": level, "at": at, "valid_until": at + timedelta(days=370)}))
    builder = FactBuilder(NOW)
    builder.of("borg.repo", name).add("test", {"id": KEY.id, "key_fingerprint": KEY.fingerprint, "key_replaced": False})
    collect_escrow(builder, both)
    facts = Facts(builder.facts)
    evidence = Evidence(facts, "host", "UTC", NOW, Attestations((record,)))
    found = {
        rule.id: judge_rule(rule, evidence, facts, NOW).verdict
        for rule in RULES
        if rule.id in {"KEY-001", "KEY-002", "KEY-003", "KEY-004", "KEY-005"}
    }
    proven = found.pop("KEY-004") is Verdict.PASS
    (verdict,) = [each for each in found.values() if each is not Verdict.NOT_APPLICABLE]
    assert (verdict is Verdict.PASS) is stand(Duty(topics.KEY, place, name, KEY), [record], NOW).state.counts
    assert proven is (opened(both, name, KEY, [record], NOW) is not None)
