"""Mails the report of a run, if it is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.clock import local_zone
from runner.notify.decide import wanted

if TYPE_CHECKING:
    from bkp.config.model import Config
    from bkp.mail.post import Posted
    from bkp.state.records import Run


def mail_run(run: Run, config: Config) -> Posted | None:
    """Mail the report of a run; return what became of it, or None if none is wanted."""
    if not wanted(run, config.mail.when):
        return None
    from bkp.mail.post import post  # most nights send nothing: they do not pay for it
    from runner.notify.message import build

    return post(config, build(run, config.mail, local_zone()))
