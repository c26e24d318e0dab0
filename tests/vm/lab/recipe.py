"""What an image is made of, and the hash that says whether one that lies in the cache is still the right one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .debian import packages_in
from .errors import LabError
from .paths import IMAGE_RECIPE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Release:
    """One kind of guest.

    Attributes:
        name: the lab's name for it, as `--release` takes it.
        suite: Debian's codename.
        backports: take ZFS, and nothing else, from the suite's backports.
        python: the guest's own Python, for which wheels are fetched.
    """

    name: str
    suite: str
    python: str
    backports: bool = False


RELEASES = {
    release.name: release
    for release in (
        Release("bookworm", "bookworm", "3.11"),
        Release("trixie", "trixie", "3.13"),
        Release("bookworm-backports", "bookworm", "3.11", backports=True),
    )
}
DEFAULT_RELEASES = ("bookworm", "trixie")

# Raised when the builder itself changes what comes out of the same inputs.
_BUILDER_VERSION = 2
ROOT_SIZE = "10G"


def release_named(name: str) -> Release:
    """Return the release of this name.

    Raises:
        LabError: names the known ones.
    """
    try:
        return RELEASES[name]
    except KeyError:
        raise LabError(f"no release {name!r} in the lab; known: {', '.join(RELEASES)}") from None


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


@dataclass(frozen=True)
class Recipe:
    """All inputs of one image: the release, the recipe folder, and the key that opens the guest.

    Attributes:
        release: what is built.
        public_key: the line for the guest's `authorized_keys`.
        folder: packages, configuration files (`early` before the packages, `late` after them), `customize` script.
    """

    release: Release
    public_key: str
    folder: Path = IMAGE_RECIPE

    @property
    def packages(self) -> list[str]:
        """Debian packages, as `packages` lists them."""
        return packages_in(self.folder / "packages")

    @property
    def digest(self) -> str:
        """Hash over every input; twelve hex digits, part of the image's folder name."""
        digest = hashlib.sha256()
        for part in (str(_BUILDER_VERSION), ROOT_SIZE, repr(self.release), self.public_key):
            digest.update(part.encode("utf-8") + b"\0")
        for path in _files(self.folder):
            digest.update(f"{path.relative_to(self.folder)}\0{path.stat().st_mode & 0o111:o}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()[:12]

    @property
    def image_name(self) -> str:
        """Folder name of the finished image: release and digest."""
        return f"{self.release.name}-{self.digest}"
