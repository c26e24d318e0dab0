"""Ninety nights on which all is well, as the real exporter tells of them, raise no alert but that a job is paused.

The clock is moved by five hours at a time, over the end of summer time. Every job and every audit are recorded by their
schedules as bkp-run and bkp-audit write them, and so is what the probe sees; disks sleep but for the scrub, and one day
the nightly is paused. Then everything stops, and that must not stay quiet.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from bkp.config import load_config
from bkp.state.fields import Outcome
from bkp.state.records import Pause
from bkp.state.results import ScrubResult
from bkp.survey import configured
from bkp.zfs_health.model import PoolSpace, Scan
from exporter.exposition import Exposer
from exporter.model import build_model
from tests.support.audits import keep
from tests.support.exporter_world import BERLIN, World, archive, facts
from tests.support.observed import CONFIGURED, Observer, a_disk, a_disk_seen, a_pool, a_pool_seen
from tests.support.promtool import Story, always, judge
from tests.support.records import GIB, PROCESS, a_night, a_run, a_self_test

if TYPE_CHECKING:
    from pathlib import Path

    from bkp.calendar import Schedule
    from bkp.state.records import Run

NIGHTS = 90
STEP = 5  # hours: each day is looked at other times than the one before
LOOKS, MORE = NIGHTS * 24 // STEP, 15
BEGINNING = datetime(2026, 10, 1, tzinfo=BERLIN)
MINUTES = {"nightly": 100, "check": 150, "verify": 480, "drill": 40, "scrub": 600}
PAUSED = 40  # the night that is not run by its timer, but by hand in the evening before the pause ends

Event = tuple[datetime, Callable[[], object]]


class Calendar:
    """What happens on the server, and when, in the order of time."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.events: list[Event] = []
        self.scrub = Scan(state="never")
        self.awake_at = BEGINNING.astimezone(UTC) - timedelta(days=1)
        self._last: dict[tuple[str, str], Run] = {}

    def at(self, day: int, hour: int, minute: int) -> datetime:
        """Return a time of the server's wall clock."""
        date = (BEGINNING + timedelta(days=day)).replace(hour=hour, minute=minute)
        return date.astimezone(UTC)

    def run(self, job: str, target: str, started: datetime, **ended: Any) -> None:
        """Have a job run."""
        minutes = timedelta(minutes=MINUTES.get(job, 40))
        name = f"{started:%Y%m%dT%H%M%SZ}-{job}-{target}"
        run = a_run(job, started, target=target, run_id=name, mail="not wanted", **ended)
        run = msgspec.structs.replace(run, ended_at=started + minutes)

        def begin() -> None:
            last = self._last.get((job, target))
            before = last.end if last is not None else None
            begun = msgspec.structs.replace(
                run, outcome=Outcome.RUNNING, ended_at=None, result=None, mail=None, before=before
            )
            self.world.record(begun)

        def end() -> None:
            self._last[job, target] = run
            self.world.record(run)

        self.events += [(started, begin), (started + minutes, end)]

    def night(self, target: str, started: datetime) -> None:
        """Have a night run: a few files more than the one before, and a gibibyte less that is free."""
        day = (started - BEGINNING).days
        made = archive(started, self.world.sources, files=48_000 + 20 * day, original_bytes=(212 + day // 10) * GIB)
        told = facts(made.started_at, archives=17, free_bytes=(1260 - day) * GIB)
        self.run("nightly", target, started, result=a_night(made, told))

    def scrubbed(self, pool: str, started: datetime) -> None:
        """Have the pool scrubbed; its disks are awake meanwhile."""
        ended = started + timedelta(minutes=MINUTES["scrub"])
        done = Scan(state="finished", start=started, end=ended, errors=0, repaired=0, progress=1.0)
        going = Scan(state="in progress", start=started, errors=0, repaired=0, progress=0.4)
        result = ScrubResult(started_at=started, ended_at=ended, finished=True, errors=0, repaired_bytes=0)
        self.events += [(started, lambda: self._scan(going, started)), (ended, lambda: self._scan(done, ended))]
        self.run("scrub", pool, started, result=result)

    def _scan(self, scan: Scan, now: datetime) -> None:
        self.scrub, self.awake_at = scan, now

    def pause(self, day: int) -> None:
        begun, until = self.at(day - 1, 20, 0), self.at(day, 20, 0)
        pause = Pause(job="nightly", target="main", until=until, reason="new disks", paused_at=begun, by="admin")
        self.events.append((begun, lambda: self.world.store.write_pause(pause)))

    def fill(self) -> None:
        """Enter every job by its schedule: three times before the beginning, so that nothing is new, and to the end."""
        config = load_config(self.world.config_path)
        for job, target in configured(config):
            for started in self._elapses(config.job(job).schedule):
                if job == "nightly":
                    by_hand = started.date() == self.at(PAUSED, 2, 30).date()
                    self.night(target, self.at(PAUSED, 18, 0) if by_hand else started)
                elif job == "scrub":
                    self.scrubbed(target, started)
                elif job in {"selftest-short", "selftest-long"}:
                    kind = job.removeprefix("selftest-")  # the disk's log, as the probe sees it, does not grow here
                    self.run(job, target, started, result=a_self_test(started, kind=kind, power_on_hours=None))
                else:
                    self.run(job, target, started)
        for made in self._elapses(config.audit.schedule):
            self.events.append((made, partial(keep, self.world.store.root, made)))
        self.pause(PAUSED)
        self.events.sort(key=lambda event: event[0])

    def _elapses(self, schedule: Schedule | None) -> list[datetime]:
        end, found = self.at(NIGHTS, 0, 0), []
        moment = BEGINNING.astimezone(UTC) - timedelta(days=400)
        while schedule is not None and (elapse := schedule.next_after(moment, BERLIN)) is not None and elapse < end:
            moment = elapse.astimezone(UTC)
            found.append(moment)
        before = sum(each < BEGINNING for each in found)
        return found[max(0, before - 3) :]

    def look(self, day: int) -> None:
        """Write what the probe sees: disks asleep but for the scrub, and a pool that fills by a gibibyte a day."""
        observer = Observer(self.world.store.root, self.world.now - timedelta(minutes=2))
        busy = self.scrub.state == "in progress"
        used = 720 + day
        space = PoolSpace(
            name="tank", guid="9001", health="ONLINE", size=1800 * GIB, allocated=used * GIB, free=(1800 - used) * GIB,
            capacity=used / 1800, fragmentation=0.07, checkpoint=0, expandsize=0, readonly=False,
        )  # fmt: skip
        observer.pools["tank"] = observer.part(a_pool_seen(a_pool(observer.now, scrub=self.scrub, space=space)))
        for name, serial, device in (("left", "S-LEFT", "sda"), ("right", "S-RIGHT", "sdb")):
            seen = a_disk_seen(observer.now if busy else self.awake_at, a_disk(serial), device, asleep=not busy)
            observer.disks[name] = observer.part(seen)
        observer.write()


def expositions(world: World, calendar: Calendar) -> list[bytes]:
    """Return what the exporter exposes at every look, while all of that happens and for three days after."""
    reader, exposer = world.reader(), Exposer("0.1.0", process_metrics=False, stopwatch=lambda: 0.0)
    events, made = calendar.events, []
    for number in range(LOOKS + MORE + 1):
        world.now = BEGINNING.astimezone(UTC) + timedelta(hours=number * STEP)
        while events and events[0][0] <= world.now:
            events.pop(0)[1]()
        if number <= LOOKS:
            calendar.look(number * STEP // 24)
        made.append(exposer.expose(build_model(reader.read())).text.plain)
    return made


def test_clean_nights_are_quiet_but_for_the_pause_and_their_end_is_not(tmp_path: Path) -> None:
    world = World(tmp_path / "world", extra=CONFIGURED, now=BEGINNING.astimezone(UTC))
    world.start_process(PROCESS)
    calendar = Calendar(world)
    calendar.fill()
    target = {"job": "bkp", "instance": "vault"}
    story = Story((LOOKS + MORE) * STEP * 60, step=STEP * 60)
    story.sample("up", always(), **target)
    story.scrapes(expositions(world, calendar), BEGINNING.timestamp(), **target)
    ever = f'group by (alertname, severity) (last_over_time(ALERTS{{alertname!="Watchdog"}}[{NIGHTS}d]))'
    story.shows(ever, NIGHTS * 24 * 60, {"alertname": "BkpJobPaused", "severity": "info"})

    def concern(kind: str, name: str, severity: str) -> dict[str, str]:
        return {**target, "kind": kind, "object": name, "severity": severity}

    end = (LOOKS + MORE) * STEP * 60
    late = [("nightly on main", "critical"), ("scrub on tank", "warning")]
    story.fires("BkpJobLate", end, *(concern("job_late", *each) for each in late))
    stale = [
        concern("probe_stale", f"observation {kind}", "warning") for kind in ("pools", "datasets", "disks", "host")
    ]
    story.fires("BkpProbeStale", end, *stale)
    judge(tmp_path, [story])
