"""Colours, names of states and units. What is not known is purple or says so: it is never green, and never 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bkp.concerns.model import KINDS
from exporter.metrics.registry import CATALOGUE

GOOD, INFO, WARNING, CRITICAL, UNKNOWN, PLAIN = "green", "blue", "orange", "red", "purple", "text"

_COLOURS = {
    GOOD: "ok success online passed finished sent avail inuse pass",
    INFO: "running in_progress deferred skipped not_wanted not_applicable",
    WARNING: "failed warning interrupted degraded offline removed kept paused canceled aborted never unattested split",
    CRITICAL: "late failure faulted unavail suspended missing fail error",
    UNKNOWN: "unknown not_told unsupported",
}
_COLOUR_OF = {state: colour for colour, states in _COLOURS.items() for state in states.split()}
# A word that is graver in one place than in another.
_GRAVER = {("bkp_job_status", "never"): CRITICAL, ("bkp_disk_health", "failed"): CRITICAL,
           ("bkp_job_last_attempt_mail", "failed"): CRITICAL, ("bkp_disk_self_test_result", "failed"): CRITICAL,
           ("bkp_selftest_run_end", "failed"): CRITICAL,
           ("bkp_job_last_attempt_mail", "not wanted"): INFO}  # fmt: skip

SECONDS, BYTES, SHARE, CELSIUS, COUNT, TEXT, AGO = (
    "s",
    "bytes",
    "percentunit",
    "celsius",
    "short",
    "none",
    "dateTimeFromNow",
)


@dataclass(frozen=True)
class Look:
    """How values are shown: unit, colour by threshold, and names for single values."""

    unit: str = COUNT
    steps: tuple[tuple[float, str], ...] = ()  # from which value on, which colour
    names: tuple[tuple[str, str, str | None], ...] = ()  # value, text, colour
    coloured: bool = False
    decimals: int | None = None

    def thresholds(self) -> dict[str, Any]:
        """Return the steps as Grafana has them. What has no value gets the first colour, so that is no step's."""
        steps = ((None, UNKNOWN if self.coloured else PLAIN), *self.steps)
        return {"mode": "absolute", "steps": [{"color": colour, "value": value} for value, colour in steps]}

    def mappings(self) -> list[dict[str, Any]]:
        """Return the names as Grafana has them."""
        if not self.names:
            return []
        options = {
            value: {"index": index, "text": text} | ({"color": colour} if colour else {})
            for index, (value, text, colour) in enumerate(self.names)
        }
        return [{"type": "value", "options": options}]


def states_of(metric: str) -> Look:
    """Return the look of `query.state_of`: each state by its name and colour, one without a colour as not known."""
    return Look(
        names=tuple(
            (str(code), state, _GRAVER.get((metric, state)) or _COLOUR_OF.get(state, UNKNOWN))
            for code, state in enumerate(CATALOGUE[metric].states)
        ),
        coloured=True,
    )


def counted(*steps: tuple[float, str], unit: str = COUNT) -> Look:
    """Return the look of a number that is good below the first step."""
    return Look(unit, ((0, GOOD), *steps), coloured=True)


PLAIN_COUNT = Look()
NONE_WANTED = counted((1, CRITICAL))
NONE_BETTER = counted((1, WARNING))
WHEN = Look(AGO, names=(("0", "never", CRITICAL),))
LIMITS = Look(names=(("0", "within", GOOD), ("1", "warning", WARNING), ("2", "critical", CRITICAL)), coloured=True)
SEVERITY = Look(
    names=(("0", "nothing", GOOD), ("1", "info", INFO), ("2", "warning", WARNING), ("3", "critical", CRITICAL)),
    coloured=True,
)
SEVERITY_WORD = Look(
    TEXT,
    names=(("critical", "critical", CRITICAL), ("warning", "warning", WARNING), ("info", "info", INFO)),
    coloured=True,
)
YES_WANTED = Look(names=(("1", "yes", GOOD), ("0", "no", CRITICAL)), coloured=True)
CLEAN = Look(names=(("1", "clean", GOOD), ("0", "not clean", CRITICAL)), coloured=True)
LATE = Look(names=(("0", "in time", GOOD), ("1", "late", CRITICAL)), coloured=True)
PARTS = Look(names=(("1", "work", GOOD), ("0", "one fails", CRITICAL)), coloured=True)
LEVEL = Look(
    names=(("0", "none counts", CRITICAL), ("1", "seen", WARNING), ("2", "matched", GOOD), ("3", "opened", GOOD)),
    coloured=True,
)
KEY_IN_USE = Look(names=(("1", "in use", GOOD), ("0", "another one", CRITICAL)), coloured=True)
NO_WANTED = Look(names=(("0", "no", GOOD), ("1", "yes", CRITICAL)), coloured=True)
YES_NO = Look(names=(("0", "no", None), ("1", "yes", None)))


def alert_of(kind: str) -> str:
    """Return the alert, and so the runbook, of a kind of concern: pool_full has BkpPoolFull."""
    return "Bkp" + "".join(word.capitalize() for word in kind.split("_"))


RUNBOOK_OF_KIND = Look(TEXT, names=tuple((kind, alert_of(kind), None) for kind in KINDS))
