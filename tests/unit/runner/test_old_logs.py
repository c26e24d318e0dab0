"""Logs of long ago are removed, and nothing that is not a log of ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from runner.jobs.nightly.old_logs import began_at, remove_old_logs

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2027, 6, 1, 2, 30, tzinfo=UTC)
KEEP = timedelta(days=400)
OLD = (
    "nightly-main-20260426T023000Z-0123abcd.log",
    "verify-a-target.of-long_ago-20200101T023000Z-00000000.log",
    "drill-main-20260427T022959Z-ffffffff.log",
)
KEPT = (
    "nightly-main-20260427T023000Z-0123abcd.log",  # 400 days old to the second
    "nightly-main-20270601T023000Z-0123abcd.log",
    "nightly-main-20280101T023000Z-0123abcd.log",  # the clock was moved
    "borg.log",
    "nightly-main-20200101T023000Z-0123abcd.log.gz",
    "old-nightly-main-20200101T023000Z-0123abcd.log",
    "audit-main-20200101T023000Z-0123abcd.log",
    "nightly-main-20200101-0123abcd.log",
    "nightly-main-20200230T023000Z-0123abcd.log",
    "nightly-main-20200101T023000Z-0123ABCD.log",
    "nightly--20200101T023000Z-0123abcd.log",
)


def test_logs_that_are_too_old_go_and_every_other_file_stays(tmp_path: Path) -> None:
    for name in (*OLD, *KEPT):
        (tmp_path / name).write_text("x")
    (tmp_path / "check-main-20200101T023000Z-0123abcd.log").mkdir()
    (tmp_path / "check-main-20200101T023001Z-0123abcd.log").symlink_to(tmp_path / "borg.log")
    assert remove_old_logs(str(tmp_path), NOW, KEEP) == (3, None)
    assert {path.name for path in tmp_path.iterdir() if path.is_file() and not path.is_symlink()} == set(KEPT)
    assert len(list(tmp_path.glob("check-*"))) == 2
    assert remove_old_logs(str(tmp_path), NOW, KEEP) == (0, None)


def test_when_a_run_began_is_told_by_the_name_of_its_log_not_by_the_file() -> None:
    assert began_at(OLD[0]) == datetime(2026, 4, 26, 2, 30, tzinfo=UTC)
    assert [name for name in KEPT[3:] if began_at(name)] == []


def test_a_folder_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    removed, problem = remove_old_logs(str(tmp_path / "gone"), NOW, KEEP)
    assert (removed, problem) == (0, f"old logs in {tmp_path}/gone cannot be removed: No such file or directory")
