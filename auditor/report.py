"""The report: what `--json` writes and every renderer shows. `docs/report.schema.json` is generated from these types.

Times are UTC. No value in it is secret: fingerprints have 12 digits, private facts only say that they are private.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from auditor.rules.schema import Kind
from bkp.severity import Severity
from bkp.verdict import Verdict

Count = Annotated[int, Meta(ge=0)]
UtcTime = Annotated[datetime, Meta(tz=True)]


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the report."""


class Observation(_Part, frozen=True, kw_only=True):
    """One condition on one fact. `holds` is null where the fact was missing or could not be had."""

    fact: str
    holds: bool | None
    sentence: str
    source: str | None = None
    collected_at: UtcTime | None = None


class Subject(_Part, frozen=True, kw_only=True):
    """The verdict on one instance of what the rule judges; `name` is null where it judges the host as a whole."""

    name: str | None
    verdict: Verdict
    reason: str
    observations: tuple[Observation, ...] = ()


class Waiver(_Part, frozen=True, kw_only=True):
    """An exception that somebody approved, and what it is now: active, expired, or unused as the rule is met."""

    rule: str
    subject: str | None = None
    justification: str
    approved_by: str
    expires: str
    ends_at: UtcTime
    state: Literal["active", "expired", "unused"]


class ClauseRef(_Part, frozen=True, kw_only=True):
    """A clause of a standard that the rule's evidence supports."""

    framework: str
    clause: str
    title: str | None = None
    uncertain: bool = False


class RuleResult(_Part, frozen=True, kw_only=True):
    """One rule's verdict, why, and on what evidence.

    `subjects`: the worst first, at most 50 of `subject_count`. Of a rule that does not apply, `subject_count` is 0, and
    one subject holds the evidence for that.
    """

    id: str
    title: str
    failure: str | None = None
    severity: Severity
    kind: Kind
    verdict: Verdict
    reason: str
    subject_count: Count
    subjects: tuple[Subject, ...]
    rationale: str
    remediation: str
    commands: tuple[str, ...] = ()
    question: str | None = None
    every: str
    oldest_evidence_at: UtcTime | None = None
    waivers: tuple[Waiver, ...] = ()
    waived: bool = False
    counts: bool
    refs: tuple[ClauseRef, ...] = ()
    tags: tuple[str, ...] = ()


class Totals(_Part, frozen=True, kw_only=True):
    """How many rules got each verdict; together they are all rules."""

    rules: Count
    passed: Count
    failed: Count
    error: Count
    unattested: Count
    not_applicable: Count
    waived: Count


class Floor(_Part, frozen=True, kw_only=True):
    """The share of rules that applied, and the least that is trusted. Below it, the audit itself has failed."""

    applicable: Count
    share: float
    minimum: float
    met: bool


class FrameworkCoverage(_Part, frozen=True, kw_only=True):
    """A standard: which rules support which of its clauses, and the listed clauses that no rule supports."""

    framework: str
    name: str
    clauses: dict[str, tuple[str, ...]]
    without_rule: tuple[str, ...]


class Proof(_Part, frozen=True, kw_only=True):
    """What a restore would rest on: the last archive, the last restore that was proven, or the keys outside.

    `verdict` is the worst of the rules that judge it, `rules` their ids.
    """

    what: str
    verdict: Verdict
    text: str
    rules: tuple[str, ...] = ()


class Since(_Part, frozen=True, kw_only=True):
    """What changed since the report before, which was judged at `at`: rules by id.

    `new` are not met now and were then, `fixed` are met now and were not, `still` (since when) are not met in both,
    and `dropped` were not met and are not asked now: waived, not applicable, or without a rule. `note` says what cannot
    be compared, and why.
    """

    at: UtcTime | None = None
    note: str | None = None
    new: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    still: dict[str, UtcTime] = {}
    dropped: tuple[str, ...] = ()


class Report(_Part, frozen=True, kw_only=True):
    """A whole audit. Results stand in order of importance: what counts against the audit first.

    `proofs` are what a restore would rest on. `since` is null where nothing is compared: for saved facts.

    `left_out` are the shipped rules that the folder of rules does not have: nothing is known of what they ask.
    """

    schema: Literal[1] = 1
    program: str
    host: str
    timezone: str
    collected_at: UtcTime
    judged_at: UtcTime
    rules_digest: str
    fail_on: Severity
    exit_code: int
    conclusion: str
    totals: Totals
    floor: Floor
    results: tuple[RuleResult, ...]
    proofs: tuple[Proof, ...] = ()
    since: Since | None = None
    left_out: tuple[str, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    coverage: tuple[FrameworkCoverage, ...] = ()
