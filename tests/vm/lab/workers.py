"""Which tests have to stay together when several pytest workers share the work: those that share a machine."""

from __future__ import annotations

import re

from xdist.scheduler import LoadScopeScheduling

from .recipe import RELEASES

# The release is the first parameter of a test: `test_lab.py::test_name[trixie]`, `…[bookworm-prune]`.
_RELEASE = re.compile(rf"\[({'|'.join(sorted(RELEASES, key=len, reverse=True))})[-\]]")


def machine_of(nodeid: str) -> str:
    """Return a name that all tests have in common which use one machine: a module's on one release."""
    release = _RELEASE.search(nodeid)
    return f"{nodeid.partition('::')[0]} {release[1] if release else ''}".rstrip()


class ByMachine(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Hands out whole machines, those with most tests first."""

    def _split_scope(self, nodeid: str) -> str:
        return machine_of(nodeid)
