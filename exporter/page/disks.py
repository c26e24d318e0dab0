"""The card of a disk: its health, its heat, what it counts, its self-tests, and how old all of this is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from bkp.disk_health.model import Health, SelfTestResult
from bkp.disk_health.selftests import newest_of_each_kind
from bkp.quantities import format_duration
from exporter.page.parts import Row, anchor_of, moment_of, tone_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bkp.config.storage import Disk
    from bkp.disk_health.model import DiskHealth
    from bkp.inventory import DiskEntry
    from exporter.model import Model

_TONES = {SelfTestResult.PASSED: "good", SelfTestResult.FAILED: "bad", SelfTestResult.IN_PROGRESS: ""}


@dataclass(frozen=True)
class DiskCard:
    """One disk."""

    anchor: str
    name: str
    place: str
    status: str
    word: str
    rows: tuple[Row, ...]


def disk_card(model: Model, entry: DiskEntry) -> DiskCard:
    """Return the card of a disk."""
    thing = f"disk {entry.name}"
    return DiskCard(
        anchor=anchor_of(thing),
        name=entry.name,
        place=entry.place if entry.settings is not None else "not configured",
        status=tone_of(model.concerns, thing, known=entry.health is not Health.UNKNOWN),
        word=_word(entry),
        rows=tuple(_rows(model, entry)),
    )


def _word(entry: DiskEntry) -> str:
    if entry.missing:
        return "missing"
    asleep = entry.health is not Health.UNKNOWN and entry.seen is not None and entry.seen.asleep
    return entry.health.value + (", asleep" if asleep else "")


def _rows(model: Model, entry: DiskEntry) -> Iterator[Row]:
    part = entry.part
    if entry.settings is not None:
        yield Row("path", entry.settings.path)
    if part is None:
        yield Row("last seen", "never", tone="warn")
        return
    if part.error is not None:
        yield Row("last look", part.error, moment_of(model.survey, part.looked_at), tone="bad")
    seen = part.value
    if seen is None or entry.missing:
        return
    if seen.health is None:
        yield Row("values", "none yet: it slept at every look" if seen.asleep else "none", tone="warn")
        return
    if seen.health_at is not None:
        yield Row("values of", moment=moment_of(model.survey, seen.health_at), tone="" if entry.current else "warn")
    yield from _health(seen.health, entry.settings)
    if seen.disagreements:
        yield Row("pySMART", f"reads it differently ({len(seen.disagreements)})", tone="warn")
    elif seen.second is not None:
        wrong = seen.second.error
        yield Row("pySMART", f"cannot read it: {wrong}" if wrong else "reads the same", tone="warn" if wrong else "")


def _health(health: DiskHealth, settings: Disk | None) -> Iterator[Row]:
    told, values = health.identity, health.values
    yield Row("model", ", ".join(text for text in (told.model, told.serial, told.firmware) if text) or "not told")
    celsius = values.temperature_celsius
    tone = ""
    if celsius is not None and settings is not None and celsius >= settings.temperature_warning:
        tone = "bad" if celsius >= settings.temperature_critical else "warn"
    yield Row("temperature", f"{celsius} °C" if celsius is not None else "not told", tone=tone)
    if values.power_on_seconds is not None:
        yield Row("switched on", f"for {format_duration(timedelta(seconds=values.power_on_seconds))}")
    if values.wear_ratio is not None:
        worn = settings is not None and values.wear_ratio >= settings.wear_warning
        yield Row("worn", f"{values.wear_ratio:.0%}", tone="warn" if worn else "")
    counts = {
        "reallocated": values.reallocated_sectors,
        "pending": values.pending_sectors,
        "uncorrectable": values.offline_uncorrectable_sectors,
        "media errors": values.media_errors,
    }
    known = {what: count for what, count in counts.items() if count is not None}
    bad = [f"{count} {what}" for what, count in known.items() if count]
    if known:
        yield Row("bad sectors", ", ".join(bad) or "none", tone="warn" if bad else "")
    else:
        yield Row("bad sectors", "not told", tone="warn")
    for warning in health.critical_warnings or ():
        yield Row("warning", warning.value.replace("_", " "), tone="bad")
    yield from _tests(health)


def _tests(health: DiskHealth) -> Iterator[Row]:
    """The newest self-test of each kind."""
    newest = newest_of_each_kind(health.self_tests or ())
    for kind, test in newest.items():
        text = test.result.value.replace("_", " ")
        text += f", {test.percent_done} % done" if test.percent_done is not None else ""
        text += f", {format_duration(timedelta(hours=test.age_hours))} of use ago" if test.age_hours is not None else ""
        yield Row(f"{kind.value} test", text, tone=_TONES.get(test.result, "warn"))
    if not newest:
        yield Row("self-tests", "none in its log" if health.self_tests is not None else "not told")
