"""A night on the real borg: what is archived, what is recorded, and what must never be pruned."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING

import pytest

from bkp.clock import utc_now
from bkp.config import load_config
from bkp.state.fields import Outcome
from runner.jobs.nightly.job import JOB
from runner.lifecycle.context import Options
from runner.lifecycle.job import run_job
from runner.lifecycle.log import Log
from runner.lifecycle.scope import new_scope
from runner.lifecycle.signals import EndingSignals
from runner.progress import NoProgress
from tests.support.records import described
from tests.support.runner_world import PASSPHRASE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.runner_world import World


def test_a_night_archives_confirms_samples_prunes_and_records_all_of_it(world: World) -> None:
    world.succeed("nightly")

    run = world.latest()
    assert run.outcome is Outcome.SUCCESS
    assert [step.name for step in run.steps] == [
        "prepare",
        "create",
        "confirm",
        "sample",
        "release",
        "name",
        "prune",
        "compact",
    ]
    assert all(step.ended_at is not None and step.ended_at >= step.started_at for step in run.steps)
    assert run.host == "backup.example.com"
    assert run.versions["borg"].startswith("1.")
    assert run.schedule == "02:30"
    assert run.messages == ()

    listed = json.loads(world.borg("list", "--json", str(world.repository)).stdout)
    archive, repository = run.archive, described(run)
    assert archive is not None
    assert [(each["name"], each["id"]) for each in listed["archives"]] == [(archive.name, archive.id)]
    assert archive.name == f"backup-{run.run_id}"
    assert archive.confirmed
    assert [(root.source, root.path, root.present) for root in archive.roots] == [("docs", str(world.docs), True)]
    assert repository.id == listed["repository"]["id"]
    assert repository.encryption == "repokey-blake2"
    assert (repository.archives, repository.incomplete_archives) == (1, 0)
    assert repository.oldest_archive_at == repository.newest_archive_at == archive.started_at

    told = json.loads(world.borg("info", "--json", f"{world.repository}::{archive.name}").stdout)["archives"][0]
    assert told["comment"] == f"bkp run {run.run_id}"
    assert archive.files == told["stats"]["nfiles"] == 6
    assert archive.original_bytes >= told["stats"]["original_size"] == sum(f.stat().st_size for f in _files(world.docs))
    assert abs((archive.started_at - run.started_at).total_seconds()) < 60

    assert world.last_success() == run
    assert world.history() == [run]
    assert world.chain().intact
    assert stat.S_IMODE((world.state / "history.jsonl").stat().st_mode) == 0o640
    assert "borg create" in world.log_text(run)


def test_a_good_night_removes_the_logs_of_long_ago_and_a_bad_one_none(world: World) -> None:
    world.log.mkdir()
    old, other = world.log / "check-main-20200101T043000Z-0123abcd.log", world.log / "from-somebody-else.log"
    for path in (old, other):
        path.write_text("x")
        os.utime(path, (0, 0))
    world.write_passphrase("wrong")
    assert world.run("nightly").returncode == 3
    assert old.exists()
    world.write_passphrase(PASSPHRASE)
    world.succeed("nightly")
    assert not old.exists()
    assert other.exists()
    assert "removed the logs of 1 runs that began more than 400d ago" in world.log_text(world.latest())
    assert len(list(world.log.iterdir())) == 3


def test_nights_that_start_in_the_same_second_do_not_take_each_others_name(world: World) -> None:
    moment = utc_now()
    config = load_config(world.config_file)
    options = Options(lock_wait=5, progress=NoProgress())
    runs = [
        run_job(
            new_scope(
                *(JOB, "main", config),
                options=options,
                log=Log(lambda: moment, quiet=True),
                clock=lambda: moment,
                mail=lambda _run: None,
                signals=EndingSignals(),
            )
        )
        for _ in range(2)
    ]
    assert [run.outcome for run in runs] == [Outcome.SUCCESS, Outcome.SUCCESS]
    assert len(world.archives()) == 2


def test_a_second_night_adds_next_to_nothing(world: World) -> None:
    big = world.docs / "big.bin"
    big.write_bytes(os.urandom(400_000))
    world.succeed("nightly")
    world.succeed("nightly")

    first, second = (run.archive for run in world.history())
    assert first is not None
    assert second is not None
    assert first.deduplicated_bytes > 400_000
    assert second.original_bytes == pytest.approx(first.original_bytes, rel=0.01)
    assert second.deduplicated_bytes < 0.01 * first.deduplicated_bytes


def test_the_record_on_stdout_is_the_one_in_the_state_file(world: World) -> None:
    done = world.succeed("nightly", "--json")
    assert json.loads(done.stdout) == json.loads((world.store.job_dir("nightly", "main") / "latest.json").read_text())
    assert done.stderr == ""


def test_the_sample_is_private_and_names_only_what_borg_archived(world: World) -> None:
    world.config["sources"]["docs"]["exclude"] = ["re:/cache$", "sh:**/*.tmp"]
    for unwanted in ("cache/inside.txt", "part 0/x.tmp", "deep/cache/a/b.txt"):
        path = world.docs / unwanted
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("left out")
    other = world.add_source("other")
    (other / "y.tmp").write_text("a pattern of one source is none of the others")
    (world.docs / "bad\udcff\n.txt").write_bytes(b"borg cannot be asked for it by name")
    os.mkfifo(world.docs / "pipe")
    (world.docs / "link").symlink_to("part 0")
    world.succeed("nightly")

    archive = world.latest().archive
    assert archive is not None
    in_archive = world.borg("list", "--format", "{path}{NL}", f"{world.repository}::{archive.name}").stdout.splitlines()
    sample = world.sample()
    assert {file.path for file in sample.files} <= set(in_archive)
    assert len(sample.files) == sample.candidates == 13
    assert (sample.archive, sample.archive_id) == (archive.name, archive.id)
    assert stat.S_IMODE(world.store.sample_path("main").stat().st_mode) == 0o600
    world.succeed("drill")


def test_a_repository_inside_its_own_source_is_in_neither_archive_nor_sample(world: World) -> None:
    own = [f"pp:{path}" for path in (world.state, world.log, world.lock, world.scratch)]
    world.config["sources"]["docs"] = {"path": str(world.root), "exclude": own}
    world.write_config()
    done = world.run("nightly")
    assert done.returncode in {0, 1}, done.stderr
    inside = tuple(f"{path}/".lstrip("/") for path in (world.repository, world.base / ".cache/borg"))
    assert not [file.path for file in world.sample().files if file.path.startswith(inside)]
    archived = world.borg("list", "--short", f"{world.repository}::{world.archives()[0]}").stdout.splitlines()
    assert not [path for path in archived if path.startswith(inside)]
    assert str(world.config_file).lstrip("/") in archived


def test_a_file_that_changes_during_the_run_is_not_sampled(world: World) -> None:
    changing = world.docs / "part 0" / "changing.txt"
    changing.write_text("before")
    world.wrap_borg(f'[ "$1" != list ] || echo after > "{changing}"; exec "$BORG" "$@"')
    world.succeed("nightly")
    assert not [file for file in world.sample().files if file.path.endswith("changing.txt")]
    world.succeed("drill")


# ---------------------------------------------------------------- archives that are not whole


def test_a_missing_root_fails_the_night_names_the_archive_apart_and_prunes_nothing(world: World) -> None:
    other = world.add_source("other")
    world.succeed("nightly")
    other.rename(world.root / "elsewhere")
    done = world.run("nightly")

    assert done.returncode == 3
    assert f"{other} is not there" in done.stderr
    run = world.latest()
    assert run.outcome is Outcome.FAILURE
    assert run.reason is not None
    assert str(other) in run.reason
    assert run.archive is not None
    assert run.archive.name.startswith("incomplete-backup-")
    assert [(root.source, root.present) for root in run.archive.roots] == [("docs", True), ("other", False)]
    assert "prune" not in {step.name for step in run.steps}
    assert (described(run).archives, described(run).incomplete_archives) == (1, 1)
    assert world.last_success() == world.history()[0]
    assert world.sample().archive == world.history()[0].archive.name  # type: ignore[union-attr]  # it succeeded


@pytest.mark.parametrize(
    "deed",
    ['rm -r "{other}"', 'mv "{other}" "{other}.gone"', 'mv "{other}" "{other}.gone"; mkdir "{other}"'],
    ids=["removed before borg reads it", "moved away", "replaced by an empty folder, as by umount"],
)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_root_lost_under_borgs_hands_sets_the_archive_aside(world: World, deed: str, moment: str) -> None:
    other = world.add_source("other")
    deed = deed.format(other=other)
    call = f'{deed}; exec "$BORG" "$@"' if moment == "before" else f'"$BORG" "$@"; code=$?; {deed}; exit $code'
    world.wrap_borg(f'[ "$1" = create ] || exec "$BORG" "$@"; {call}')
    done = world.run("nightly")

    assert done.returncode == 3, done.stderr
    run = world.latest()
    assert run.archive is not None
    assert run.archive.name.startswith("incomplete-backup-")
    assert run.archive.confirmed
    listed = json.loads(world.borg("list", "--json", str(world.repository)).stdout)["archives"]
    assert [(each["name"], each["id"]) for each in listed] == [(run.archive.name, run.archive.id)]
    assert [step.name for step in run.steps] == ["prepare", "create", "set aside", "confirm", "release"]


def test_a_root_written_with_a_trailing_slash_is_missed_as_well(world: World) -> None:
    other = world.add_source("other")
    world.config["sources"]["other"]["path"] = f"{world.root}/./other/"
    world.wrap_borg(f'[ "$1" != create ] || rm -r "{other}"; exec "$BORG" "$@"')
    assert world.run("nightly").returncode == 3
    assert [root.present for root in world.latest().archive.roots] == [True, False]  # type: ignore[union-attr]


def test_thousands_of_warnings_do_not_hide_the_one_about_a_root(world: World) -> None:
    other = world.add_source("other")
    flood = '{"type":"log_message","levelname":"WARNING","name":"x","message":"file %d: not readable"}\\n'
    world.wrap_borg(
        f'[ "$1" = create ] || exec "$BORG" "$@"; mv "{other}" "{other}.gone"\n'
        f"seq 3000 | while read -r n; do printf '{flood}' \"$n\" >&2; done\n"
        f'"$BORG" "$@"; code=$?; mv "{other}.gone" "{other}"; exit $code'
    )
    done = world.run("nightly")
    assert done.returncode == 3, done.stderr[-2000:]
    run = world.latest()
    assert run.archive is not None
    assert run.archive.name.startswith("incomplete-")
    assert run.messages_dropped > 1000


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("empty", "is empty: is its file system mounted?"),
        ("file", "is not a directory"),
        ("link", "is a symbolic link"),
        ("missing", "is not there"),
        ("excluded", "is left out by an exclude"),
    ],
)
def test_a_root_that_cannot_be_whole_is_a_failure_and_nothing_is_archived(world: World, what: str, said: str) -> None:
    root = world.root / what
    if what == "empty":
        root.mkdir()
    elif what == "file":
        root.write_text("x")
    elif what == "link":
        root.symlink_to(world.docs)
    elif what == "excluded":
        world.fill(root)
        world.config["sources"]["docs"]["exclude"] = [f"pp:{root}"]
    world.config["sources"]["docs"]["path"] = str(root)
    world.write_config()
    done = world.run("nightly")

    assert done.returncode == 3
    assert said in done.stderr
    run = world.latest()
    assert (run.outcome, run.archive) == (Outcome.FAILURE, None)
    assert said in (run.reason or "")
    assert world.archives() == []


def test_an_archive_without_any_file_never_takes_the_place_of_a_good_one(world: World) -> None:
    world.succeed("nightly")
    hollow = world.root / "hollow"
    (hollow / "only" / "folders").mkdir(parents=True)
    world.config["sources"]["docs"]["path"] = str(hollow)
    world.write_config()
    done = world.run("nightly")
    assert done.returncode == 3
    assert "holds no file at all" in done.stderr
    good, empty = world.archives()
    assert good.startswith("backup-")
    assert empty.startswith("incomplete-backup-")


# ---------------------------------------------------------------- retention


def test_incomplete_archives_never_displace_good_ones_over_days(world: World) -> None:
    world.main["keep"] = {"daily": 3, "weekly": 0, "monthly": 0}
    world.write_config()
    for day in range(10, 17):
        world.archive_by_hand(f"backup-202601{day}T013000Z", f"2026-01-{day}T01:30:00")
        world.archive_by_hand(f"incomplete-backup-202601{day}T050000Z", f"2026-01-{day}T05:00:00")
    world.archive_by_hand("by-hand", "2026-01-09T12:00:00")
    assert world.run("nightly").returncode == 1  # so many at once stop the prune
    world.succeed("prune", "--accept-removal")
    world.succeed("nightly")

    run = world.latest()
    assert run.archive is not None
    assert world.archives() == [
        "by-hand",
        "incomplete-backup-20260114T050000Z",
        "backup-20260115T013000Z",
        "incomplete-backup-20260115T050000Z",
        "backup-20260116T013000Z",
        "incomplete-backup-20260116T050000Z",
        run.archive.name,
    ]
    assert (described(run).archives, described(run).incomplete_archives) == (3, 3)
    counters = world.step("prune").counters
    assert (counters["kept"], counters["deleted"]) == (3, 1)
    assert f"{described(run).oldest_archive_at:%Y-%m-%d}" == "2026-01-15"


def test_an_archive_that_the_repository_does_not_list_stops_the_night_before_prune(world: World) -> None:
    world.succeed("nightly")
    world.wrap_borg(
        'if [ "$1" = list ]; then "$BORG" "$@" | sed "s/unproven-/other-/g"; exit 0; fi\n'
        'if [ "$1" = prune ] || [ "$1" = compact ]; then echo "$1" >> "$0.called"; fi\n'
        'exec "$BORG" "$@"'
    )
    done = world.run("nightly")
    assert done.returncode == 3
    assert "does not list archive unproven-backup-" in done.stderr
    assert world.latest().outcome is Outcome.FAILURE
    assert not (world.root / "borg-wrapper.called").exists()
    assert sum(name.startswith("backup-") for name in world.archives()) == 1


def test_a_list_that_makes_no_sense_stops_the_night_before_prune(world: World) -> None:
    world.succeed("nightly")
    world.wrap_borg('if [ "$1" = list ]; then echo "{\\"archives\\": 3}"; exit 0; fi; exec "$BORG" "$@"')
    done = world.run("nightly")
    assert done.returncode == 3
    assert "borg's reply is not understood" in done.stderr
    assert [step.name for step in world.latest().steps] == ["prepare", "create", "confirm"]


def test_an_archive_much_smaller_than_usual_is_a_warning_and_nothing_is_pruned(world: World) -> None:
    world.main["keep"] = {"last": 2, "daily": 0, "weekly": 0, "monthly": 0}
    world.write_config()
    for _ in range(3):
        world.succeed("nightly")
    assert len(world.archives()) == 2
    assert (good := world.latest().archive) is not None
    for path in world.docs.glob("part 0/*"):
        path.unlink()
    for path in world.docs.glob("part 1/*1.txt"):
        path.unlink()
    for night in range(5):  # before the last are more of them than good ones: they would be usual, if they counted
        done = world.run("nightly")

        assert done.returncode == 1
        run = world.latest()
        assert run.outcome is Outcome.WARNING
        assert run.reason is not None
        assert "nothing was pruned" in run.reason
        assert "--accept-size" in (run.remedy or "")
        assert world.step("prune").outcome is Outcome.WARNING
        assert world.step("compact").outcome is Outcome.SKIPPED
        assert run.archive is not None
        assert run.archive.name == f"suspicious-backup-{run.run_id}"
        assert run.archive.id in world.borg("list", "--format", "{id} ", str(world.repository)).stdout
        assert len(world.archives()) == 2 + min(night + 1, 3)

    assert world.sample().archive == good.name
    world.succeed("drill")
    world.succeed("nightly", "--accept-size")
    assert [name.partition("-")[0] for name in world.archives()] == ["backup", *["suspicious"] * 3, "backup"]
    world.succeed("nightly")
    assert world.latest().outcome is Outcome.SUCCESS


# ---------------------------------------------------------------- warnings of borg's own


def test_a_file_that_changes_while_borg_reads_it_is_a_warning_and_the_night_goes_on(world: World) -> None:
    growing = world.docs / "growing.log"
    growing.write_bytes(os.urandom(8_000_000))
    world.wrap_borg(
        '[ "$1" = create ] || exec "$BORG" "$@"; touch "$0.go"\n'
        f'(while [ -e "$0.go" ]; do echo x >> "{growing}"; done) &\n'
        '"$BORG" "$@"; code=$?; rm "$0.go"; wait; exit $code'
    )
    done = world.run("nightly")
    assert done.returncode == 1, done.stderr
    run = world.latest()
    assert run.outcome is Outcome.WARNING
    assert f"{growing}: file changed while we backed it up" in (run.reason or "")
    assert f"{growing}: file changed" in done.stderr
    assert [message.level for message in run.messages] == ["warning"]
    assert world.step("create").exit_code in {1, 100}  # borg 1.2 has one code for every warning, 1.4 this for a change
    assert world.step("prune").outcome is Outcome.SUCCESS
    assert world.last_success() == run
    assert not [file for file in world.sample().files if file.path.endswith("growing.log")]


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
