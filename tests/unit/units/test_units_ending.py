"""How a job ends in its unit."""

from pathlib import Path

import pytest

from bkp.errors import ExitCode
from runner.units.ending import end_of_unit
from tests.unit.core.support import a_run

INVOCATION = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize("code", ExitCode)
def test_warnings_end_with_0_and_everything_else_as_ever(
    code: ExitCode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("INVOCATION_ID", raising=False)
    wanted = ExitCode.SUCCESS if code is ExitCode.WARNING else code
    assert end_of_unit("nightly", str(tmp_path), [a_run()], code) is wanted
    assert list(tmp_path.iterdir()) == []


def test_what_was_mailed_is_noted_for_this_start_of_the_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOCATION_ID", INVOCATION)
    end_of_unit("nightly", str(tmp_path), [a_run(mail="sent"), a_run()], ExitCode.FAILURE)
    assert (tmp_path / "nightly.told").read_text() == f"{INVOCATION}\n"


def test_a_mail_that_failed_is_left_to_the_unit_for_failures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOCATION_ID", INVOCATION)
    end_of_unit("nightly", str(tmp_path), [a_run(mail="sent"), a_run(mail="failed")], ExitCode.FAILURE)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_folder_that_cannot_be_written_costs_no_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INVOCATION_ID", INVOCATION)
    (tmp_path / "file").write_text("")
    assert end_of_unit("check", str(tmp_path / "file"), [a_run()], ExitCode.FAILURE) is ExitCode.FAILURE
