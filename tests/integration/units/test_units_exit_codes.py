"""The real bkp-run as a unit calls it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.repositories import prove

BKP_RUN = Path(sys.executable).parent / "bkp-run"
INVOCATION = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    """A real, unencrypted repository, which borg checks in the end, and a source."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").write_text("x")
    subprocess.run(["borg", "init", "-e", "none", tmp_path / "r"], check=True, env=environment(tmp_path))
    path = tmp_path / "config.yml"
    path.write_text(
        f"""
        schema: 1
        paths: {{state: {tmp_path}/state, log: {tmp_path}/log, lock: {tmp_path}/lock}}
        sources: {{data: {{path: {source}}}}}
        repositories:
          main: {{path: {tmp_path}/r, passphrase_file: null, encryption: none, base_dir: {tmp_path}/borg,
            sources: [data]}}
        mail: {{to: root@example.com, msmtp: /usr/bin/true}}
        """
    )
    yield path
    prove(tmp_path / "r", {"BORG_BASE_DIR": f"{tmp_path}/borg"})


def environment(folder: Path) -> dict[str, str]:
    return os.environ | {
        "BORG_BASE_DIR": f"{folder}/borg",
        "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
        "INVOCATION_ID": INVOCATION,
    }


def run(config: Path, *arguments: str) -> int:
    command = [str(BKP_RUN), "--config", str(config), *arguments]
    return subprocess.run(command, env=environment(config.parent), check=False, capture_output=True).returncode


def test_a_warning_is_1_by_hand_and_0_in_a_unit(config: Path) -> None:
    wrapper = config.parent / "borg-that-warns"
    wrapper.write_text('#!/bin/sh\n/usr/bin/borg "$@" || exit\ncase "$1" in create) exit 1;; esac\n')
    wrapper.chmod(0o755)
    config.write_text(config.read_text().replace("sources: [data]", f"borg: {wrapper}, sources: [data]"))
    assert run(config, "nightly") == 1
    assert run(config, "nightly", "--unit") == 0


def test_a_failure_is_3_and_noted_as_mailed(config: Path) -> None:
    (config.parent / "source/file").unlink()
    assert run(config, "nightly", "--unit") == 3
    assert (config.parent / "lock/nightly.told").read_text() == f"{INVOCATION}\n"


def test_a_failure_whose_mail_is_kept_is_noted_and_one_whose_mail_is_lost_is_not(config: Path) -> None:
    config.write_text(config.read_text().replace("/usr/bin/true", "/usr/bin/false"))
    (config.parent / "source/file").unlink()
    assert run(config, "nightly", "--unit") == 3
    note = config.parent / "lock/nightly.told"
    assert note.read_text() == f"{INVOCATION}\n"
    note.unlink()
    for folder in ("state", "lock"):
        shutil.rmtree(config.parent / folder / "outbox", ignore_errors=True)
        (config.parent / folder / "outbox").write_text("in the way")
    assert run(config, "nightly", "--unit") == 3
    assert not note.exists()


def test_a_configuration_that_is_not_valid_is_2_and_not_noted(config: Path) -> None:
    config.write_text("schema: 1\n")
    assert run(config, "nightly", "--unit") == 2
    assert not (config.parent / "lock").exists()


def test_a_paused_job_is_deferred_in_its_unit_and_may_be_run_by_hand(config: Path) -> None:
    assert run(config, "pause", "nightly", "--until", "2h", "--reason", "new disk") == 0
    assert run(config, "nightly", "--unit") == 4
    record = json.loads((config.parent / "state/jobs/nightly/main/latest.json").read_bytes())
    assert record["outcome"] == "deferred"
    assert record["reason"].endswith(": new disk")
    assert not (config.parent / "state/jobs/nightly/main/success.json").exists()
    assert run(config, "nightly") == 0
    assert run(config, "resume", "nightly") == 0
    assert run(config, "nightly", "--unit") == 0
    assert run(config, "resume", "nightly") == 2
    assert run(config, "history") == 0


def test_a_defect_of_ours_is_never_taken_for_a_warning(config: Path) -> None:
    code = (
        "import sys, runner.cli, runner.commands.looking as looking\n"
        "looking.load_config = lambda path: 1 / 0\n"
        "sys.argv = ['bkp-run', 'status']\n"
        "runner.cli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "ZeroDivisionError" in done.stderr
    assert "defect of bkp-run" in done.stderr
