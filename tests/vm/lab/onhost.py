"""The lab's interface on a host that has ZFS itself: a pool on two files, nothing else of the host is touched.

Only for a host where that is wanted: it refuses to start without an explicit word in the environment, and it never
imports, exports or destroys a pool whose devices are not files of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import GuestError, LabError
from .guest import Guest, Result
from .pool import Pool

if TYPE_CHECKING:
    from .recipe import Release

OPT_IN, CONSENT = "BKP_LAB_ON_HOST", "destroy-nothing-else"
POOL_NAME = "bkplab"
_PREFIX = "bkp-lab-on-host-"
_VDEV_BYTES = 1 << 30


class Host(Guest):
    """This very host, seen as a guest without abilities: no power cuts, no clock, no units, no disks to pull."""

    def __init__(self, release: Release) -> None:
        super().__init__("this host", release)
        _refuse_unless_wanted()
        _destroy_left_over()
        self.scratch = Path(tempfile.mkdtemp(prefix=_PREFIX, dir="/var/tmp"))

    def _execute(self, command: str, stdin: bytes | None, limit: float) -> Result:
        try:
            done = subprocess.run(
                ["/bin/bash", "-c", command], input=stdin or b"", capture_output=True, timeout=limit, cwd=self.scratch
            )
        except subprocess.TimeoutExpired as error:
            raise GuestError(f"`{command}` did not end within {limit:.0f} s") from error
        code = done.returncode if done.returncode >= 0 else 128 - done.returncode
        return Result(command, code, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))

    def push(self, source: Path, target: str) -> None:
        """Copy a file or folder to `target`."""
        copy = shutil.copytree if source.is_dir() else shutil.copy
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        copy(source, target)

    def pull(self, source: str, target: Path) -> None:
        """Copy a file or folder from `source`."""
        self.push(Path(source), str(target))

    def diagnosis(self) -> list[tuple[str, str]]:
        """Return the end of the host's journal."""
        return [("journal of this host", self.journal())]

    def make_pool(self) -> Pool:
        """Make the pool on two files below the scratch folder."""
        files = []
        for number in (0, 1):
            path = self.scratch / f"vdev{number}"
            with path.open("wb") as file:
                file.truncate(_VDEV_BYTES)
            files.append(str(path))
        pool = Pool(self, POOL_NAME, tuple(files), mountpoint=str(self.scratch / "pool"))
        pool.create(keyfile=str(self.scratch / "zfs.key"), cachefile="none")
        return pool

    def discard(self) -> None:
        """Destroy the pool and remove its files. Harmless when that was done before."""
        _destroy_left_over()
        if self.scratch.exists():
            shutil.rmtree(self.scratch)


def _refuse_unless_wanted() -> None:
    if os.environ.get(OPT_IN) != CONSENT:
        raise LabError(
            f"--on-host makes and destroys a pool {POOL_NAME!r} on files of this host. If that is wanted here, "
            f"set {OPT_IN}={CONSENT}; otherwise run the tests in the lab's machines (make test-vm)"
        )
    if os.geteuid() != 0:
        raise LabError("--on-host needs root: pools and mounts are made")
    missing = [program for program in ("zpool", "zfs", "borg", "unshare") if shutil.which(program) is None]
    if missing or not Path("/dev/zfs").exists():
        what = ", ".join(missing) or "the zfs module (modprobe zfs)"
        raise LabError(f"--on-host: this host lacks {what}; run the tests in the lab's machines (make test-vm)")


def _destroy_left_over() -> None:
    """Destroy the lab's pool if it is there; a pool of that name on anything but the lab's files stays untouched."""
    listing = subprocess.run(
        ["zpool", "list", "-H", "-P", "-v", "-o", "name", POOL_NAME], capture_output=True, text=True
    )
    if listing.returncode != 0:
        return  # no such pool
    words = [line.split("\t") for line in listing.stdout.splitlines()]
    devices = [word for line in words for word in line if word.startswith("/")]
    if not devices or not all(device.startswith(f"/var/tmp/{_PREFIX}") for device in devices):
        raise LabError(f"a pool {POOL_NAME!r} that is not the lab's is imported here: the lab does not touch it")
    subprocess.run(["zpool", "destroy", POOL_NAME], check=True)
