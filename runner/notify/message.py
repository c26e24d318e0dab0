"""A run's record as a mail: plain text that stands on its own, and the same as HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bkp.mail.compose import compose
from bkp.quantities import format_duration
from bkp.state.descriptions import describe
from bkp.state.fields import Outcome
from runner.notify.decide import recovered
from runner.notify.render import render

if TYPE_CHECKING:
    from datetime import datetime, tzinfo
    from email.message import EmailMessage

    from bkp.config.reports import Mail
    from bkp.state.records import Run

_WORD = {
    Outcome.SUCCESS: "ok",
    Outcome.WARNING: "warning",
    Outcome.FAILURE: "FAILED",
    Outcome.INTERRUPTED: "INTERRUPTED",
    Outcome.SKIPPED: "SKIPPED",
    Outcome.DEFERRED: "deferred",
}
_STEP_WORD = {Outcome.SUCCESS: "ok", Outcome.FAILURE: "failed", Outcome.SKIPPED: "left out"}
_KIND = {Outcome.SUCCESS: "good", Outcome.WARNING: "warn", Outcome.SKIPPED: "calm", Outcome.DEFERRED: "calm"}
_LEVEL = {
    "error": {"kind": "bad", "sign": "✗"},
    "warning": {"kind": "warn", "sign": "!"},
    "info": {"kind": "calm", "sign": "–"},
}
_SIGN = {
    Outcome.SUCCESS: "✓",
    Outcome.WARNING: "!",
    Outcome.FAILURE: "✗",
    Outcome.INTERRUPTED: "✗",
    Outcome.SKIPPED: "–",
    Outcome.DEFERRED: "–",
}


def subject(run: Run) -> str:
    """Return the subject after `[bkp] `: the word that matters first, then what and where."""
    word = "works again" if recovered(run) else _WORD.get(run.outcome, run.outcome)
    return f"{word}: {run.job} of {run.target} on {run.host}"


def build(run: Run, mail: Mail, zone: tzinfo, well_at: datetime | None = None) -> EmailMessage:
    """Return the whole message, multipart/alternative; times are shown in the host's zone.

    `well_at` is when it last worked, for the first run that works again.
    """
    facts = view(run, zone, well_at)
    return compose(
        mail,
        run.host,
        about="run",
        subject=subject(run),
        text=render("run.txt.j2", facts),
        html=render("run.html.j2", facts),
        at=run.ended_at or run.started_at,
        urgent=run.outcome.is_trouble,
        run_id=run.run_id,
    )


def view(run: Run, zone: tzinfo, well_at: datetime | None = None) -> dict[str, Any]:
    """Return what the templates show: all text, nothing left to compute."""

    def local(moment: datetime | None) -> str:
        return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z") if moment else "–"

    return {
        "run": run,
        "title": subject(run),
        "what": f"{run.job} of {run.target} on {run.host}",
        "word": subject(run).partition(":")[0],
        "sign": _SIGN.get(run.outcome, "?"),
        "kind": _kind(run.outcome),
        "was_bad": f"It had last worked at {local(well_at)}, {format_duration(run.started_at - well_at)} before."
        if well_at is not None and recovered(run)
        else "",
        "started": local(run.started_at),
        "ended": local(run.ended_at),
        "took": format_duration(run.ended_at - run.started_at) if run.ended_at else "–",
        "steps": [
            {
                "name": step.name,
                "word": _STEP_WORD.get(step.outcome, step.outcome),
                "sign": _SIGN.get(step.outcome, "?"),
                "kind": _kind(step.outcome),
                "took": format_duration(step.ended_at - step.started_at) if step.ended_at else "–",
                "reason": step.reason or "",
            }
            for step in run.steps
        ],
        "facts": describe(run.result),
        "messages": [
            {"level": each.level, "text": each.text, "msgid": each.msgid, **_LEVEL[each.level]} for each in run.messages
        ],
    }


def _kind(outcome: Outcome) -> str:
    return _KIND.get(outcome, "bad")
