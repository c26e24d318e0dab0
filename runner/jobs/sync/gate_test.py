"""Does the live server refuse what it must refuse? Asked with commands that do no harm if they are run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.errors import StepFailedError
from bkp.tools.syncoid.commands import ANSWER_OF_FORBIDDEN, FORBIDDEN

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from bkp.config.replications import Replication
    from bkp.state.results import SyncResult
    from runner.jobs.sync.live import Live

REFUSED = 126
NOT_FOUND = 127  # sh(1): a shell has looked for it
# What the gate says (runner/ssh_gate/gate.py). Any other end of a forbidden command proves nothing.
REFUSAL = "bkp ssh-gate: refused: "


class GateOpenError(StepFailedError):
    """The live server runs what it must refuse."""


def of_this_server(before: SyncResult | None, replication: Replication) -> SyncResult | None:
    """Return the last result, if it is of the same live server: what another one refuses proves nothing."""
    return before if before is not None and before.source == replication.source else None


def is_due(before: SyncResult | None, every: timedelta, now: datetime) -> bool:
    """Return whether it was not tried for `every`, never, or last in the future; never where `every` is 0.

    A day's pull begins a little earlier or later than the one a week ago: half an hour is as good as due.
    """
    if not every:
        return False
    last = before.gate_tested_at if before is not None else None
    return last is None or before is None or before.gate == "ran" or not 0 <= _share(now - last, every) < 1


def _share(passed: timedelta, every: timedelta) -> float:
    return (passed.total_seconds() + min(1800.0, every.total_seconds() / 10)) / every.total_seconds()


def insist_on_refusal(live: Live) -> None:
    """Raise `GateOpenError` if the live server runs a forbidden command, `StepFailedError` if that cannot be told."""
    for command in FORBIDDEN:
        done = live.ask(command)
        printed = done.stdout.decode("utf-8", "replace")
        said = done.stderr_tail.decode("utf-8", "replace").strip()
        if done.exit_code in {0, NOT_FOUND} or ANSWER_OF_FORBIDDEN in printed:
            raise GateOpenError(
                f"the live server runs what it must refuse: {command!r} ended with {done.exit_code}",
                remedy="whoever has this key can do more there than pull: run there what `bkp-run ssh-gate` prints",
            )
        if done.exit_code != REFUSED or REFUSAL not in said:
            raise StepFailedError(
                f"whether the live server refuses what it must cannot be told: {command!r} ended with "
                f"{done.exit_code}: {said[:300]}",
                remedy="see what answers there with this key: only the gate should (`bkp-run ssh-gate`)",
            )
