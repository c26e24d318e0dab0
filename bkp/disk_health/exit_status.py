"""smartctl's exit status and its sentence about a disk that sleeps, which shares bit 1 with a failed open."""

from __future__ import annotations

import functools
import operator
import re
from typing import TYPE_CHECKING, NamedTuple

from bkp.disk_health.model import ExitBit, PowerState

if TYPE_CHECKING:
    from collections.abc import Iterable

_LEFT_ALONE = re.compile(r"Device is in (.{1,40}) mode, exit\(([0-9]{1,3})\)")
_ASLEEP = re.compile(r"STANDBY\b.*|STANDBY_.*|SLEEP|LOW POWER")
_AWAKE = re.compile(r"ACTIVE\b.*|ACTIVE_.*|IDLE\b.*|IDLE_.*")
_OPEN_FAILED = 1 << 1


class LeftAlone(NamedTuple):
    """smartctl read nothing, because the disk rests in this mode; `exit_status` is what it ended with for that."""

    mode: str
    exit_status: int


def left_alone(messages: Iterable[str]) -> LeftAlone | None:
    """Return what smartctl says where `-n` made it leave the disk alone; None where it says nothing of the kind."""
    for message in messages:
        if match := _LEFT_ALONE.fullmatch(message.strip()):
            return LeftAlone(match[1], int(match[2]))
    return None


def power_state(mode: str | None) -> PowerState:
    """Return what smartctl's name of a power mode means."""
    if mode and _ASLEEP.fullmatch(mode):
        return PowerState.ASLEEP
    return PowerState.ACTIVE if mode and _AWAKE.fullmatch(mode) else PowerState.UNKNOWN


def combined(*statuses: int | None) -> int | None:
    """Return an exit status with the bits of all that are known: where two differ, the worse is believed."""
    known = [status for status in statuses if status is not None]
    return functools.reduce(operator.or_, known) if known else None


def exit_bits(status: int | None, *, resting: LeftAlone | None, asleep: bool) -> tuple[ExitBit, ...] | None:
    """Return the bits of an exit status by name; None where it is not known.

    A disk that was left alone is no failure: of its exit status (2, or what `-n standby,N` asked for) nothing is left.
    """
    if status is None or not 0 <= status <= 255:
        return None
    if resting is not None and status == resting.exit_status:
        return ()
    if asleep:
        status &= ~_OPEN_FAILED
    return tuple(bit for position, bit in enumerate(ExitBit) if status >> position & 1)
