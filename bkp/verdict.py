"""What became of a rule of the audit: the one list of verdicts, for the audit and for whoever reads its reports."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """What became of a rule. There are no others; a waiver stands beside a verdict and never replaces it."""

    FAIL = "fail"
    ERROR = "error"
    UNATTESTED = "unattested"
    PASS = "pass"  # noqa: S105  # a verdict, no password
    NOT_APPLICABLE = "not_applicable"

    @property
    def needs_somebody(self) -> bool:
        """Return whether the rule is not met, as far as is known."""
        return self in {Verdict.FAIL, Verdict.ERROR, Verdict.UNATTESTED}
