"""Mails the report of a run, if it is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.clock import local_zone
from runner.notify.decide import wanted

if TYPE_CHECKING:
    from bkp.config.reports import Mail
    from bkp.state.records import Run


def mail_run(run: Run, mail: Mail) -> str:
    """Return "sent", "not wanted", or why the mail could not be sent."""
    if not wanted(run, mail.when):
        return "not wanted"
    from bkp.tools.msmtp import send  # most nights send nothing: they do not pay for it
    from runner.notify.message import build

    return send(mail, build(run, mail, local_zone()).as_bytes()) or "sent"
