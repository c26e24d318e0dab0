"""Facts of job.*, archive.*, restore.* and mail.*: what bkp-run recorded, never what it is about to do."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from auditor.facts.history import SOURCE as HISTORY
from auditor.facts.history import doubt
from bkp.jobs import DRILL, NIGHTLY
from bkp.state.archives import missing_sources, since_accepted, usual
from bkp.state.reading import Readable, Unreadable
from bkp.state.results import DrillResult

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from auditor.facts.builder import FactBuilder, FactGroup
    from bkp.config.model import Config
    from bkp.config.reports import Mail
    from bkp.jobs import JobSpec
    from bkp.state.reading import Reading
    from bkp.state.records import Pause, Run
    from bkp.state.results import Archive
    from bkp.survey import Survey
    from bkp.tools.borg.client import Listing


def collect_jobs(builder: FactBuilder, survey: Survey) -> None:
    """Add job.*: how every configured job stands on each of its targets."""
    for standing in survey.standings:
        status, state = standing.status, standing.state
        source = f"state: jobs/{status.job}/{status.target}"
        values = {
            "job": status.job,
            "target": status.target,
            "scheduled": status.scheduled,
            "status": str(status.status),
            "explanation": status.explanation,
            "last_outcome": str(standing.latest.outcome) if standing.latest else None,
            "last_attempt_at": status.last_attempt_at,
            "last_success_at": status.last_success_at,
            "deadline": status.deadline,
            "paused": standing.pause is not None,
            "pause": _pause(standing.pause, survey.zone),
        }
        facts = builder.of("job", f"{status.job}.{status.target}")
        facts.add(source, values)
        if isinstance(state.pause, Unreadable):
            facts.fail(source, f"pause.json {state.pause.reason}", ("paused", "pause"))
        if isinstance(state.latest, Unreadable):
            facts.fail(source, f"latest.json {state.latest.reason}", ("last_outcome", "last_attempt_at"))
        if isinstance(state.success, Unreadable):
            facts.fail(source, f"success.json {state.success.reason}", ("last_success_at", "deadline"))


def _pause(pause: Pause | None, zone: tzinfo) -> str | None:
    """Return who paused it until when and why, in one clause."""
    if pause is None:
        return None
    return f"{pause.by} paused it until {pause.until.astimezone(zone):%Y-%m-%d %H:%M %Z}: {pause.reason}"


def collect_archives(builder: FactBuilder, config: Config, survey: Survey, listings: dict[str, Listing]) -> None:
    """Add archive.*: the archive of the newest nightly run that ended well, compared with the usual ones before it."""
    for name, repository in config.repositories.items():
        facts, source = builder.of("archive", name), _source(NIGHTLY, name)
        success = _success(survey, NIGHTLY, name)
        run = _recorded(facts, source, success)
        archive = run.archive if run is not None else None
        if not isinstance(success, Unreadable):
            _compare(facts, name, archive, survey)
        if run is None or archive is None:
            continue
        values = {
            "id": archive.id,
            "started_at": archive.started_at,
            "confirmed": archive.confirmed,
            "files": archive.files,
            "original_bytes": archive.original_bytes,
            "missing_sources": missing_sources(archive, repository.sources),
        }
        facts.add(source, values, at=run.ended_at)
        if name in listings:
            there = any(listed.id == archive.id for listed in listings[name].archives)
            facts.add("borg list", {"in_repository": there})
        else:
            facts.fail("borg list", "the repository could not be listed", ("in_repository",))


def _compare(facts: FactGroup, name: str, archive: Archive | None, survey: Survey) -> None:
    """Add what the history says of earlier archives. An incomplete one would count too few."""
    if (reason := doubt(survey)) is not None:
        facts.fail(HISTORY, reason, ("earlier_archives", "size_ratio"))
        return
    nights = since_accepted(survey.past.archives.get(name, ()))  # an accepted one is compared with none before it
    earlier = usual([each for each in nights if archive is None or each.id != archive.id])
    middle = median(each.original_bytes for each in earlier) if earlier else 0
    values = {
        "earlier_archives": len(earlier),
        "size_ratio": archive.original_bytes / middle if middle and archive is not None else None,
    }
    facts.add(HISTORY, values)


def collect_restores(builder: FactBuilder, config: Config, survey: Survey) -> None:
    """Add restore.*: the newest restore drill that ended well."""
    for name in config.repositories:
        facts, source = builder.of("restore", name), _source(DRILL, name)
        run = _recorded(facts, source, _success(survey, DRILL, name))
        if run is None:
            continue
        drill = run.result if isinstance(run.result, DrillResult) else None
        compared = ("files", "matched", "mismatched", "missing", "seconds")
        values = {field: getattr(drill, field, None) for field in compared}
        facts.add(source, {"last_success_at": run.ended_at, **values})


def _source(spec: JobSpec, target: str) -> str:
    return f"state: jobs/{spec.name}/{target}/success.json"


def _success(survey: Survey, spec: JobSpec, target: str) -> Reading[Run]:
    """Return what was read of the last success of a configured job."""
    found = (each.state.success for each in survey.standings if (each.job, each.target) == (spec.name, target))
    return next(found)


def _recorded(facts: FactGroup, source: str, success: Reading[Run]) -> Run | None:
    """Return the last success; where there is none, add the facts as absent, and where it is unreadable, as errors."""
    if isinstance(success, Readable):
        return success.value
    if isinstance(success, Unreadable):
        facts.fail(source, f"success.json {success.reason}")
    else:
        facts.add(f"{source}: no success is recorded", dict.fromkeys(facts.fields))
    return None


def collect_mail(builder: FactBuilder, mail: Mail, survey: Survey) -> None:
    """Add mail.*: whether mail is wanted, could leave, and what became of the newest one."""
    facts, source = builder.of("mail"), "the configuration, stat(2), access(2)"
    facts.add(source, {"when": str(mail.when), "to": mail.to})
    checks: tuple[tuple[str, Callable[[], bool]], ...] = (
        ("program_runnable", lambda: _is_file(Path(mail.msmtp)) and os.access(mail.msmtp, os.X_OK)),
        ("configuration_found", lambda: _any_file(_mail_configurations(mail))),
    )
    for field, check in checks:
        try:
            facts.add(source, {field: check()})
        except OSError as exc:
            facts.fail(source, exc.strerror or "cannot be looked at", (field,))
    _add_waiting(facts, survey)
    if (reason := doubt(survey)) is not None:
        facts.fail(HISTORY, reason, ("last_result", "last_result_at", "confirmed_at"))
        return
    newest, confirmed = survey.past.mail, survey.past.confirmed
    result = {"last_result": newest.result if newest else None, "last_result_at": newest.at if newest else None}
    facts.add(HISTORY, {**result, "confirmed_at": confirmed.at if confirmed and confirmed.to == mail.to else None})


def _add_waiting(facts: FactGroup, survey: Survey) -> None:
    outbox, source = survey.outbox, "state: outbox/"
    if outbox.problem is not None:
        facts.fail(source, outbox.problem, ("waiting", "oldest_waiting_at", "given_up"))
    else:
        waiting = {"waiting": outbox.mails, "oldest_waiting_at": outbox.oldest_at, "given_up": outbox.given_up}
        facts.add(source, waiting)
    source = "state: watch.json"
    if isinstance(survey.watch, Unreadable):
        facts.fail(source, f"watch.json {survey.watch.reason}", ("watched_at", "pinged_at"))
    else:
        seen = survey.watch.value if isinstance(survey.watch, Readable) else None
        looked, pinged = (seen.looked_at, seen.pinged_at) if seen else (None, None)
        facts.add(source, {"watched_at": looked, "pinged_at": pinged})


def _is_file(path: Path) -> bool:
    """Return whether it is a regular file. Raise OSError where that cannot be told: not seen is not absent."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _any_file(paths: list[Path]) -> bool:
    problem: OSError | None = None
    for path in paths:
        try:
            if _is_file(path):
                return True
        except OSError as exc:
            problem = exc
    if problem is not None:
        raise problem
    return False


def _mail_configurations(mail: Mail) -> list[Path]:
    """Return where msmtp(1) looks for its configuration."""
    if mail.config:
        return [Path(mail.config)]
    home = Path(os.environ.get("HOME") or "/root")
    return [home / ".msmtprc", home / ".config/msmtp/config", Path("/etc/msmtprc")]
