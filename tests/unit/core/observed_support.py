"""The concerns that an observation leads to, on a server where everything else is in order."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from bkp.concerns import Concern, concerns_of
from bkp.config import parse_config
from bkp.state.store import StateStore
from bkp.survey import survey
from tests.support.observed import CONFIGURED, Observer, outliving_runs
from tests.support.records import START, a_night, a_repository, a_run, an_archive, roots

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from bkp.state.records import Run

NOW = START + timedelta(hours=6)
BACKUP = (
    "schema: 1\nmail: {when: never}\n"
    "repositories: {main: {path: /tank/Secure/Borg/backup-repo, sources: [home]}}\n"
    "sources: {home: {dataset: tank/Secure, skip: [tank/Secure/Borg]}}\n"
)


class Server:
    """A state directory with good runs, an observer that writes beside them, and the concerns of both."""

    def __init__(self, folder: Path, extra: str = CONFIGURED) -> None:
        self.store = StateStore(folder / "state")
        for job in ("check", "verify", "drill"):
            self.store.write_ended(a_run(job, START - timedelta(hours=1)))
        night = a_night(an_archive(roots=roots("home")), a_repository(newest_archive_at=START))
        self.store.write_ended(a_run(result=night))
        self.config = parse_config(BACKUP + extra)
        self.store_all(outliving_runs(self.config, START))
        self.observer = Observer(self.store.root, NOW)

    def store_all(self, runs: Iterable[Run]) -> None:
        """Record runs that have ended."""
        for run in runs:
            self.store.write_ended(run)

    def seen(self, later: timedelta = timedelta(), *, write: bool = True) -> list[Concern]:
        """Return the concerns `later` than the observations."""
        if write:
            self.observer.write()
        now = NOW + later
        return concerns_of(self.config, survey(self.config, self.store, lambda: now, UTC, lambda _process: False))

    def kinds(self, later: timedelta = timedelta(), *, write: bool = True) -> dict[str, str]:
        """Return the severities by kind."""
        return {each.kind: each.severity for each in self.seen(later, write=write)}

    def only(self) -> Concern:
        """Return the one concern that there is."""
        (concern,) = self.seen()
        return concern
