"""Waiting for the clock after a start: the kernel's answers and the time come in as data."""

from __future__ import annotations

from datetime import timedelta

from bkp.tools.kernel_clock import seconds_since_start, synchronised
from runner.lifecycle.clock_wait import wait_for_clock

LIMIT = timedelta(minutes=10)


class Host:
    """A host that was started `since` seconds ago, and whose clock is synchronised at `good_at`, if ever."""

    def __init__(self, since: float, good_at: float | None, *, known: bool = True) -> None:
        self.since, self.good_at, self.known = since, good_at, known
        self.said: list[str] = []
        self.slept = 0.0

    def synchronised(self) -> bool | None:
        if not self.known:
            return None
        return self.good_at is not None and self.since >= self.good_at

    def sleep(self, seconds: float) -> None:
        self.since += seconds
        self.slept += seconds

    def wait(self, limit: timedelta = LIMIT) -> str | None:
        return wait_for_clock(
            limit,
            synchronised=self.synchronised,
            seconds_since_start=lambda: self.since,
            sleep=self.sleep,
            say=self.said.append,
        )


def test_a_run_right_after_the_start_waits_until_the_clock_is_set_and_says_so_once() -> None:
    host = Host(20, good_at=75)
    assert host.wait() is None
    assert host.slept == 55
    assert host.said == [
        "the kernel says that the clock is not synchronised: waiting for that until 10m after the start (clock_wait)"
    ]


def test_a_host_without_a_time_service_waits_once_for_each_start_and_the_run_says_why() -> None:
    host = Host(20, good_at=None)
    said = host.wait()
    assert host.slept == 580
    assert said is not None
    assert "not synchronised 10m after the start: is a time service running?" in said
    assert host.wait() is None  # the next night
    assert host.slept == 580


def test_a_clock_that_is_set_or_of_which_nothing_is_known_is_waited_for_by_nobody() -> None:
    for host in (Host(1, good_at=0), Host(1, good_at=None, known=False)):
        assert host.wait() is None
        assert (host.slept, host.said) == (0, [])


def test_no_limit_is_no_wait() -> None:
    host = Host(1, good_at=None)
    assert host.wait(timedelta()) is None
    assert host.slept == 0


def test_the_kernel_is_asked_and_answers() -> None:
    assert synchronised() in {True, False, None}
    first = seconds_since_start()
    assert 0 < first <= seconds_since_start()
