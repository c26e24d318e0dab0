"""One look: what is wrong, what of it is to be told, the mail, and what is known afterwards."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bkp.concerns import concerns_of, defect
from bkp.errors import StateError
from bkp.liveness import is_alive
from bkp.state.reading import Readable
from bkp.state.store import StateStore
from bkp.state.watch import WatchRecord, read_watch, write_watch
from bkp.survey import survey
from runner.notify.decide import recovered
from runner.watch.decide import decide
from runner.watch.undecided import undecided

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from bkp.clock import Clock
    from bkp.concerns import Concern
    from bkp.config.model import Config
    from bkp.mail.post import Posted
    from bkp.survey import Survey
    from runner.watch.decide import Decision

_NOT_SENT = "what has changed could be neither mailed nor kept"


@dataclass(frozen=True)
class Look:
    """What was seen, what was decided, and what became of the mail. `trouble` says what kept it from being told."""

    concerns: tuple[Concern, ...]
    decision: Decision
    posted: Posted | None = None
    trouble: str | None = None


def look(config: Config, clock: Clock, zone: tzinfo, *, tell: bool = True) -> Look:
    """Look once. Without `tell` nothing is sent or written.

    What was decided counts as told once the mail is sent or kept. Killed in between, it tells the same once more.
    """
    if tell and config.mail.when != "never":
        from bkp.mail.post import deliver

        deliver(config, clock)  # first: what has waited is older
    seen = survey(config, StateStore(Path(config.paths.state)), clock, zone, is_alive)
    # Whether it looked in time is for others to say: it looks now.
    held, more = not_over(config, seen)
    concerns = tuple(each for each in concerns_of(config, seen, more=more) if each.kind != "watch_stale")
    before = read_watch(config)
    record = before.value if isinstance(before, Readable) else None
    decision = decide(
        concerns,
        record.known if record else (),
        config.watch,
        seen.now,
        zone,
        mailed_at=record.mailed_at if record else None,
        reported=[run for run, result in seen.past.mailed.items() if result in {"sent", "kept"}],
        recovered=set(_recovered(seen)),
        undecided=held,
    )
    if not tell:
        return Look(concerns, decision)
    host = config.host or os.uname().nodename
    posted = _mail(config, decision, host, clock, seen, zone)
    told = posted is not None and posted.result != "failed"
    after = WatchRecord(
        host=host,
        looked_at=seen.now,
        mailed_at=seen.now if told else record.mailed_at if record else None,
        pinged_at=record.pinged_at if record else None,
        known=decision.told if told else decision.untold,
    )
    trouble = f"{_NOT_SENT}: {posted.reason}" if posted is not None and not told else None
    try:
        write_watch(config, after)
    except StateError as exc:
        trouble = trouble or exc.message
    return Look(concerns, decision, posted, trouble)


def not_over(config: Config, seen: Survey) -> tuple[frozenset[str], list[Concern]]:
    """Return what cannot be over by this look, or the defect that keeps that from being told: then nothing is over."""
    try:
        return frozenset(undecided(config, seen)), []
    except Exception as exc:  # noqa: BLE001  # whatever it is, it must not keep what is wrong from being told
        return frozenset(), [defect("what may be over", exc)]


def _recovered(seen: Survey) -> Iterator[str]:
    """Yield the keys of the jobs whose newest run said by mail that they work again."""
    for each in seen.standings:
        latest = each.latest
        if latest is not None and recovered(latest) and seen.past.mailed.get(latest.run_id) in {"sent", "kept"}:
            yield f"job {each.job} on {each.target}"


def _mail(config: Config, decision: Decision, host: str, clock: Clock, seen: Survey, zone: tzinfo) -> Posted | None:
    if not decision.changes or config.mail.when == "never":
        return None
    from bkp.mail.post import post  # most looks send nothing: they do not pay for it
    from runner.watch.message import build

    return post(config, build(decision, config.mail, host, seen.now, zone), clock)
