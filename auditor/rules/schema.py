"""The form of a rule file, one rule a file. Every unknown key, missing key or wrong type is an error with its line."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from bkp.severity import Severity

Kind = Literal["automated", "attested", "hybrid"]
OnMissing = Literal["fail", "error"]
OnEmpty = Literal["fail", "error", "not_applicable"]

RuleId = Annotated[str, Meta(pattern=r"^[A-Z]{2,5}-[0-9]{3}$", description="AREA-NNN: 2 to 5 capitals, dash, 3 digits")]
Line = Annotated[
    str, Meta(pattern=r"^[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$", max_length=200, description="one line of text")
]
Title = Annotated[
    str, Meta(pattern=r"^[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]{9,79}$", description="one line of 10 to 80 characters")
]
Prose = Annotated[str, Meta(min_length=20, max_length=2000, description="a sentence or more")]
Word = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$", description="lower-case letters, digits, dot, dash")]
ParamType = Literal["text", "integer", "number", "boolean", "mode", "duration", "list of text"]


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No key beyond the fields."""


class Node(_Strict, frozen=True, kw_only=True, rename={"all_": "all", "any_": "any", "none_": "none"}):
    """A condition {fact, op, value or param, on_missing}, or a group: all, any or none of some."""

    fact: str | None = None
    op: str | None = None
    value: Any | UnsetType = UNSET
    param: str | None = None
    on_missing: OnMissing | None = None
    all_: tuple[Node, ...] | None = None
    any_: tuple[Node, ...] | None = None
    none_: tuple[Node, ...] | None = None


class AppliesWhen(Node, frozen=True, kw_only=True):
    """When the rule applies. `reason` is what the report says where it does not."""

    reason: Line


class ForEach(_Strict, frozen=True, kw_only=True):
    """Judge each instance of `fact: NAMESPACE.*` that meets `where`.

    `on_empty` says what none at all means; `reason` is what the report then says.
    """

    fact: str
    where: Node | None = None
    on_empty: OnEmpty = "fail"
    reason: Line | None = None


class Remediation(_Strict, frozen=True, kw_only=True):
    """What to do. Commands are shown, never run."""

    text: Prose
    commands: tuple[Line, ...] = ()


class AttestationWanted(_Strict, frozen=True, kw_only=True):
    """What a person must have vouched for.

    `subject` is text, `subject_from` a fact whose value is the subject; without either, any subject will do. With
    `location`, the subject must be a configured escrow location that holds this, and its own `valid_for` counts too.
    `whole_term`: its own `valid_for` does not count, only the rule's.
    `bind_to` is the fact whose value the attestation must carry: when that changes, the attestation no longer counts.
    """

    topic: Word
    question: Prose
    level: Literal["seen", "matched", "opened"] = "seen"
    valid_for: str
    subject: Word | None = None
    subject_from: str | None = None
    location: Literal["key", "passphrase", "zfs-key", "runbook"] | None = None
    whole_term: bool = False
    repository: str | None = None
    bind_to: str | None = None


class Clause(_Strict, frozen=True, kw_only=True):
    """A clause of a standard; `uncertain` where the mapping is plausible but not confirmed."""

    clause: Line
    uncertain: bool = False


class Param(_Strict, frozen=True, kw_only=True):
    """A value with a name and a default, for use as `param: NAME` in place of `value`."""

    type: ParamType
    default: Any
    doc: Line


class Scenario(_Strict, frozen=True, kw_only=True):
    """Evidence and the verdict it must give; run by `bkp-audit rules test`.

    It starts from the facts in the rule's `base`. `without` names those that are missing here, or is `all`. Those in
    `facts` replace them, or come on top.
    """

    name: Line
    without: tuple[str, ...] | Literal["all"] = ()
    facts: dict[str, Any] = {}
    attestations: tuple[dict[str, Any], ...] = ()
    expect: Literal["pass", "fail", "error", "not_applicable", "unattested"]
    because: Line | None = None


class RuleFile(_Strict, frozen=True, kw_only=True):
    """A whole rule file. `title` states the good condition, `failure` the bad one: a failing rule is named by it."""

    schema: Literal[1]
    id: RuleId
    title: Title
    failure: Title | None = None
    severity: Severity
    kind: Kind
    rationale: Prose
    remediation: Remediation
    every: str
    applies_when: AppliesWhen | None = None
    for_each: ForEach | None = None
    check: Node | None = None
    on_missing: OnMissing = "fail"
    max_age: str | None = None
    explain: tuple[str, ...] = ()
    attestation: AttestationWanted | None = None
    refs: dict[Word, tuple[Line | Clause, ...]] = {}
    params: dict[Word, Param] = {}
    tags: tuple[Word, ...] = ()
    base: dict[str, Any] = {}
    tests: tuple[Scenario, ...] = ()
