"""Mails the report of a run, if it is wanted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bkp.clock import local_zone
from bkp.errors import StateError
from bkp.state.ledger import Ledger
from runner.notify.decide import recovered, wanted

if TYPE_CHECKING:
    from datetime import datetime

    from bkp.config.model import Config
    from bkp.mail.post import Posted
    from bkp.state.records import Run


def mail_run(run: Run, config: Config) -> Posted | None:
    """Mail the report of a run; return what became of it, or None if none is wanted."""
    if not wanted(run, config.mail.when):
        return None
    from bkp.mail.post import post  # most nights send nothing: they do not pay for it
    from runner.notify.message import build

    return post(config, build(run, config.mail, local_zone(), _well_at(run, config) if recovered(run) else None))


def _well_at(run: Run, config: Config) -> datetime | None:
    """Return when the job last worked before this run, as far as the history tells."""

    def worked(each: Run) -> bool:
        same = (each.job, each.target) == (run.job, run.target) and each.run_id != run.run_id
        return same and each.outcome.is_good

    try:
        before = Ledger(Path(config.paths.state) / "history.jsonl").newest(worked)
    except StateError:
        return None
    return before.ended_at if before is not None else None
