"""A Debian root made by mmdebstrap with the host's own way to Debian's archive."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from . import apt
from .errors import LabError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .paths import Lab
    from .recipe import Release

# Ends with its parent, takes all its children along, and its mounts are nobody else's.
CONTAINED = (
    *("setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"),
)


def packages_in(listing: Path) -> list[str]:
    """Return the packages that a file lists, one a line; `#` begins a comment."""
    lines = (line.split("#")[0].strip() for line in listing.read_text("utf-8").splitlines())
    return [line for line in lines if line]


def run(*command: str, work: Path, log: int) -> None:
    """Run one command of a build in the builder's environment, its output in the open file `log`.

    Raises:
        CalledProcessError: it failed.
    """
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", "TMPDIR": str(work)}
    environment["PATH"] = f"{environment['PATH']}:/usr/sbin:/sbin"
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)


def command(release: Release, packages: Sequence[str], work: Path, options: Sequence[str] = ()) -> list[str]:
    """Return the command that makes a release's root with these packages in `work`/root; `options` are mmdebstrap's.

    Raises:
        LabError: the host's apt cannot say where Debian's archive is.
    """
    host = apt.read_host()
    fixed = ["--mode=root", "--variant=minbase", "--format=directory", "--components=main,contrib"]
    fixed += [f"--aptopt={line}" for line in (*host.transport, 'Acquire::Languages "none"')]
    fixed += [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("man", "locale", "info")]
    fixed += ["--dpkgopt=force-unsafe-io", f"--include={','.join(packages)}"]
    sources = host.sources(release.suite, backports=release.backports)
    mirrors: list[str] = []
    if sources:
        listing = work / "sources"
        listing.write_text("\n".join(sources) + "\n", "utf-8")
        mirrors = [str(listing)]
    elif release.backports:
        raise LabError("backports need a host whose apt knows Debian's archive; on this one it does not")
    return [*CONTAINED, "mmdebstrap", *fixed, *options, release.suite, str(work / "root"), *mirrors]


def remove(folder: Path) -> None:
    """Remove a tree, never into something mounted below, whatever went wrong before."""
    if folder.exists():
        subprocess.run(["rm", "-rf", "--one-file-system", str(folder)], check=False)


def failed(what: str, error: subprocess.CalledProcessError, log: Path) -> LabError:
    """Return the error that says which step of a build failed, with the end of its log."""
    tail = "\n".join(log.read_text("utf-8", "replace").splitlines()[-25:])
    return LabError(f"building the {what} failed in `{error.cmd[0]}`; {log} ends:\n{tail}")


def give_to_caller(where: Lab) -> None:
    """Under sudo, what root made in the user's cache belongs to the user, but for trees: their owners are Debian's."""
    user = os.environ.get("SUDO_UID")
    if user and os.geteuid() == 0:
        owner = f"{user}:{os.environ.get('SUDO_GID', user)}"
        other = ["find", str(where.root), "-path", f"{where.trees}/*", "-prune", "-o"]
        subprocess.run([*other, "-exec", "chown", "-h", owner, "{}", "+"], check=False)
