"""How everything stands that locations are to hold, as text and as rows. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bkp.attestations.duties import State
from bkp.quantities import format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, tzinfo

    from bkp.attestations.duties import Standing

_SIGN = {State.HELD: "ok", State.ENDING: "soon"}


def as_text(found: Sequence[Standing], now: datetime, zone: tzinfo) -> str:
    """Return a paragraph for each location: what it is to hold, and how that stands."""
    if not found:
        return "no location outside this server is configured (audit.escrow): nothing there can be attested\n"
    lines: list[str] = []
    place = None
    for each in found:
        location = each.duty.location
        if location.name != place:
            place = location.name
            lines += [""] if lines else []
            lines.append(place + (f": {location.description}" if location.description else ""))
        lines.append(f"  {_SIGN.get(each.state, '!!'):<4} {each.duty.what:<28} {_how(each, now, zone)}")
        if not each.state.counts or each.state is State.ENDING:
            lines.append(f"       {each.duty.command} --by NAME")
    return "\n".join(lines) + "\n"


def _how(standing: Standing, now: datetime, zone: tzinfo) -> str:
    record = standing.record
    if record is None:
        return standing.why
    said = f"{record.level} {format_duration(now - record.at)} ago by {record.who}"
    if standing.state.counts and standing.ends is not None:
        return f"{said}, until {standing.ends.astimezone(zone):%Y-%m-%d}"
    return f"{standing.why} ({said})"


def as_rows(found: Sequence[Standing]) -> list[dict[str, Any]]:
    """Return the same for programs."""
    return [
        {
            "location": each.duty.location.name,
            "what": each.duty.topic.word,
            "target": each.duty.target,
            "state": each.state.value,
            "level": each.record.level if each.record else None,
            "by": each.record.who if each.record else None,
            "at": each.record.at.isoformat() if each.record else None,
            "until": each.ends.isoformat() if each.ends else None,
            "why": each.why or None,
            "command": each.duty.command,
        }
        for each in found
    ]
