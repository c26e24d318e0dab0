"""The history is append-only: a change anywhere shows, a crash costs at most the line that was being written."""

import fcntl
import json
import os
import random
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bkp.errors import StateError
from bkp.state.files import encode_record
from bkp.state.ledger import GENESIS, MAX_LINE_BYTES, ChainReport, Ledger, line_hash
from bkp.state.records import LedgerLine, Message
from tests.unit.core.support import ROOT, a_run, run_unprivileged


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "state" / "history.jsonl", patience=5)


def filled(ledger: Ledger, count: int = 5) -> list[bytes]:
    for number in range(count):
        ledger.append(a_run(number))
    return ledger.path.read_bytes().splitlines(keepends=True)


def ids(ledger: Ledger) -> list[str]:
    return [run.run_id for run in ledger.runs()]


def test_no_history_is_an_intact_empty_one(ledger: Ledger) -> None:
    assert ledger.verify() == ChainReport(0)
    assert ledger.verify().intact
    assert ids(ledger) == []
    assert ledger.last_runs(5) == []


def test_each_line_carries_its_number_and_the_hash_of_the_line_before(ledger: Ledger) -> None:
    raw = filled(ledger, 3)
    lines = [msgspec.json.decode(line, type=LedgerLine) for line in raw]
    assert [line.seq for line in lines] == [0, 1, 2]
    assert [line.previous for line in lines] == [GENESIS, line_hash(raw[0]), line_hash(raw[1])]
    assert [line.run for line in lines] == [a_run(0), a_run(1), a_run(2)]
    assert ledger.verify() == ChainReport(3)


def test_the_history_is_for_owner_and_group_whatever_the_umask(ledger: Ledger) -> None:
    old = os.umask(0o077)
    try:
        filled(ledger, 1)
    finally:
        os.umask(old)
    assert stat.S_IMODE(ledger.path.stat().st_mode) == 0o640


def test_the_newest_runs_come_without_reading_everything_oldest_first(ledger: Ledger) -> None:
    filled(ledger, 5)
    assert [run.run_id for run in ledger.last_runs(2)] == ["run-3", "run-4"]
    assert [run.run_id for run in ledger.last_runs(99)] == [f"run-{n}" for n in range(5)]
    assert ledger.last_runs(0) == []


def test_the_newest_runs_of_one_job_and_target_are_found_among_others(ledger: Ledger) -> None:
    for number in range(6):
        ledger.append(a_run(number, job="nightly" if number % 2 else "check", target="a" if number < 4 else "b"))
    assert [run.run_id for run in ledger.last_runs(9, job="nightly")] == ["run-1", "run-3", "run-5"]
    assert [run.run_id for run in ledger.last_runs(9, job="nightly", target="a")] == ["run-1", "run-3"]
    assert [run.run_id for run in ledger.last_runs(1, target="b")] == ["run-5"]


TAMPERINGS: dict[str, tuple[Callable[[list[bytes]], list[bytes]], int]] = {
    "a character in the first line": (lambda lines: [lines[0].replace(b"run-0", b"run-X"), *lines[1:]], 1),
    "an outcome in the middle": (lambda lines: [*lines[:2], lines[2].replace(b"success", b"failure"), *lines[3:]], 3),
    "white space in the middle": (lambda lines: [*lines[:2], lines[2].replace(b",", b", ", 1), *lines[3:]], 3),
    "the first line removed": (lambda lines: lines[1:], 0),
    "a line in the middle removed": (lambda lines: lines[:2] + lines[3:], 2),
    "two lines swapped": (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], 1),
    "a line doubled": (lambda lines: [*lines[:2], lines[1], *lines[2:]], 2),
    "a line of another history put in": (lambda lines: [*lines[:2], lines[0], *lines[2:]], 2),
    "an empty line put in": (lambda lines: [*lines[:2], b"\n", *lines[2:]], 2),
    "a line made unreadable": (lambda lines: [*lines[:2], b"{}\n", *lines[3:]], 2),
    "bytes that are not UTF-8": (
        lambda lines: [*lines[:2], lines[2].replace(b"backup", b"ba\xff\xfep"), *lines[3:]],
        2,
    ),
    "zeros": (lambda lines: [*lines[:2], b"\x00" * 100 + b"\n", *lines[3:]], 2),
    "a line of endless nesting": (lambda lines: [*lines[:2], b'{"x":' + b"[" * 100_000 + b"\n", *lines[3:]], 2),
    "a line longer than readers accept": (
        lambda lines: [*lines[:2], b"x" * (MAX_LINE_BYTES + 10) + b"\n", *lines[3:]],
        2,
    ),
    "another schema version": (
        lambda lines: [*lines[:2], lines[2].replace(b'"schema":1', b'"schema":2'), *lines[3:]],
        2,
    ),
    "the number of the last line": (lambda lines: [*lines[:4], lines[4].replace(b'"seq":4', b'"seq":5')], 4),
    "the newline of a line": (lambda lines: [*lines[:2], lines[2].rstrip(b"\n"), *lines[3:]], 2),
}


@pytest.mark.parametrize("kind", TAMPERINGS)
def test_a_change_shows_and_is_placed(ledger: Ledger, kind: str) -> None:
    tamper, holds = TAMPERINGS[kind]
    ledger.path.write_bytes(b"".join(tamper(filled(ledger))))
    report = ledger.verify()
    assert not report.intact
    assert report.problem
    assert report.lines == holds
    assert f"line {holds + 1} " in report.problem


@given(at=st.integers(0, 10**6), byte=st.integers(0, 255))
def test_any_single_byte_changed_before_the_last_line_shows(tmp_path: Path, at: int, byte: int) -> None:
    ledger = Ledger(tmp_path / "history.jsonl")
    if not ledger.path.exists():
        filled(ledger)
        (tmp_path / "whole").write_bytes(ledger.path.read_bytes())
    content = bytearray((tmp_path / "whole").read_bytes())
    at %= content.rindex(b"\n", 0, len(content) - 1)
    before, content[at] = content[at], byte
    changed = tmp_path / "changed.jsonl"
    changed.write_bytes(content)
    assert Ledger(changed).verify().intact is (before == byte)


def test_what_the_chain_alone_cannot_show_is_the_end_cut_off_or_changed(ledger: Ledger) -> None:
    """Known and documented: the last line has no successor. The job's own record still names that run."""
    lines = filled(ledger)
    ledger.path.write_bytes(b"".join(lines[:-1]))
    assert ledger.verify() == ChainReport(4)
    ledger.path.write_bytes(b"".join([*lines[:-1], lines[-1].replace(b"success", b"failure")]))
    assert ledger.verify() == ChainReport(5)


@pytest.mark.parametrize("cut", [2, 50, 5000])
def test_a_torn_tail_is_reported_and_set_aside_by_the_next_run(ledger: Ledger, cut: int) -> None:
    filled(ledger, 2)
    whole = ledger.path.read_bytes()
    ledger.append(a_run(2, reason="x" * 100_000))
    torn = ledger.path.read_bytes()[len(whole) : -cut]
    ledger.path.write_bytes(whole + torn)
    assert ledger.verify() == ChainReport(2, torn_tail=True)
    assert not ledger.verify().intact
    assert ids(ledger) == ["run-0", "run-1"]
    ledger.append(a_run(3))
    assert ledger.verify() == ChainReport(4)  # two, the note, the new one
    assert ids(ledger) == ["run-0", "run-1", "run-3"]
    note = msgspec.json.decode(ledger.path.read_bytes().splitlines()[2], type=LedgerLine).note
    (aside,) = ledger.path.parent.glob("history.jsonl.torn-*")
    assert aside.read_bytes() == torn
    assert note
    assert aside.name in note
    assert f"{len(torn)} bytes" in note


def test_a_line_that_lacks_nothing_but_its_end_is_kept(ledger: Ledger) -> None:
    ledger.path.write_bytes(b"".join(filled(ledger, 2))[:-1])
    assert ledger.verify() == ChainReport(1, torn_tail=True)
    assert ids(ledger) == ["run-0", "run-1"]
    ledger.append(a_run(2))
    assert ledger.verify() == ChainReport(3)
    assert ids(ledger) == ["run-0", "run-1", "run-2"]
    assert not list(ledger.path.parent.glob("*.torn-*"))


def test_a_history_that_is_nothing_but_a_torn_line_begins_anew(ledger: Ledger) -> None:
    ledger.path.parent.mkdir()
    ledger.path.write_bytes(b'{"schema":1,"seq":0')
    ledger.append(a_run())
    assert ledger.verify() == ChainReport(2)


@pytest.mark.parametrize("last", [b"{}\n", b"\xff\xfe\n", b'{"x":' + b"[" * 100_000 + b"\n"])
def test_a_damaged_last_line_is_named_and_kept_and_keeps_no_later_run_out(ledger: Ledger, last: bytes) -> None:
    content = b"".join(filled(ledger, 2)) + last
    ledger.path.write_bytes(content)
    assert f"the last line of the history {ledger.path} is damaged" in (ledger.damage_at_end() or "")
    ledger.append(a_run(2))
    ledger.append(a_run(3))
    assert ledger.path.read_bytes().startswith(content)
    assert ids(ledger) == ["run-0", "run-1", "run-2", "run-3"]
    problem = ledger.verify().problem
    assert problem is not None
    assert problem.startswith("line 3 is damaged")
    assert ledger.damage_at_end() is None
    lines = ledger.path.read_bytes().splitlines()
    assert (json.loads(lines[3])["seq"], json.loads(lines[3])["previous"]) == (3, line_hash(lines[2]))


def test_a_whole_torn_or_missing_history_has_no_damage_at_its_end(ledger: Ledger) -> None:
    assert ledger.damage_at_end() is None
    filled(ledger, 2)
    assert ledger.damage_at_end() is None
    with ledger.path.open("ab") as handle:
        handle.write(b'{"schema":1,"se')
    assert ledger.damage_at_end() is None


def test_lines_longer_than_the_block_that_is_read_at_once_are_chained(ledger: Ledger) -> None:
    for number in range(4):
        ledger.append(a_run(number, reason="x" * (number * 90_000)))
    assert ledger.verify() == ChainReport(4)
    assert [run.run_id for run in ledger.last_runs(1)] == ["run-3"]


def test_a_run_with_more_messages_than_a_line_holds_loses_them_and_says_so(ledger: Ledger) -> None:
    messages = tuple(Message(level="warning", text="x" * 1_000_000) for _ in range(5))
    ledger.append(a_run(messages=messages, messages_dropped=2))
    assert ledger.verify() == ChainReport(1)
    (run,) = ledger.runs()
    assert run.messages == ()
    assert run.messages_dropped == 7


def test_a_run_that_fits_no_line_at_all_is_refused_and_leaves_the_history_whole(ledger: Ledger) -> None:
    filled(ledger, 1)
    with pytest.raises(StateError, match="too large"):
        ledger.append(a_run(1, reason="x" * MAX_LINE_BYTES))
    assert ledger.verify() == ChainReport(1)


def test_names_that_are_not_utf_8_do_not_keep_a_run_out_of_the_history(ledger: Ledger) -> None:
    ledger.append(a_run(reason=os.fsdecode(b"caf\xe9")))
    assert ledger.verify() == ChainReport(1)
    assert ledger.runs()[0].reason == "caf\\udce9"


APPENDER = """
import sys
sys.path.insert(0, {root!r})
from pathlib import Path
from bkp.state.ledger import Ledger
from tests.unit.core.support import a_run
ledger = Ledger(Path({path!r}))
print("ready", flush=True)
number = 0
while number < {count}:
    ledger.append(a_run(number, run_id=f"{name}-{{number}}", reason="x" * {size}))
    number += 1
"""


def appender(ledger: Ledger, name: str, count: int, size: int = 200) -> "subprocess.Popen[bytes]":
    code = APPENDER.format(root=str(ROOT), path=str(ledger.path), name=name, count=count, size=size)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)


def test_several_processes_append_at_once_and_lose_nothing(ledger: Ledger) -> None:
    children = [appender(ledger, name, 25) for name in "abc"]
    while any(child.poll() is None for child in children):
        report = ledger.verify()
        assert report.intact, report
        time.sleep(0.01)
    for child in children:
        with child:
            assert child.returncode == 0
    assert ledger.verify() == ChainReport(75)
    assert sorted(ids(ledger)) == sorted(f"{name}-{number}" for name in "abc" for number in range(25))
    for name in "abc":
        assert [each for each in ids(ledger) if each.startswith(name)] == [f"{name}-{number}" for number in range(25)]


def test_a_writer_killed_at_any_moment_costs_at_most_its_own_line(ledger: Ledger) -> None:
    chance = random.Random(3)
    filled(ledger, 1)
    for attempt in range(10):
        before = ids(ledger)
        with appender(ledger, f"kill{attempt}", 10**6, size=400_000) as child:
            assert child.stdout
            assert child.stdout.readline() == b"ready\n"
            time.sleep(chance.uniform(0.0, 0.03))
            child.send_signal(signal.SIGKILL)
        report = ledger.verify()
        assert report.problem is None
        ledger.append(a_run(attempt, run_id=f"after{attempt}"))
        assert ledger.verify().intact
        found = ids(ledger)
        assert found[: len(before)] == before
        assert found[-1] == f"after{attempt}"


def test_a_program_that_holds_the_lock_for_ever_ends_in_an_error_and_not_in_silence(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "history.jsonl", patience=0.1)
    ledger.append(a_run(0))
    with ledger.path.open("rb") as reader:  # reading is enough to lock
        fcntl.flock(reader, fcntl.LOCK_SH)
        with pytest.raises(StateError, match="another program has locked it") as caught:
            ledger.append(a_run(1))
        assert caught.value.remedy
        assert ledger.verify() == ChainReport(1)
    ledger.append(a_run(1))
    assert ledger.verify() == ChainReport(2)


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_what_is_no_regular_file_is_reported_without_waiting(ledger: Ledger, kind: str) -> None:
    ledger.path.parent.mkdir()
    if kind == "link":
        ledger.path.symlink_to("/dev/null")
    elif kind == "fifo":
        os.mkfifo(ledger.path)
    else:
        ledger.path.mkdir()
    assert ledger.verify().problem in {
        f"the history {ledger.path} is a symbolic link",
        f"the history {ledger.path} is not a regular file",
    }
    for use in (lambda: list(ledger.runs()), lambda: ledger.last_runs(1), lambda: ledger.append(a_run())):
        with pytest.raises(StateError):
            use()


def test_a_history_that_may_not_be_read_is_reported(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "history.jsonl")
    ledger.append(a_run())
    ledger.path.chmod(0)
    code = (
        "from pathlib import Path\nfrom bkp.state.ledger import Ledger\n"
        f"print(Ledger(Path({str(ledger.path)!r})).verify())"
    )
    assert "cannot be opened: Permission denied" in run_unprivileged(tmp_path, code)


LINE = encode_record(LedgerLine(seq=0, previous=GENESIS, run=a_run())) + b"\n"


@given(
    st.binary(max_size=300)
    | st.lists(st.sampled_from([LINE, LINE[:50], b"\n", b"\xff", b"{}\n"]), max_size=5).map(b"".join)
)
@example(b"\n")
@example(b"\n\n\n")
@example(LINE + b"\n\n")
@example(b"\r\n" + LINE)
def test_whatever_the_bytes_the_readers_and_the_writer_end_in_a_value_or_a_state_error(
    tmp_path: Path, content: bytes
) -> None:
    ledger = Ledger(tmp_path / "history.jsonl")
    ledger.path.write_bytes(content)
    assert ledger.verify().lines >= 0
    assert len(list(ledger.runs())) <= content.count(b"run-0")
    assert len(ledger.last_runs(3)) <= 3
    try:
        ledger.append(a_run(7))
    except StateError as error:
        assert "history" in error.message  # noqa: PT017  # either outcome is right
    else:
        assert ids(ledger)[-1] == "run-7"


def test_the_check_by_hand_on_the_documentations_page_works(ledger: Ledger, tmp_path: Path) -> None:
    page = (ROOT / "docs/state.md").read_text(encoding="utf-8")
    script = page[page.index("    previous=") : page.index("\n\nA damaged line stays")]
    assert "/var/lib/bkp/history.jsonl" in script
    script = script.replace("/var/lib/bkp/history.jsonl", str(ledger.path))
    lines = filled(ledger)

    def said() -> str:
        return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout

    assert said() == ""
    ledger.path.write_bytes(b"".join([lines[0], lines[1].replace(b"success", b"failure"), *lines[2:]]))
    assert said() == f"broken at: {lines[2].decode()}"
