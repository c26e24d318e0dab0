"""What becomes of a report of this host: compared with the last one, kept, mailed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from auditor import PROGRAM
from bkp.errors import BkpError, StateError, UsageError

if TYPE_CHECKING:
    from auditor.evidence import Evidence
    from auditor.report import Report
    from bkp.config.model import Config


class UnmailedError(BkpError):
    """The report could neither be sent nor put into the outbox."""


def check_mail(config: Config) -> None:
    """Raise `UsageError` where no mail is configured: before anything slow is asked."""
    if config.mail.when == "never" or not config.mail.recipient:
        lack = "mail.when is never" if config.mail.when == "never" else "mail.to names nobody"
        raise UsageError(
            f"--mail: {lack}", remedy="set mail.to and mail.when in the configuration, or leave out --mail"
        )


def compared(report: Report, evidence: Evidence, config: Config) -> Report:
    """Return the report with what changed since the newest kept one."""
    from auditor.since import compare
    from bkp.state.audits import KeptReports

    kept = KeptReports(Path(config.paths.state))
    lines = evidence.facts.get("history.lines")
    count = lines.value if lines is not None and isinstance(lines.value, int) else None
    return msgspec.structs.replace(
        report, since=compare(report, kept.newest(), chain=kept.problem(), history_lines=count)
    )


def keep_and_mail(report: Report, config: Config, *, mail: bool) -> None:
    """Keep the report, and mail it if that is wanted. One that cannot be kept is mailed all the same.

    Raise `StateError` if it cannot be kept, `UnmailedError` if it was neither sent nor put into the outbox.
    """
    from auditor.kept import keep_report
    from bkp.state.audits import KeptReports
    from bkp.state.store import value_of

    state, path, problem = Path(config.paths.state), None, None
    try:
        path = keep_report(state, report, value_of(KeptReports(state).newest()))
    except StateError as exc:
        problem = exc
    if mail:
        _mail(report, path, config)
    if problem is not None:
        raise problem


def _mail(report: Report, path: Path | None, config: Config) -> None:
    from auditor.mail.heads import heads_of
    from auditor.mail.message import build
    from bkp.mail.post import post
    from bkp.mail.told import note_told

    message = build(report, heads_of(Path(config.paths.state) / "history.jsonl", path), config.mail)
    posted = post(config, message)
    if posted.result == "failed":
        raise UnmailedError(
            f"the report was neither mailed nor put into the outbox: {posted.reason}",
            remedy="see that msmtp works and the state directory can be written, then run it again",
        )
    note_told(PROGRAM, config.paths.lock)
    if posted.result == "kept":
        click.echo(f"note: the report waits in the outbox, and is sent later: {posted.reason}", err=True)
