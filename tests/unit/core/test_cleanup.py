"""What an ending signal must not cut short."""

import pytest

from bkp.errors import InterruptedRunError
from bkp.tools.cleanup import to_the_end


def test_work_that_a_signal_cuts_short_is_done_again_and_the_signal_raised_afterwards() -> None:
    done: list[str] = []

    def work() -> None:
        done.append("begun")
        if len(done) == 1:
            raise InterruptedRunError("SIGTERM")
        done.append("ended")

    with pytest.raises(InterruptedRunError):
        to_the_end(work)
    assert done == ["begun", "begun", "ended"]


def test_work_that_nothing_disturbs_is_done_once() -> None:
    done: list[str] = []
    to_the_end(lambda: done.append("once"))
    assert done == ["once"]
