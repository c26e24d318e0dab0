"""The sections `pools:` and `disks:`: what the probe watches, and from where on it warns."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from bkp.config.section import Section
from bkp.config.texts import DiskInterface, DiskPath, Name, PoolName
from bkp.config.values import Duration


class Pool(Section, frozen=True, kw_only=True):
    """One ZFS pool that is watched. Shares are from 0 to 1."""

    zfs_name: PoolName | None = None
    disks: tuple[Name, ...] = ()
    capacity_warning: Annotated[float, Meta(ge=0, le=1)] = 0.8
    capacity_critical: Annotated[float, Meta(ge=0, le=1)] = 0.9
    scrub_age: Duration = Duration(days=36)


class Disk(Section, frozen=True, kw_only=True):
    """One disk that is watched. Temperatures are in degrees Celsius, wear is a share of what the maker allows."""

    path: DiskPath
    interface: DiskInterface | None = None
    temperature_warning: Annotated[int, Meta(ge=1, le=150)] = 50
    temperature_critical: Annotated[int, Meta(ge=1, le=150)] = 60
    wear_warning: Annotated[float, Meta(ge=0, le=1)] = 0.8

    def __post_init__(self) -> None:
        if self.temperature_critical <= self.temperature_warning:
            raise ValueError("temperature_critical must be above temperature_warning")
