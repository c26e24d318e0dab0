"""When an audit is due, and what the newest one says: a function of what is kept and a clock. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bkp.state.reading import Missing, Readable

if TYPE_CHECKING:
    from datetime import datetime

    from bkp.config.reports import Audit
    from bkp.state.audits import Kept, KeptReport
    from bkp.survey import Survey


@dataclass(frozen=True)
class AuditStanding:
    """How the audit stands. Times are UTC.

    Attributes:
        kept: the newest kept report; None where there is none or it cannot be read.
        ahead: the newest report is dated in the future: how old it is cannot be told.
        deadline: when the next report counts as late. None: there is no schedule, or it elapses no more, or how old the
            newest report is is not known, or none is kept and nothing has ever run here.
    """

    kept: Kept[KeptReport] | None
    ahead: bool
    deadline: datetime | None


def audit_standing(settings: Audit, survey: Survey) -> AuditStanding:
    """Return how the audit stands.

    Without any report, the first is due after the first elapse since anything ran on this server: a new server is not
    late, and one whose timer was never started is.
    """
    newest = survey.audit
    kept = newest.value if isinstance(newest, Readable) else None
    ahead = kept is not None and kept.report.judged_at > survey.now
    since = None
    if kept is not None and not ahead:
        since = kept.report.judged_at
    elif isinstance(newest, Missing):
        since = survey.past.begun
    elapse = settings.schedule.next_after(since, survey.zone) if settings.schedule is not None and since else None
    return AuditStanding(kept, ahead, elapse + settings.grace if elapse is not None else None)
