"""The sections `pools:` and `disks:`: what the probe watches, and from where on it warns."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from msgspec import Meta

from bkp.config.section import Section
from bkp.config.texts import DiskInterface, DiskPath, Name, PoolName
from bkp.config.values import Duration

SHORTEST_PAUSE = timedelta(minutes=10)  # scrubs are looked after every five minutes


class Pool(Section, frozen=True, kw_only=True):
    """One ZFS pool that is watched. Shares are from 0 to 1."""

    zfs_name: PoolName | None = None
    disks: tuple[Name, ...] = ()
    capacity_warning: Annotated[float, Meta(ge=0, le=1)] = 0.8
    capacity_critical: Annotated[float, Meta(ge=0, le=1)] = 0.9
    scrub_age: Duration = Duration(days=36)
    scrub_pause: Duration | None = None

    def __post_init__(self) -> None:
        if self.scrub_pause is not None and self.scrub_pause < SHORTEST_PAUSE:
            raise ValueError("scrub_pause must be at least 10m: scrubs are looked after every 5m")


class Disk(Section, frozen=True, kw_only=True):
    """One disk that is watched. Temperatures are in degrees Celsius, wear is a share of what the maker allows."""

    path: DiskPath
    interface: DiskInterface | None = None
    temperature_warning: Annotated[int, Meta(ge=1, le=150)] = 50
    temperature_critical: Annotated[int, Meta(ge=1, le=150)] = 60
    wear_warning: Annotated[float, Meta(ge=0, le=1)] = 0.8
    selftest_age: Duration = Duration(days=36)
    wake_for_tests: bool = False

    def __post_init__(self) -> None:
        if self.temperature_critical <= self.temperature_warning:
            raise ValueError("temperature_critical must be above temperature_warning")
