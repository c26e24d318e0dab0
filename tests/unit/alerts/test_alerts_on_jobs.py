"""Late, never run, unknown: by published deadlines and Prometheus' own clock, whatever the exporter says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.alert_world import Target, then
from tests.support.promtool import Sampled, Story, always, judge, never

if TYPE_CHECKING:
    from pathlib import Path

DUE, MENDED, NEXT = 60, 120, 1500  # minutes: the deadline; a success; the deadline that follows from that
LATE, ENDS = DUE + 6, MENDED + 1  # it must have held for five minutes
FAR = 100_000
KEPT = then((0, 60 * DUE), (MENDED, 60 * NEXT))  # a deadline that passes, and a success an hour later


NEVER, THERE = always(0), always(1)


def job(target: Target, deadline: Sampled, *, success: Sampled = NEVER, info: Sampled = THERE, **more: str) -> None:
    """Add the nightly on `main` to a server."""
    labels = {"job_name": "nightly", "target": "main", **more}
    target.sample("bkp_job_info", info, **labels, schedule="02:30", late_severity="critical")
    target.sample("bkp_job_deadline_timestamp_seconds", deadline, **labels)
    target.sample("bkp_job_last_success_timestamp_seconds", success, **labels)


def late(target: Target) -> dict[str, str]:
    return target.concern("job_late", "nightly on main", "critical")


def test_a_job_is_late_by_its_deadline_whatever_else_happens(tmp_path: Path) -> None:
    story = Story(200)
    plain = Target(story, "plain")
    job(plain, KEPT)
    busy = Target(story, "a new run is under way")
    job(busy, KEPT)
    busy.sample("bkp_job_running_since_timestamp_seconds", then((90, 60 * 90)), job_name="nightly", target="main")
    judged = Target(story, "the exporter says so too")
    job(judged, KEPT)
    judged.sample(
        "bkp_concern",
        then((DUE + 1, 1), (MENDED, None)),
        kind="job_late",
        object="nightly on main",
        severity="critical",
    )
    doubled = Target(story, "two exporters in one target")
    for replica in "ab":
        job(doubled, KEPT, replica=replica)
    gap = Target(story, "silent when it is due", silent=lambda minute: DUE - 5 <= minute <= DUE + 5)
    job(gap, KEPT)
    gone = Target(story, "silent for ever", silent=lambda minute: minute >= 40)
    job(gone, KEPT)
    blind = Target(story, "its jobs cannot be collected", failing=lambda minute: minute >= 40)
    job(blind, then((0, 60 * DUE), (40, None)), info=then((0, 1), (40, None)))
    lost = Target(story, "its deadline vanishes")
    job(lost, then((0, 60 * DUE), (40, None), (MENDED, 60 * NEXT)))
    ahead = Target(story, "a success from the future")
    job(
        ahead,
        then((0, 60 * DUE), (30, 60 * FAR), (MENDED, 60 * NEXT)),
        success=then((0, 0), (30, 60 * (FAR - DUE)), (MENDED, 60 * MENDED)),
    )
    on_time = Target(story, "on time")
    job(on_time, then((0, 60 * DUE), (50, 60 * NEXT)))
    by_hand = Target(story, "by hand only, from now on")
    job(by_hand, then((0, 60 * DUE), (40, None)), info=then((0, 1), (40, None)))
    by_hand.sample(
        "bkp_job_info", then((40, 1)), job_name="nightly", target="main", schedule="", late_severity="critical"
    )
    removed = Target(story, "no longer configured")
    job(removed, then((0, 60 * DUE), (40, None)), info=then((0, 1), (40, None)))

    mended = [late(each) for each in (plain, busy, judged, doubled, gap, lost, ahead)]
    for_ever = [late(each) for each in (gone, blind)]
    story.silent("BkpJobLate", DUE, LATE - 1)
    story.fires("BkpJobLate", LATE, *mended, *for_ever)
    story.fires("BkpJobLate", MENDED - 1, *mended, *for_ever)
    story.fires("BkpJobLate", ENDS, *for_ever)
    story.fires("BkpJobLate", 200, *for_ever)
    story.silent("BkpClockAhead", 34)
    story.fires("BkpClockAhead", 35, ahead.concern("clock_ahead", "nightly on main", "warning"))
    story.silent("BkpClockAhead", ENDS)
    story.silent("BkpSeriesGone", 44)
    story.fires("BkpSeriesGone", 45, removed.alert(object="nightly on main", severity="warning"))
    story.silent("BkpJobNever", 20, 100)
    story.silent("BkpJobUnknown", 20, 100)
    judge(tmp_path, [story])


def test_a_pause_holds_an_alert_back_until_it_ends_and_no_longer(tmp_path: Path) -> None:
    story = Story(120)
    until = 100
    paused = then((50, 60 * until), (until, None))
    forgotten = Target(story, "paused, and not mended")
    silent = Target(story, "paused, then silent", silent=lambda minute: minute >= DUE - 5)
    resumed = Target(story, "resumed early")
    never_ran = Target(story, "paused before it ever ran")
    for target, deadline, pause in (
        (forgotten, always(60 * DUE), paused),
        (silent, always(60 * DUE), paused),
        (resumed, always(60 * DUE), then((50, 60 * FAR), (80, None))),
        (never_ran, then((50, 0)), paused),
    ):
        job(target, deadline, info=then((50, 1)) if target is never_ran else THERE)
        target.sample("bkp_job_paused_until_timestamp_seconds", pause, job_name="nightly", target="main")
    story.silent("BkpJobLate", LATE, 84)
    story.fires("BkpJobLate", 86, late(resumed))
    story.fires("BkpJobLate", until + 4, late(resumed))
    story.fires("BkpJobLate", until + 6, late(resumed), late(forgotten), late(silent))
    story.silent("BkpJobNever", 60, until + 4)
    story.fires("BkpJobNever", until + 6, never_ran.concern("job_never", "nightly on main", "critical"))
    judge(tmp_path, [story])


def test_what_never_succeeded_or_cannot_be_known_is_no_good_job(tmp_path: Path) -> None:
    story = Story(60)
    fresh = Target(story, "never, and running for the first time")
    job(fresh, then((5, 0), (50, 60 * NEXT)))
    fresh.sample("bkp_job_running_since_timestamp_seconds", then((20, 60 * 20)), job_name="nightly", target="main")
    unread = Target(story, "no deadline")
    job(unread, never)
    ahead = Target(story, "known from the future only")
    job(ahead, always(60 * FAR), success=always(60 * (FAR - DUE)))
    never_success = fresh.concern("job_never", "nightly on main", "critical")
    unknown = [each.concern("job_unknown", "nightly on main", "critical") for each in (unread, ahead)]
    story.silent("BkpJobNever", 9)
    story.fires("BkpJobNever", 10, never_success)
    story.fires("BkpJobNever", 49, never_success)
    story.silent("BkpJobNever", 51)
    story.silent("BkpJobUnknown", 4)
    story.fires("BkpJobUnknown", 6, *unknown)
    story.fires("BkpJobUnknown", 60, *unknown)
    story.silent("BkpJobLate", 60)
    judge(tmp_path, [story])


def test_a_run_that_takes_many_times_its_usual_length_is_said_to(tmp_path: Path) -> None:
    story = Story(420, step=2)
    labels = {"job_name": "nightly", "target": "main"}
    targets = {name: Target(story, name) for name in ("hangs", "slow", "first")}
    targets["gap"] = Target(story, "gap", silent=lambda minute: 376 <= minute <= 386)
    targets["dies"] = Target(story, "dies", silent=lambda minute: minute >= 380)
    for name, target in targets.items():
        end = {"slow": 300}.get(name, 400)
        target.sample("bkp_job_running_since_timestamp_seconds", then((10, 600), (end, None)), **labels)
        if name != "first":
            target.sample("bkp_job_last_success_duration_seconds", always(3600), **labels)
    # two hours and four of one hour after minute 10, and held for five minutes
    wanted = [targets[name].alert(**labels, severity="warning") for name in ("hangs", "gap", "dies")]
    story.silent("BkpRunTooLong", 374)
    story.fires("BkpRunTooLong", 378, *wanted)
    story.fires("BkpRunTooLong", 386, *wanted)
    story.fires("BkpRunTooLong", 420, wanted[-1])  # of that nobody knows
    judge(tmp_path, [story])
