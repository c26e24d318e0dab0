"""What a result says, line by line: the one description of it that terminal, mail and page share."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from bkp.quantities import format_duration, format_size
from bkp.state.results import (
    CheckResult,
    DrillResult,
    EscrowResult,
    NightlyResult,
    PruneResult,
    ScrubResult,
    SelfTestRecord,
    SyncResult,
)

if TYPE_CHECKING:
    from bkp.state.results import Archive, Listed, RepositoryFacts, Result


class Line(NamedTuple):
    """One line of a description, for people."""

    label: str
    text: str


def describe(result: Result | None) -> list[Line]:
    """Return what a result says, line by line."""
    match result:
        case NightlyResult():
            return [*describe_archive(result.archive), *_repository(result.repository), *_gone(result.listed)]
        case CheckResult():
            checked = Line("Checked", "structure and all data" if result.all_data else "structure")
            return [checked, *_gone(result.listed)]
        case DrillResult():
            return [
                Line("Restored", f"{result.files:,} files, {format_size(result.bytes)} from {result.archive}"),
                Line(
                    "Compared",
                    f"{result.matched:,} equal, {result.mismatched:,} different, {result.missing:,} missing",
                ),
            ]
        case PruneResult():
            size = "" if result.given_up_bytes is None else f", {format_size(result.given_up_bytes)} given up"
            return [Line("Archives", f"{result.deleted:,} deleted, {result.kept:,} kept{size}"), *_gone(result.listed)]
        case ScrubResult():
            return _scrub(result)
        case SelfTestRecord():
            return _self_test(result)
        case EscrowResult():
            return _escrow(result)
        case SyncResult():
            return _sync(result)
        case None:
            return []


def _escrow(result: EscrowResult) -> list[Line]:
    digits = result.key_fingerprint
    lines = [Line("Location", result.location), Line("Key", f"{digits[:6]} {digits[6:12]}")]
    if result.copy is not None:
        lines.append(Line("Copy", result.copy))
    if not result.usable:
        lines.append(Line("Export", "right, but borg does not take it as it is"))
    if result.archives is not None:
        lines.append(Line("Opened", f"{result.archives:,} archives listed"))
    return [*lines, *describe(result.restored)]


def describe_archive(archive: Archive) -> list[Line]:
    """Return what is in an archive, and which roots it lacks."""
    return [
        Line("Archive", archive.name),
        Line("Files", f"{archive.files:,}"),
        Line("Size", format_size(archive.original_bytes)),
        Line("New data", format_size(archive.deduplicated_bytes)),
        *_replicas(archive),
        *(Line("Missing root", root.path) for root in archive.roots if not root.present),
    ]


def _self_test(result: SelfTestRecord) -> list[Line]:
    done = f", {result.progress:.0%} done" if result.ended_as == "running" and result.progress is not None else ""
    lines = [Line("Self-test", f"{result.kind}, {result.ended_as}{done}")]
    if result.said is not None:
        lines.append(Line("The disk says", result.said))
    if result.first_bad_lba is not None:
        lines.append(Line("First bad block", f"{result.first_bad_lba}"))
    return lines


def _replicas(archive: Archive) -> list[Line]:
    """Return how old the received snapshots are that it holds: the oldest of them, at the time of the archive."""
    received = [root for root in archive.roots if root.present and root.snapshot_at is not None]
    if not received:
        return []
    oldest = min(received, key=lambda root: root.snapshot_at or archive.started_at)
    age = archive.started_at - (oldest.snapshot_at or archive.started_at)
    return [Line("Received", f"{oldest.snapshot}, {format_duration(age)} old")]


def _scrub(result: ScrubResult) -> list[Line]:
    lines = []
    if not result.finished:
        share = "an unknown share" if result.progress is None else f"{result.progress:.0%}"
        lines.append(Line("Progress", f"{share} done{', paused' if result.paused_at else ''}"))
    if result.errors is not None:
        lines.append(Line("Errors", f"{result.errors:,}"))
    if result.repaired_bytes is not None:
        lines.append(Line("Repaired", format_size(result.repaired_bytes)))
    if result.seconds is not None:
        speed = f", {format_size(int(result.bytes_per_second))}/s" if result.bytes_per_second else ""
        lines.append(Line("Scrub took", format_duration(timedelta(seconds=result.seconds)) + speed))
    return [*lines, *(Line("Counts errors", disk) for disk in result.disks)]


def _sync(result: SyncResult) -> list[Line]:
    lines = []
    if (newest := result.newest_common_at) is not None:
        lines.append(
            Line("In common", f"{newest:%Y-%m-%d %H:%M} UTC or newer, {len(result.datasets or ()):,} datasets")
        )
    lines += [Line("Never received", dataset) for dataset in result.lacking]
    if result.bytes is not None:
        speed = f", {format_size(int(result.bytes_per_second))}/s" if result.bytes_per_second else ""
        lines.append(Line("Received", format_size(result.bytes) + speed))
    lines += [Line("Cut off", f"{each.dataset}, since {each.since:%Y-%m-%d %H:%M} UTC") for each in result.partial]
    if result.gate is not None:
        lines.append(Line("Forbidden commands", "refused" if result.gate == "refused" else "WERE RUN"))
    return lines


def _gone(listed: Listed | None) -> list[Line]:
    return [Line("Gone archive", name) for name in listed.gone] if listed is not None else []


def _repository(facts: RepositoryFacts) -> list[Line]:
    lines = []
    if facts.archives is not None:
        lines.append(Line("Archives", f"{facts.archives:,}"))
    if facts.deduplicated_bytes is not None:
        lines.append(Line("Repository size", format_size(facts.deduplicated_bytes)))
    if facts.free_bytes is not None:
        lines.append(Line("Free space", format_size(facts.free_bytes)))
    return lines
