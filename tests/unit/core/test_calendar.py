"""A schedule elapses when systemd says it does: judged by the real `systemd-analyze calendar`."""

import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bkp.calendar import Schedule

ELAPSES = 5


def systemd_analyze(expression: str, zone: str, base: datetime) -> list[datetime] | None:
    """What systemd itself says of an expression: its next elapses in UTC, or None if it refuses it."""
    program = shutil.which("systemd-analyze")
    assert program, "systemd-analyze is not installed: run scripts/bootstrap test, or apt-get install systemd"
    done = subprocess.run(
        [program, "calendar", f"--iterations={ELAPSES}", f"--base-time={base:%Y-%m-%d %H:%M:%S} UTC", "--", expression],
        capture_output=True,
        text=True,
        env={"TZ": zone, "LC_ALL": "C", "PATH": "/usr/bin:/bin"},
        check=False,
    )
    if done.returncode != 0:
        assert "Failed to parse calendar" in done.stderr, done.stderr
        return None
    assert "Next elapse" in done.stdout, done.stdout
    found: list[str] = []
    for line in done.stdout.splitlines():
        label, _, said = line.strip().partition(": ")
        if re.match(r"Next elapse|Iter", label) and said != "never":
            found.append(said)
        elif label == "(in UTC)":
            found[-1] = said
    return [datetime.strptime(said, "%a %Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC) for said in found]


def ours(expression: str, zone: str, base: datetime) -> list[datetime]:
    schedule, moment, found = Schedule(expression), base, []
    for _ in range(ELAPSES):
        elapse = schedule.next_after(moment, ZoneInfo(zone))
        if elapse is None:
            break
        assert elapse > moment
        found.append(elapse)
        moment = elapse
    return found


EXPRESSIONS = [
    *(
        "02:30",
        "Sun 04:30",
        "*-*-15 04:45",
        "Sat 05:30",
        "2:5",
        "02:30:15",
        "*:00",
        "*:0/15",
        "*:5..20/5",
        "9..17/4:30",
    ),
    *("minutely", "hourly", "daily", "weekly", "monthly", "quarterly", "semiannually", "yearly", "annually", "DAILY"),
    *("Mon", "mon,", "Mon, 02:30", "Monday 3:05", "Mon..Fri 10:00", "Mon,Wed..Fri 6,18:00", "SUN *-*-* 01:30"),
    *(
        "*-*-1",
        "*-*-31",
        "*-02-29",
        "Sun *-02-29",
        "*-1,7-1..3 00:30",
        "*-*-1..7/3",
        "*-*-5/10",
        "01-15",
        "Mon *-*-1",
    ),
    *("2026..2031-06-01", "*-*-* *:*:0/20", "*:*:*", "0/6:00:00", "1..5/2:00", "5,5,3:00", "00:00", "23:59:59"),
    *("weekly UTC", "02:30 UTC", "02:30 utc", "02:30 Europe/Berlin", "Sun 02:30 America/New_York", "02:30 Etc/GMT+5"),
    *("daily America/Argentina/Buenos_Aires", "01:30", "02:00", "03:00", "02,3:15", "*-*-29 02:30"),
]
ZONES = {
    "UTC": ["2026-01-01 00:00:00", "2028-02-28 23:59:59"],
    "Europe/Berlin": ["2026-03-28 12:00:00", "2026-03-29 00:59:59", "2026-10-24 23:45:00", "2026-10-25 00:30:00"],
    "America/New_York": ["2026-03-08 06:59:59", "2026-11-01 04:00:00", "2026-11-01 06:15:00"],
    "Australia/Lord_Howe": ["2026-04-04 12:00:00", "2026-10-03 12:00:00"],
}


@pytest.mark.parametrize(("zone", "base"), [(zone, base) for zone, bases in ZONES.items() for base in bases])
def test_elapses_are_those_of_systemd_also_where_the_clocks_change(zone: str, base: str) -> None:
    moment = datetime.fromisoformat(base).replace(tzinfo=UTC)
    wrong = {}
    for expression in EXPRESSIONS:
        theirs = systemd_analyze(expression, zone, moment)
        assert theirs, f"systemd has no elapse for {expression}: the table is wrong"
        if (found := ours(expression, zone, moment)) != theirs:
            wrong[expression] = (found, theirs)
    assert not wrong


@pytest.mark.parametrize(
    "expression",
    [
        *(
            "*/2:00",
            "*-*-*/2",
            "*:*/15",
            "*:*:*/5",
            "*,5:00",
            "*-*-*,5",
            "02:30 Z",
            "24:00",
            "12:60",
            "0/0:00",
            "9..8:00",
        ),
        *(
            "Sat..Mon 10:00",
            "Mon,,Tue",
            "Funday",
            "02:30 Europe/Atlantis",
            "Mon 02:30 *-*-*",
            "31-31",
            "*-13-01",
            "*-*-32",
        ),
        *(
            "2200-01-01",
            "1969-01-01",
            "*-*-* 02",
            "*-*-*T02:30",
            "Mon Tue 2:30",
            "",
            " ",
            "-",
            ":",
            "..",
            "/",
            "5",
            "02:30 x",
        ),
    ],
)
def test_what_systemd_refuses_is_refused_so_that_no_timer_fails_to_load(expression: str) -> None:
    assert systemd_analyze(expression, "UTC", datetime(2026, 1, 1, tzinfo=UTC)) is None
    with pytest.raises(ValueError, match=r"."):
        Schedule(expression)


@pytest.mark.parametrize(
    "expression", ["Mon-Fri 10:00", "02:30 GMT", "*-*~1", "02:30:15.5", "@1395716396", "26-01-01", "anually"]
)
def test_what_systemd_knows_and_we_do_not_is_refused_and_never_misread(expression: str) -> None:
    assert systemd_analyze(expression, "UTC", datetime(2026, 1, 1, tzinfo=UTC)) is not None
    with pytest.raises(ValueError, match=r"wanted|outside|not understood"):
        Schedule(expression)


@pytest.mark.parametrize("expression", ["*-02-30", "*-04,06-31", "02-30..31 10:00"])
def test_a_day_that_no_month_has_is_refused_because_such_a_job_would_never_be_late(expression: str) -> None:
    with pytest.raises(ValueError, match="would never elapse"):
        Schedule(expression)


def test_a_year_that_is_over_has_no_further_elapse() -> None:
    assert Schedule("2020-01-01").next_after(datetime(2026, 1, 1, tzinfo=UTC), UTC) is None


@pytest.mark.parametrize("moment", ["0001-01-01T00:00Z", "9999-12-31T23:59:59.999999Z", "1970-01-01T00:00Z"])
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/Los_Angeles"])
def test_a_moment_out_of_all_reason_has_no_elapse_and_is_no_crash(moment: str, zone: str) -> None:
    assert Schedule("02:30").next_after(datetime.fromisoformat(moment), ZoneInfo(zone)) is None


def test_the_interval_is_the_time_between_two_elapses() -> None:
    moment, schedule = datetime(2026, 3, 27, 12, tzinfo=UTC), Schedule("02:30")
    for zone, hours in ((UTC, 24), (ZoneInfo("Europe/Berlin"), 47)):  # there the clocks skip one
        first = schedule.next_after(moment, zone)
        assert first is not None
        assert schedule.next_after(first, zone) == first + timedelta(hours=hours)
    assert Schedule("2020-01-01").next_after(moment, UTC) is None


def test_a_schedule_is_its_text() -> None:
    assert Schedule("Sun 04:30") == Schedule("Sun 04:30")
    assert Schedule("Sun 04:30") != Schedule("04:30")
    assert len({Schedule("daily"), Schedule("daily")}) == 1
    assert str(Schedule("daily")) == "daily"
    assert repr(Schedule("daily")) == "Schedule('daily')"


CALENDAR_SOUP = st.lists(
    st.sampled_from(
        ["Mon", "Sun", "daily", "UTC", "Europe/Berlin", "*", "-", ":", ",", "..", "/", " ", "0", "1", "15", "30", "99"]
    ),
    max_size=14,
).map("".join)


@given(st.text(max_size=60) | CALENDAR_SOUP)
@example("A" * 500)
@example("\u0665:30")
def test_any_text_is_a_schedule_or_a_clear_refusal(text: str) -> None:
    try:
        schedule = Schedule(text)
    except ValueError as error:
        assert len(str(error)) > 10  # noqa: PT017  # either outcome is right
    else:
        moment = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
        elapse = schedule.next_after(moment, ZoneInfo("Europe/Berlin"))
        assert elapse is None or elapse > moment


@given(CALENDAR_SOUP)
@example(" Mon")
@example("Mon..")
@example("Mon,,")
@example("01:00/99")
@example("5..5:00")
@example("Mon\t\u00a002:30\n")
def test_whatever_we_accept_systemd_accepts(text: str) -> None:
    try:
        schedule = Schedule(text)
    except ValueError:
        return
    assert systemd_analyze(str(schedule), "UTC", datetime(2026, 1, 1, tzinfo=UTC)) is not None


@pytest.mark.parametrize(
    ("expression", "zone", "day"),
    [
        ("02:30", "Europe/Berlin", "2027-03-28"),
        ("02:30", "America/New_York", "2027-03-14"),
        ("Sun 02:30", "Europe/Berlin", "2027-03-28"),
        ("02:30 Europe/Berlin", "UTC", "2027-03-28"),
        ("03:30", "Europe/Berlin", None),
        ("01:30", "Europe/Berlin", None),
        ("02:30", "UTC", None),
        ("Mon 02:30", "Europe/Berlin", None),
        ("hourly", "Europe/Berlin", None),
        ("2,14:30", "Europe/Berlin", None),
    ],
)
def test_a_day_on_which_the_clocks_skip_the_only_time_is_named(expression: str, zone: str, day: str | None) -> None:
    found = Schedule(expression).skipped_day(datetime(2027, 1, 1, tzinfo=UTC), ZoneInfo(zone))
    assert (found and found.isoformat()) == day


def test_on_the_skipped_night_the_deadline_lies_within_the_audits_limit() -> None:
    """RUN-002 allows 50 hours: until the deadline of a daily schedule that is skipped once, a job is not late."""
    zone, schedule = ZoneInfo("Europe/Berlin"), Schedule("02:30")
    began = datetime(2027, 3, 27, 2, 30, tzinfo=zone)
    following = schedule.next_after(began, zone)
    assert following is not None
    assert following.astimezone(zone).date().isoformat() == "2027-03-29"
    assert following + timedelta(hours=2) - began.astimezone(UTC) < timedelta(hours=50)
