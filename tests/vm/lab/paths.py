"""Where the lab keeps what is big: outside the checkout, shared by all checkouts of one user."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
IMAGE_RECIPE = Path(__file__).resolve().parents[1] / "image"
TREE_PACKAGES = Path(__file__).resolve().parents[1] / "tree" / "packages"


@dataclass(frozen=True)
class Lab:
    """The lab's folder tree.

    Attributes:
        root: `BKP_LAB`, by default `~/.cache/bkp-lab`.
    """

    root: Path

    @property
    def images(self) -> Path:
        """Finished images; whatever is in here is complete."""
        return self._folder("images")

    @property
    def trees(self) -> Path:
        """Finished root trees, for tests without a machine."""
        return self._folder("trees")

    @property
    def states(self) -> Path:
        """Prepared states: disk overlays over an image or over another state."""
        return self._folder("states")

    @property
    def building(self) -> Path:
        """Unfinished images and states; anything in here without a living builder is rubbish."""
        return self._folder("building")

    @property
    def runs(self) -> Path:
        """One folder per running machine."""
        return self._folder("run")

    @property
    def wheels(self) -> Path:
        """Wheelhouses, by Python version and lock file."""
        return self._folder("wheels")

    @property
    def key(self) -> Path:
        """The private key that opens the guests; made by `image.ensure_key`."""
        return self._folder("ssh") / "id_ed25519"

    def _folder(self, name: str) -> Path:
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def lab() -> Lab:
    """Return the lab of this user: `BKP_LAB`, or `~/.cache/bkp-lab`."""
    configured = os.environ.get("BKP_LAB")
    root = Path(configured).expanduser() if configured else Path.home() / ".cache" / "bkp-lab"
    return Lab(root.resolve())
