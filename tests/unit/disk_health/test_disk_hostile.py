"""Outputs that were cut, garbled, reordered, renamed or scaled: no error, and never healthier than what was printed."""

from __future__ import annotations

import copy
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkp.disk_health.attached import read_attached
from bkp.disk_health.model import DiskHealth, Health, SelfTestResult
from tests.support.smartctl_outputs import ata, ata_test, attribute, nvme, scsi, written

BAD_TEXTS = tuple(written(name) for name in ("sata-failing.txt", "nvme-failing.txt", "sas-failing.txt"))
_FAILING_ROWS = {"table": [attribute(5, "Reallocated_Sector_Ct", raw="900", prefail=True, when_failed="now")]}
_FAILED_TEST = {"extended": {"table": [ata_test(0x77, "Completed: read failure", 44300, lba=7)]}}
_ENDED = {"version": [7, 4], "exit_status": 24}
BAD_DOCUMENTS: tuple[dict[str, Any], ...] = (
    ata(
        smartctl=_ENDED,
        smart_status={"passed": False},
        ata_smart_attributes=_FAILING_ROWS,
        ata_smart_self_test_log=_FAILED_TEST,
    ),
    nvme(log={"critical_warning": 5}, smartctl=_ENDED, smart_status={"passed": False, "nvme": {"value": 5}}),
    scsi(smartctl=_ENDED, smart_status={"passed": False, "scsi": {"asc": 0x5D, "ascq": 0x14}}),
)
_JUNK = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just([]), st.just({}))


def _health(data: bytes) -> Health:
    """Return the health of any reading; a reading can always be written as JSON."""
    found = read_attached(data)
    msgspec.json.encode(found)
    return found.health if isinstance(found, DiskHealth) else Health.UNKNOWN


@given(st.binary(max_size=400))
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    assert _health(data) is not Health.PASSED
    _health(b"smartctl 7.4\n" + data)


@given(st.recursive(_JUNK, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner)))
def test_any_json_is_read_without_an_error(value: object) -> None:
    names = ("smartctl", "device", "smart_status", "ata_smart_attributes", "nvme_self_test_log", "devices", "wwn")
    for name in names:
        assert _health(json.dumps({"smartctl": {}, name: value}).encode()) is not Health.PASSED


@given(text=st.sampled_from(BAD_TEXTS), share=st.floats(0, 1))
def test_a_failing_text_that_was_cut_is_never_healthy(text: str, share: float) -> None:
    assert _health(text[: round(len(text) * share)].encode()) is not Health.PASSED
    assert _health(text[round(len(text) * share) :].encode()) is not Health.PASSED


@given(text=st.sampled_from(BAD_TEXTS), data=st.data())
def test_a_failing_text_that_was_garbled_is_never_healthy(text: str, data: st.DataObject) -> None:
    raw = bytearray(text.encode())
    for position in data.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=30)):
        raw[position] = data.draw(st.integers(0, 255))
    assert _health(bytes(raw)) is not Health.PASSED


@given(text=st.sampled_from(BAD_TEXTS), data=st.data())
def test_a_failing_text_whose_lines_moved_or_went_is_never_healthy(text: str, data: st.DataObject) -> None:
    lines = text.split("\n")
    order = data.draw(st.permutations(range(len(lines))))
    kept = order[: data.draw(st.integers(0, len(lines)))]
    assert _health("\n".join(lines[number] for number in kept).encode()) is not Health.PASSED


@given(text=st.sampled_from(BAD_TEXTS), word=st.text(max_size=8), data=st.data())
def test_a_failing_text_with_renamed_words_is_never_healthy(text: str, word: str, data: st.DataObject) -> None:
    old = data.draw(st.sampled_from(sorted(set(text.split()))))
    assert _health(text.replace(old, word).encode()) is not Health.PASSED or word in {"PASSED", "OK"}


def _paths(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """Return every place in a tree."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, child in inner for found in [(*path, key), *_paths(child, (*path, key))]]


@given(document=st.sampled_from(BAD_DOCUMENTS), junk=_JUNK, data=st.data())
def test_a_failing_document_with_one_part_garbled_is_never_healthy(
    document: dict[str, Any], junk: object, data: st.DataObject
) -> None:
    changed: Any = copy.deepcopy(document)
    *way, last = data.draw(st.sampled_from(_paths(document)))
    place = changed
    for key in way:
        place = place[key]
    if data.draw(st.booleans()):
        place[last] = junk
    else:
        del place[last]
    assert _health(json.dumps(changed).encode()) is not Health.PASSED


@given(document=st.sampled_from(BAD_DOCUMENTS), name=st.text(max_size=8), data=st.data())
def test_a_failing_document_with_a_renamed_part_is_never_healthy(
    document: dict[str, Any], name: str, data: st.DataObject
) -> None:
    changed: Any = copy.deepcopy(document)
    *way, last = data.draw(st.sampled_from([path for path in _paths(document) if isinstance(path[-1], str)]))
    place = changed
    for key in way:
        place = place[key]
    place[name] = place.pop(last)
    assert _health(json.dumps(changed).encode()) is not Health.PASSED


@given(number=st.integers(1, 10**12), text=st.booleans())
def test_a_number_as_text_is_the_same_or_unknown_and_never_less(number: int, text: bool) -> None:
    found = read_attached(json.dumps(nvme({"media_errors": str(number) if text else number})).encode())
    assert isinstance(found, DiskHealth)
    assert found.values.media_errors == (None if text else number)


@given(document=st.sampled_from(BAD_DOCUMENTS), share=st.floats(0, 0.999))
def test_a_document_that_was_cut_is_unknown(document: dict[str, Any], share: float) -> None:
    whole = json.dumps(document).encode()
    assert _health(whole[: round(len(whole) * share)]) is Health.UNKNOWN


@given(st.permutations(list(BAD_DOCUMENTS[0])))
def test_the_order_of_the_parts_does_not_matter(order: list[str]) -> None:
    document = BAD_DOCUMENTS[0]
    assert read_attached(json.dumps({name: document[name] for name in order}).encode()) == read_attached(
        json.dumps(document).encode()
    )


@given(number=st.integers(0, 10**12), separator=st.sampled_from([",", ".", "'", "\u00a0", "\u202f"]))
def test_a_count_in_any_notation_is_the_same_or_unknown_and_never_less(number: int, separator: str) -> None:
    line = f"{number:,}".replace(",", separator)
    text = written("nvme-failing.txt").replace("Errors:    1.204", f"Errors:    {line}")
    found = read_attached(text.encode())
    assert isinstance(found, DiskHealth)
    assert found.values.media_errors == number


@given(text=st.sampled_from([written("sata-failing.txt")]), data=st.data())
def test_a_failed_self_test_that_was_garbled_never_passes(text: str, data: st.DataObject) -> None:
    start = text.index("# 1  Extended")
    raw = list(text)
    for position in data.draw(st.lists(st.integers(start + 3, start + 75), min_size=1, max_size=10)):
        raw[position] = data.draw(st.characters(min_codepoint=32, max_codepoint=126))
    found = read_attached("".join(raw).encode())
    assert isinstance(found, DiskHealth)
    assert found.self_tests is not None
    assert len(found.self_tests) == 5
    assert found.self_tests[1].result is not SelfTestResult.PASSED


@pytest.mark.parametrize("filler", [" ", "a", ":", "0 ", "/dev/x -d ", "# 1 "])
def test_a_line_without_end_is_read_in_time(filler: str) -> None:
    assert _health(b"smartctl 7.4\n" + (filler * 200_000).encode() + b"x") is Health.UNKNOWN
