"""Waivers beside verdicts: they never stop an evaluation, and end with their day in the host's zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from auditor.report import Waiver
from bkp.verdict import Verdict

MAX_DAYS_AHEAD = 180
ENDING_SOON_DAYS = 14
WAIVABLE = frozenset({Verdict.FAIL, Verdict.ERROR, Verdict.UNATTESTED})


@dataclass(frozen=True, slots=True)
class Exemption:
    """One entry of the waiver file. It counts through the end of `expires`; without `subject`, for all of the rule."""

    rule: str
    justification: str
    approved_by: str
    expires: date
    subject: str | None = None

    def ends_at(self, zone: tzinfo) -> datetime:
        """Return the first moment, in UTC, at which it no longer counts."""
        return datetime.combine(self.expires + timedelta(days=1), time(), zone).astimezone(UTC)

    def expired(self, now: datetime, zone: tzinfo) -> bool:
        """Return whether its last day is over."""
        return now >= self.ends_at(zone)


def stand(exemption: Exemption, *, used: bool, now: datetime, zone: tzinfo) -> Waiver:
    """Return the waiver as the report shows it. An expired one is shown as expired, used or not."""
    ends = exemption.ends_at(zone)
    return Waiver(
        rule=exemption.rule,
        subject=exemption.subject,
        justification=exemption.justification,
        approved_by=exemption.approved_by,
        expires=exemption.expires.isoformat(),
        ends_at=ends,
        state="expired" if now >= ends else "active" if used else "unused",
    )
