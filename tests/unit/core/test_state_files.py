"""A state file is replaced whole or not at all, and whatever lies there is a value or a reason, never an exception."""

import os
import random
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bkp.errors import StateError
from bkp.state.files import (
    DIR_MODE,
    FILE_MODE,
    MAX_BYTES,
    PRIVATE_MODE,
    encode_record,
    read_bytes,
    read_record,
    write_atomic,
    write_record,
)
from bkp.state.reading import Missing, Readable, Unreadable
from bkp.state.records import DrillSample, LedgerLine, LockHolder, Message, Run, SampleFile
from bkp.state.store import JobState, StateStore, value_of
from tests.unit.core.support import ROOT, START, a_run, run_unprivileged

VALID = encode_record(a_run())


def reason(path: Path) -> str:
    reading = read_record(path, Run)
    assert isinstance(reading, Unreadable), reading
    assert reading.path == path
    return reading.reason


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobs" / "nightly" / "main" / "latest.json"


@pytest.mark.parametrize("durable", [True, False])
def test_a_record_that_was_written_is_read_back(path: Path, durable: bool) -> None:
    run = a_run()
    write_record(path, run, durable=durable)
    reading = read_record(path, Run)
    assert isinstance(reading, Readable)
    assert reading.value == run
    assert abs(reading.written_at.timestamp() - path.stat().st_mtime) < 1e-3
    assert [entry.name for entry in path.parent.iterdir()] == ["latest.json"]


def test_files_are_for_owner_and_group_and_samples_for_the_owner_alone(path: Path) -> None:
    old = os.umask(0)
    try:
        write_record(path, a_run())
        assert stat.S_IMODE(path.stat().st_mode) == FILE_MODE == 0o640
        assert {stat.S_IMODE(folder.stat().st_mode) for folder in path.parents[:3]} == {DIR_MODE}
        store = StateStore(path.parents[3])
        store.write_sample(a_sample())
        assert stat.S_IMODE(store.sample_path("main").stat().st_mode) == PRIVATE_MODE == 0o600
    finally:
        os.umask(old)


def test_a_tight_umask_does_not_lock_the_readers_out(path: Path) -> None:
    old = os.umask(0o077)
    try:
        write_record(path, a_run())
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == FILE_MODE


def a_sample(name: str = "tank/file") -> DrillSample:
    files = (SampleFile(path=name, bytes=3, sha256="0" * 64),)
    return DrillSample(target="main", archive="a", archive_id="i", drawn_at=START, files=files, candidates=1)


def test_names_that_are_not_utf_8_do_not_keep_a_record_from_being_written(path: Path) -> None:
    odd = os.fsdecode(b"caf\xe9")
    write_record(path, a_run(messages=(Message(level="warning", text=f"{odd}: cannot be read"),)))
    reading = read_record(path, Run)
    assert isinstance(reading, Readable)
    assert reading.value.messages[0].text == "caf\\udce9: cannot be read"


def test_a_record_that_no_reader_would_accept_replaces_nothing(path: Path) -> None:
    write_record(path, a_run())
    with pytest.raises(StateError, match="larger than 8 MiB"):
        write_record(path, a_run(reason="x" * MAX_BYTES))
    assert isinstance(read_record(path, Run), Readable)


def test_what_cannot_be_written_is_an_error_and_leaves_the_old_file(path: Path) -> None:
    write_record(path, a_run())
    before = path.read_bytes()
    path.parent.joinpath("blocked").write_text("a file where a folder is wanted")
    with pytest.raises(StateError, match="cannot write state file") as caught:
        write_record(path.parent / "blocked" / "latest.json", a_run())
    assert caught.value.remedy
    assert path.read_bytes() == before


def test_a_full_disk_leaves_the_old_file_and_no_temporary_one(path: Path) -> None:
    import resource

    write_record(path, a_run())
    before = path.read_bytes()
    old, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, old[1]))
    try:
        with pytest.raises(StateError, match="File too large"):
            write_record(path, a_run(reason="x" * 5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["latest.json"]


def test_a_folder_that_may_not_be_written_is_an_error(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\nfrom bkp.state.files import write_atomic\n"
        f"write_atomic(Path({str(tmp_path)!r}) / 'x.json', b'1')"
    )
    assert "cannot write state file" in run_unprivileged(tmp_path, code)
    assert not list(tmp_path.iterdir())


WRITER = """
import sys
sys.path.insert(0, {root!r})
from pathlib import Path
from bkp.state.files import write_atomic
path = Path({path!r})
print("ready", flush=True)
while True:
    for letter in b"ab":
        write_atomic(path, bytes([letter]) * {size}, durable={durable})
"""


@pytest.mark.parametrize("durable", [True, False])
def test_a_writer_killed_at_any_moment_leaves_a_whole_file(path: Path, durable: bool) -> None:
    """SIGKILL in the middle of the writing, again and again, while a reader looks."""
    size = 300_000
    code = WRITER.format(root=str(ROOT), path=str(path), size=size, durable=durable)
    whole = {b"a" * size, b"b" * size}
    chance = random.Random(20261123)
    for _ in range(12):
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
            assert child.stdout
            assert child.stdout.readline() == b"ready\n"
            until = time.monotonic() + chance.uniform(0.005, 0.05)
            while time.monotonic() < until:
                reading = read_bytes(path)
                assert isinstance(reading, Missing) or (isinstance(reading, Readable) and reading.value in whole)
            child.send_signal(signal.SIGKILL)
        reading = read_bytes(path)
        if isinstance(reading, Readable):
            assert reading.value in whole
    write_atomic(path, b"end")
    assert [entry.name for entry in path.parent.iterdir()] == ["latest.json"], "leftovers of the dead are not removed"


def test_leftovers_of_the_dead_go_and_those_of_the_living_and_of_others_stay(path: Path) -> None:
    write_atomic(path, b"1")
    with subprocess.Popen([sys.executable, "-c", "pass"]) as gone:
        gone.wait()
    dead, living, other, strange = (
        path.with_name(f".latest.json.{gone.pid}.tmp"),
        path.with_name(f".latest.json.{os.getppid()}.tmp"),
        path.with_name(f".success.json.{gone.pid}.tmp"),
        path.with_name(".latest.json.99999999999999999999999.tmp"),
    )
    for each in (dead, living, other, strange):
        each.write_text("torn")
    write_atomic(path, b"2")
    assert {entry.name for entry in path.parent.iterdir()} == {"latest.json", living.name, other.name}


def test_what_was_never_written_is_missing(path: Path) -> None:
    assert read_record(path, Run) == Missing(path)


@pytest.mark.parametrize("cut", [1, 10, len(VALID) // 2, len(VALID) - 1])
def test_a_torn_file_is_unreadable_by_name(path: Path, cut: int) -> None:
    write_atomic(path, VALID[:cut])
    assert reason(path).startswith("is torn or is not JSON")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\x00" * 512, "is torn or is not JSON"),
        (b"hello", "is torn or is not JSON"),
        (VALID + b"x", "is torn or is not JSON"),
        (VALID.replace(b'"backup"', b'"caf\xe9"'), "is not UTF-8 text"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (VALID.decode().encode("utf-16"), "is not UTF-8 text"),
        (VALID.replace(b'"schema":1', b'"schema":2'), "has schema version 2; this program knows version 1"),
        (b'{"schema": 7}', "has schema version 7; this program knows version 1"),
        (b"{}", "is not a record of this kind"),
        (b"[]", "is not a record of this kind"),
        (b"1", "is not a record of this kind"),
        (VALID.replace(b'"outcome":"success"', b'"outcome":"splendid"'), "is not a record of this kind"),
        (VALID.replace(b'"started_at":"2026-', b'"started_at":"2026'), "is not a record of this kind"),
        (VALID.replace(b"02:30:00Z", b"02:30:00"), "is not a record of this kind"),
        (VALID.replace(b'"pid":4711', b'"pid":4711e400'), "is not a record of this kind"),
        (b'{"x":' * 100_000, "nested too deeply"),
        (VALID[:-1] + b',"later":' + b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_file_that_holds_something_else_says_what_is_wrong(path: Path, content: bytes, says: str) -> None:
    write_atomic(path, content)
    assert says in reason(path)


def test_fields_of_a_later_version_of_the_same_schema_are_passed_over(path: Path) -> None:
    write_atomic(path, VALID[:-1] + b',"a_later_field":[1,2,3]}')
    assert isinstance(read_record(path, Run), Readable)


def test_a_file_that_is_too_large_is_not_read(path: Path) -> None:
    write_atomic(path, b" " * (MAX_BYTES + 1))
    assert reason(path) == "is larger than 8 MiB"
    write_atomic(path, VALID + b" " * (MAX_BYTES - len(VALID)))
    assert isinstance(read_record(path, Run), Readable)


def test_a_symbolic_link_is_refused_wherever_it_points(path: Path) -> None:
    write_record(path.with_name("real.json"), a_run())
    path.symlink_to("real.json")
    assert reason(path) == "is a symbolic link"
    path.unlink()
    path.symlink_to("nowhere")
    assert reason(path) == "is a symbolic link"


def test_a_fifo_a_socket_a_folder_and_a_device_are_refused_without_waiting(path: Path) -> None:
    import socket

    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    assert reason(path) == "is not a regular file"
    path.unlink()
    path.mkdir()
    assert reason(path) == "is not a regular file"
    path.rmdir()
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's address is short
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
            assert reason(path) == "is not a regular file"
    finally:
        os.chdir(here)
    assert reason(Path("/dev/null")) == "is not a regular file"


def test_a_file_in_the_place_of_a_folder_is_named(path: Path) -> None:
    path.parent.parent.mkdir(parents=True)
    path.parent.write_text("x")
    assert reason(path) == "cannot be reached: a folder on its path is a file"


def test_a_name_that_is_too_long_is_unreadable(path: Path) -> None:
    path.parent.mkdir(parents=True)
    assert "cannot be opened" in reason(path.with_name("x" * 300))


def test_a_file_that_may_not_be_read_is_unreadable_by_name(tmp_path: Path) -> None:
    path = tmp_path / "latest.json"
    write_record(path, a_run())
    path.chmod(0)
    code = (
        "from pathlib import Path\nfrom bkp.state.files import read_record\nfrom bkp.state.records import Run\n"
        f"print(read_record(Path({str(path)!r}), Run))"
    )
    assert "reason='cannot be opened: Permission denied'" in run_unprivileged(tmp_path, code)


def test_a_modification_time_that_no_calendar_knows_is_unreadable(path: Path) -> None:
    write_record(path, a_run())
    os.utime(path, (2**38, 2**38))  # the year 10680; a file system with 34 bits of seconds keeps a smaller one
    reading = read_record(path, Run)
    if isinstance(reading, Unreadable):
        assert reading.reason == "has a modification time that no calendar knows"
    else:
        assert isinstance(reading, Readable)
        assert reading.written_at.year < 10_000


MUTATIONS = st.lists(
    st.tuples(st.integers(0, len(VALID) - 1), st.sampled_from(list(b'{}[]",:0-e\\u\x00\xff\n 9n'))),
    min_size=1,
    max_size=4,
)


def mutated(content: bytes, changes: list[tuple[int, int]]) -> bytes:
    torn = bytearray(content)
    for at, byte in changes:
        torn[at] = byte
    return bytes(torn)


@given(st.binary(max_size=300) | MUTATIONS.map(lambda changes: mutated(VALID, changes)))
@example(b'{"schema":' + b"9" * 5000 + b"}")
@example(VALID.replace(b"2026-11-23", b"9999-12-31"))
@example(VALID.replace(b"2026-11-23", b"0001-01-01"))
@example(VALID.replace(b'"host":"backup"', b'"host":"\\ud800"'))
def test_whatever_the_bytes_every_reader_gives_a_record_or_a_reason(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(content)
    for kind in (Run, DrillSample, LockHolder, LedgerLine):
        reading = read_record(path, kind)
        if isinstance(reading, Unreadable):
            assert reading.reason
            assert "\n" not in reading.reason
        else:
            assert isinstance(reading, Readable)
            assert isinstance(reading.value, kind)


def test_the_store_keeps_attempt_and_success_apart(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    good, bad = a_run(1), a_run(2, outcome="failure", reason="no space")
    store.write_running(msgspec.structs.replace(good, outcome="running", ended_at=None), durable=True)
    assert isinstance(store.read_job("nightly", "main").success, Missing)
    store.write_ended(msgspec.convert(msgspec.to_builtins(good), Run))
    store.write_ended(msgspec.convert(msgspec.to_builtins(bad), Run))
    state = store.read_job("nightly", "main")
    assert isinstance(state, JobState)
    latest, success = value_of(state.latest), value_of(state.success)
    assert latest
    assert success
    assert (latest.run_id, success.run_id) == ("run-2", "run-1")
    assert [run.run_id for run in store.ledger.runs()] == ["run-1", "run-2"]
    assert list(store.recorded()) == [("nightly", "main")]


def test_one_unreadable_file_takes_nothing_else_down(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    store.write_ended(a_run(1))
    (store.job_dir("nightly", "main") / "latest.json").write_text("{")
    state = store.read_job("nightly", "main")
    assert isinstance(state.latest, Unreadable)
    assert isinstance(state.success, Readable)
    assert value_of(state.latest) is None


def test_an_empty_or_strange_state_directory_records_nothing(tmp_path: Path) -> None:
    assert list(StateStore(tmp_path / "absent").recorded()) == []
    (tmp_path / "jobs").write_text("a file")
    assert list(StateStore(tmp_path).recorded()) == []


def test_the_sample_is_read_back_and_missing_before(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    assert isinstance(store.read_sample("main"), Missing)
    store.write_sample(a_sample())
    reading = store.read_sample("main")
    assert isinstance(reading, Readable)
    assert reading.value == a_sample()


def test_a_state_directory_is_absent_closed_or_open_and_each_is_told_apart(tmp_path: Path) -> None:
    for folder, mode in (("open", 0o755), ("closed", 0o700), ("pool", 0o700)):
        (tmp_path / folder / "state").mkdir(parents=True)
        (tmp_path / folder).chmod(0o755)
        (tmp_path / folder / ("" if folder == "pool" else "state")).chmod(mode)
    (tmp_path / "file").write_text("in the way")
    code = f"""
from pathlib import Path
from bkp.state.store import StateStore
for folder in ("open/state", "closed/state", "pool/state", "absent", "file", "file/state"):
    store = StateStore(Path({str(tmp_path)!r}) / folder)
    found, state = store.presence(), store.read_job("nightly", "main")
    print(folder, found.there, found.problem, type(state.latest).__name__, type(state.success).__name__, sep="|")
"""
    unseen = f"state directory {tmp_path}/pool/state cannot be looked at: Permission denied"
    absent = "no state directory at {}; run bkp-run once or check mounts"
    assert run_unprivileged(tmp_path, code).splitlines() == [
        "open/state|True|None|Missing|Missing",
        f"closed/state|True|state directory {tmp_path}/closed/state is closed to this user|Unreadable|Unreadable",
        f"pool/state|None|{unseen}|Unreadable|Unreadable",
        f"absent|False|{absent.format(tmp_path / 'absent')}|Unreadable|Unreadable",
        f"file|False|{absent.format(tmp_path / 'file')}|Unreadable|Unreadable",
        f"file/state|False|{absent.format(tmp_path / 'file/state')}|Unreadable|Unreadable",
    ]
