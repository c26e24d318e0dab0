"""The section `replications:`: which datasets of a live server are pulled into which datasets here, and how."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from msgspec import Meta

from bkp.config.section import Section
from bkp.config.texts import DatasetPath, PlainPath, ReplicationSource
from bkp.config.values import Duration


class Remote(NamedTuple):
    """A dataset of another host, and the account that may send it."""

    user: str
    host: str
    dataset: str

    @property
    def account(self) -> str:
        """Return USER@HOST, as ssh takes it."""
        return f"{self.user}@{self.host}"


class Replication(Section, frozen=True, kw_only=True):
    """One dataset of a live server that is pulled by syncoid, with its children."""

    source: ReplicationSource
    target: DatasetPath
    identity_file: PlainPath
    known_hosts: PlainPath
    port: Annotated[int, Meta(ge=1, le=65535)] = 22
    recursive: bool = True
    raw: bool = False
    own_snapshots: bool = True
    lag_warning: Duration = Duration(hours=36)
    lag_critical: Duration = Duration(days=4)
    gate_test_every: Duration = Duration(days=7)
    syncoid: PlainPath = "/usr/sbin/syncoid"

    def __post_init__(self) -> None:
        if self.lag_critical <= self.lag_warning:
            raise ValueError("lag_critical must be longer than lag_warning")

    @property
    def remote(self) -> Remote:
        """Return the parts of `source`."""
        user, _, rest = self.source.partition("@")
        host, _, dataset = rest.partition(":")
        return Remote(user, host, dataset)
