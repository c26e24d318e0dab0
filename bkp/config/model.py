"""What the configuration file may say, with its defaults. The defaults are those of the described system.

One struct a section. Field comments that a person needs are in `example.yml`; the JSON Schema is generated from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from bkp.calendar import Schedule
from bkp.config.values import Duration, ListenAddress, Size
from bkp.jobs import JOBS, JobSpec, Kind
from bkp.severity import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

# `$(?!\n)`: Python's `$` also stands before a line feed at the very end, JSON Schema's does not.
NAME = r"^[a-z0-9][a-z0-9_.-]{0,62}$(?!\n)"
Name = Annotated[str, Meta(pattern=NAME, description="lower-case letters, digits, dot, dash and underscore")]
AbsolutePath = Annotated[str, Meta(pattern=r"^/[^\x00-\x1f\x7f]*$(?!\n)", description="an absolute path")]
RepositoryPath = Annotated[
    str,
    Meta(
        pattern=r"^(/|ssh://|[A-Za-z0-9_][\w.@-]*:)[^\x00-\x1f\x7f]*$(?!\n)",
        description="an absolute path, or ssh://user@host/path",
    ),
]
DatasetName = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:/ -]*$(?!\n)", description="a ZFS dataset: pool/name")
]
PoolName = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_.:-]{0,254}$(?!\n)", description="the name of a ZFS pool")]
DiskPath = Annotated[
    str,
    Meta(
        pattern=r"^/dev/disk/by-id/[A-Za-z0-9_.:+#@=-]+$(?!\n)",
        description="a path below /dev/disk/by-id/, which stays the disk's own (sda may be another disk tomorrow)",
    ),
]
DiskInterface = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9]+([,+][A-Za-z0-9/]+)*$(?!\n)",
        description="what smartctl calls the disk's interface (smartctl(8), -d), such as sat, nvme or scsi",
    ),
]
Pattern = Annotated[
    str,
    Meta(
        pattern=r"^(sh|fm|pp|re):[^\x00-\x1f\x7f]+$(?!\n)",
        description="a pattern with its style in front, sh:, fm:, pp: or re: (borg-patterns(1))",
    ),
]
MailAddress = Annotated[
    str, Meta(pattern=r"^[^\s@,<>-][^\s@,<>]*@[^\s@,<>]+$(?!\n)", description="a mail address such as root@example.com")
]
Encryption = Literal[
    "none", "authenticated", "authenticated-blake2", "repokey", "repokey-blake2", "keyfile", "keyfile-blake2"
]


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A strict, immutable part of the configuration."""


class Paths(_Section, frozen=True, kw_only=True):
    """Where bkp keeps its own files."""

    state: AbsolutePath = "/var/lib/bkp"
    log: AbsolutePath = "/var/log/borg"
    lock: AbsolutePath = "/run/lock/bkp"
    scratch: AbsolutePath | None = None

    @property
    def scratch_dir(self) -> str:
        """Return the folder for restored samples: `scratch`, or a folder inside the state directory."""
        return self.scratch or f"{self.state}/scratch"


class Keep(_Section, frozen=True, kw_only=True):
    """Retention: how many archives `borg prune` keeps of each kind (borg-prune(1))."""

    daily: Annotated[int, Meta(ge=0)] = 7
    weekly: Annotated[int, Meta(ge=0)] = 4
    monthly: Annotated[int, Meta(ge=0)] = 6
    yearly: Annotated[int, Meta(ge=0)] = 0
    last: Annotated[int, Meta(ge=0)] = 0
    within: (
        Annotated[
            str,
            Meta(pattern=r"^[1-9][0-9]{0,5}[Hdwmy]$(?!\n)", description="a number with H, d, w, m or y, such as 2d"),
        ]
        | None
    ) = None

    def __post_init__(self) -> None:
        if not self.within and not any((self.daily, self.weekly, self.monthly, self.yearly, self.last)):
            raise ValueError("keeps nothing: every archive would be pruned; set at least one of them above 0")


class Repository(_Section, frozen=True, kw_only=True):
    """One Borg repository and what goes into it."""

    path: RepositoryPath
    passphrase_file: AbsolutePath | None = "/root/.borg_env"  # noqa: S105  # where it is, not what it is
    key_export: AbsolutePath | None = "/root/borg-key.txt"
    encryption: Encryption = "repokey-blake2"
    compression: Annotated[
        str,
        Meta(
            # What borg 1.2 and 1.4 both take, without the levels that they would ignore (lz4,9).
            pattern=r"^(obfuscate,([1-6]|11[0-9]|12[0-3]),)?(auto,)?"
            r"(none|lz4|(zlib|lzma)(,[0-9])?|zstd(,([1-9]|1[0-9]|2[0-2]))?)$(?!\n)",
            description="none, lz4, zstd (zstd,1 to zstd,22), zlib or lzma (,0 to ,9); auto or obfuscate,SPEC in front",
        ),
    ] = "zstd,3"
    archive_prefix: (
        Annotated[
            str,
            Meta(
                pattern=r"^([A-Za-z0-9]|\{host\})([A-Za-z0-9_.]|\{host\}){0,40}$(?!\n)",
                description="letters, digits, dot and underscore, and {host}: archives are PREFIX-TIME-ID",
            ),
        ]
        | None
    ) = None
    keep: Keep = Keep()
    sources: Annotated[tuple[Name, ...], Meta(min_length=1)]
    base_dir: AbsolutePath | None = None
    borg: AbsolutePath = "/usr/bin/borg"
    checkpoint_interval: Duration = Duration(minutes=30)
    compact_threshold: Annotated[int, Meta(ge=1, le=99)] = 10
    compact_share: Annotated[float, Meta(ge=0, le=1)] = 0.01
    compact_every: Duration = Duration(days=7)
    size_drop_warning: Annotated[float, Meta(ge=0, le=1)] = 0.5
    free_warning: Annotated[float, Meta(ge=0, le=1)] = 0.1
    free_critical: Annotated[float, Meta(ge=0, le=1)] = 0.03

    @property
    def prefix(self) -> str:
        """Return what archives' names begin with. The reader of the file has filled it in (`bkp.config.prefixes`)."""
        if self.archive_prefix is None:
            raise ValueError("archive_prefix is not filled in yet")
        return self.archive_prefix


class Source(_Section, frozen=True, kw_only=True):
    """One tree that is backed up: a plain directory, or a ZFS dataset with everything below it."""

    path: AbsolutePath | None = None
    dataset: DatasetName | None = None
    mount_at: AbsolutePath | None = None
    skip: tuple[DatasetName, ...] = ()
    exclude: tuple[Pattern, ...] = ()
    one_file_system: bool = True

    def __post_init__(self) -> None:
        if (self.path is None) == (self.dataset is None):
            raise ValueError("needs either path (a directory) or dataset (ZFS), not both")
        if self.dataset is None and (self.mount_at or self.skip):
            raise ValueError("mount_at and skip belong to a dataset (ZFS); this source is a directory")
        if self.dataset is not None and not self.one_file_system:
            raise ValueError("a dataset is archived with its children as roots of their own: leave one_file_system on")
        for each in self.skip:
            if self.dataset is not None and not each.startswith(f"{self.dataset}/"):
                raise ValueError(f"skip names {each!r}, which is not below {self.dataset}")


class Pool(_Section, frozen=True, kw_only=True):
    """One ZFS pool that is watched. Shares are from 0 to 1."""

    zfs_name: PoolName | None = None
    disks: tuple[Name, ...] = ()
    capacity_warning: Annotated[float, Meta(ge=0, le=1)] = 0.8
    capacity_critical: Annotated[float, Meta(ge=0, le=1)] = 0.9
    scrub_age: Duration = Duration(days=10)


class Disk(_Section, frozen=True, kw_only=True):
    """One disk that is watched. Temperatures are in degrees Celsius, wear is a share of what the maker allows."""

    path: DiskPath
    interface: DiskInterface | None = None
    temperature_warning: Annotated[int, Meta(ge=1, le=150)] = 50
    temperature_critical: Annotated[int, Meta(ge=1, le=150)] = 60
    wear_warning: Annotated[float, Meta(ge=0, le=1)] = 0.8

    def __post_init__(self) -> None:
        if self.temperature_critical <= self.temperature_warning:
            raise ValueError("temperature_critical must be above temperature_warning")


class Job(_Section, frozen=True, kw_only=True):
    """When a job runs, and how long after that it counts as late."""

    schedule: Schedule | None
    grace: Duration = Duration(hours=2)
    timeout: Duration | None = None

    def __post_init__(self) -> None:
        if self.timeout is not None and not self.timeout:
            raise ValueError("timeout is 0: the job would end before it begins; leave it out for no limit")


class _JobTable(_Section, frozen=True, kw_only=True):
    """The jobs of bkp-run. A job set to `schedule: null` is run by hand only and is never late."""

    def items(self) -> tuple[tuple[str, Job], ...]:
        """Return the jobs by name, in the order of the table."""
        return tuple((name, getattr(self, name)) for name in self.__struct_fields__)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Job: ...


def _section_of(spec: JobSpec) -> type[Job]:
    """Return the section of one job. Whoever sets only the schedule keeps the job's own grace, and the reverse."""
    defaults = [
        ("schedule", Schedule | None, Schedule(spec.schedule) if spec.schedule else None),
        ("grace", Duration, Duration.parse(spec.grace)),
    ]
    section: type[Job] = msgspec.defstruct(  # type: ignore[assignment]  # the stub forgets `bases`
        f"{spec.name.capitalize()}Job",
        defaults,
        bases=(Job,),
        namespace={"__doc__": f"{spec.title}."},
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
    )
    return section


if TYPE_CHECKING:
    Jobs = _JobTable
else:  # one field for each job of the table
    Jobs = msgspec.defstruct(
        "Jobs",
        [(spec.name, section := _section_of(spec), section()) for spec in JOBS.values()],
        bases=(_JobTable,),
        namespace={"__doc__": _JobTable.__doc__},
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
    )


class Drill(_Section, frozen=True, kw_only=True):
    """What the restore drill restores each time."""

    sample_files: Annotated[int, Meta(ge=1, le=10_000)] = 20
    sample_bytes: Size = Size(256 << 20)


class Mail(_Section, frozen=True, kw_only=True):
    """How reports of runs leave the machine (msmtp(1)). No default says whom they reach."""

    to: MailAddress | None = None
    sender: MailAddress | None = None
    when: Literal["problems", "always", "never"] = "problems"
    msmtp: AbsolutePath = "/usr/bin/msmtp"
    account: Name | None = None
    config: AbsolutePath | None = None
    timeout: Duration = Duration(minutes=1)

    def __post_init__(self) -> None:
        if not self.timeout:
            raise ValueError("timeout is 0: no mail could ever be sent")

    @property
    def recipient(self) -> str:
        """Return who gets the reports. Where any are wanted, the reader of the file has insisted on an address."""
        return self.to or ""


class Exporter(_Section, frozen=True, kw_only=True):
    """bkp-exporter."""

    listen: ListenAddress = ListenAddress("127.0.0.1", 10045)


class EscrowLocation(_Section, frozen=True, kw_only=True):
    """One place outside this server that holds the key, the passphrase or both."""

    name: Name
    description: str = ""
    holds: tuple[Literal["key", "passphrase", "zfs-key", "runbook"], ...] = ("key", "passphrase")
    valid_for: Duration = Duration(days=180)

    def __post_init__(self) -> None:
        if not self.valid_for:
            raise ValueError("valid_for is 0: no attestation of it could ever count")


class Audit(_Section, frozen=True, kw_only=True):
    """bkp-audit."""

    schedule: Schedule | None = Schedule("monthly")
    rules: AbsolutePath | None = None
    waivers: AbsolutePath | None = None
    attestations: AbsolutePath | None = None
    fail_on: Severity = "low"
    minimum_applicable: Annotated[float, Meta(ge=0.25, le=1)] = 0.5
    escrow: tuple[EscrowLocation, ...] = ()  # never assumed: the audit would pass on places that nobody has set up

    def __post_init__(self) -> None:
        names = [location.name for location in self.escrow]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"escrow names the location {twice!r} twice: attestations could not tell them apart")


class Config(_Section, frozen=True, kw_only=True):
    """The whole file."""

    schema: Literal[1]
    host: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$(?!\n)", description="a host name")] | None = (
        None
    )
    lock_wait: Duration = Duration(minutes=10)
    log_keep: Duration = Duration(days=400)
    paths: Paths = Paths()
    repositories: dict[Name, Repository]
    sources: dict[Name, Source]
    pools: dict[Name, Pool] = {}
    disks: dict[Name, Disk] = {}
    jobs: Jobs = Jobs()
    drill: Drill = Drill()
    mail: Mail = Mail()
    exporter: Exporter = Exporter()
    audit: Audit = Audit()

    def targets(self, job: str) -> tuple[str, ...]:
        """Return the configured names of what `job` works on."""
        return self.names(JOBS[job].kind)

    def names(self, kind: Kind) -> tuple[str, ...]:
        """Return the configured names of one kind of target."""
        sections: dict[Kind, Iterable[str]] = {
            Kind.REPOSITORY: self.repositories,
            Kind.POOL: self.pools,
            Kind.DISK: self.disks,
        }
        return tuple(sections.get(kind, ()))

    def zpool(self, name: str) -> str:
        """Return ZFS's name of a configured pool."""
        return self.pools[name].zfs_name or name

    def job(self, name: str) -> Job:
        """Return the settings of the job of that name."""
        found: Job = getattr(self.jobs, name)
        return found
