"""The table of jobs: what each is called, what it works on, and when it runs unless the configuration says otherwise.

Configuration, command line, units, status, exporter and audit read this table. The work itself is in `runner.jobs`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a job works on. Its targets are names from the configuration, so one that never ran stays visible."""

    REPOSITORY = "repository"
    REPLICATION = "replication"
    POOL = "pool"
    DISK = "disk"
    HOST = "host"


@dataclass(frozen=True)
class JobSpec:
    """One job. `schedule` is a systemd calendar expression (systemd.time(7)), `grace` a duration.

    A job without a schedule is run by hand only, and is never late.

    `outlives_process`: the work goes on in the kernel or in the disk, whatever becomes of bkp-run.
    `unit` is the name of its systemd unit without a suffix. `verdict` says what a run of it passes or fails, if it
    judges its target; empty otherwise. `is_vital`: while it does not succeed, nothing new is protected. `by_person`: it
    needs what only a person brings, so it has no unit.
    """

    name: str
    kind: Kind
    unit: str
    title: str
    schedule: str | None
    grace: str
    verdict: str = ""
    is_vital: bool = False
    outlives_process: bool = False
    by_person: bool = False

    @property
    def key(self) -> str:
        """Return its key in the configuration's section `jobs`."""
        return self.name.replace("-", "_")

    @property
    def words(self) -> tuple[str, ...]:
        """Return the words that call it on bkp-run's command line."""
        return (self.name,) if self.by_person else tuple(self.name.split("-"))


NIGHTLY = JobSpec("nightly", Kind.REPOSITORY, "borg-backup", "Nightly borg backup", "02:30", "2h", is_vital=True)
CHECK = JobSpec(
    "check", Kind.REPOSITORY, "borg-check", "Check of the borg repositories", "Sun 04:30", "6h", verdict="structure"
)
VERIFY = JobSpec(
    "verify",
    Kind.REPOSITORY,
    "borg-check-verify",
    "Check of all data in the borg repositories",
    "*-*-15 04:45",
    "24h",
    verdict="all data",
)
DRILL = JobSpec("drill", Kind.REPOSITORY, "borg-drill", "Restore drill", "Sat 05:30", "24h")
PRUNE = JobSpec("prune", Kind.REPOSITORY, "borg-prune", "Prune of the borg repositories", None, "24h")
SCRUB = JobSpec("scrub", Kind.POOL, "bkp-scrub", "Scrub of the pools", "Wed 06:00", "48h", outlives_process=True)
SELFTEST_SHORT = JobSpec(
    "selftest-short",
    Kind.DISK,
    "bkp-selftest-short",
    "Short self-test of the disks",
    "Mon 06:00",
    "24h",
    outlives_process=True,
)
SELFTEST_LONG = JobSpec(
    "selftest-long",
    Kind.DISK,
    "bkp-selftest-long",
    "Long self-test of the disks",
    "*-*-02 07:00",
    "96h",
    outlives_process=True,
)
ESCROW_DRILL = JobSpec(
    "escrow-drill", Kind.REPOSITORY, "borg-escrow-drill", "Drill of an escrowed key", None, "24h", by_person=True
)

# A live server that is off for one night is no news: that is what the grace is for.
SYNC = JobSpec("sync", Kind.REPLICATION, "bkp-sync", "Pull of the replications", "01:00", "26h", is_vital=True)

JOBS: dict[str, JobSpec] = {
    spec.name: spec
    for spec in (NIGHTLY, CHECK, VERIFY, DRILL, PRUNE, SCRUB, SELFTEST_SHORT, SELFTEST_LONG, ESCROW_DRILL, SYNC)
}
