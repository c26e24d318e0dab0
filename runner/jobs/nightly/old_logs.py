"""The logs of runs do not pile up for ever: those of long ago go, and nothing else that lies beside them."""

from __future__ import annotations

import os
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bkp.jobs import JOBS

if TYPE_CHECKING:
    from runner.borg_session import BorgSession

# JOB-TARGET-RUN.log, as runs name their logs; also of targets that are configured no more.
_NAME = re.compile(rf"(?:{'|'.join(JOBS)})-[a-z0-9][a-z0-9_.-]{{0,62}}-([0-9]{{8}}T[0-9]{{6}}Z)-[0-9a-f]{{8}}\.log")


def began_at(name: str) -> datetime | None:
    """Return when the run began that wrote the log of this name; None for a file of any other name."""
    match = _NAME.fullmatch(name)
    try:
        return datetime.fromisoformat(match[1]) if match else None
    except ValueError:  # 30 February: no run of ours
        return None


def remove_old_logs(folder: str, now: datetime, keep: timedelta) -> tuple[int, str | None]:
    """Remove the logs of runs that began longer than `keep` ago.

    Return how many went, and why one of them could not, if so.
    """
    removed, problem = 0, None
    try:
        with os.scandir(folder) as entries:
            old = [
                entry.path
                for entry in entries
                if (began := began_at(entry.name)) and now - began > keep and entry.is_file(follow_symlinks=False)
            ]
    except OSError as exc:
        return 0, f"old logs in {folder} cannot be removed: {exc.strerror}"
    for path in old:
        try:
            os.unlink(path)  # noqa: PTH108  # no Path of it is needed
            removed += 1
        except OSError as exc:
            problem = f"the old log {path} cannot be removed: {exc.strerror}"
    return removed, problem


def tidy_logs(session: BorgSession) -> None:
    """Remove old logs at the end of a good night, and say so; that one stays is a warning.

    A run that could not open its own log has said so, and does not look again: the folder may never answer.
    """
    if session.log.path is None:
        return
    keep = session.config.log_keep
    removed, problem = remove_old_logs(session.config.paths.log, session.clock(), keep)
    if removed:
        session.log.detail(f"removed the logs of {removed} runs that began more than {keep} ago")
    if problem is not None:
        session.tell("warning", [problem])
