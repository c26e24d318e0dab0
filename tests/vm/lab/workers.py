"""Which tests have to stay together when several pytest workers share the work: those that share a machine."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from xdist.scheduler import LoadScopeScheduling

from .recipe import RELEASES

if TYPE_CHECKING:
    from collections.abc import Iterable

# About how long each module takes on one release (docs/lab.md, "Last full result").
_MINUTES = {
    "test_replication.py": 16,
    "test_probe.py": 10,
    "test_interrupted_nights.py": 10,
    "test_timers.py": 9,
    "test_scrub.py": 8,
    "test_nightly_on_zfs.py": 6,
    "test_on_host.py": 4,
    "test_lab.py": 4,
    "test_harness.py": 2,
}
# The release is the first parameter of a test: `test_lab.py::test_name[trixie]`, `…[bookworm-prune]`.
_RELEASE = re.compile(rf"\[({'|'.join(sorted(RELEASES, key=len, reverse=True))})[-\]]")


def machine_of(nodeid: str) -> str:
    """Return a name that all tests have in common which use one machine: a module's on one release."""
    release = _RELEASE.search(nodeid)
    return f"{nodeid.partition('::')[0]} {release[1] if release else ''}".rstrip()


def longest_first(machines: Iterable[str]) -> list[str]:
    """Return machines in the order in which to hand them out: what begins last ends soon after the rest."""
    return sorted(machines, key=lambda name: -_MINUTES.get(PurePath(name.partition(" ")[0]).name, 60))


class ByMachine(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Hands out whole machines, those that take longest first."""

    def _split_scope(self, nodeid: str) -> str:
        return machine_of(nodeid)

    def _assign_work_unit(self, node: object) -> None:
        for name in longest_first(self.workqueue):
            self.workqueue.move_to_end(name)
        super()._assign_work_unit(node)
