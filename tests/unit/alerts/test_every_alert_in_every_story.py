"""Every alert in every story of the same kinds: a table of alerts, a list of stories, and each with each.

What is particular to one alert (limits, pauses, weekly swings) is in the modules beside this one.
"""

from __future__ import annotations

import re
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.support.alert_cases import OF_CONCERNS, OF_DAYS, OF_HOURS, Case, Server, Trouble
from tests.support.alert_rules import ALERTS
from tests.support.promtool import Story, between, judge

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

STORIES = {
    "it fires, and not just before": "plain",
    "it ends when all is well": "plain",
    "it goes on while a new run is under way": "busy",
    "it survives ten silent minutes": "gap",
    "it is one alert of two exporters, and a well server hides nothing": "two",
    "it goes on where the exporter never answers again": "dies",
    "it ends where the exporter answers after a long time that all is well": "back",
    "somebody is told when its series vanish": "blind",
    "somebody is told though the clock was ahead": "ahead",
}
# About no server, or about the very silence that the stories are made of. Their own stories are told in
# test_alerts_on_the_exporter.py: that they fire, not just before, and end.
WITHOUT_SERVERS = {
    "Watchdog", "BkpExporterDown", "BkpExporterGone", "BkpExporterMissing", "BkpRulesFail", "BkpRulesMissing",
}  # fmt: skip
NEVER = 10**9
HELD = ("plain", "busy", "gap", "two", "dies", "back")  # in all of these it fires until it is mended


class Tale(NamedTuple):
    """Cases that are told together: every `step` minutes, with trouble from the minute `first` on.

    Of one that is `long`, only what matters is told, and only the rules that it is about are judged: else it would take
    promtool long.
    """

    cases: list[Case]
    first: int
    step: int
    long: bool = False

    @property
    def last(self) -> int:
        """Return the minute from which on every alert fires."""
        return self.first + max(case.after for case in self.cases)

    def ahead(self, case: Case) -> str:
        """Return the server of a case whose clock was ahead. Concerns have no times, so they may share one."""
        return "ahead" if self.cases is OF_CONCERNS else f"ahead, {case.alert}"

    def servers(self, story: Story, case: Case, trouble: Trouble) -> list[tuple[Server, Trouble]]:
        """Return the servers of a case, which it shares with the others; but for the one whose clock was ahead."""
        silent, back = self.last + 5 * self.step, self.last + 15 * self.step

        def told(minute: int) -> bool:  # the trouble, what was three days before it, and a sample every four hours
            return not self.long or minute % 240 == 0 or minute >= self.first - 60 or 180 <= minute <= 660

        server = partial(Server, story, told=told)
        servers = [
            server("plain"),
            server("busy", busy=True),
            server("gap", silent=lambda minute: silent <= minute <= back),
            server("two", exporters=2),
            server("dies", silent=lambda minute: minute >= silent),
            server("back", silent=lambda minute: silent <= minute <= trouble.mended + self.step),
            server("blind", blind=lambda minute: minute >= silent),
            server(self.ahead(case), ahead=True),
        ]
        return [*((each, trouble) for each in servers), (server("well"), Trouble(NEVER, NEVER))]


TALES = {
    "concerns": Tale(OF_CONCERNS, 10, step=2),  # to the minute: test_alerts_on_concerns.py
    "hours": Tale(OF_HOURS, 140, step=1),
    "days": Tale(OF_DAYS, 3 * 1440 + 240, step=4, long=True),
}


def test_every_alert_is_in_every_story_or_is_about_no_server() -> None:
    told = {(case.alert, story) for tale in TALES.values() for case in tale.cases for story in STORIES}
    assert told == set(product(set(ALERTS) - WITHOUT_SERVERS, STORIES))
    assert set(STORIES.values()) == {*HELD, "blind", "ahead"}
    more = {
        name for name, alert in ALERTS.items() if not re.fullmatch(r'bkp:concern\{kind="\w+"\}', alert.expr.strip())
    }
    assert more - WITHOUT_SERVERS == {case.alert for case in [*OF_HOURS, *OF_DAYS]}  # what no concern alone makes fire


@pytest.mark.parametrize("name", TALES)
def test_every_alert_fires_holds_on_and_ends_in_every_story(name: str, tmp_path: Path) -> None:
    tale = TALES[name]
    step, last = tale.step, tale.last
    mended = last + 30 * step
    end = mended + max(case.lasts for case in tale.cases) + 2 * step
    story = Story(end, step)
    for case in tale.cases:
        for server, trouble in tale.servers(story, case, Trouble(tale.first, mended)):
            if server.busy:
                _run_everything(server, tale.first + 2 * step, mended)
            case.tell(server, trouble)

    for minute in range(tale.first, last + step, step):
        _expect(story, tale, minute, HELD, (case for case in tale.cases if tale.first + case.after <= minute))
    for minute in (last + 12 * step, last + 16 * step, mended - step):
        _expect(story, tale, minute, HELD, tale.cases)
    at_once = [case for case in tale.cases if not case.lasts]
    _expect(story, tale, mended + step, ("dies", "back"), at_once, among=at_once)
    _expect(story, tale, end, ("dies",), tale.cases)

    for minute in (mended - step, end):
        failing = 'ALERTS{alertname="BkpCollectorFailing",alertstate="firing",instance="blind"}'
        story.shows(f"group by (instance) ({failing})", minute, {"instance": "blind"})
        if tale.cases is OF_CONCERNS:  # what was said of it goes on as well
            story.shows(_firing(tale.cases, 'instance="blind"'), minute, *_pairs(tale.cases, "blind"))
    for minute in (last + 2 * step, mended - step):
        for case in tale.cases:
            one_of = f"{case.alert}|BkpClockAhead|BkpExporterStale"
            ahead = tale.ahead(case)
            told = f'group by (instance) (ALERTS{{alertname=~"{one_of}",alertstate="firing",instance="{ahead}"}})'
            story.shows(told, minute, {"instance": ahead})
    rooms = {*(ALERTS[case.alert].room for case in tale.cases), "exporter"}
    judge(tmp_path, [story], rooms=rooms if tale.long else ())


def _run_everything(server: Server, first: int, until: int) -> None:
    since = "bkp_job_running_since_timestamp_seconds"
    for job in ("nightly", "check", "verify", "drill"):
        server.sample(since, between(first, until - 1, 60.0 * first), job_name=job, target="main")


def _expect(
    story: Story,
    tale: Tale,
    minute: int,
    servers: Iterable[str],
    cases: Iterable[Case],
    among: list[Case] | None = None,
) -> None:
    """Expect exactly these alerts of all (or of those `among` them), once on each of these servers."""
    story.shows(_firing(among or tale.cases, 'instance!~"blind|ahead.*"'), minute, *_pairs(list(cases), *servers))


def _firing(cases: Iterable[Case], where: str) -> str:
    names = "|".join(case.alert for case in cases)
    return f'count by (alertname, instance) (ALERTS{{alertname=~"{names}",alertstate="firing",{where}}})'


def _pairs(cases: Iterable[Case], *servers: str) -> list[dict[str, str]]:
    return [{"alertname": case.alert, "instance": server} for case in cases for server in servers]
