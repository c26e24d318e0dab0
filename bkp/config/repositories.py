"""The sections `repositories:` and `sources:`: where archives go, how long they are kept, what goes into them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from bkp.config.section import Section
from bkp.config.texts import AbsolutePath, DatasetName, Encryption, Name, Pattern, RepositoryPath
from bkp.config.values import Duration


class Keep(Section, frozen=True, kw_only=True):
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


class Repository(Section, frozen=True, kw_only=True):
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


class Source(Section, frozen=True, kw_only=True):
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
