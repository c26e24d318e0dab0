"""The project and its locked dependencies as wheels for the guests' Pythons; guests have no network to get them."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from . import shelf
from .errors import LabError
from .locks import Hold, exclusive
from .paths import CHECKOUT, Lab

if TYPE_CHECKING:
    from .progress import Progress

LOCK = CHECKOUT / "requirements" / "runtime.txt"
# Debian 12 has glibc 2.36; a newer host would otherwise fetch wheels that do not load there.
_GLIBC = ("2_36", "2_35", "2_34", "2_31", "2_28", "2_27", "2_26", "2_24", "2_17", "2_12", "2_5")


def _pip(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", "pip", *arguments], cwd=CHECKOUT, capture_output=True, text=True)
    if done.returncode != 0:
        raise LabError(
            f"`pip {arguments[0]}` failed; the environment is made by `scripts/bootstrap test`:\n{done.stderr.strip()}"
        )


def lock_digest(*locks: Path) -> str:
    """Return the hash of the locked dependencies: the runtime's, or those of other locks."""
    return hashlib.sha256(b"".join(lock.read_bytes() for lock in locks or (LOCK,))).hexdigest()[:12]


def wheelhouse(
    python: str, where: Lab, progress: Progress, lock: Path = LOCK, *, alone: Path | None = None
) -> tuple[Path, Hold]:
    """Return the folder with every locked dependency as a wheel for this Python (`3.11`), held; fetched on first use.

    The lock lies in it too. What `alone` locks is fetched without what it depends on.

    Raises:
        LabError: pip could not fetch one, or its hash is not the locked one.
    """
    final = where.wheels / f"{python}-{lock_digest(lock, *([alone] if alone is not None else []))}"
    with exclusive(where.root / "wheels.lock", waiting=progress.say):
        if final.is_dir():
            return final, shelf.use(final)
        progress.say(f"fetching the locked dependencies for Python {python}")
        work = Path(tempfile.mkdtemp(prefix="wheels-", dir=where.building))
        try:
            platforms = [f"--platform=manylinux_{glibc}_x86_64" for glibc in _GLIBC]
            version = ["--python-version", python, "--implementation", "cp", "--only-binary", ":all:"]
            fetch = ["download", "--quiet", "--dest", str(work), "--require-hashes", *version, *platforms]
            _pip(*fetch, "-r", str(lock))
            if alone is not None:
                _pip(*fetch, "--no-deps", "-r", str(alone))
            shutil.copy(lock, work / lock.name)
            work.rename(final)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        shelf.prune(where.wheels, f"{python}-*", final)
        return final, shelf.use(final)


@cache
def project_wheel() -> tuple[str, bytes]:
    """Return name and content of the project's own wheel, built from the checkout once: a run judges one project.

    Raises:
        LabError: the build failed, with pip's words.
    """
    with tempfile.TemporaryDirectory() as folder:
        _pip("wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, str(CHECKOUT))
        (built,) = Path(folder).glob("*.whl")
        return built.name, built.read_bytes()
