"""The sections `watch:` and `heartbeat:`: what is mailed between runs, and who outside notices a dead server."""

from __future__ import annotations

import msgspec

from bkp.config.section import Section
from bkp.config.texts import AbsolutePath, Name, QuietHours
from bkp.config.values import Duration
from bkp.jobs import JOBS

WATCH = "watch"  # what a heartbeat may be for, besides jobs


class Watch(Section, frozen=True, kw_only=True):
    """bkp-run watch."""

    remind_critical: Duration = Duration(days=1)
    remind_warning: Duration = Duration(days=7)
    gather: Duration = Duration(hours=1)
    quiet: QuietHours | None = None

    def __post_init__(self) -> None:
        for name in ("remind_critical", "remind_warning"):
            if getattr(self, name) < Duration(hours=1):
                raise ValueError(f"{name}: found {getattr(self, name)}, wanted at least 1h")
        if self.quiet is not None and self.quiet[:5] == self.quiet[6:]:
            raise ValueError(f"quiet: {self.quiet} has no length; leave it out for none")


class Heartbeat(Section, frozen=True, kw_only=True):
    """Pings to a service outside (the convention of healthchecks.io). Each file holds one address, which is secret."""

    timeout: Duration = Duration(seconds=10)
    address_files: dict[Name, AbsolutePath] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.timeout:
            raise ValueError("timeout is 0: no ping could ever arrive")
        for name in self.address_files:
            if name != WATCH and name not in JOBS:
                raise ValueError(f"address_files names {name!r}; known: {WATCH}, {', '.join(JOBS)}")
