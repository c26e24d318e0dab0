"""What an ATA disk's table of attributes says. Makers number and pack them as they like; only what is sure is taken."""

from __future__ import annotations

from typing import NamedTuple

from bkp.disk_health.model import Attribute, Identity, Values
from bkp.disk_health.words import leading_number, plausible_celsius, power_on_seconds

_MAX_COUNT = 1 << 32

# The normalised value is the percentage that is left. The names are smartctl's, of models that it knows.
_PERCENT_LEFT = frozenset(
    {
        "SSD_Life_Left",
        "SSD_Life_Left_Perc",
        "Media_Wearout_Indicator",
        "Percent_Lifetime_Remain",
        "Percent_Lifetime_Used",
        "Percent_Life_Remaining",
        "Perc_Rated_Life_Remain",
        "Remaining_Lifetime_Perc",
    }
)
# The raw number says the same; some models move only one of the two.
_RAW_PERCENT_LEFT = frozenset({"SSD_Life_Left", "SSD_Life_Left_Perc", "Remaining_Lifetime_Perc"})
_RAW_PERCENT_USED = frozenset({"Perc_Rated_Life_Used"})
_MEDIA_ERRORS = frozenset({"Reported_Uncorrect", "Uncorrectable_Error_Cnt", "Reported_UE_Counts"})
_UNSAFE_SHUTDOWNS = frozenset({"Unsafe_Shutdown_Count", "Unexpect_Power_Loss_Ct", "Unexpected_Power_Loss"})


class AttributeTable(NamedTuple):
    """The attributes; `whole` is False where a row could not be read."""

    rows: tuple[Attribute, ...] | None
    whole: bool


def values_of(rows: tuple[Attribute, ...], identity: Identity) -> Values:
    """Return what the table says; None for each that it does not say, or says in a form that is not known."""
    return Values(
        temperature_celsius=_temperature(rows),
        power_on_seconds=_power_on(rows),
        power_cycles=_count(rows, 12),
        wear_ratio=_wear(rows, identity),
        reallocated_sectors=_count(rows, 5),
        pending_sectors=_count(rows, 197),
        offline_uncorrectable_sectors=_count(rows, 198),
        crc_errors=_count(rows, 199),
        media_errors=_count_by_name(rows, _MEDIA_ERRORS),
        unsafe_shutdowns=_count_by_name(rows, _UNSAFE_SHUTDOWNS),
    )


def _count(rows: tuple[Attribute, ...], number: int) -> int | None:
    """Return the largest raw number under an id: a table that has it twice is as bad as its worse row."""
    return _largest([row for row in rows if row.id == number])


def _count_by_name(rows: tuple[Attribute, ...], names: frozenset[str]) -> int | None:
    return _largest([row for row in rows if row.name in names])


def _largest(rows: list[Attribute]) -> int | None:
    found = [row.raw for row in rows]
    # one that cannot be read, or is too large to be a count, may hide a worse one than the others
    return max((raw for raw in found if raw is not None), default=None) if _all_counts(found) else None


def _all_counts(found: list[int | None]) -> bool:
    return all(raw is not None and 0 <= raw < _MAX_COUNT for raw in found)


def _temperature(rows: tuple[Attribute, ...]) -> int | None:
    # 190 may be the air's, or 100 less the temperature, or something else altogether; 194 is the disk's
    for number in (194, 190):
        found = [
            plausible_celsius(leading_number(row.raw_said or ""))
            for row in rows
            if row.id == number and "temp" in row.name.lower()
        ]
        if found:
            return max((value for value in found if value is not None), default=None)
    return None


def _power_on(rows: tuple[Attribute, ...]) -> int | None:
    found = [power_on_seconds(row.raw_said or "") for row in rows if row.id == 9]
    return found[0] if len(found) == 1 else None


def _wear(rows: tuple[Attribute, ...], identity: Identity) -> float | None:
    """Return the worst of what a known model says of its wear. Names of an unknown model are guesses of smartctl's."""
    if identity.smartctl_knows_model is not True:
        return None
    percents = [used for row in rows if (used := _percent_used(row, identity)) is not None]
    return max(percents) / 100 if percents else None


def _percent_used(row: Attribute, identity: Identity) -> int | None:
    if row.name in _RAW_PERCENT_USED:
        return row.raw if row.raw is not None and row.raw <= 255 else None
    samsung = "samsung" in f"{identity.family} {identity.model}".lower()
    if row.name not in _PERCENT_LEFT and not (row.name == "Wear_Leveling_Count" and row.id == 177 and samsung):
        return None
    left = row.value
    if left is None or not 0 <= left <= 100:
        return None
    if row.name in _RAW_PERCENT_LEFT and row.raw is not None and 1 <= row.raw <= 100:
        left = min(left, row.raw)
    return 100 - left
