"""Which device a path leads to: links of /dev, partitions and mapped devices down to the whole disk (sysfs(5))."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path("/")
_MAX_DEPTH = 8


@dataclass(frozen=True)
class Host:
    """The host's files below `root`."""

    root: Path = field(default_factory=lambda: ROOT)

    def file(self, path: str) -> Path:
        """Return where an absolute path of the host lies."""
        return self.root / path.lstrip("/")

    def text(self, path: str) -> str | None:
        """Return a small text file of the host; None where it cannot be read."""
        try:
            return self.file(path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None

    def names(self, path: str) -> list[str]:
        """Return the names in a folder of the host, sorted; none where it cannot be read."""
        try:
            return sorted(each.name for each in self.file(path).iterdir())
        except OSError:
            return []

    def real_path(self, path: str) -> str | None:
        """Return what a path leads to, all links followed; None where nothing is there."""
        real = os.path.realpath(self.file(path))
        if not Path(real).exists():
            return None
        root = os.path.realpath(self.root).rstrip("/")
        return real.removeprefix(root)

    def whole_device(self, path: str) -> str | None:
        """Return the whole disk that a path leads to, such as /dev/sda; None where it leads to none, or to several."""
        real = self.real_path(path)
        return None if real is None or not real.startswith("/dev/") else self._whole(real.removeprefix("/dev/"), 0)

    def _whole(self, name: str, depth: int) -> str | None:
        known = self.file(f"/sys/class/block/{name}")
        if (known / "partition").exists():
            return f"/dev/{Path(os.path.realpath(known)).parent.name}"
        below = self.names(f"/sys/class/block/{name}/slaves")
        if not below:
            return f"/dev/{name}"
        return self._whole(below[0], depth + 1) if len(below) == 1 and depth < _MAX_DEPTH else None
