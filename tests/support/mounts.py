"""Mounts that tests make: in a mount namespace of the test's own, so that nothing is left on the machine."""

from __future__ import annotations

from pathlib import Path


def in_own_mounts(*command: str) -> list[str]:
    """Return a command line that runs `command` (the same process) where its mounts are seen by nobody else."""
    return ["unshare", "--mount", "--propagation", "private", "--", *command]


def mounts_of(source: str) -> set[int]:
    """Return the processes that see a mount of that source, wherever it is."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                lines = (entry / "mountinfo").read_text(encoding="utf-8", errors="surrogateescape").split("\n")
            except OSError:  # it has ended
                continue
            if any(f" {source} " in line.partition(" - ")[2] for line in lines):
                found.add(int(entry.name))
    return found
