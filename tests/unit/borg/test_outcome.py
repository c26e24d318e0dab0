"""What a borg exit means: message id first, then exit code, then text."""

from __future__ import annotations

import pytest

from bkp.state.fields import Outcome
from bkp.state.records import Message
from bkp.tools.borg.outcome import Problem, judge, missing_roots


def _error(text: str = "something", msgid: str | None = None) -> Message:
    return Message(level="error", text=text, msgid=msgid)


def _warning(text: str) -> Message:
    return Message(level="warning", text=text)


# operation, message id as borg 1.2.4 gives it, its exit code there, the modern one of 1.4, and what it is
FAILURES = [
    ("create", "Archive.AlreadyExists", 2, 30, Problem.ARCHIVE_EXISTS),
    ("create", "PassphraseWrong", 2, 52, Problem.PASSPHRASE),
    ("create", "PasscommandFailure", 2, 51, Problem.PASSPHRASE),
    ("list", "Repository.DoesNotExist", 2, 13, Problem.NO_REPOSITORY),
    ("create", "LockTimeout", 2, 73, Problem.LOCKED),
    ("extract", "IntegrityError", 2, 90, Problem.CORRUPT),
    ("create", "Repository.InsufficientFreeSpaceError", 2, 14, Problem.NO_SPACE),
    ("compact", "Repository.InsufficientFreeSpaceError", 2, 14, Problem.COMPACT_FULL),
    ("list", "Cache.RepositoryAccessAborted", 2, 62, Problem.MOVED),
    ("extract", "Archive.DoesNotExist", 2, 31, Problem.NO_ARCHIVE),
    ("list", "Repository.InvalidRepository", 2, 15, Problem.INVALID_REPOSITORY),
    ("list", "Repository.CheckNeeded", 2, 12, Problem.CORRUPT),
    ("list", "NoManifestError", 2, 26, Problem.CORRUPT),
    ("list", "RepoKeyNotFoundError", 2, 44, Problem.KEY),
    ("list", "Cache.RepositoryReplay", 2, 64, Problem.OLDER),
    ("list", "Cache.EncryptionMethodMismatch", 2, 61, Problem.NOT_AUTHENTIC),
    ("list", "TAMInvalid", 2, 97, Problem.NOT_AUTHENTIC),
    ("list", "ConnectionClosed", 2, 80, Problem.CONNECTION),
    ("list", "Repository.PathPermissionDenied", 2, 21, Problem.NO_PERMISSION),
    ("list", "MandatoryFeatureUnsupported", 2, 25, Problem.TOO_NEW),
    ("create", "CommandError", 2, 4, Problem.USAGE),
]


@pytest.mark.parametrize(("operation", "msgid", "legacy", "modern", "problem"), FAILURES)
def test_a_failure_is_told_by_its_id_whatever_the_code_and_by_the_modern_code_without_an_id(
    operation: str, msgid: str, legacy: int, modern: int, problem: Problem
) -> None:
    for code in (legacy, modern):
        told = judge(operation, code, [_error("words", msgid)])
        assert (told.outcome, told.problem) == (Outcome.FAILURE, problem)
        assert told.reason == f"{problem.value}: words"
    assert judge(operation, modern, []).problem is problem
    assert judge(operation, modern, [_error("words", "UnheardOf")]).problem is problem


def test_an_id_wins_over_a_code_that_says_something_else() -> None:
    assert judge("create", 73, [_error("x", "PassphraseWrong")]).problem is Problem.PASSPHRASE


def test_an_id_wins_whichever_message_carries_it() -> None:
    told = judge("create", 2, [_error("first"), _error("second", "LockTimeout")])
    assert told.problem is Problem.LOCKED


def test_a_code_that_is_not_known_falls_back_to_the_text() -> None:
    assert judge("create", 2, [_error("x: [Errno 28] No space left on device")]).problem is Problem.NO_SPACE
    assert judge("create", 2, [_error("Data integrity error: Segment")]).problem is Problem.CORRUPT
    assert judge("create", 2, [_error("borg: error: unrecognized arguments: --x")]).problem is Problem.USAGE
    assert judge("create", 2, [_error("never heard of")]).problem is Problem.OTHER
    assert judge("create", 2, []).problem is Problem.OTHER


@pytest.mark.parametrize("operation", ["create", "prune", "compact", "list", "extract", "rename"])
@pytest.mark.parametrize("code", [1, 100, 101, 104, 107, 110, 125])
def test_a_warning_code_is_a_warning_for_everything_but_check(operation: str, code: int) -> None:
    told = judge(operation, code, [_warning("/x: [Errno 13] Permission denied")])
    assert (told.outcome, told.problem, told.reason) == (Outcome.WARNING, None, "/x: [Errno 13] Permission denied")
    assert judge(operation, code, []).outcome is Outcome.WARNING


@pytest.mark.parametrize("operation", ["create", "check", "prune", "rename", "list"])
@pytest.mark.parametrize("code", [126, 127])
def test_a_borg_that_a_shell_could_not_start_has_done_nothing(operation: str, code: int) -> None:
    assert judge(operation, code, []).outcome is Outcome.FAILURE
    said = Message(level="info", text="exec: borg: not found")
    assert judge(operation, code, [said]).reason == "borg could not be started: exec: borg: not found"


@pytest.mark.parametrize("messages", [[], [_warning("x")], [_error("Finished full repository check, errors found.")]])
def test_check_ending_with_1_is_damage_never_a_warning(messages: list[Message]) -> None:
    told = judge("check", 1, messages)
    assert (told.outcome, told.problem) == (Outcome.FAILURE, Problem.CORRUPT)


def test_check_that_says_an_error_and_ends_with_0_is_a_failure() -> None:
    assert judge("check", 0, [_error("index mismatch")]).outcome is Outcome.FAILURE


def test_check_that_could_not_look_does_not_speak_of_damage() -> None:
    assert judge("check", 2, [_error("x", "LockTimeout")]).problem is Problem.LOCKED
    assert judge("check", 2, [_error("MemoryError")]).problem is Problem.OTHER
    assert judge("check", 143, [_error("Signal", "Signal.SIGTERM")]).problem is Problem.SIGNAL
    assert judge("check", 137, []).problem is Problem.SIGNAL
    assert judge("check", 0, [], timed_out=True).problem is Problem.TIMEOUT


def test_success_is_an_end_with_0_without_an_error() -> None:
    assert judge("create", 0, []).outcome is Outcome.SUCCESS
    assert judge("create", 0, [_warning("Killed stale lock")]).outcome is Outcome.SUCCESS
    told = judge("create", 0, [_error("odd")])
    assert (told.outcome, told.reason) == (Outcome.WARNING, "odd")
    assert judge("check", 0, []).outcome is Outcome.SUCCESS


_INDEX = "/root/.cache/borg/7c98/chunks.archive.d/a340.compact"
_CACHED = _error(f"Cached archive chunk index of backup-1 is corrupted: File failed integrity check: {_INDEX}")
_UNPARSED = _warning(f"Could not parse integrity data for {_INDEX}: Expecting value: line 1 column 1 (char 0)")


def test_what_borg_mended_of_its_cache_is_said_not_to_be_of_the_repository() -> None:
    told = judge("create", 1, [_UNPARSED, _CACHED])
    assert (told.outcome, told.problem) == (Outcome.WARNING, None)
    assert (told.reason or "").startswith("a part of borg's cache was damaged")
    assert (told.reason or "").endswith(_CACHED.text)


@pytest.mark.parametrize("lost", [_error("/x: read: [Errno 5] Input/output error"), _warning("/x: [Errno 13] Denied")])
def test_what_borg_mended_of_its_cache_does_not_hide_what_is_lost(lost: Message) -> None:
    assert judge("create", 1, [_UNPARSED, _CACHED, lost]).reason == lost.text


def test_what_borg_mended_of_its_cache_does_not_hide_a_full_disk() -> None:
    told = judge("create", 1, [_CACHED, _warning("/b: write: [Errno 28] No space left on device")])
    assert (told.outcome, told.problem) == (Outcome.FAILURE, Problem.NO_SPACE)


def test_integrity_data_of_a_repository_is_not_taken_for_the_caches() -> None:
    told = judge("create", 1, [_warning("Could not parse integrity data for /repo/index.5: Expecting value")])
    assert (told.reason or "").startswith("Could not parse")


_LOCK = "Failed to create/acquire the lock /repo/lock.exclusive ([Errno {}] {}: '/repo/lock.exclusive.x.tmp')."


@pytest.mark.parametrize(
    ("number", "words", "problem"),
    [
        (30, "Read-only file system", Problem.READ_ONLY),
        (28, "No space left on device", Problem.NO_SPACE),
        (122, "Disk quota exceeded", Problem.NO_SPACE),
        (13, "Permission denied", Problem.NO_PERMISSION),
        (5, "Input/output error", Problem.DISK),
        (99, "Odd", Problem.LOCKED),
    ],
)
@pytest.mark.parametrize("operation", ["create", "list", "extract"])
def test_a_lock_that_cannot_be_made_is_not_one_that_somebody_holds(
    operation: str, number: int, words: str, problem: Problem
) -> None:
    for code in (2, 72):
        assert judge(operation, code, [_error(_LOCK.format(number, words), "LockFailed")]).problem is problem


def test_a_full_target_of_a_restore_is_not_the_repository() -> None:
    told = judge("extract", 1, [_warning("srv/a: write: [Errno 28] No space left on device")])
    assert (told.outcome, told.problem) == (Outcome.FAILURE, Problem.TARGET_FULL)
    assert "retention" not in Problem.TARGET_FULL.remedy()
    assert judge("extract", 2, [_error("x: [Errno 28] No space left on device")]).problem is Problem.TARGET_FULL
    cache = _error("[Errno 28] No space left on device: '/root/.cache/borg/ab/chunks'")
    assert judge("extract", 2, [cache]).problem is Problem.CACHE_FULL


@pytest.mark.parametrize(
    ("operation", "places", "problem"),
    [
        ("extract", "archiver repository locking", Problem.NO_SPACE),
        ("extract", "archiver cache locking", Problem.CACHE_FULL),
        ("extract", "archiver archive platform/base", Problem.TARGET_FULL),
        ("create", "archiver cache locking", Problem.CACHE_FULL),
        ("create", "archiver archive cache repository platform/base", Problem.NO_SPACE),
        ("check", "archiver archive crypto/key crypto/nonces platform/base", Problem.CACHE_FULL),
    ],
)
def test_what_is_full_is_told_by_where_borg_met_it(operation: str, places: str, problem: Problem) -> None:
    folder = "/usr/lib/python3/dist-packages/borg"
    frames = "".join(f'  File "{folder}/{each}.py", line 1, in f\n' for each in places.split())
    text = f"Traceback (most recent call last):\n{frames}OSError: [Errno 28] No space left on device\n"
    told = judge(operation, 2, [_error("Local Exception"), _error(text)])
    assert (told.outcome, told.problem) == (Outcome.FAILURE, problem)


def test_of_a_traceback_the_reason_is_what_it_ends_with() -> None:
    traceback = 'Traceback (most recent call last):\n  File "x.py", line 1, in f\nValueError: bad marshal data\n'
    told = judge("create", 2, [_error("Local Exception"), _error(traceback)])
    assert told.reason == "borg failed: ValueError: bad marshal data"
    assert judge("create", 2, [_error("Local Exception")]).reason == "borg failed: Local Exception"


@pytest.mark.parametrize("code", [129, 130, 137, 143])
def test_a_signal_is_told_unless_borg_says_more(code: int) -> None:
    assert judge("create", code, []).problem is Problem.SIGNAL
    assert judge("create", code, [_error("x", "Signal.SIGTERM")]).problem is Problem.SIGNAL


def test_a_full_disk_that_comes_as_warnings_about_files_is_a_failure() -> None:
    told = judge("create", 1, [_warning("/a: changed"), _warning("/b: write: [Errno 28] No space left on device")])
    assert (told.outcome, told.problem) == (Outcome.FAILURE, Problem.NO_SPACE)


def test_every_problem_has_a_remedy_and_a_reason_of_one_line() -> None:
    for problem in Problem:
        remedy = problem.remedy("BORG_BASE_DIR=/b borg", "/r", "/b")
        assert remedy
        assert "{" not in remedy
    assert "`BORG_BASE_DIR=/b borg info /r`" in Problem.MOVED.remedy("BORG_BASE_DIR=/b borg", "/r")
    assert "\n" not in (judge("create", 2, [_error("first line\nTraceback\n  more")]).reason or "")


@pytest.mark.parametrize(
    ("root", "text", "lost"),
    [
        ("/srv/a", "/srv/a: [Errno 2] No such file or directory: 'a'", True),  # 1.2.4
        ("/srv/a", "/srv/a: open_root: [Errno 2] No such file or directory: '/srv'", True),
        ("/srv/a", "/srv/a: stat: [Errno 2] No such file or directory: '/srv/a'", True),  # 1.4
        ("/srv/a", "/srv/a: stat: [Errno 13] Permission denied: '/srv/a'", True),
        ("/srv/a/", "/srv/a: [Errno 2] No such file or directory: 'a'", True),
        ("/srv/./a", "/srv/a: [Errno 2] No such file or directory: 'a'", True),
        ("/srv/a", "/srv/a/b: [Errno 2] No such file or directory: 'b'", False),
        ("/srv/a", "/srv/ab: [Errno 2] No such file or directory: 'ab'", False),
        ("/srv/a", "/srv/a: file changed while we backed it up", False),
    ],
)
def test_a_missing_root_is_told_from_any_other_path(root: str, text: str, lost: bool) -> None:
    assert missing_roots([root, "/other"], [_warning(text)]) == ({root} if lost else set())
    assert missing_roots([root], [Message(level="info", text=text)]) == set()


_READING = 'Traceback (most recent call last):\n  File "/usr/lib/python3/dist-packages/borg/cache.py", line 527, in '


@pytest.mark.parametrize(
    ("text", "msgid", "problem"),
    [
        (f"{_READING}_do_open\nValueError: Could not read header (expected 18, but read 0 bytes)", None, Problem.CACHE),
        (f"{_READING}load\nException: /r/.cache/borg/ab/config does not look like a Borg cache.", None, Problem.CACHE),
        (f"{_READING}load\nFileNotFoundError: [Errno 2] No such file: '/r/.cache/borg/ab/chunks'", None, Problem.CACHE),
        ("File failed integrity check: /root/.cache/borg/ab/chunks", "FileIntegrityError", Problem.CACHE),
        ("File failed integrity check: /repo/index.5", "FileIntegrityError", Problem.CORRUPT),
        (f"{_READING}_do_open\nOSError: [Errno 28] No space left on device", None, Problem.CACHE_FULL),
        (f"{_READING}_do_open\nOSError: [Errno 5] Input/output error: '/r/.cache/borg/ab/chunks'", None, Problem.DISK),
        ('Traceback (most recent call last):\n  File "borg/archiver.py", line 1, in main', None, Problem.OTHER),
    ],
)
def test_a_damaged_cache_is_told_from_a_damaged_repository_and_a_bad_disk(
    text: str, msgid: str | None, problem: Problem
) -> None:
    messages = [Message(level="error", text="Local Exception"), Message(level="error", text=text, msgid=msgid)]
    assert judge("create", 2, messages).problem is problem
