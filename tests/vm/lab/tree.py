"""A release's root tree without a kernel: `make test` runs in it as on a host of that release.

Made as an image is: in a folder of its own, and finished by one rename.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from . import debian, prerequisites, shelf
from .locks import Hold, exclusive
from .paths import TREE_PACKAGES, Lab

if TYPE_CHECKING:
    from .progress import Progress
    from .recipe import Release

# Raised when the builder itself changes what comes out of the same packages.
_BUILDER_VERSION = 1


def ensure(release: Release, where: Lab, progress: Progress) -> tuple[Path, Hold]:
    """Return the root of the release's tree, held; build it when there is none.

    Raises:
        LabError: something the build needs is missing, or a step of it failed; the log is named.
    """
    final = where.trees / f"{release.name}-{_digest(release)}"
    with exclusive(where.root / f"tree-{release.name}.lock", waiting=progress.say):
        if not final.is_dir():
            _build(release, final, where, progress)
        return final / "root", shelf.use(final)


def _digest(release: Release) -> str:
    packages = " ".join(debian.packages_in(TREE_PACKAGES))
    return hashlib.sha256(f"{_BUILDER_VERSION}\0{release}\0{packages}".encode()).hexdigest()[:12]


def _build(release: Release, final: Path, where: Lab, progress: Progress) -> None:
    prerequisites.require(prerequisites.TO_BUILD)
    for left in where.building.glob(f"tree-{release.name}-*"):
        debian.remove(left)
    log = where.root / f"tree-{release.name}.log"
    work = Path(tempfile.mkdtemp(prefix=f"tree-{release.name}-", dir=where.building))
    work.chmod(0o755)
    progress.say(f"packages (2 to 5 minutes), log in {log}")
    try:
        with log.open("w", encoding="utf-8") as output:
            command = debian.command(release, debian.packages_in(TREE_PACKAGES), work)
            debian.run(*command, work=work, log=output.fileno())
        work.rename(final)
    except subprocess.CalledProcessError as error:
        raise debian.failed(f"{release.name} tree", error, log) from error
    finally:
        debian.remove(work)
    shelf.prune(where.trees, f"{release.name}-*", final)
