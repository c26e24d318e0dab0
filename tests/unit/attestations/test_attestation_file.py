"""Attestations are added to a chained file, all of them or none, whenever the power goes."""

import fcntl
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bkp.attestations.file import append_attestations, read_attestations
from bkp.attestations.model import Attestation
from bkp.errors import StateError

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def attestation(**changes: Any) -> Attestation:
    given: dict[str, Any] = {"id": "a", "topic": "borg-key", "subject": "safe", "level": "matched"}
    given |= {"statement": "compared", "who": "A. Operator", "host": "backup", "previous": "0" * 64}
    return Attestation(**(given | {"at": NOW, "valid_until": NOW + timedelta(days=90)} | changes))


def test_every_line_follows_the_one_before_even_where_text_holds_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "state" / "attestations.jsonl"
    append_attestations(path, [attestation(statement="one\r\ntwo\x0bthree\u2028")])
    append_attestations(path, [attestation(id="b"), attestation(id="c")])
    found = read_attestations(path)
    assert found.problem is None
    assert [each.id for each in found.records] == ["a", "b", "c"]
    assert len({each.previous for each in found.records}) == 3
    assert path.stat().st_mode & 0o777 == 0o640  # the exporter's group reads it; it holds no secret


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda content: content[:-1], "is torn"),
        (lambda content: content.replace(b"compared", b"confused"), "does not follow"),
        (lambda _content: b"{}\n", "is no attestation"),
    ],
)
def test_nothing_is_added_to_a_file_that_is_not_whole(
    tmp_path: Path, damage: Callable[[bytes], bytes], why: str
) -> None:
    path = tmp_path / "attestations.jsonl"
    append_attestations(path, [attestation(), attestation(id="b")])
    path.write_bytes(damage(path.read_bytes()))
    before = path.read_bytes()
    with pytest.raises(StateError, match=why):
        append_attestations(path, [attestation(id="c")])
    assert path.read_bytes() == before


def test_a_link_in_its_place_is_refused_and_a_line_that_no_reader_would_take_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "attestations.jsonl"
    with pytest.raises(StateError, match="longer than"):
        append_attestations(path, [attestation(statement="word " * 20_000)])
    assert not path.exists()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateError, match="symbolic link"):
        append_attestations(path, [attestation()])
    assert not (tmp_path / "elsewhere").exists()


# All that a program can ask of the system when it adds to a file: whenever the power goes, it is before one of these.
STEPS = (
    "open",
    "close",
    "write",
    "fsync",
    "fdatasync",
    "fchmod",
    "fchown",
    "chmod",
    "mkdir",
    "rename",
    "replace",
    "unlink",
)


def dies_before(step: int, path: Path) -> bool:
    """Add an attestation in a process that ends before its so-manieth step; return whether it came that far."""
    child = os.fork()
    if child == 0:
        left = step

        def counted(call: Callable[..., Any]) -> Callable[..., Any]:
            def instead(*arguments: Any, **more: Any) -> Any:
                nonlocal left
                if left == 0:
                    os._exit(0)
                left -= 1
                return call(*arguments, **more)

            return instead

        for name in STEPS:
            setattr(os, name, counted(getattr(os, name)))
        lock: Any = fcntl
        lock.flock, files = counted(fcntl.flock), os.fdopen

        def opened(*arguments: Any, **more: Any) -> Any:  # what is written through a file object is a step, too
            found = files(*arguments, **more)
            if "w" in str(arguments[1:]) + str(more):
                counted(lambda: None)()
            return found

        os.fdopen = opened
        append_attestations(path, [attestation(id="b"), attestation(id="c")])
        os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("first", [False, True])
def test_whoever_dies_at_any_step_leaves_the_old_file_or_the_new_one(tmp_path: Path, first: bool) -> None:
    step, counts = 0, set()
    while True:
        path = tmp_path / str(step) / "attestations.jsonl"
        if not first:
            append_attestations(path, [attestation()])
        died = dies_before(step, path)
        found = read_attestations(path)
        assert found.problem is None
        counts.add(len(found.records) - (not first))
        append_attestations(path, [attestation(id="d")])
        assert read_attestations(path).records[-1].id == "d"
        assert [each.name for each in path.parent.iterdir()] == [path.name], "and nothing half done stays"
        if not died:
            break
        step += 1
    assert counts == {0, 2}, "all of it or nothing"
    assert step > 8
