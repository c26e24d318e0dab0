"""What cards are made of: a row, and a moment in the words and the time zone of the people who read it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from bkp.quantities import format_duration

if TYPE_CHECKING:
    from datetime import datetime

    from bkp.survey import Survey


@dataclass(frozen=True)
class Moment:
    """A point in time: for machines, for people (local, with zone), and how far it is from now."""

    iso: str
    text: str
    relative: str


@dataclass(frozen=True)
class Row:
    """One line of a card: a label, then a text, a moment or both. `tone` colours it."""

    label: str
    text: str = ""
    moment: Moment | None = None
    tone: str = ""


def length(seconds: float) -> str:
    """Say a number of seconds."""
    return format_duration(timedelta(seconds=seconds))


def moment_of(survey: Survey, moment: datetime) -> Moment:
    """Return the moment in the host's zone; in UTC where the zone cannot say it (the years 1 and 9999)."""
    try:
        local = moment.astimezone(survey.zone)
    except OverflowError:
        local = moment
    today = survey.now.astimezone(survey.zone)
    day = f"{local:%a} {local.day} {local:%b}" + ("" if local.year == today.year else f" {local.year}")
    distance = moment - survey.now
    span = format_duration(abs(distance))
    relative = "now" if abs(distance.total_seconds()) < 1 else f"in {span}" if distance.days >= 0 else f"{span} ago"
    return Moment(
        local.isoformat(timespec="seconds"), f"{day}, {local:%H:%M} {local.tzname() or ''}".rstrip(), relative
    )
