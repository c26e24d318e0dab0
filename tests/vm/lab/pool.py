"""The pool of the described system: a mirror, an encryption root, and the two datasets the project lives with."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .guest import Guest

KEYFILE = "/root/zfs.key"
_PASSPHRASE = "lab passphrase of no worth"
# The least ZFS accepts: deriving a key with the default count takes long under emulation and shows nothing more.
KEY_ROUNDS = 100000
# The pool is made with ashift=12: every block begins at a multiple of this.
SECTOR = 4096
# Two labels and the boot area lie before the first block of a vdev ("ZFS On-Disk Specification", 1.2).
_BEFORE_FIRST_BLOCK = 4 << 20
# One line of `zdb -ddddd`: a level 0 (data) block's file offset, vdev, offset and size there, all hexadecimal.
_DATA_BLOCK = re.compile(r"^\s*[0-9a-f]+\s+L0 0:([0-9a-f]+):([0-9a-f]+) ", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """Where one block of a file lies: the same place on both halves of the mirror.

    Attributes:
        offset: bytes from the beginning of the vdev's partition.
        size: bytes it takes there.
    """

    offset: int
    size: int


@dataclass(frozen=True)
class Pool:
    """An imported pool on a guest.

    Attributes:
        guest: where it is.
        name: `tank` on the lab's machines.
        vdevs: the paths its mirror was made of.
        mountpoint: where its root dataset is mounted.
    """

    guest: Guest
    name: str
    vdevs: tuple[str, ...]
    mountpoint: str = "/tank"

    @property
    def secure(self) -> str:
        """The encryption root."""
        return f"{self.name}/Secure"

    @property
    def backup(self) -> str:
        """The dataset that is backed up."""
        return f"{self.name}/Secure/backup"

    @property
    def borg(self) -> str:
        """The dataset with borg's repository."""
        return f"{self.name}/Secure/Borg"

    def path(self, dataset: str) -> str:
        """Return where a dataset of this pool is mounted."""
        return self.mountpoint + dataset.removeprefix(self.name)

    def create(self, keyfile: str = KEYFILE, cachefile: str = "/etc/zfs/zpool.cache") -> None:
        """Make the pool and its datasets, encrypted, with the properties of the described system.

        Args:
            keyfile: where the passphrase is kept.
            cachefile: where the system looks at boot for pools to import; `none` hides it from the next boot.
        """
        guest, secure = self.guest, self.secure
        guest.write(keyfile, _PASSPHRASE + "\n", mode=0o600)
        vdevs = shlex.join(self.vdevs)
        guest.script(
            f"""
            zpool create -o ashift=12 -o cachefile={cachefile} -O mountpoint={self.mountpoint} \\
                {self.name} mirror {vdevs}
            zfs create -o encryption=on -o keyformat=passphrase -o keylocation=file://{keyfile} \\
                -o pbkdf2iters={KEY_ROUNDS} {secure}
            for dataset in {self.backup} {self.borg}; do
                zfs create -o compression=zstd -o atime=off -o recordsize=1M "$dataset"
                chmod 0700 "$(zfs get -H -o value mountpoint "$dataset")"
            done
            zpool sync {self.name}
            """
        )

    def unlock(self) -> None:
        """Load the key and mount what is not mounted: nothing does so at boot. Harmless when that was done before."""
        if self.property("keystatus", self.secure) != "available":
            self.guest.run("zfs", "load-key", self.secure)
        self.guest.run("zfs mount -a")

    def property(self, name: str, dataset: str) -> str:
        """Return one ZFS property, in ZFS's own exact form (`-p`)."""
        return self.guest.run("zfs", "get", "-Hp", "-o", "value", name, dataset).text

    def health(self) -> str:
        """Return the pool's health: ONLINE, DEGRADED, ..."""
        return self.guest.run("zpool", "list", "-H", "-o", "health", self.name).text

    def status(self) -> str:
        """Return `zpool status`, whatever the pool's state."""
        return self.guest.run("zpool", "status", self.name).stdout

    def scrub(self) -> str:
        """Scrub, wait until it is over, and return the status line that says what it found."""
        self.guest.run("zpool", "scrub", self.name)
        return self.scrub_result()

    def scrub_result(self) -> str:
        """Wait for a scrub that runs to end; return its line of `zpool status`."""
        found = ""

        def over() -> bool:
            nonlocal found
            lines = [line.strip() for line in self.status().splitlines()]
            found = next((line for line in lines if line.startswith("scan:")), "")
            return "scrub repaired" in found

        self.guest.wait_for("the scrub to end", over)
        return found

    def blocks(self, dataset: str, file: str) -> list[Block]:
        """Return where the data of a file lies on each half of the mirror (`zdb`, which needs no key for that)."""
        self.guest.run("zpool", "sync", self.name)
        inode = self.guest.run("stat", "-c", "%i", f"{self.path(dataset)}/{file}").text
        listing = self.guest.run("zdb", "-ddddd", dataset, inode).stdout
        found = _DATA_BLOCK.findall(listing)
        return [Block(int(offset, 16) + _BEFORE_FIRST_BLOCK, int(size, 16)) for offset, size in found]

    def snapshots(self) -> Sequence[str]:
        """Return the names of all snapshots of the pool."""
        listing = ["zfs", "list", "-H", "-r", "-t", "snapshot", "-o", "name", self.name]
        return self.guest.run(*listing).lines
