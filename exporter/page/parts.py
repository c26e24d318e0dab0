"""What cards are made of: a row, and a moment in the words and the time zone of the people who read it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from bkp.quantities import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from bkp.concerns import Concern
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


@dataclass(frozen=True)
class Bar:
    """A share of a whole, 0 to 100, with the words beside it."""

    label: str
    percent: float
    text: str
    tone: str


def bar_of(label: str, share: float, text: str, tone: str) -> Bar:
    """Return the bar of a share from 0 to 1; what lies outside fills all of it, or nothing."""
    return Bar(label, min(max(100 * share, 0.0), 100.0), text, tone)


def anchor_of(thing: str) -> str:
    """Return the anchor of a card about `pool tank` or `disk left`."""
    return thing.replace(" ", "-")


def tone_of(concerns: Iterable[Concern], thing: str, *, known: bool) -> str:
    """Return the tone of a card: that of the gravest concern about the thing; unknown is never ok."""
    severities = {each.severity for each in concerns if each.object == thing}
    if "critical" in severities:
        return "failed"
    if not known:
        return "unknown"
    return "late" if "warning" in severities else "ok"


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
