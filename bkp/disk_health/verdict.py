"""What all that smartctl printed comes to: passed, failed or unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bkp.disk_health.exit_status import power_state
from bkp.disk_health.model import Attribute, CriticalWarning, DiskHealth, ExitBit, Health, PowerState, Values

if TYPE_CHECKING:
    from bkp.disk_health.attributes import AttributeTable

_NOT_READ = frozenset({ExitBit.COMMAND_LINE, ExitBit.OPEN_FAILED, ExitBit.COMMAND_FAILED})
_FAILING = frozenset({ExitBit.DISK_FAILING, ExitBit.PREFAIL_ATTRIBUTES})
_NOW = frozenset({"NOW", "FAILING_NOW"})
_BEFORE = frozenset({"PAST", "IN_THE_PAST"})
_KNOWN_WARNINGS = tuple(CriticalWarning)[:-1]


def concluded(said: DiskHealth, table: AttributeTable, *, in_doubt: bool) -> DiskHealth:
    """Return the reading with the table of attributes, and with what follows from all that was said.

    `in_doubt` says that the disk's word is not its own, or was not read this time.
    """
    rows = table.rows or ()
    failing = tuple(row.name for row in rows if fails_now(row.failed_said))
    before = tuple(row.name for row in rows if row.failed_said and not fails_now(row.failed_said))
    # a row that cannot be read may be one of them
    none = () if table.rows is not None and table.whole else None
    answered = said.passed is not None or said.values != Values()
    return msgspec.structs.replace(
        said,
        # a disk that answered was awake when it did
        power=PowerState.ACTIVE if said.power_said is None and answered else power_state(said.power_said),
        health=_judge(said, rows, in_doubt=in_doubt),
        critical_warnings=_warnings_of(said.critical_warning),
        attributes=table.rows,
        failing_now=failing or none,
        failed_before=before or none,
    )


def _judge(said: DiskHealth, rows: tuple[Attribute, ...], *, in_doubt: bool) -> Health:
    """Weigh the disk's own word with every sign against it.

    An exit status that cannot be one is a doubt, and so is a remark on an attribute that is not known. A sign of
    failure always counts; of good health, only without a doubt.
    """
    bits = frozenset(said.exit_bits or ())
    failing = any(row.prefail is not False and fails_now(row.failed_said) for row in rows)
    if said.passed is False or said.critical_warning or bits & _FAILING or failing:
        return Health.FAILED
    impossible = said.exit_status is not None and said.exit_bits is None
    odd = any((row.failed_said or "PAST").upper() not in _NOW | _BEFORE or _contradicts(row) for row in rows)
    off = False in {said.smart_available, said.smart_enabled}
    if said.passed is None or odd or off or in_doubt or said.health_from_attributes or impossible or bits & _NOT_READ:
        return Health.UNKNOWN
    return Health.PASSED


def _contradicts(row: Attribute) -> bool:
    """Whether a row is at or below its threshold by its numbers, and has no remark. A threshold of 0 is none."""
    return not row.failed_said and row.value is not None and bool(row.threshold) and row.value <= (row.threshold or 0)


def fails_now(remark: str | None) -> bool:
    """Whether a remark on an attribute says that it is at or below its threshold."""
    return (remark or "").upper() in _NOW


def _warnings_of(value: int | None) -> tuple[CriticalWarning, ...] | None:
    """Return the bits of NVMe's critical warning by name; None where it is not known."""
    if value is None or value < 0:
        return None
    found = [name for position, name in enumerate(_KNOWN_WARNINGS) if value >> position & 1]
    return (*found, CriticalWarning.OTHER) if value >> len(_KNOWN_WARNINGS) else tuple(found)
