"""borg's stderr: JSON lines, plain text, and whatever else may come."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkp.state.files import encode_record
from bkp.state.records import Message
from bkp.tools.borg.events import MAX_TEXT, Progress, parse_line


def _line(**fields: object) -> bytes:
    return json.dumps(fields).encode()


@pytest.mark.parametrize(
    ("said", "level"),
    [("DEBUG", "info"), ("INFO", "info"), ("WARNING", "warning"), ("ERROR", "error"), ("CRITICAL", "error")],
)
def test_a_log_message_keeps_its_level_text_and_id(said: str, level: str) -> None:
    line = _line(type="log_message", levelname=said, name="borg", message="words", msgid="LockTimeout", time=1.5)
    assert parse_line(line) == Message(level=level, text="words", msgid="LockTimeout")  # type: ignore[arg-type]


def test_a_level_that_is_not_known_is_a_warning() -> None:
    found = parse_line(_line(type="log_message", levelname="PANIC", message="x"))
    assert isinstance(found, Message)
    assert found.level == "warning"


def test_an_id_that_is_no_text_is_no_id() -> None:
    for kind in ("log_message", "question_prompt"):
        found = parse_line(_line(type=kind, levelname="ERROR", message="x", msgid={"a": 1}))
        assert isinstance(found, Message)
        assert found.msgid is None


def test_a_stale_lock_that_borg_took_away_is_no_warning() -> None:
    for text in ("Killed stale lock vm@1.2-0.", "Removed stale shared roster lock for host vm@1 pid 2 thread 0."):
        found = parse_line(_line(type="log_message", levelname="WARNING", name="borg.locking", message=text))
        assert isinstance(found, Message)
        assert found.level == "info"


def test_a_question_that_nobody_will_answer_is_a_warning() -> None:
    found = parse_line(_line(type="question_prompt", message="Do you want to continue?", msgid="X"))
    assert found == Message(level="warning", text="Do you want to continue?", msgid="X")


def test_progress_is_told_with_and_without_a_total() -> None:
    line = _line(type="archive_progress", nfiles=7, path="a/b", original_size=1)
    assert parse_line(line) == Progress(operation="create", current=7, total=None, what="a/b")
    line = _line(type="progress_percent", msgid="repository.check", current=3, total=10, message="30%", finished=False)
    assert parse_line(line) == Progress(operation="repository.check", current=3, total=10, what="30%")
    assert parse_line(_line(type="progress_percent", msgid="x", finished=True)) == Progress("x", 0, None, "", True)
    assert parse_line(_line(type="progress_percent", msgid="x", current=1, total=0)) == Progress("x", 1, None, "")


def test_what_is_not_json_is_kept_as_text() -> None:
    assert parse_line(b"borg: error: unrecognized arguments: --x") == Message(
        level="error", text="borg: error: unrecognized arguments: --x"
    )
    assert parse_line(b"usage: borg create") == Message(level="info", text="usage: borg create")
    assert parse_line(b"  \r\n") is None
    assert parse_line(b'["a"]') == Message(level="info", text='["a"]')
    assert parse_line(b'{"type": "file_status", "status": "A", "path": "x"}') is None


def test_a_warning_about_a_name_that_is_not_utf8_stays_a_warning() -> None:
    line = rb'{"type":"log_message","levelname":"WARNING","message":"/srv/bad\udcff: [Errno 5] I/O error","name":"b"}'
    found = parse_line(line)
    assert found == Message(level="warning", text=r"/srv/bad\udcff: [Errno 5] I/O error")


def test_control_characters_are_shown_not_sent() -> None:
    found = parse_line(_line(type="log_message", levelname="ERROR", message="a\x1b[31mb\x00c\rd\u202ee\nf\tg"))
    assert isinstance(found, Message)
    assert found.text == "a\\x1b[31mb\\x00c\\rd\\u202ee\nf\tg"


def test_a_message_has_a_bound() -> None:
    said = " ".join(map(str, range(10_000)))
    found = parse_line(_line(type="log_message", levelname="ERROR", message=said))
    assert isinstance(found, Message)
    assert len(found.text) == MAX_TEXT
    assert found.text.startswith("0 1 2 3 ")
    assert found.text.endswith(" 9998 9999")


def test_of_a_traceback_the_last_line_is_kept_and_not_what_borg_says_of_the_machine() -> None:
    said = "Traceback (most recent call last):\n  File …\nValueError: no\n\nPlatform: Linux backup\nsys.argv: ['borg']"
    found = parse_line(_line(type="log_message", levelname="ERROR", message=said))
    assert isinstance(found, Message)
    assert found.text.endswith("ValueError: no")


def test_what_repeats_itself_is_not_said_in_full() -> None:
    found = parse_line(_line(type="log_message", levelname="ERROR", message="found '" + "\\x00" * 500 + "' there"))
    assert isinstance(found, Message)
    assert found.text == "found '\\x00…' there"


@given(st.one_of(st.binary(), st.text().map(str.encode), st.just(b"[" * 5_000), st.just(b'{"a":' * 5_000)))
def test_no_line_is_too_strange(line: bytes) -> None:
    parse_line(line)


@given(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["log_message", "archive_progress", "progress_percent", "question_prompt"])},
        optional=dict.fromkeys(
            ("levelname", "message", "msgid", "name", "nfiles", "path", "current", "total", "finished"),
            st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.lists(st.text(), max_size=2)),
        ),
    )
)
def test_every_message_can_be_recorded_and_read_again(data: dict[str, object]) -> None:
    found = parse_line(json.dumps(data).encode())
    if isinstance(found, Message):
        assert msgspec.json.decode(encode_record(found), type=Message) == found
