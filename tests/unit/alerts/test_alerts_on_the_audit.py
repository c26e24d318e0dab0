"""The audit that was not made, seen by Prometheus' own clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.alert_world import DAY, Target, then
from tests.support.promtool import Story, judge

if TYPE_CHECKING:
    from pathlib import Path

STEP = 240


def test_an_audit_is_overdue_until_the_next_one_is_kept(tmp_path: Path) -> None:
    story = Story(8 * DAY, STEP)
    late, gap, by_hand = (
        Target(story, "late"),
        Target(story, "gap", silent=lambda m: 3 * DAY < m <= 3 * DAY + STEP),
        Target(story, "by hand"),
    )
    for target in (late, gap):
        deadline = then((0, 2 * DAY * 60), (5 * DAY, 40 * DAY * 60))
        target.sample("bkp_audit_deadline_timestamp_seconds", deadline)
    by_hand.sample("bkp_audit_clean", then((0, 1)))
    overdue = [each.concern("audit_old", "the audit", "warning") for each in (late, gap)]
    story.silent("BkpAuditOld", 2 * DAY)
    story.fires("BkpAuditOld", 2 * DAY + 2 * STEP, *overdue)
    story.fires("BkpAuditOld", 4 * DAY + 2 * STEP, *overdue)
    story.silent("BkpAuditOld", 5 * DAY + STEP)
    judge(tmp_path, [story])
