"""Changes that somebody, or a failing disk, could make to a state directory, and what may not look healthier after one.

A mutation is a file's name, words for what is done to it, and its new content (None: the file is removed).
"""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from bkp.concerns.model import GRAVEST_FIRST
from exporter.metrics.registry import COLLECTORS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from bkp.concerns import Concern
    from exporter.model import Model

HISTORY = "history.jsonl"
OUTCOMES = ("success", "warning", "failure", "interrupted", "running", "deferred", "skipped")
OF_STATE = frozenset({"history_broken", "state_unreadable", "state_missing", "internal_error"})
_LATER = timedelta(days=2)
_UNSAID = object()


class Mutation(NamedTuple):
    """One change of one file."""

    file: str
    words: str
    content: bytes | None


def contents(state: Path) -> dict[str, bytes]:
    """Return every record of jobs and of repositories, the samples, and the history."""
    places = ("jobs/*/*/*.json", "repositories/*.json", "samples/*.json")
    paths = [*(path for place in places for path in state.glob(place)), state / HISTORY]
    return {str(path.relative_to(state)): path.read_bytes() for path in sorted(paths) if path.exists()}


def mutations(now: Mapping[str, bytes], earlier: Mapping[str, list[bytes]]) -> Iterator[Mutation]:
    """Yield changes of the files as they are `now`; `earlier` are contents that they had before."""
    for name, content in now.items():
        yield Mutation(name, "removed", None)
        yield Mutation(name, "emptied", b"")
        yield Mutation(name, "cut in the middle", content[: len(content) // 2])
        for number, old in enumerate(earlier.get(name, ())):
            yield Mutation(name, f"replaced by version {number}", old)
        for other, foreign in now.items():
            if other != name and HISTORY not in {name, other}:
                yield Mutation(name, f"replaced by {other}", foreign)
        if name == HISTORY:
            yield from _of_history(content)
        else:
            for words, changed in _changed(json.loads(content)):
                yield Mutation(name, words, json.dumps(changed).encode())


def _of_history(content: bytes) -> Iterator[Mutation]:
    lines = content.splitlines(keepends=True)
    for index, line in enumerate(lines):
        rest = [*lines[:index], *lines[index + 1 :]]
        yield Mutation(HISTORY, f"line {index} dropped", b"".join(rest))
        yield Mutation(HISTORY, f"cut before line {index}", b"".join(lines[:index]))
        yield Mutation(HISTORY, f"line {index} last", b"".join([*rest, line]))
        document = json.loads(line)
        for words, changed in _changed(document.get("run") or {}, deep=False):
            told = json.dumps({**document, "run": changed}, separators=(",", ":")).encode() + b"\n"
            yield Mutation(HISTORY, f"line {index}: {words}", b"".join([*lines[:index], told, *lines[index + 1 :]]))


def _changed(record: dict[str, Any], *, deep: bool = True) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the record with one value changed. What became of its mail stands in no line of the history."""
    for path, value in _leaves(record):
        if path in {("mail",), ("schema",)} or (not deep and path[0] not in {"outcome", "ended_at", "started_at"}):
            continue
        for new in _others(path[-1], value):
            changed = copy.deepcopy(record)
            place: Any = changed
            for key in path[:-1]:
                place = place[key]
            if new is _UNSAID:
                del place[path[-1]]
            else:
                place[path[-1]] = new
            yield f"{'.'.join(map(str, path))}: {value} → {'nothing' if new is _UNSAID else new}", changed


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        if path and path[0] in {"process", "versions"}:
            continue
        yield (*path, key), each
        yield from _leaves(each, (*path, key))


def _others(key: Any, value: Any) -> Iterator[Any]:
    yield _UNSAID
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield from (0, value * 10 + 1)
    elif isinstance(value, str) and key == "outcome":
        yield from (each for each in OUTCOMES if each != value)
    elif isinstance(value, str) and str(key).endswith("_at"):
        moment = datetime.fromisoformat(value)
        yield from ((moment + shift).astimezone(UTC).isoformat() for shift in (_LATER, -_LATER, timedelta(minutes=1)))
    elif value is None or isinstance(value, str):
        yield None


class Health(NamedTuple):
    """What people and alerts see: concerns with the rank of their severity, and every series."""

    concerns: tuple[tuple[Concern, int], ...]
    series: dict[tuple[str, frozenset[tuple[str, str]]], float]

    @property
    def headline(self) -> int:
        """Return the rank of the gravest severity: 0 is critical."""
        return min((rank for _, rank in self.concerns), default=len(GRAVEST_FIRST))


BETTER_IF_MORE = (
    "bkp_check_passed",
    "bkp_check_finished_timestamp_seconds",
    "bkp_drill_files",
    "bkp_drill_finished_timestamp_seconds",
    "bkp_drill_matched_files",
    "bkp_history_intact",
    "bkp_job_deadline_timestamp_seconds",
    "bkp_job_last_success_timestamp_seconds",
    "bkp_last_archive_confirmed",
    "bkp_last_archive_files",
    "bkp_repository_archives",
    "bkp_repository_filesystem_free_bytes",
    "bkp_repository_newest_archive_timestamp_seconds",
    "bkp_source_last_complete_backup_timestamp_seconds",
)
BETTER_IF_LESS = (
    "bkp_drill_mismatched_files",
    "bkp_drill_missing_files",
    "bkp_job_last_attempt_errors",
    "bkp_job_last_attempt_warnings",
    "bkp_last_archive_missing_sources",
    "bkp_repository_gone_archives",
    "bkp_repository_incomplete_archives",
    "bkp_state_unreadable_files",
)
WELL = {"bkp_job_status": {"ok", "running"}, "bkp_job_last_attempt_outcome": {"success"}}


def health(model: Model) -> Health:
    """Return what the model tells, with the samples that an exposition is made of."""
    concerns = tuple((each, GRAVEST_FIRST.index(each.severity)) for each in model.concerns)
    samples = (sample for collect in COLLECTORS.values() for sample in collect(model))
    return Health(
        concerns,
        {
            (each.metric.name, frozenset(zip(each.metric.labels, each.labels, strict=True))): each.value
            for each in samples
        },
    )


def healthier(before: Health, after: Health) -> list[str]:
    """Return what looks healthier after than before."""
    found = ["the headline"] if after.headline > before.headline else []
    found += [
        f"no concern {each.kind} about {each.object}" for each, rank in before.concerns if _is_lost(each, rank, after)
    ]
    for (name, labels), value in after.series.items():
        was = before.series.get((name, labels))
        better = (name in BETTER_IF_MORE and was is not None and value > was) or (
            name in BETTER_IF_LESS and was is not None and value < was
        )
        if name in WELL and value == 1:
            better = _was_unwell(name, dict(labels), before)
        if better:
            found.append(f"{name} of {', '.join(sorted(each for _, each in labels))}")
    return found


def _was_unwell(name: str, labels: dict[str, str], before: Health) -> bool:
    """Return whether this state of a job is a good one, and the one before was none."""
    thing = ("job_name", "target")
    states = {
        next(word for label, word in series if label not in thing)
        for (each, series), value in before.series.items()
        if each == name and value == 1 and all(dict(series)[label] == labels[label] for label in thing)
    }
    state = next(word for label, word in labels.items() if label not in thing)
    return state in WELL[name] and bool(states) and not states & WELL[name]


def _is_lost(concern: Concern, rank: int, after: Health) -> bool:
    """Return whether a concern is told no more: nor one as grave about the same thing, nor one about the state."""
    things = {concern.object, f"repository {concern.job[1]}" if concern.job else ""}
    return rank < GRAVEST_FIRST.index("info") and not any(
        each.kind in OF_STATE
        or (level <= rank and (each.object in things or (concern.job is not None and each.job == concern.job)))
        for each, level in after.concerns
    )
