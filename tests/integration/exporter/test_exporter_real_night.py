"""What the real bkp-run records of a real borg repository is what the exporter publishes."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.exposition import text_series
from tests.support.repositories import prove

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CANARY = "canary-7f3a-passphrase"
CONFIG = """\
schema: 1
host: vault
paths: {{state: {0}/state, log: {0}/log, lock: {0}/lock}}
repositories:
  main:
    path: {0}/repository
    passphrase_file: {0}/borg_env
    key_export: {0}/key.txt
    base_dir: {0}/borg
    sources: [home, etc]
sources:
  home: {{path: {0}/home}}
  etc: {{path: {0}/etc}}
mail: {{when: never}}
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Path]:
    """A small host below one folder, whose repository borg checks when the test has ended."""
    make_host(tmp_path)
    yield tmp_path
    prove(tmp_path / "repository", {"BORG_BASE_DIR": f"{tmp_path}/borg", "BORG_PASSPHRASE": CANARY})


def make_host(folder: Path) -> None:
    for name, files in (("home", 5), ("etc", 2)):
        (folder / name).mkdir()
        for number in range(files):
            (folder / name / f"file{number}").write_bytes(os.urandom(2000))
    (folder / "config.yml").write_text(CONFIG.format(folder), encoding="utf-8")
    secret = folder / "borg_env"
    secret.write_text(f"export BORG_PASSPHRASE='{CANARY}'\n", encoding="utf-8")
    secret.chmod(0o600)
    environment = os.environ | {"BORG_BASE_DIR": f"{folder}/borg", "BORG_PASSPHRASE": CANARY}
    (folder / "borg").mkdir()
    init = ["borg", "init", "--encryption=repokey-blake2", f"{folder}/repository"]
    subprocess.run(init, env=environment, check=True, capture_output=True, timeout=300)


def bkp_run(folder: Path, job: str) -> int:
    command = ["bkp-run", "--config", f"{folder}/config.yml", job]
    return subprocess.run(command, capture_output=True, timeout=600).returncode


def exporter(folder: Path, command: str) -> bytes:
    arguments = [sys.executable, "-m", "exporter.cli", "--config", f"{folder}/config.yml", command]
    return subprocess.run(arguments, check=True, capture_output=True, timeout=300).stdout


def test_a_night_a_drill_and_a_check_of_a_real_repository_are_published(host: Path) -> None:
    assert [bkp_run(host, job) for job in ("nightly", "drill", "check")] == [0, 0, 0]
    content = exporter(host, "metrics")
    checked = subprocess.run(["promtool", "check", "metrics"], input=content, capture_output=True)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")
    series = text_series(content)

    def value(name: str, **labels: str) -> float | None:
        return series.get((f"bkp_{name}", frozenset(labels.items())))

    for job, status in (("nightly", "ok"), ("drill", "ok"), ("check", "ok"), ("verify", "never")):
        assert value("job_status", job_name=job, target="main", status=status) == 1
    assert value("repository_archives", repository="main") == 1
    assert value("last_archive_files", repository="main") == 7
    assert value("last_archive_confirmed", repository="main") == 1
    assert (value("repository_deduplicated_size_bytes", repository="main") or 0) > 14_000
    assert value("drill_matched_files", repository="main") == 7
    assert value("check_passed", repository="main", job_name="check") == 1
    assert value("history_lines") == 3
    assert value("history_intact") == 1
    newest = value("repository_newest_archive_timestamp_seconds", repository="main")
    assert newest is not None
    for source in ("home", "etc"):
        assert value("source_last_complete_backup_timestamp_seconds", repository="main", source=source) == newest
    assert {dict(labels)["step"] for name, labels in series if name.endswith("_step_duration_seconds")} >= {
        "create",
        "prune",
    }

    page = exporter(host, "page")
    assert b"7 of 7 files identical" in page
    assert CANARY.encode() not in content + page


def test_a_real_archive_of_nothing_but_excluded_files_makes_no_source_fresh(host: Path) -> None:
    assert bkp_run(host, "nightly") == 0
    before = text_series(exporter(host, "metrics"))
    config = host / "config.yml"
    text = config.read_text(encoding="utf-8")
    config.write_text(
        text.replace("/home}", '/home, exclude: ["sh:**/file*"]}').replace("/etc}", '/etc, exclude: ["sh:**/file*"]}'),
        encoding="utf-8",
    )
    assert bkp_run(host, "nightly") == 3
    after = text_series(exporter(host, "metrics"))
    for name, was in (("bkp_last_archive_confirmed", 1), ("bkp_last_archive_files", 7)):
        key = (name, frozenset({("repository", "main")}))
        assert (before[key], after[key]) == (was, 0)
    for source in ("home", "etc"):
        labels = frozenset({("repository", "main"), ("source", source)})
        key = ("bkp_source_last_complete_backup_timestamp_seconds", labels)
        assert after[key] == before[key] > 0
