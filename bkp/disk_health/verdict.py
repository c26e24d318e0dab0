"""What all that smartctl printed comes to: passed, failed or unknown."""

from __future__ import annotations

from bkp.disk_health.model import Attribute, CriticalWarning, ExitBit, Health

_NOT_READ = frozenset({ExitBit.COMMAND_LINE, ExitBit.OPEN_FAILED, ExitBit.COMMAND_FAILED})
_FAILING = frozenset({ExitBit.DISK_FAILING, ExitBit.PREFAIL_ATTRIBUTES})
_NOW = frozenset({"NOW", "FAILING_NOW"})
_BEFORE = frozenset({"PAST", "IN_THE_PAST"})
_KNOWN_WARNINGS = tuple(CriticalWarning)[:-1]


def judge(
    *,
    passed: bool | None,
    exit_bits: tuple[ExitBit, ...] | None,
    exit_status_valid: bool,
    critical_warning: int | None,
    attributes: tuple[Attribute, ...] | None,
    in_doubt: bool,
) -> Health:
    """Weigh the disk's own word with every sign against it.

    `exit_status_valid` is False for an exit status that cannot be one. `in_doubt` says that the disk's word is not
    its own, or was not read this time. A remark on an attribute that is not known is a doubt, too. A sign of failure
    always counts; of good health, only without a doubt.
    """
    bits = frozenset(exit_bits or ())
    rows = attributes or ()
    failing = any(row.prefail is not False and fails_now(row) for row in rows)
    if passed is False or critical_warning or bits & _FAILING or failing:
        return Health.FAILED
    odd = any((row.failed_said or "PAST").upper() not in _NOW | _BEFORE for row in rows)
    if passed is None or odd or in_doubt or not exit_status_valid or bits & _NOT_READ:
        return Health.UNKNOWN
    return Health.PASSED


def fails_now(row: Attribute) -> bool:
    """Whether an attribute is at or below its threshold."""
    return (row.failed_said or "").upper() in _NOW


def failing_names(rows: tuple[Attribute, ...] | None, *, whole: bool) -> tuple[str, ...] | None:
    """Return the attributes at or below their threshold; None where a row that cannot be read may be one of them."""
    found = tuple(row.name for row in rows or () if fails_now(row))
    return found if found or (rows is not None and whole) else None


def failed_before_names(rows: tuple[Attribute, ...] | None, *, whole: bool) -> tuple[str, ...] | None:
    """Return the attributes that were below their threshold once; a remark that is not known counts as one."""
    found = tuple(row.name for row in rows or () if row.failed_said and not fails_now(row))
    return found if found or (rows is not None and whole) else None


def warnings_of(value: int | None) -> tuple[CriticalWarning, ...] | None:
    """Return the bits of NVMe's critical warning by name; None where it is not known."""
    if value is None or value < 0:
        return None
    found = [name for position, name in enumerate(_KNOWN_WARNINGS) if value >> position & 1]
    return (*found, CriticalWarning.OTHER) if value >> len(_KNOWN_WARNINGS) else tuple(found)
