"""What the configuration file may say, with its defaults. The defaults are those of the described system.

One struct a section; the larger ones stand in modules of their own beside this one. Field comments that a person needs
are in `example.yml`; the JSON Schema is generated from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from bkp.config.jobs import Job, Jobs
from bkp.config.replications import Replication
from bkp.config.reports import Audit, Mail
from bkp.config.repositories import Repository, Source
from bkp.config.section import Section
from bkp.config.storage import Disk, Pool
from bkp.config.texts import AbsolutePath, Name
from bkp.config.values import Duration, ListenAddress, Size
from bkp.config.watching import Heartbeat, Watch
from bkp.jobs import JOBS, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable


class Paths(Section, frozen=True, kw_only=True):
    """Where bkp keeps its own files."""

    state: AbsolutePath = "/var/lib/bkp"
    log: AbsolutePath = "/var/log/borg"
    lock: AbsolutePath = "/run/lock/bkp"
    scratch: AbsolutePath | None = None

    @property
    def scratch_dir(self) -> str:
        """Return the folder for restored samples: `scratch`, or a folder inside the state directory."""
        return self.scratch or f"{self.state}/scratch"


class Drill(Section, frozen=True, kw_only=True):
    """What the restore drill restores each time."""

    sample_files: Annotated[int, Meta(ge=1, le=10_000)] = 20
    sample_bytes: Size = Size(256 << 20)


class Exporter(Section, frozen=True, kw_only=True):
    """bkp-exporter."""

    listen: ListenAddress = ListenAddress("127.0.0.1", 10045)


class Config(Section, frozen=True, kw_only=True):
    """The whole file."""

    schema: Literal[1]
    host: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$(?!\n)", description="a host name")] | None = (
        None
    )
    lock_wait: Duration = Duration(minutes=10)
    clock_wait: Duration = Duration(minutes=10)
    log_keep: Duration = Duration(days=400)
    paths: Paths = Paths()
    repositories: dict[Name, Repository]
    sources: dict[Name, Source]
    replications: dict[Name, Replication] = msgspec.field(default_factory=dict)
    pools: dict[Name, Pool] = msgspec.field(default_factory=dict)
    disks: dict[Name, Disk] = msgspec.field(default_factory=dict)
    jobs: Jobs = Jobs()
    drill: Drill = Drill()
    mail: Mail = Mail()
    watch: Watch = Watch()
    heartbeat: Heartbeat = Heartbeat()
    exporter: Exporter = Exporter()
    audit: Audit = Audit()

    @property
    def attestations_path(self) -> str:
        """Return where attestations are: `audit.attestations`, or a file in the state directory."""
        return self.audit.attestations or f"{self.paths.state}/attestations.jsonl"

    def targets(self, job: str) -> tuple[str, ...]:
        """Return the configured names of what `job` works on."""
        return self.names(JOBS[job].kind)

    def names(self, kind: Kind) -> tuple[str, ...]:
        """Return the configured names of one kind of target."""
        sections: dict[Kind, Iterable[str]] = {
            Kind.REPOSITORY: self.repositories,
            Kind.REPLICATION: self.replications,
            Kind.POOL: self.pools,
            Kind.DISK: self.disks,
        }
        return tuple(sections.get(kind, ()))

    def replication_of(self, dataset: str) -> str | None:
        """Return the replication that receives a dataset, as its target or below it; None if none does."""
        return next(
            (name for name, each in self.replications.items() if f"{dataset}/".startswith(f"{each.target}/")), None
        )

    def zpool(self, name: str) -> str:
        """Return ZFS's name of a configured pool."""
        return self.pools[name].zfs_name or name

    def job(self, name: str) -> Job:
        """Return the settings of the job of that name."""
        found: Job = getattr(self.jobs, JOBS[name].key)
        return found
