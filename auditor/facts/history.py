"""Facts of history.*, and what else only records of past runs tell. Where the chain does not hold, that is unknown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bkp.errors import StateError
from bkp.state.fields import Outcome
from bkp.state.reading import Readable, Unreadable
from bkp.state.store import ENDED_WELL

if TYPE_CHECKING:
    from datetime import datetime

    from auditor.facts.builder import FactBuilder
    from bkp.config.model import Config
    from bkp.state.records import Run
    from bkp.state.results import Archive
    from bkp.state.store import StateStore

SOURCE = "state: history.jsonl"


@dataclass
class History:
    """What past runs tell. With a `doubt`, what is lacking may have been there, and nothing follows from it.

    `mail_doubt` is the same for the newest mail: its result stands in the record of its run, not in the history's line.
    """

    doubt: str | None = None
    mail_doubt: str | None = None
    archives: dict[str, list[Archive]] = field(default_factory=dict)
    newest_mail: Run | None = None

    def saw(self, run: Run) -> None:
        """Take the run's mail for the newest, if it is."""
        if run.mail in {"sent", "failed"}:
            self.newest_mail = _newer(self.newest_mail, run)


@dataclass
class _Records:
    """The records beside the history: whether there are any, the run that ended last, and a record that is damaged."""

    any: bool = False
    newest: Run | None = None
    damaged: str | None = None


def collect_history(builder: FactBuilder, config: Config, store: StateStore) -> History:
    """Add history.*: the chain walked from its first line to its last, and compared with the records beside it."""
    history = History()
    records = _read_records(config, store, history)  # first: the line of a run is written before its record
    try:
        known = _read_history(store, history)
    except StateError as exc:
        reason = exc.message.replace(str(store.ledger.path), store.ledger.path.name)  # no path enters a report
        builder.fail("history", None, SOURCE, reason)
        history.doubt = history.mail_doubt = reason
        return history
    chain = store.ledger.verify()
    problem = chain.problem or ("its last line is torn" if chain.torn_tail else None)
    if problem is None and records.any and not chain.lines:
        problem = "it is gone, though runs are recorded"
    elif problem is None and records.newest is not None and records.newest.run_id not in known:
        problem = f"it lacks the newest recorded run, {records.newest.job} on {records.newest.target}"
    builder.add("history", None, SOURCE, {"lines": chain.lines, "intact": problem is None, "problem": problem})
    history.doubt = f"the history of runs is not intact: {problem}" if problem else None
    history.mail_doubt = history.doubt or records.damaged
    return history


def _read_history(store: StateStore, history: History) -> set[str]:
    """Take from the history what facts are made of; return the ids of its runs."""
    known = set()
    for run in store.ledger.runs():
        known.add(run.run_id)
        history.saw(run)
        if run.job == "nightly" and run.outcome in ENDED_WELL and run.archive:
            history.archives.setdefault(run.target, []).append(run.archive)
    return known


def _read_records(config: Config, store: StateStore, history: History) -> _Records:
    """Look at the records of all jobs, configured or not. A first run that still goes on has no line to be missed."""
    configured = [(name, target) for name, _ in config.jobs.items() for target in config.targets(name)]
    found = _Records()
    for job, target in dict.fromkeys([*configured, *store.recorded()]):
        state = store.read_job(job, target)
        for reading in (state.latest, state.success):
            if isinstance(reading, Unreadable):
                found.any = True
            elif isinstance(reading, Readable) and reading.value.outcome is not Outcome.RUNNING:
                found.any = True
                found.newest = _newer(found.newest, reading.value)
                history.saw(reading.value)
        if isinstance(state.latest, Unreadable):
            found.damaged = f"the latest record of {job} on {target} {state.latest.reason}"
    return found


def _newer(one: Run | None, other: Run) -> Run:
    """Return the run that ended later."""
    return other if one is None or _end(other) > _end(one) else one


def _end(run: Run) -> datetime:
    return run.ended_at or run.started_at
