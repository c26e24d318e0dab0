"""What the strings of the configuration file may look like: names, paths, datasets, disks, patterns, addresses."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

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
# A dataset below its pool, without what zfs itself refuses (zfs(8)): empty parts, `.` and `..`, blanks at an end.
_PART = r"(?!\.\.?(/|$))[A-Za-z0-9_.:-]([A-Za-z0-9_.: -]*[A-Za-z0-9_.:-])?"
_DATASET = rf"[A-Za-z][A-Za-z0-9_.-]*(/{_PART})+"
DatasetPath = Annotated[
    str, Meta(pattern=rf"^{_DATASET}$(?!\n)", description="a ZFS dataset below its pool: pool/name")
]
ReplicationSource = Annotated[
    str,
    Meta(
        pattern=rf"^[A-Za-z_][A-Za-z0-9_.-]{{0,31}}@[A-Za-z0-9][A-Za-z0-9.-]{{0,252}}:[A-Za-z][A-Za-z0-9_.-]*(/{_PART})*$(?!\n)",
        description="a dataset of another host: USER@HOST:POOL/NAME",
    ),
]
# syncoid hands these to a shell as they are.
PlainPath = Annotated[
    str,
    Meta(
        pattern=r"^/[A-Za-z0-9_.+=@/-]*$(?!\n)",
        description="an absolute path of letters, digits and _ . + = @ - alone",
    ),
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

QuietHours = Annotated[
    str,
    Meta(
        pattern=r"^(?:[01][0-9]|2[0-3]):[0-5][0-9]-(?:[01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)",
        description="a part of the day such as 22:00-07:00",
    ),
]
