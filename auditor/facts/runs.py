"""Facts of job.*, archive.*, restore.* and mail.*: what bkp-run recorded, never what it is about to do."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from auditor.facts.history import SOURCE as HISTORY
from bkp.liveness import is_alive
from bkp.state.fields import Outcome
from bkp.state.reading import Readable, Unreadable
from bkp.status import job_status

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from auditor.facts.builder import FactBuilder
    from auditor.facts.history import History
    from bkp.config.model import Config, Mail
    from bkp.state.records import Run
    from bkp.state.results import Archive
    from bkp.state.store import JobState, StateStore
    from bkp.tools.borg.client import Listing

MEDIAN_OF = 10


def collect_jobs(builder: FactBuilder, config: Config, store: StateStore, zone: tzinfo) -> None:
    """Add job.*: every configured job on each of its targets, judged by bkp.status as the exporter judges it."""
    for name, job in config.jobs.items():
        for target in config.targets(name):
            state = store.read_job(name, target)
            instance, source = f"{name}.{target}", f"state: jobs/{name}/{target}"
            latest = state.latest.value if isinstance(state.latest, Readable) else None
            alive = is_alive(latest.process) if latest is not None and latest.outcome is Outcome.RUNNING else None
            status = job_status(state, job, builder.now, zone, alive=alive)
            values = {
                "job": name,
                "target": target,
                "scheduled": job.schedule is not None,
                "status": str(status.status),
                "explanation": status.explanation,
                "last_outcome": str(latest.outcome) if latest else None,
                "last_attempt_at": status.last_attempt_at,
                "last_success_at": status.last_success_at,
                "deadline": status.deadline,
            }
            builder.add("job", instance, source, values)
            if isinstance(state.latest, Unreadable):
                fields = ("last_outcome", "last_attempt_at")
                builder.fail("job", instance, source, f"latest.json {state.latest.reason}", fields)
            if isinstance(state.success, Unreadable):
                fields = ("last_success_at", "deadline")
                builder.fail("job", instance, source, f"success.json {state.success.reason}", fields)


def collect_archives(
    builder: FactBuilder, config: Config, store: StateStore, history: History, listings: dict[str, Listing]
) -> None:
    """Add archive.*: the archive of the newest nightly run that ended well, compared with those before it."""
    for name, repository in config.repositories.items():
        source = f"state: jobs/nightly/{name}/success.json"
        state = store.read_job("nightly", name)
        run = _recorded(builder, "archive", name, source, state)
        archive = run.archive if run is not None else None
        if not isinstance(state.success, Unreadable):
            _compare(builder, name, archive, history)
        if run is None or archive is None:
            continue
        values = {
            "id": archive.id,
            "started_at": archive.started_at,
            "confirmed": archive.confirmed,
            "files": archive.files,
            "original_bytes": archive.original_bytes,
            "missing_sources": _missing_sources(archive, repository.sources),
        }
        builder.add("archive", name, source, values, at=run.ended_at)
        if name in listings:
            there = any(listed.id == archive.id for listed in listings[name].archives)
            builder.add("archive", name, "borg list", {"in_repository": there})
        else:
            builder.fail("archive", name, "borg list", "the repository could not be listed", ("in_repository",))


def _missing_sources(archive: Archive, sources: tuple[str, ...]) -> tuple[str, ...]:
    present = {root.source for root in archive.roots if root.present}
    absent = {root.source for root in archive.roots if not root.present}
    return tuple(sorted(absent | (set(sources) - present)))


def _compare(builder: FactBuilder, name: str, archive: Archive | None, history: History) -> None:
    """Add what the history says of earlier archives. One that is not whole would say "too few" where there are many."""
    if history.doubt is not None:
        builder.fail("archive", name, HISTORY, history.doubt, ("earlier_archives", "size_ratio"))
        return
    others = [item for item in history.archives.get(name, ()) if archive is None or item.id != archive.id]
    earlier = [item.original_bytes for item in others][-MEDIAN_OF:]
    middle = median(earlier) if earlier else 0
    values = {
        "earlier_archives": len(earlier),
        "size_ratio": archive.original_bytes / middle if middle and archive is not None else None,
    }
    builder.add("archive", name, HISTORY, values)


def collect_restores(builder: FactBuilder, config: Config, store: StateStore) -> None:
    """Add restore.*: the newest restore drill that ended well."""
    for name in config.repositories:
        source = f"state: jobs/drill/{name}/success.json"
        run = _recorded(builder, "restore", name, source, store.read_job("drill", name))
        if run is None:
            continue
        drill = run.drill
        values = {
            "last_success_at": run.ended_at,
            "files": drill.files if drill else None,
            "matched": drill.matched if drill else None,
            "mismatched": drill.mismatched if drill else None,
            "missing": drill.missing if drill else None,
            "seconds": drill.seconds if drill else None,
        }
        builder.add("restore", name, source, values)


def _recorded(builder: FactBuilder, space: str, name: str, source: str, state: JobState) -> Run | None:
    """Return the last success; where there is none, add the facts as absent, and where it is unreadable, as errors."""
    if isinstance(state.success, Readable):
        return state.success.value
    if isinstance(state.success, Unreadable):
        builder.fail(space, name, source, f"success.json {state.success.reason}")
        return None
    from auditor.catalogue import namespace

    known = namespace(space)
    builder.add(space, name, f"{source}: no run has succeeded", dict.fromkeys(known.fields if known else ()))
    return None


def collect_mail(builder: FactBuilder, mail: Mail, history: History) -> None:
    """Add mail.*: whether mail is wanted, could leave, and what became of the newest one."""
    source = "the configuration, stat(2), access(2)"
    builder.add("mail", None, source, {"when": str(mail.when)})
    checks: tuple[tuple[str, Callable[[], bool]], ...] = (
        ("program_runnable", lambda: _is_file(Path(mail.msmtp)) and os.access(mail.msmtp, os.X_OK)),
        ("configuration_found", lambda: _any_file(_mail_configurations(mail))),
    )
    for field, check in checks:
        try:
            builder.add("mail", None, source, {field: check()})
        except OSError as exc:
            builder.fail("mail", None, source, exc.strerror or "cannot be looked at", (field,))
    source = "state: jobs/*/*/latest.json, history.jsonl"
    if history.mail_doubt is not None:
        builder.fail("mail", None, source, history.mail_doubt, ("last_result", "last_result_at"))
        return
    newest = history.newest_mail
    result = {"last_result": newest.mail if newest else None, "last_result_at": newest.ended_at if newest else None}
    builder.add("mail", None, source, result)


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
