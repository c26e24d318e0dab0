"""A person's word: it must say something, and be about what is there: a key, a report, a replica, a runbook's place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from auditor.attest.good_for import uses
from auditor.attest.proof import of_digits, of_passphrase, of_replica_site, of_report, of_word
from auditor.attest.site import Site
from auditor.engine.rule import judge_rule
from auditor.evidence import Evidence, Facts
from auditor.facts.builder import FactBuilder
from auditor.facts.host import collect_config, collect_escrow
from auditor.facts.replications import add_configured
from auditor.facts.reports import collect_reports
from auditor.rules.folder import load_rules
from bkp.attestations import topics
from bkp.attestations.model import Attestations
from bkp.config import parse_config
from bkp.errors import StateError, UsageError
from bkp.resources import data_dir
from bkp.secrets import Secret
from bkp.state.audits import KeptReports
from bkp.verdict import Verdict
from tests.support.audits import a_kept_report
from tests.unit.attestations.test_attestation_file import NOW

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RULES = load_rules(data_dir("rules"))
LIVE = "identity_file: /root/id, known_hosts: /root/known"


def site(
    folder: Path, encryption: str, *, source: str = "bkp@live.example.com:rpool/data", now: datetime = NOW
) -> Site:
    text = (
        f"schema: 1\npaths: {{state: {folder}}}\nmail: {{when: never}}\nsources: {{data: {{path: /srv}}}}\n"
        f"repositories: {{main: {{path: /r, sources: [data], encryption: {encryption}}}}}\n"
        f"replications: {{live: {{source: '{source}', target: tank/replica, {LIVE}}}}}\n"
        "audit: {escrow: [{name: bank, holds: [runbook]}]}\n"
    )
    return Site(parse_config(text), now, UTC)


def verdict(of: Site, name: str) -> tuple[Verdict, str]:
    builder = FactBuilder(of.now)
    collect_config(builder, of.config)
    collect_escrow(builder, of.config)
    add_configured(builder, of.config)
    collect_reports(builder, of.state)
    facts = Facts(builder.facts)
    rule = next(each for each in RULES.rules if each.id == name)
    found = judge_rule(rule, Evidence(facts, "h", "UTC", of.now, Attestations(of.records)), facts, of.now)
    return found.verdict, found.reason


def good_for(of: Site, record: Any, target: str | None = None) -> list[str]:
    return [use.rule.id for use in uses(of, RULES, record, target) if use.until is not None]


def keep_a_report(folder: Path, now: datetime) -> Path:
    return KeptReports(folder).keep(a_kept_report(now), now, {})


def test_where_no_repository_has_a_key_nothing_can_be_attested_of_one(tmp_path: Path) -> None:
    open_one = site(tmp_path, "none")
    for ask in (
        lambda: of_word(open_one, None, "restored it on a laptop", keyed=True),
        lambda: of_digits(open_one, "usb", "0" * 12, None),
        lambda: of_passphrase(open_one, "usb", Secret("x"), None),
    ):
        with pytest.raises(UsageError, match="no repository has a key"):
            ask()


@pytest.mark.parametrize("said", ["", " ", ".", "\u3164"])
def test_a_statement_that_says_nothing_is_refused_before_it_is_on_record(tmp_path: Path, said: str) -> None:
    keep_a_report(tmp_path, NOW)
    here = site(tmp_path, "none")
    asks: list[Callable[[], object]] = [
        lambda: of_word(here, None, said, keyed=False),
        lambda: of_report(here, said),
        lambda: of_replica_site(here, None, said),
    ]
    for ask in asks:
        with pytest.raises(UsageError, match="what was seen"):
            ask()


def test_a_report_is_read_once_it_is_there_and_the_next_one_is_to_be_read_too(tmp_path: Path) -> None:
    here = site(tmp_path, "none")
    assert verdict(here, "ALR-004")[0] is Verdict.NOT_APPLICABLE
    with pytest.raises(UsageError, match="there is none to read"):
        of_report(here, "read it")
    kept = keep_a_report(tmp_path, NOW)
    assert verdict(here, "ALR-004")[0] is Verdict.UNATTESTED
    (record,) = here.attest(topics.REPORT, "operator", of_report(here, "read it"), "A. Operator")
    assert record.statement == "read it (report 1 of 2026-01-31)"
    assert verdict(here, "ALR-004")[0] is Verdict.PASS
    assert good_for(here, record) == ["ALR-004"]
    later = site(tmp_path, "none", now=NOW + timedelta(days=31))
    assert verdict(later, "ALR-004")[0] is Verdict.PASS, "the next audit judges it"
    keep_a_report(tmp_path, later.now)
    found, why = verdict(later, "ALR-004")
    assert (found, "it is another one" in why) == (Verdict.UNATTESTED, True)
    assert kept.exists()


def test_a_report_that_is_damaged_is_an_error_and_cannot_be_attested(tmp_path: Path) -> None:
    keep_a_report(tmp_path, NOW).write_text("{")
    here = site(tmp_path, "none")
    assert verdict(here, "ALR-004")[0] is Verdict.ERROR
    with pytest.raises(StateError):
        of_report(here, "read it")


def test_where_a_replica_is_counts_for_that_live_server_only(tmp_path: Path) -> None:
    here = site(tmp_path, "none")
    assert verdict(here, "REP-002")[0] is Verdict.UNATTESTED
    with pytest.raises(UsageError, match="no replication 'other'"):
        of_replica_site(here, "other", "saw it")
    (record,) = here.attest(topics.REPLICA_SITE, "cellar", of_replica_site(here, None, "saw it"), "A. Operator")
    assert verdict(here, "REP-002")[0] is Verdict.PASS
    assert good_for(here, record, "live") == ["REP-002"]
    moved = site(tmp_path, "none", source="bkp@new.example.com:rpool/data")
    assert verdict(moved, "REP-002")[0] is Verdict.UNATTESTED
    same = site(tmp_path, "none", source="bkp@localhost:rpool/data")
    same.attest(topics.REPLICA_SITE, "cellar", of_replica_site(same, None, "saw it"), "A. Operator")
    assert verdict(same, "REP-002")[0] is Verdict.FAIL, "no word makes two servers of one"


def test_a_runbook_is_attested_for_its_location(tmp_path: Path) -> None:
    here = site(tmp_path, "none")
    assert verdict(here, "DOC-001")[0] is Verdict.UNATTESTED
    (record,) = here.attest(topics.RUNBOOK, "bank", of_word(here, None, "read it", keyed=False), "A. Operator")
    assert verdict(here, "DOC-001")[0] is Verdict.PASS
    assert good_for(here, record) == ["DOC-001"]


def test_whatever_can_be_attested_is_judged_by_a_rule() -> None:
    """Else `attest` would take a word that nothing ever counts."""
    asked = {rule.attestation.topic for rule in RULES.rules if rule.attestation is not None}
    assert asked == {each.name for each in vars(topics).values() if isinstance(each, topics.Topic)}
