"""What an attestation is good for: which rules count it, and until when. It asks the rules themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditor.engine.rule import judge_rule
from auditor.evidence import Evidence, Facts
from auditor.facts.builder import FactBuilder
from auditor.facts.host import collect_config, collect_escrow
from auditor.facts.replications import add_configured
from auditor.facts.reports import collect_reports
from auditor.facts.zfs import add_keys
from bkp.attestations import topics
from bkp.attestations.duties import after
from bkp.attestations.model import LEVELS, Attestations
from bkp.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from auditor.attest.site import Site
    from auditor.rules.model import Rule, RuleSet
    from bkp.attestations.model import Attestation


@dataclass(frozen=True)
class Use:
    """A rule that wants such an attestation: until when it counts there (UTC), or why it does not."""

    rule: Rule
    until: datetime | None
    why_not: str = ""


def uses(site: Site, rules: RuleSet, record: Attestation, target: str | None) -> Iterator[Use]:
    """Yield the rules that ask for the record's topic, for its subject."""
    facts = _facts(site, record)
    evidence = Evidence(facts, record.host, "UTC", site.now, Attestations((record,)))
    instances = {None, record.subject, target, f"{record.subject}.{target}"}
    for rule in rules.rules:
        wanted = rule.attestation
        if wanted is None or wanted.topic != record.topic:
            continue
        verdict = judge_rule(rule, evidence, facts, site.now)
        own = [each for each in verdict.subjects if each.name in instances]
        if any(each.verdict is Verdict.PASS for each in own):
            yield Use(rule, _until(site, rule, record))
        elif own and LEVELS.index(record.level) < LEVELS.index(wanted.level):
            yield Use(rule, None, f"it wants level {wanted.level}")
        elif own and verdict.verdict is not Verdict.NOT_APPLICABLE:
            yield Use(rule, None, own[0].reason)


def _until(site: Site, rule: Rule, record: Attestation) -> datetime:
    wanted = rule.attestation
    assert wanted is not None  # noqa: S101  # only such rules are asked
    ends = min(record.valid_until, wanted.valid_for.after(record.at))
    place = next((each for each in site.config.audit.escrow if each.name == record.subject), None)
    if wanted.location is not None and not wanted.whole_term and place is not None:
        ends = min(ends, after(record.at, place.valid_for))
    return ends


def _facts(site: Site, record: Attestation) -> Facts:
    """Return the facts that rules about attestations look at; ZFS is asked only where it was for the record."""
    builder = FactBuilder(site.now)
    for name, live in site.live_keys().items():
        values = {"id": live.id, "key_fingerprint": live.fingerprint, "key_replaced": len(site.seen(name)) > 1}
        builder.of("borg.repo", name).add("the key in use", values)
    if record.topic == topics.ZFS_KEY.name:
        add_keys(builder, site.zfs_keys)
    collect_config(builder, site.config)
    collect_escrow(builder, site.config)
    add_configured(builder, site.config)
    collect_reports(builder, site.state)
    return Facts(builder.facts)
