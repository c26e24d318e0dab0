"""What watch tells, and when: a story of concerns over time, through the real decision."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from bkp.concerns import KINDS, Concern
from bkp.config.reports import Mail
from bkp.config.values import Duration
from bkp.config.watching import Watch
from runner.watch.decide import BLINDING, FLAPPING_SETTLED, STANDS_FOR, UNSEEN_KINDS, decide, is_quiet
from runner.watch.message import MOST_SHOWN, build, subject, view
from tests.support.mailbox import text_of

if TYPE_CHECKING:
    from bkp.state.watch import Known
    from runner.watch.decide import Decision

NOW = datetime(2027, 1, 4, 12, 0, tzinfo=UTC)
LOOK = timedelta(minutes=15)
HOUR = timedelta(hours=1)
AT_ONCE = Watch(gather=Duration(0))


def a_concern(kind: str = "pool_errors", severity: Any = "warning", about: str = "pool tank", **more: Any) -> Concern:
    return Concern(kind, severity, about, f"{about}: {KINDS[kind]}", "look at it", **more)


class Story:
    """Looks, one after the other; what each of them told."""

    def __init__(self, settings: Watch = AT_ONCE, start: datetime = NOW) -> None:
        self.now, self.settings = start, settings
        self.known: tuple[Known, ...] = ()
        self.mailed_at: datetime | None = None
        self.decision: Decision | None = None

    def look(
        self, *concerns: Concern, after: timedelta = LOOK, sent: bool = True, **more: Any
    ) -> list[tuple[str, str]]:
        """Look after that time; return what was told, and of what."""
        self.now += after
        decision = decide(concerns, self.known, self.settings, self.now, UTC, mailed_at=self.mailed_at, **more)
        self.decision = decision
        self.known = decision.told if sent else decision.untold
        if decision.changes and sent:
            self.mailed_at = self.now
        return [(each.what, each.known.object) for each in decision.changes]

    def looks(self, times: int, *concerns: Concern) -> list[tuple[str, str]]:
        return [told for _ in range(times) for told in self.look(*concerns)]

    def mail(self) -> Any:
        assert self.decision is not None
        return build(self.decision, Mail(to="root@example.com"), "vault", self.now, UTC)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_concern_is_one_mail_and_its_end_another_that_says_how_long_it_was(kind: str) -> None:
    story = Story()
    assert story.look() == []
    concern = a_concern(kind)
    assert story.look(concern) == [("new", "pool tank")]
    text = text_of(story.mail(), "plain")
    assert text.index(concern.sentence) < text.index("Since") < text.index("What to do   look at it")
    assert story.looks(20, concern) == []
    assert story.looks(3) == [("gone", "pool tank")]
    mail = story.mail()
    assert mail["Subject"].startswith("[bkp] over on vault: ")
    for part in ("plain", "html"):
        assert "it lasted 5h 15m" in text_of(mail, part)
    assert story.looks(200) == []


def test_what_gets_worse_is_told_and_what_gets_better_is_not() -> None:
    story = Story()
    story.look(a_concern())
    assert story.look(a_concern(severity="critical")) == [("changed", "pool tank")]
    assert story.look(a_concern()) == []
    assert story.look(a_concern(severity="critical")) == [], "somebody knows that"


def test_a_second_sentence_of_one_kind_is_told() -> None:
    story = Story()
    stale = a_concern("source_stale", "critical", "repository main")
    assert story.look(stale) == [("new", "repository main")]
    other = Concern("source_stale", "critical", "repository main", "source etc is in no good archive", "look")
    assert story.look(stale, other) == [("changed", "repository main")]
    assert "source etc" in text_of(story.mail(), "plain")


def test_a_job_that_failed_and_is_late_then_has_become_worse_not_well() -> None:
    story = Story()
    assert story.look(a_concern("job_failed", "warning", "nightly on main")) == [("new", "nightly on main")]
    assert story.look(a_concern("job_late", "critical", "nightly on main")) == [("changed", "nightly on main")]


@pytest.mark.parametrize(("severity", "days"), [("critical", 1), ("warning", 7)])
def test_what_stays_is_told_again_after_the_configured_time(severity: str, days: int) -> None:
    story, concern = Story(), a_concern(severity=severity)
    story.look(concern)
    assert story.looks(days * 96 - 1, concern) == []
    assert story.look(concern) == [("reminder", "pool tank")]
    assert story.looks(days * 96 - 1, concern) == []


def test_a_thousand_concerns_at_once_are_one_mail_that_counts_them() -> None:
    story = Story()
    many = [a_concern("disk_hot", "warning", f"disk {number}") for number in range(1000)]
    assert len(story.look(*many, a_concern(severity="critical"))) == 1001
    mail = story.mail()
    assert mail["Subject"].startswith("[bkp] CRITICAL on vault: pool tank")
    assert mail["Subject"].endswith("(and 1000 more)")
    for part in ("plain", "html"):
        assert f"and {1001 - MOST_SHOWN} more" in text_of(mail, part)
    assert len(mail.as_bytes()) < 60 << 10
    assert story.look(*many, a_concern(severity="critical")) == []


def test_warnings_are_gathered_and_what_is_critical_takes_them_along() -> None:
    story = Story(Watch())
    first, second, third = (a_concern("disk_hot", about=f"disk {name}") for name in "abc")
    assert story.look(first) == [("new", "disk a")]
    assert story.look(first, second) == []
    assert story.look(first, second, third) == []
    assert story.looks(2, first, second, third) == [("new", "disk b"), ("new", "disk c")]
    assert story.look(first, second) == []
    grave = a_concern(severity="critical")
    assert story.look(second, third, grave, after=LOOK) == [("new", "pool tank")]


def test_what_comes_and_goes_is_joined_and_its_end_told_once_it_stays_away() -> None:
    story, concern = Story(), a_concern("host_usb_resets", about="the host")
    twice = [told for _ in range(2) for told in story.looks(4, concern) + story.looks(4)]  # an hour there, an hour away
    assert twice == [("new", "the host"), ("gone", "the host")] * 2
    assert story.look(concern) == [("flapping", "the host")]
    assert "Comes and goes" in text_of(story.mail(), "plain")
    assert [told for _ in range(10) for told in story.looks(4, concern) + story.looks(4)] == []
    quiet = int(FLAPPING_SETTLED / LOOK)
    assert story.looks(quiet) == [("gone", "the host")]


def test_a_short_absence_is_none() -> None:
    story, concern = Story(), a_concern()
    story.look(concern)
    assert story.look() == []
    assert story.looks(10, concern) == []


def test_in_quiet_hours_only_what_is_critical_is_told_and_the_rest_afterwards() -> None:
    story = Story(Watch(gather=Duration(0), quiet="22:00-07:00"), start=NOW.replace(hour=21, minute=45))
    warning, grave = a_concern("disk_hot", about="disk a"), a_concern(severity="critical")
    assert story.look(warning) == []
    assert story.look(warning, grave) == [("new", "pool tank")]
    assert story.looks(20, warning) == []
    brief = a_concern("disk_worn", about="disk b")
    assert story.look(warning, brief) == []
    told = story.looks(20, warning)
    assert sorted(told) == [("gone", "pool tank"), ("new", "disk a"), ("passed", "disk b")]


@pytest.mark.parametrize(
    ("hours", "time", "quiet"),
    [
        ("22:00-07:00", "21:59", False),
        ("22:00-07:00", "22:00", True),
        ("22:00-07:00", "06:59", True),
        ("22:00-07:00", "07:00", False),
        ("01:00-05:00", "00:59", False),
        ("01:00-05:00", "04:59", True),
        (None, "03:00", False),
    ],
)
def test_quiet_hours_are_by_the_hosts_clock(hours: str | None, time: str, quiet: bool) -> None:
    zone = ZoneInfo("Asia/Kolkata")
    local = datetime.fromisoformat(f"2027-01-04T{time}").replace(tzinfo=zone)
    assert is_quiet(hours, local.astimezone(UTC), zone) is quiet


def test_what_the_report_of_a_run_told_is_not_told_again_nor_that_it_works_again() -> None:
    story = Story()
    failed = a_concern("job_failed", "critical", "check on main", run="r1")
    assert story.look(failed, reported={"r1"}) == []
    assert story.looks(5, failed) == []
    assert story.look(recovered={"job check on main"}) == []
    assert story.looks(50) == []
    assert story.look(a_concern("job_failed", "critical", "check on main", run="r2")) == [("new", "check on main")], (
        "a report that was lost has told nobody"
    )


def test_a_warning_that_a_report_told_has_its_end_told_as_no_report_does() -> None:
    story = Story()
    assert story.look(a_concern("job_warnings", run="r1"), reported={"r1"}) == []
    assert story.looks(
        3,
    ) == [("gone", "pool tank")]


def test_while_the_state_is_not_there_nothing_is_over() -> None:
    story, concern = Story(), a_concern()
    story.look(concern)
    missing = a_concern("state_missing", "critical", "the state directory")
    assert story.looks(10, missing) == [("new", "the state directory")]
    assert story.looks(5, concern) == [("gone", "the state directory")]


@pytest.mark.parametrize(
    ("kind", "about", "hiding", "where"),
    [
        ("pool_not_online", "pool tank", "pool_unknown", "pool tank"),
        ("pool_not_online", "pool tank", "state_unreadable", "observed/pools.json"),
        ("dataset_locked", "dataset tank/home", "probe_stale", "observation datasets"),
        ("disk_sectors", "disk a", "disk_missing", "disk a"),
        ("job_failed", "nightly on main", "clock_ahead", "nightly on main"),
        ("escrow_lapsed", "repository main", "escrow_unknown", "the attestations"),
    ],
)
def test_what_cannot_be_seen_any_more_is_not_over(kind: str, about: str, hiding: str, where: str) -> None:
    story, concern, hides = Story(), a_concern(kind, about=about), a_concern(hiding, about=where)
    story.look(concern)
    assert story.looks(200, hides) == [("new", where)], "nor said to be there still"
    assert story.looks(3, concern) == [("gone", where)]
    assert story.looks(3) == [("gone", about)]


def test_one_thing_that_cannot_be_seen_keeps_no_other_from_being_over() -> None:
    story, concern = Story(), a_concern("pool_full", about="pool other")
    unknown = a_concern("pool_unknown")
    story.look(concern, unknown)
    assert story.looks(3, unknown) == [("gone", "pool other")]


def test_what_hides_and_what_is_hidden_are_kinds_that_there_are() -> None:
    hidden = {kind for kinds in STANDS_FOR.values() for kind in kinds}
    assert {*BLINDING, *UNSEEN_KINDS, *STANDS_FOR, *hidden} <= set(KINDS)
    beginnings = {each for each_of in UNSEEN_KINDS.values() for each in each_of}
    assert {each for each in beginnings if not any(kind.startswith(each) for kind in KINDS)} == set()


def test_that_a_late_job_is_paused_does_not_make_it_well() -> None:
    story, late = Story(), a_concern("job_late", "critical", "nightly on main")
    story.look(late)
    for _ in range(200):
        assert story.look(undecided={"job nightly on main"}) == []
    assert story.look(late) == [("reminder", "nightly on main")]
    assert story.looks(3) == [("gone", "nightly on main")]


def test_a_mail_that_was_neither_sent_nor_kept_has_told_nobody() -> None:
    story, concern = Story(), a_concern()
    assert story.look(concern, sent=False) == [("new", "pool tank")]
    assert story.look(concern) == [("new", "pool tank")]


def test_a_clock_that_was_ahead_does_not_silence_reminders() -> None:
    story, concern = Story(start=NOW + timedelta(days=400)), a_concern(severity="critical")
    story.look(concern)
    story.now = NOW
    assert story.look(concern) == []
    assert story.looks(97, concern) == [("reminder", "pool tank")]


def test_information_is_never_mailed() -> None:
    assert Story().looks(50, a_concern("job_paused", "info", "nightly on main")) == []


def test_ninety_days_without_a_concern_are_ninety_days_without_a_mail() -> None:
    assert Story(Watch()).looks(90 * 96) == []


def test_hostile_names_are_shown_and_not_followed() -> None:
    story = Story()
    hidden = "\u202e\u200b\u3164\U000e0048\U000e0149"  # turned round, without width, filler, tag, selector
    sentence = f"disk <script>x</script>\r\nBcc: x@example.com \x1b[31m\udcff{hidden}"
    story.look(Concern("disk_hot", "warning", "disk\n<b>", sentence, f"do{hidden}"))
    mail = story.mail()
    raw = mail.as_bytes()
    assert mail["Bcc"] is None
    assert "\n" not in mail["Subject"]
    assert "<script>" not in text_of(mail, "html")
    assert "&lt;script&gt;" in text_of(mail, "html")
    for part in ("plain", "html"):
        assert not set(text_of(mail, part)) & set(f"\x1b{hidden}")
        assert r"\U000e0149" in text_of(mail, part), "what cannot be seen is shown"
    assert max(map(len, raw.splitlines())) <= 998


def test_what_is_new_leads_a_mail_that_also_reminds() -> None:
    story, old = Story(), a_concern("pool_full", "critical", "pool a")
    story.look(old)
    story.looks(95, old)
    told = story.look(old, a_concern(severity="critical"), a_concern("disk_hot", about="disk b"))
    assert told == [("new", "pool tank"), ("reminder", "pool a"), ("new", "disk b")]
    assert story.mail()["Subject"].startswith("[bkp] CRITICAL on vault: pool tank")


def test_the_gravest_comes_first_and_what_is_over_last() -> None:
    story = Story()
    story.look(a_concern("disk_worn", about="disk old"))
    story.looks(2)
    assert story.decision is not None
    story.look(a_concern("disk_hot", about="disk a"), a_concern(severity="critical"))
    assert story.decision is not None
    assert [each.known.severity for each in story.decision.changes if not each.is_over] == ["critical", "warning"]
    assert subject(story.decision.changes, "vault").startswith("CRITICAL on vault: pool tank")
    assert view(story.decision, "vault", story.now, UTC)["headline"].startswith("vault: 2 new, 1 over")
