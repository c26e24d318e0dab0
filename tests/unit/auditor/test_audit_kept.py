"""Kept reports of the audit: numbered, chained, bounded, whole or not there, never silently replaced by older ones."""

import os
import signal
import stat
import subprocess
import sys
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from auditor.kept import fitting, keep_report, unmet_since
from auditor.report import Report
from bkp.errors import StateError
from bkp.state import audits
from bkp.state.audits import FIRST, Kept, KeptReport, KeptReports
from bkp.state.files import encode_record
from bkp.state.reading import Missing, Readable, Unreadable
from bkp.state.store import value_of
from bkp.verdict import Verdict
from tests.support.audit_world import NOW, report_on, rule

GOOD, BAD = {"borg.repo.main.opens": True}, {"borg.repo.main.opens": False}


def a_report(*, opens: bool = True, at: datetime = NOW) -> Report:
    return report_on([rule()], GOOD if opens else BAD, now=at)


def newest(state: Path) -> Kept[KeptReport]:
    reading = KeptReports(state).newest()
    assert isinstance(reading, Readable), reading
    return reading.value


def keep(state: Path, report: Report) -> Path:
    return keep_report(state, report, value_of(KeptReports(state).newest()))


def test_a_kept_report_reads_back_with_its_verdicts(tmp_path: Path) -> None:
    path = keep(tmp_path, a_report(opens=False))
    assert path.name == "000001-20260131T120000Z.json"
    kept = newest(tmp_path)
    assert (kept.number, kept.previous, kept.unmet_since) == (1, FIRST, {"TST-999": NOW})
    (result,) = kept.report.results
    assert (result.id, result.verdict, result.severity, result.unmet) == ("TST-999", Verdict.FAIL, "high", True)
    assert kept.report.totals.failed == 1
    assert (kept.report.exit_code, kept.report.judged_at) == (1, NOW)


def test_reports_are_chained_and_what_was_changed_taken_away_or_put_in_is_named(tmp_path: Path) -> None:
    paths = [keep(tmp_path, a_report(at=NOW + timedelta(days=day))) for day in range(4)]
    assert newest(tmp_path).previous == sha256(paths[2].read_bytes()).hexdigest()
    assert KeptReports(tmp_path).problem() is None
    whole = paths[1].read_bytes()
    paths[1].write_bytes(whole.replace(b'"host": "host"', b'"host": "hosT"'))
    assert KeptReports(tmp_path).problem() == f"{paths[1].name} is not what it was when {paths[2].name} was made"
    paths[1].write_bytes(whole[:100])
    assert "torn" in str(KeptReports(tmp_path).problem())
    paths[1].unlink()
    assert KeptReports(tmp_path).problem() == f"a report between {paths[0].name} and {paths[2].name} is gone"
    paths[1].write_bytes(paths[0].read_bytes())
    assert KeptReports(tmp_path).problem() == f"{paths[1].name} says that it is number 1"


def test_a_clock_that_was_ahead_hides_no_later_report(tmp_path: Path) -> None:
    keep(tmp_path, a_report(at=NOW + timedelta(days=4000)))
    keep(tmp_path, a_report(opens=False))
    assert newest(tmp_path).report.exit_code == 1
    assert newest(tmp_path).number == 2


def test_a_newest_report_that_cannot_be_read_is_said_and_no_older_one_stands_in_for_it(tmp_path: Path) -> None:
    assert isinstance(KeptReports(tmp_path).newest(), Missing)
    keep(tmp_path, a_report())
    path = keep(tmp_path, a_report())
    path.write_text("{")
    reading = KeptReports(tmp_path).newest()
    assert isinstance(reading, Unreadable)
    assert "torn" in reading.reason
    assert keep(tmp_path, a_report()).name.startswith("000003-"), "the next is kept all the same"
    assert newest(tmp_path).previous == sha256(b"{").hexdigest()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "audit").write_text("no folder")
    assert isinstance(KeptReports(tmp_path / "other").newest(), Unreadable)


def test_the_oldest_go_by_count_and_by_size_and_the_newest_never(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audits, "MOST", 3)
    for _ in range(5):
        keep(tmp_path, a_report())
    assert [each.number for each in KeptReports(tmp_path).files()] == [3, 4, 5]
    assert KeptReports(tmp_path).problem() is None, "what was given up by count is no gap"
    monkeypatch.setattr(audits, "MOST_BYTES", 10)
    keep(tmp_path, a_report())
    assert [each.number for each in KeptReports(tmp_path).files()] == [6]


def test_other_files_of_the_folder_are_left_alone_and_what_a_killed_writer_left_goes(tmp_path: Path) -> None:
    keep(tmp_path, a_report())
    for name in ("report.html", "report.json", ".000002-20260131T120000Z.json.77.tmp"):
        (tmp_path / "audit" / name).write_text("x")
    keep(tmp_path, a_report())
    assert sorted(entry.name for entry in (tmp_path / "audit").iterdir()) == [
        "000001-20260131T120000Z.json",
        "000002-20260131T120000Z.json",
        "report.html",
        "report.json",
    ]


def test_a_kept_report_is_for_root_and_the_exporters_group(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        path = keep(tmp_path / "state", a_report())
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert stat.S_IMODE(path.parent.stat().st_mode) & 0o777 == 0o750


def test_since_when_a_rule_is_not_met_is_carried_on_and_ends_with_it(tmp_path: Path) -> None:
    march, april = NOW + timedelta(days=30), NOW + timedelta(days=60)
    keep(tmp_path, a_report(opens=False))
    keep(tmp_path, a_report(opens=False, at=march))
    assert newest(tmp_path).unmet_since == {"TST-999": NOW}
    keep(tmp_path, a_report(at=march))
    assert newest(tmp_path).unmet_since == {}
    assert unmet_since(a_report(opens=False, at=april), newest(tmp_path)) == {"TST-999": april}


def test_a_report_that_no_reader_would_take_loses_evidence_and_no_rule(tmp_path: Path) -> None:
    values: dict[str, object] = {}
    for number in range(300):
        values[f"file.f{number}.role"] = "waivers"
        values[f"file.f{number}.weak_hops"] = ["x" * 150] * 9
    each = {"fact": "file.*"}
    wanted = {"all": [{"fact": "file.*.weak_hops", "op": "count", "value": 0}] * 20}
    rules = [rule(id=f"TST-{number:03d}", for_each=each, check=wanted) for number in range(20)]
    huge = report_on(rules, values)
    small = fitting(huge, 1 << 20)
    assert len(encode_record(huge)) > 1 << 20 > len(encode_record(small))
    assert [(r.id, r.verdict, r.reason, r.subject_count) for r in small.results] == [
        (r.id, r.verdict, r.reason, r.subject_count) for r in huge.results
    ]
    assert small.results[0].subjects, "the worst subject stays"


_KEEP_FOR_EVER = """
import sys
from pathlib import Path
from tests.unit.auditor.test_audit_kept import a_report, keep
print("ready", flush=True)
while True:
    keep(Path(sys.argv[1]), a_report())
"""


def test_a_writer_killed_at_any_moment_leaves_whole_reports_and_an_unbroken_chain(tmp_path: Path) -> None:
    for wait in (0.01, 0.05, 0.11):
        with subprocess.Popen(
            [sys.executable, "-c", _KEEP_FOR_EVER, str(tmp_path)],
            cwd=Path(__file__).resolve().parents[3],
            stdout=subprocess.PIPE,
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            with pytest.raises(subprocess.TimeoutExpired):
                writer.wait(wait)
            writer.send_signal(signal.SIGKILL)
    keep(tmp_path, a_report())
    assert KeptReports(tmp_path).problem() is None
    assert not list((tmp_path / "audit").glob(".*"))


def test_where_it_cannot_be_kept_the_error_says_so_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "audit").symlink_to("/proc/nothing")
    with pytest.raises(StateError, match="cannot"):
        keep(tmp_path, a_report())
