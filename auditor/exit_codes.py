"""What `bkp-audit` ends with: the one place where a judgement becomes an exit code."""

from __future__ import annotations

from enum import IntEnum


class AuditExit(IntEnum):
    """Exit codes of `bkp-audit`. There are no others; 0 and 2 mean what they mean for `bkp-run`."""

    CLEAN = 0
    FINDING = 1
    INVALID = 2
    UNJUDGED = 3


MEANING = {
    AuditExit.CLEAN: "every rule passes, does not apply, is waived, or fails below --fail-on",
    AuditExit.FINDING: "a rule at or above --fail-on fails, or too few rules apply to trust the rest;"
    " or what lies at a location is not what should be there",
    AuditExit.INVALID: "the call, the configuration, a rule, waiver or facts file is not valid; nothing was judged",
    AuditExit.UNJUDGED: "no failure at or above --fail-on, but a rule could not be judged (error, stale or unattested),"
    " or the configured rules leave out shipped ones;"
    " or a report or an attestation could not be written",
}
