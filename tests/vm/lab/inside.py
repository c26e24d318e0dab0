"""`make test` in a release's tree: the host's kernel, and everything else of that release.

The checkout is copied in as git knows it. The tree itself stays as it was built: what a run writes lies in a folder of
its own and goes with the run. The run is root, with mounts and processes of its own. The network is the host's: without
a network card borg's locks name no host, so what is judged of them would be something else.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from . import debian, prerequisites, tree, wheels
from .errors import LabError
from .locks import exclusive, share, try_lock
from .paths import CHECKOUT, Lab, lab

if TYPE_CHECKING:
    from .progress import Progress
    from .recipe import Release

LOCK = CHECKOUT / "requirements" / "dev.txt"
AXE = CHECKOUT / "requirements" / "axe.txt"
_MARK = "in-use"
# Process 1 of the run's own namespace: as bash it also waits for orphans, which tests expect to be gone when they end.
_SCRIPT = r"""
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin
cd "$1"
mount -t overlay -o "lowerdir=$2,upperdir=upper,workdir=scratch" tree root
for folder in dev sys; do mount --rbind "/$folder" "root/$folder"; done
mount -t proc proc root/proc
mount -t tmpfs -o mode=755 run root/run
# Not on the overlay: there a file's device is not that of its folder, which borg and the nightly look at.
for folder in tmp var/tmp root; do mount --bind "own/$folder" "root/$folder"; done
printf '127.0.0.1 localhost\n127.0.1.1 %s\n::1 localhost\n' "$(uname -n)" >root/etc/hosts
mkdir root/wheels root/host
mount --bind -o ro "$3" root/wheels
# Not chroot: who enters another mount namespace and comes back, as the nightly does, would come to the host's root.
cd root
pivot_root . host
umount --lazy /host
rmdir /host
cd /root/bkp
env -i HOME=/root LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM="${TERM:-dumb}" \
    PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels make test ${4:+"PYTEST_ARGS=$4"}
exit
"""


def run_tests(release: Release, progress: Progress, pytest_args: str) -> int:
    """Run `make test` in the release's tree, its output passed through; return its exit code.

    Raises:
        LabError: the tree or the wheels could not be had, or this user may not mount.
    """
    if os.geteuid() != 0:
        raise LabError(
            "the tests run as root of a tree of their own: run `sudo --preserve-env=BKP_LAB make test-trixie`"
        )
    prerequisites.require(prerequisites.TO_ENTER)
    where = lab()
    root, _tree_held = tree.ensure(release, where, progress)
    house, _house_held = wheels.wheelhouse(release.python, where, progress, LOCK, alone=AXE)
    work = _work_folder(where, release)
    held = share(work / _MARK)
    try:
        _copy_checkout(work / "own" / "root" / "bkp")
        progress.say("make test")
        arguments = ["bash", "-c", _SCRIPT, "inside", str(work), str(root), str(house), pytest_args]
        return subprocess.run([*debian.CONTAINED, *arguments], stdin=subprocess.DEVNULL).returncode
    finally:
        debian.remove(work)
        held.release()
        debian.give_to_caller(where)


def _work_folder(where: Lab, release: Release) -> Path:
    """Return a new folder for one run; those of runs that were killed are removed."""
    prefix = f"inside-{release.name}-"
    with exclusive(where.root / "inside.lock", waiting=lambda _: None):
        for left in where.building.glob(f"{prefix}*"):
            unused = try_lock(left / _MARK)
            if unused is not None:
                debian.remove(left)
                unused.release()
    work = Path(tempfile.mkdtemp(prefix=prefix, dir=where.building))
    for name, mode in {"upper": 0o755, "scratch": 0o755, "root": 0o755, "own/root": 0o700}.items():
        (work / name).mkdir(parents=True, mode=mode)
    for name in ("own/tmp", "own/var/tmp"):
        (work / name).mkdir(parents=True)
        (work / name).chmod(0o1777)
    return work


def _copy_checkout(copy: Path) -> None:
    """Copy what git knows or would add, and make it a checkout again: tests and linters ask git for its files."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(listing, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (CHECKOUT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, copy / name, follow_symlinks=False)
    subprocess.run(["git", "init", "--quiet", str(copy)], check=True)
