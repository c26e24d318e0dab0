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


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("step", ["flock", "open", "fchmod", "write", "fsync", "replace", "close"])
def test_whoever_dies_at_any_step_leaves_the_old_file_or_the_new_one(tmp_path: Path, step: str, first: bool) -> None:
    path = tmp_path / "attestations.jsonl"
    if not first:
        append_attestations(path, [attestation()])
    old = read_attestations(path).records
    child = os.fork()
    if child == 0:  # the power goes as the step begins
        place: Any = fcntl if step == "flock" else os
        name = "fdopen" if step == "write" else step
        setattr(place, name, lambda *_args, **_more: os._exit(0))
        append_attestations(path, [attestation(id="b")])
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    found = read_attestations(path)
    assert found.problem is None
    assert found.records[: len(old)] == old
    assert len(found.records) - len(old) in {0, 1}
    append_attestations(path, [attestation(id="c")])
    assert read_attestations(path).records[-1].id == "c"
    assert [each.name for each in tmp_path.iterdir()] == [path.name], "and nothing half done stays"
