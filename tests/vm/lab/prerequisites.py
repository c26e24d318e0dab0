"""What the lab needs of its host. Anything missing is an error with its remedy, never a skipped test."""

from __future__ import annotations

import os
import platform
import shutil

from .errors import LabError

SETUP = "tests/vm/setup"

TO_RUN = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "setpriv": "util-linux",
}
TO_BUILD = {
    "mmdebstrap": "mmdebstrap",
    "mkfs.ext4": "e2fsprogs",
    "apt-get": "apt",
    "unshare": "util-linux",
}
TO_ENTER = {"setpriv": "util-linux", "unshare": "util-linux", "pivot_root": "util-linux", "git": "git"}


def _missing(programs: dict[str, str]) -> dict[str, str]:
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    return {program: package for program, package in programs.items() if shutil.which(program, path=path) is None}


def require(programs: dict[str, str]) -> None:
    """Check that all programs are there.

    Raises:
        LabError: names each missing program, the Debian packages and the command that installs them.
    """
    if platform.machine() != "x86_64":
        raise LabError(f"the lab's machines are amd64; this host is {platform.machine()}: run the lab on an amd64 host")
    missing = _missing(programs)
    if missing:
        packages = " ".join(sorted(set(missing.values())))
        raise LabError(
            f"missing on this host: {', '.join(sorted(missing))}. "
            f"Run `{SETUP}` (as root or with sudo), or: apt-get install {packages}"
        )


def require_root_for_build() -> None:
    """Building an image needs root: package scripts and device nodes of a Debian root belong to it.

    Raises:
        LabError: with the command that builds it.
    """
    if os.geteuid() != 0:
        raise LabError("building an image needs root: run `sudo --preserve-env=BKP_LAB make lab-image` once")
