"""The command line: looking, restoring, the configuration, and the exit codes."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import msgspec
import pytest
import yaml

from bkp import __version__
from bkp.clock import utc_now
from bkp.state.records import Process, Run
from tests.support.runner_world import BKP_RUN, PASSPHRASE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.runner_world import World


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ---------------------------------------------------------------- restore


def test_restore_brings_back_the_whole_latest_archive(world: World) -> None:
    world.archive_by_hand("backup-20260101T000000Z", "2026-01-01T00:00:00")
    (world.docs / "new.txt").write_text("only in the newest")
    world.succeed("nightly")
    world.archive_by_hand("incomplete-backup-29990101T000000Z", "2999-01-01T00:00:00", world.root / "config.yml")
    wanted = _tree(world.docs)
    folder = world.root / "new" / "restored"
    done = world.succeed("restore", "latest", "--to", str(folder))
    assert _tree(folder / str(world.docs).lstrip("/")) == wanted
    assert f"restored {world.latest().archive.name} into {folder}" in done.stderr  # type: ignore[union-attr]


def test_restore_brings_back_named_paths_of_a_named_archive(world: World) -> None:
    world.succeed("nightly")
    (name,) = world.archives()
    folder = world.root / "restored"
    done = world.succeed("restore", name, f"{world.docs}/part 0", "--to", str(folder), "--json")
    inside = folder / str(world.docs).lstrip("/")
    assert _tree(inside) == {key: value for key, value in _tree(world.docs).items() if key.startswith("part 0/")}
    said = json.loads(done.stdout)
    assert said == {
        "archive": name,
        "folder": str(folder),
        "paths": [f"{world.docs}/part 0".lstrip("/")],
        "warnings": False,
    }


def test_restore_refuses_a_folder_with_anything_in_it(world: World) -> None:
    world.succeed("nightly")
    full = world.root / "full"
    full.mkdir()
    (full / "precious").write_text("do not touch")
    done = world.run("restore", "latest", "--to", str(full))
    assert done.returncode == 2
    assert f"{full} is not empty" in done.stderr
    assert _tree(full) == {"precious": b"do not touch"}
    done = world.run("restore", "latest", "--to", str(full / "precious"))
    assert done.returncode == 2
    assert "is a file" in done.stderr
    assert _tree(full) == {"precious": b"do not touch"}


def test_restore_names_what_is_not_there(world: World) -> None:
    done = world.run("restore", "latest", "--to", str(world.root / "r"))
    assert done.returncode == 2
    assert "there is no good archive to restore" in done.stderr

    world.succeed("nightly")
    (name,) = world.archives()
    done = world.run("restore", "backup-nonsense", "--to", str(world.root / "r"))
    assert done.returncode == 2
    assert f"no archive 'backup-nonsense'\n  remedy: the newest is {name}" in done.stderr
    assert not (world.root / "r").exists()

    done = world.run("restore", "latest", f"{world.docs}/part 0", "no/such/path", "--to", str(world.root / "r"))
    assert done.returncode == 3
    assert f"1 of 2 paths are not in {name}" in done.stderr
    assert len(_tree(world.root / "r")) == 3, "what is there was restored"


def test_a_restore_that_brings_nothing_back_leaves_no_folder_behind(world: World) -> None:
    world.succeed("nightly")
    mine = world.root / "mine"
    mine.mkdir()
    for folder in (mine / "new" / "deep", mine):
        done = world.run("restore", "latest", "no/such/path", "--to", str(folder))
        assert done.returncode == 3
        assert "1 of 1 paths are not in" in done.stderr
    world.wrap_borg('[ "$1" != extract ] || exit 2; exec "$BORG" "$@"')
    assert world.run("restore", "latest", "--to", str(mine / "new")).returncode == 3
    assert list(mine.iterdir()) == [], "what was there before stays, what was made for nothing goes"


def test_restore_dry_run_lists_and_writes_nothing(world: World) -> None:
    world.succeed("nightly")
    folder = world.root / "restored"
    done = world.succeed("restore", "latest", f"{world.docs}/part 1", "--to", str(folder), "--dry-run")
    assert f"{world.docs}/part 1/file-1.txt".lstrip("/") in done.stdout.splitlines()
    assert "part 0" not in done.stdout
    assert not folder.exists()


def test_restore_dry_run_as_json_is_the_plan_and_nothing_else(world: World) -> None:
    world.use_the_usual_borg()
    world.succeed("nightly")
    (name,) = world.archives()
    folder = world.root / "restored"
    done = world.succeed("restore", "latest", f"{world.docs}/part 1", "--to", str(folder), "--dry-run", "--json")
    plan = json.loads(done.stdout)
    assert (plan["job"], plan["target"], plan["archive"], plan["folder"]) == ("restore", "main", name, str(folder))
    assert plan["environment"]["BORG_PASSPHRASE_FD"] == "***"
    (command,) = plan["commands"]
    assert command[:2] == ["/usr/bin/borg", "extract"]
    assert command[-2:] == [f"{world.repository}::{name}", f"{world.docs}/part 1".lstrip("/")]
    assert "--dry-run" not in command
    assert done.stderr == ""
    assert not folder.exists()
    done = world.run("restore", "latest", "no/such/path", "--to", str(folder), "--dry-run", "--json")
    assert (done.returncode, done.stdout) == (3, "")


# ---------------------------------------------------------------- list, history, status


def test_list_shows_every_archive_with_what_is_recorded_of_it(world: World) -> None:
    world.archive_by_hand("by-hand", "2026-01-01T00:00:00")
    world.succeed("nightly")
    archive = world.latest().archive
    assert archive is not None
    lines = world.succeed("list").stdout.splitlines()
    assert lines[0] == f"main: 2 archives in {world.repository} (repokey-blake2)"
    names = [line.split()[0] for line in lines]
    assert names[-2:] == ["by-hand", archive.name]
    assert " 6 " in lines[-1]
    listed = json.loads(world.succeed("list", "--json").stdout)
    assert [each["name"] for each in listed["archives"]] == ["by-hand", archive.name]
    assert listed["archives"][0]["recorded"] is None
    assert listed["archives"][1]["recorded"]["files"] == 6
    assert listed["archives"][1]["id"] == archive.id


def _add_repository(world: World, name: str) -> Path:
    """Configure another repository for the same tree, and make it."""
    path = world.root / name
    shutil.copytree(world.repository, path)
    world.config["repositories"][name] = world.main | {"path": str(path), "base_dir": str(world.root / f"base-{name}")}
    world.write_config()
    return path


def test_list_shows_the_others_when_one_repository_cannot_be_listed(world: World) -> None:
    _add_repository(world, "another")
    world.archive_by_hand("by-hand", "2026-01-01T00:00:00")
    world.config["repositories"]["gone"] = world.main | {"path": f"{world.root}/gone"}  # in the order of names: between
    world.write_config()
    done = world.run("list")
    assert done.returncode == 3
    assert "bkp-run: error: gone: borg list: there is no repository at that path" in done.stderr
    assert "remedy: check that its file system is mounted" in done.stderr
    assert f"main: 1 archive in {world.repository}" in done.stdout
    assert f"another: 0 archives in {world.root}/another" in done.stdout
    done = world.run("list", "--json")
    assert done.returncode == 3
    assert [each["target"] for each in json.loads(done.stdout)] == ["another", "main"]
    assert world.run("list", "--target", "main").returncode == 0


def test_history_shows_the_newest_runs_and_that_the_chain_holds(world: World) -> None:
    for _ in range(3):
        world.succeed("check")
    lines = world.succeed("history", "--last", "2").stdout.splitlines()
    assert len([line for line in lines if "check" in line]) == 2
    assert lines[-1] == "chain: 3 lines, every line follows the one before"
    said = json.loads(world.succeed("history", "--json").stdout)
    assert said["chain"] == {"lines": 3, "intact": True, "problem": None, "torn_tail": False}
    assert [run["run_id"] for run in said["runs"]] == [run.run_id for run in world.history()]


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (lambda lines: [lines[0].replace(b'"success"', b'"failure"'), *lines[1:]], "does not follow the line before"),
        (lambda lines: [lines[0], *lines[2:]], "does not follow the line before"),
        (lambda lines: [lines[1], lines[0], lines[2]], "does not follow the line before"),
        (lambda lines: [lines[0], b"{}\n", lines[2]], "line 2 is damaged"),
        (lambda lines: [*lines[:2], lines[2][:40]], "its last line is torn"),
    ],
    ids=["changed", "removed", "swapped", "replaced", "torn"],
)
def test_a_history_that_was_tampered_with_is_a_failure(
    world: World, tamper: Callable[[list[bytes]], list[bytes]], said: str
) -> None:
    for _ in range(3):
        world.succeed("check")
    path = world.state / "history.jsonl"
    path.write_bytes(b"".join(tamper(path.read_bytes().splitlines(keepends=True))))
    done = world.run("history")
    assert done.returncode == 3
    assert said in done.stdout + done.stderr
    assert f"the history {path} is not intact" in done.stderr


def _edit(world: World, job: str, file: str, **changes: Any) -> None:
    path = world.store.job_dir(job, "main") / file
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | changes))


def test_status_tells_every_state_apart(world: World) -> None:
    def status() -> dict[str, str]:
        done = world.run("status", "--json")
        found = {each["job"]: each["status"] for each in json.loads(done.stdout)["jobs"] if each["scheduled"]}
        assert done.returncode == (0 if set(found.values()) <= {"ok", "running"} else 3)
        text = world.run("status").stdout
        assert all(word in text for word in found.values())
        return found

    jobs = ("nightly", "check", "verify", "drill")
    assert status() == dict.fromkeys(jobs, "unknown")
    text = world.run("status").stdout
    assert f"critical: no state directory at {world.state}; run bkp-run once or check mounts" in text
    assert "never" not in text
    world.state.mkdir()
    assert status() == dict.fromkeys(jobs, "never")
    world.succeed("nightly")
    for job in ("check", "verify", "drill"):
        world.succeed(job)
    assert status() == dict.fromkeys(jobs, "ok")

    world.config["jobs"] = {"check": {"schedule": "*:*:*", "grace": "1s"}}
    world.write_config()
    # Runs after all that the history knows: what it knows, no record could belie.
    (world.store.job_dir("verify", "main") / "latest.json").write_text("{")
    alive = Process(**msgspec.to_builtins(_this_process()))
    running = {"run_id": "b", "outcome": "running", "ended_at": None, "process": msgspec.to_builtins(alive)}
    _edit(world, "drill", "latest.json", **running)
    _edit(
        world,
        "nightly",
        "latest.json",
        run_id="c",
        outcome="failure",
        reason="the disk was on fire",
        ended_at=f"{utc_now():%FT%T.%fZ}",
    )
    time.sleep(2)  # the next second, and its grace
    assert status() == {"nightly": "failed", "check": "late", "verify": "unknown", "drill": "running"}
    assert "the disk was on fire" in world.run("status").stdout
    assert "torn" in world.run("status").stdout

    _edit(world, "drill", "latest.json", process={"pid": 1, "started_ticks": 1, "boot_id": "another boot"})
    assert status()["drill"] == "failed"
    _edit(world, "nightly", "latest.json", outcome="success", started_at="2999-01-01T00:00:00Z", ended_at=None)
    assert status()["nightly"] == "unknown"


def _this_process() -> Process:
    from bkp.liveness import this_process

    return this_process()


def test_status_can_be_asked_of_one_repository(world: World) -> None:
    _add_repository(world, "another")
    for job in ("nightly", "check", "verify", "drill"):
        world.succeed(job, "--target", "another")
    assert world.run("status").returncode == 3
    done = world.succeed("status", "--target", "another", "--json")
    assert {(each["target"], each["status"]) for each in json.loads(done.stdout)["jobs"]} == {
        ("another", "ok"),
        ("another", "never"),  # prune, by hand only
    }
    done = world.run("status", "--target", "nobody")
    assert done.returncode == 2
    assert "no repository 'nobody'\n  remedy: configured: another, main" in done.stderr


def test_a_job_that_is_run_by_hand_only_and_never_ran_is_well(world: World) -> None:
    world.config["jobs"] = {name: {"schedule": None} for name in ("check", "verify", "drill")}
    world.write_config()
    world.state.mkdir()
    assert world.run("status").returncode == 3, "the nightly has a schedule, and never ran"
    world.succeed("nightly")
    text = world.succeed("status").stdout
    assert re.search(r"^–  check +main +never ", text, re.MULTILINE)
    assert re.search(r"^✓  nightly", text, re.MULTILINE)
    found = {each["job"]: each for each in json.loads(world.succeed("status", "--json").stdout)["jobs"]}
    assert (found["nightly"]["scheduled"], found["drill"]["scheduled"]) == (True, False)

    world.write_passphrase("wrong")
    world.run("check")
    assert world.run("status").returncode == 3, "by hand or not: one that failed is not well"


def test_looking_needs_no_borg_and_writes_nothing(world: World) -> None:
    world.succeed("check")
    before = {path: path.stat().st_mtime_ns for path in world.state.rglob("*")}
    world.main["borg"] = str(world.root / "no-borg")
    world.write_config()
    world.run("status")
    world.succeed("history")
    world.succeed("config", "check")
    assert {path: path.stat().st_mtime_ns for path in world.state.rglob("*")} == before


# ---------------------------------------------------------------- configuration


def test_config_check_says_what_the_configuration_means(world: World) -> None:
    said = world.succeed("config", "check").stdout
    assert f"{world.config_file}: valid" in said
    assert f"repository main: {world.repository}" in said
    assert f"source docs: {world.docs}" in said
    assert "job nightly: 02:30, next " in said
    assert "job scrub: has no pool to work on" in said


def test_config_check_looks_at_the_host_only_if_asked(world: World) -> None:
    assert "this host has all that it names" in world.succeed("config", "check", "--host").stdout
    world.config["repositories"]["main"] |= {
        "path": str(world.root / "gone"),
        "passphrase_file": str(world.root / "no-env"),
        "borg": "/no/borg",
    }
    world.config["sources"]["docs"]["path"] = str(world.root / "nothing")
    world.write_config()
    world.succeed("config", "check")
    done = world.run("config", "check", "--host")
    assert done.returncode == 3
    for said in (f"there is no repository at {world.root}/gone", f"{world.root}/no-env", "/no/borg is not installed"):
        assert f"repositories.main: {said}" in done.stderr.replace("passphrase file ", "")
    assert f"sources.docs: {world.root}/nothing is not there" in done.stderr


def test_config_check_looks_for_the_pools_and_disks_that_are_to_be_watched(world: World) -> None:
    world.config["pools"] = {"tank": {"zfs_name": "no-such-pool"}}
    world.config["disks"] = {"left": {"path": "/dev/disk/by-id/ata-NO_SUCH_DISK"}}
    world.write_config()
    world.succeed("config", "check")
    done = world.run("config", "check", "--host")
    assert done.returncode == 3
    assert "pools.tank: no pool no-such-pool is imported" in done.stderr
    assert "disks.left: nothing is at /dev/disk/by-id/ata-NO_SUCH_DISK" in done.stderr


def test_config_check_looks_for_what_a_pull_and_a_heartbeat_need(world: World) -> None:
    world.config["replications"] = {
        "live": {
            "source": "bkp@live.example.com:tank/data",
            "target": "tank/replica",
            "identity_file": str(world.root / "no-key"),
            "known_hosts": str(world.root / "no-hosts"),
            "syncoid": "/no/syncoid",
        }
    }
    world.config["heartbeat"] = {"address_files": {"watch": str(world.root / "no-address")}}
    world.write_config()
    world.succeed("config", "check")
    done = world.run("config", "check", "--host")
    assert done.returncode == 3
    for said in ("/no/syncoid is not installed", f"{world.root}/no-key is not there", f"{world.root}/no-hosts is not"):
        assert f"replications.live: {said}" in done.stderr
    assert f"heartbeat.address_files.watch: {world.root}/no-address is not there" in done.stderr


def test_config_check_warns_of_a_time_that_one_night_of_the_year_lacks(world: World) -> None:
    world.config["jobs"] = {"nightly": {"schedule": "02:30 Europe/Berlin"}, "check": {"schedule": "Sun 04:30 UTC"}}
    world.write_config()
    done = world.succeed("config", "check")
    assert "warning: jobs.nightly.schedule: 02:30 Europe/Berlin does not exist on Sun " in done.stderr
    assert "jobs.check" not in done.stderr


def test_the_example_is_valid_and_fits_the_schema(world: World) -> None:
    example = world.succeed("config", "example").stdout
    schema = json.loads(world.succeed("config", "schema").stdout)
    jsonschema.validate(yaml.safe_load(example), schema)
    world.config_file.write_text(example)
    world.succeed("config", "check")


def test_the_configuration_comes_from_the_environment_where_no_option_names_it(world: World) -> None:
    def check(variable: str, *options: str) -> subprocess.CompletedProcess[str]:
        command = [BKP_RUN, *options, "config", "check"]
        environment = {**os.environ, "BKP_CONFIG": variable}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    named = check(str(world.config_file))
    assert (named.returncode, named.stdout.splitlines()[0]) == (0, f"{world.config_file}: valid")
    absent = check("/nonexistent.yml")
    assert (absent.returncode, absent.stdout) == (2, "")
    assert "/nonexistent.yml: no such configuration file" in absent.stderr
    assert check("/nonexistent.yml", "--config", str(world.config_file)).returncode == 0, "--config wins"


def test_help_and_version_need_no_configuration(world: World) -> None:
    world.config_file.unlink()
    assert world.succeed("--version").stdout.strip() == f"bkp-run {__version__}"
    said = world.succeed("--help").stdout
    for command in ("nightly", "check", "verify", "drill", "list", "restore", "status", "history", "config"):
        assert f"  {command} " in said
        assert "Usage: bkp-run" in world.succeed(command, "--help").stdout
    assert "Exit codes: 0 success, 1 success with warnings" in said


# ---------------------------------------------------------------- exit codes


def _unknown_key(world: World) -> None:
    world.config["repositoryes"] = {}
    world.write_config()


def _over(world: World) -> None:
    world.config["jobs"] = {"nightly": {"schedule": "2020-01-01 02:30"}}
    world.write_config()


def _warned(world: World) -> None:
    world.passphrase_file.chmod(0o644)


def _wrong(world: World) -> None:
    world.write_passphrase("wrong")


def _nothing(_world: World) -> None:
    pass


@pytest.mark.parametrize(
    ("prepare", "arguments", "code", "said"),
    [
        (_nothing, ("check",), 0, "check of main: success"),
        (_warned, ("check",), 1, "wanted at most 0600"),
        (_warned, ("check", "--quiet"), 1, "wanted at most 0600"),
        (_nothing, (), 2, "Missing command.\n  remedy: `bkp-run --help`"),
        (_nothing, ("nigthly",), 2, "No such command"),
        (_nothing, ("nightly", "--no-such-option"), 2, "No such option"),
        (_nothing, ("nightly", "--target", "other"), 2, "no repository 'other'\n  remedy: configured: main"),
        (_nothing, ("nightly", "--lock-wait", "soon"), 2, "wanted a duration such as"),
        (_nothing, ("history", "--last", "0"), 2, "Invalid value"),
        (_nothing, ("restore", "latest"), 2, "Missing option '--to'"),
        (_unknown_key, ("nightly",), 2, "repositoryes"),
        (_over, ("config", "check"), 2, "jobs.nightly.schedule: '2020-01-01 02:30' lies in the past and never elapses"),
        (_over, ("nightly",), 0, "nightly of main: success"),
        (_over, ("units", "diff"), 2, "remedy: leave out the year, or write null for what is run by hand only"),
        (_wrong, ("check",), 3, "the passphrase is wrong"),
        (_wrong, ("list",), 3, "the passphrase is wrong"),
        (_wrong, ("restore", "latest", "--to", "/nonexistent/r"), 3, "the passphrase is wrong"),
        (_nothing, ("status",), 3, "unknown"),
        (_nothing, ("drill",), 3, "no sample is recorded yet"),
    ],
)
def test_exit_codes(
    world: World, prepare: Callable[[World], None], arguments: tuple[str, ...], code: int, said: str
) -> None:
    prepare(world)
    done = world.run(*arguments)
    assert done.returncode == code, done.stderr
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_the_passphrase_file_that_cannot_be_read_is_a_configuration_error_where_nothing_is_recorded(
    world: World,
) -> None:
    world.passphrase_file.write_text("export BORG_PASSPHRASE=$(pass show borg)\n")
    for arguments in (("list",), ("restore", "latest", "--to", str(world.root / "r"))):
        done = world.run(*arguments)
        assert done.returncode == 2
        assert f"{world.passphrase_file}:1: the value holds something that a shell would expand" in done.stderr
        assert "pass show" not in done.stderr
    for job in ("nightly", "check", "verify", "drill"):  # a dry run reads no secret
        assert world.succeed(job, "--dry-run").stderr == ""


def test_json_of_every_job_is_its_record(world: World) -> None:
    world.succeed("nightly")
    for job in ("check", "verify", "drill"):
        done = world.succeed(job, "--json")
        assert msgspec.json.decode(done.stdout, type=Run) == world.latest(job)
        assert done.stderr == ""
    world.write_passphrase("wrong")
    done = world.run("check", "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["outcome"] == "failure"
    _add_repository(world, "another")
    done = world.run("check", "--json")
    assert [each["target"] for each in json.loads(done.stdout)] == ["another", "main"]


def test_json_of_a_dry_run_is_the_plan_with_secrets_masked(world: World) -> None:
    world.use_the_usual_borg()
    _add_repository(world, "another")
    world.add_source("tank", path=None, dataset="tank/x y")
    for job in ("nightly", "check", "verify", "drill"):
        done = world.succeed(job, "--dry-run", "--json")
        plans = json.loads(done.stdout)
        assert [(plan["job"], plan["target"]) for plan in plans] == [(job, "another"), (job, "main")]
        for plan in plans:
            assert set(plan) == {"job", "target", "environment", "commands"}
            assert plan["environment"]["BORG_PASSPHRASE_FD"] == "***"
            assert plan["environment"]["TZ"] == "UTC"
            # What a person is shown is the same, as a shell would read it.
            text = world.succeed(job, "--dry-run", "--target", plan["target"]).stdout
            shown = [shlex.split(line) for line in text.splitlines() if not line.startswith("#")]
            assert shown == plan["commands"]
        assert PASSPHRASE not in done.stdout
        assert done.stderr == ""
    plan = json.loads(world.succeed("nightly", "--dry-run", "--json", "--target", "main").stdout)
    assert [Path(command[0]).name for command in plan["commands"]] == ["zfs", "zfs", "mount", *["borg"] * 5]
    assert [command[1] for command in plan["commands"][3:]] == ["create", "list", "rename", "prune", "compact"]
    assert world.history() == [], "nothing was run"


def test_the_journal_gets_priorities_and_no_bars(world: World) -> None:
    world.passphrase_file.chmod(0o644)
    done = world.run("check", environment={"JOURNAL_STREAM": "1:2", "TERM": os.environ.get("TERM", "dumb")})
    assert f"<4>{world.passphrase_file} has mode 0644" in done.stderr
    assert "\x1b" not in done.stderr
