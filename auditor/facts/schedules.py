"""Facts of schedule.*: how often each job is due by the configuration, and whether systemd will start it then."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from bkp.calendar import Schedule
from bkp.errors import BkpError
from bkp.jobs import JOBS
from bkp.tools import systemd
from bkp.tools.process import Command, clean_environment, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from auditor.facts.builder import FactBuilder
    from bkp.config.model import Config

TIMEOUT_SECONDS = 20.0
ELAPSES = 400  # a year of nights: schedules that differ by season show
_TIMER = ("timer_enabled", "timer_active", "timer_as_configured", "timer_starts")
_DAY = timedelta(days=1)
_CALENDAR = re.compile(r"OnCalendar=([^;}]+?)\s*;")

Show = dict[str, str]


def collect_schedules(builder: FactBuilder, config: Config, zone: tzinfo) -> None:
    """Add what the configuration says of each job's schedule. A job that has nothing to work on is not due."""
    for name, job in config.jobs.items():
        if not config.targets(name):  # it has no unit
            continue
        values = {
            "job": name,
            "scheduled": job.schedule is not None,
            "longest_pause": _longest_pause(job.schedule, builder.now, zone) if job.schedule else None,
        }
        builder.of("schedule", name).add(f"the configuration, jobs.{name}.schedule", values)


def _longest_pause(schedule: Schedule, now: datetime, zone: tzinfo) -> float | None:
    """Return the most days between two elapses of the next year or so; None where there are not two of them."""
    elapses = _elapses(schedule, now, zone, ELAPSES)
    pauses = [later - earlier for earlier, later in pairwise(elapses)]
    return max(pauses) / _DAY if pauses else None


def _elapses(schedule: Schedule, now: datetime, zone: tzinfo, most: int) -> list[datetime]:
    found: list[datetime] = []
    while len(found) < most and (moment := schedule.next_after(found[-1] if found else now, zone)) is not None:
        found.append(moment)
        if moment - now > ELAPSES * _DAY and len(found) > 1:
            break
    return found


def collect_timers(
    builder: FactBuilder,
    config: Config,
    zone: tzinfo,
    *,
    running: Callable[[], bool] = systemd.is_running,
    show: Callable[[str], Show] | None = None,
) -> None:
    """Add what systemd says of each job's timer; where it is not this host's manager there is nothing to ask."""
    there = running()
    builder.of("host").add("sd_booted(3)", {"systemd": there})
    ask = show or _show
    for name, job in config.jobs.items():
        if not config.targets(name):  # it has no unit
            continue
        unit, service = f"{JOBS[name].unit}.timer", f"{JOBS[name].unit}.service"
        source = f"systemctl show {unit}"
        if not there:
            builder.of("schedule", name).add("systemd does not manage this host", dict.fromkeys(_TIMER))
            continue
        try:
            said, started = ask(unit), ask(service)
        except BkpError as exc:
            builder.of("schedule", name).fail(source, exc.message, _TIMER)
            continue
        calendars = _CALENDAR.findall(said.get("TimersCalendar", ""))
        values = {
            "timer_enabled": said.get("UnitFileState") in {"enabled", "enabled-runtime"},
            "timer_active": said.get("ActiveState") == "active",
            "timer_as_configured": _same(calendars, job.schedule, builder.now, zone),
            "timer_starts": said.get("Unit") == service and started.get("LoadState") == "loaded",
        }
        builder.of("schedule", name).add(source, values)


def _same(calendars: list[str], schedule: Schedule | None, now: datetime, zone: tzinfo) -> bool:
    """Return whether the timer has the one calendar that elapses as the configured one does."""
    if schedule is None or len(calendars) != 1:
        return False
    try:
        installed = Schedule(calendars[0])
    except ValueError:
        return False
    moments = (now, now + 40 * _DAY, now + 200 * _DAY)
    return all(_elapses(installed, at, zone, 5) == _elapses(schedule, at, zone, 5) for at in moments)


def _show(unit: str) -> Show:
    properties = "--property=UnitFileState,ActiveState,TimersCalendar,Unit,LoadState"
    argv = (systemd.SYSTEMCTL, "show", properties, "--", unit)
    completed = run(Command(argv=argv, environment=clean_environment()), timeout=TIMEOUT_SECONDS)
    if completed.exit_code != 0 or completed.timed_out:
        raise BkpError("systemctl gave no answer")
    lines = completed.stdout.decode("utf-8", "replace").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)
