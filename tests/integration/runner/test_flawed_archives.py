"""No flawed archive ever counts as a good one, whatever fails beside it: real borg, in bad streaks."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from bkp.state.fields import Outcome
from tests.support.records import described

if TYPE_CHECKING:
    from tests.support.runner_world import World

_FULL = (
    '{"type": "log_message", "time": 1, "levelname": "ERROR", "name": "borg", '
    '"msgid": "Repository.InsufficientFreeSpaceError", "message": "Insufficient free space to complete transaction."}'
)


def _fail(operation: str) -> str:
    return f"[ \"$1\" = {operation} ] && {{ echo '{_FULL}' >&2; exit 2; }}\n"


def _marks(world: World) -> dict[str, str | None]:
    """Return what `list` says of each archive, oldest first."""
    listed = json.loads(world.succeed("list", "--json").stdout)["archives"]
    return {each["name"]: each["doubt"] for each in listed}


def _restore_latest(world: World) -> str:
    done = world.succeed("restore", "latest", "--to", str(world.root / "restored"), "--json")
    name: str = json.loads(done.stdout)["archive"]
    return name


def test_an_archive_that_cannot_be_set_aside_keeps_a_name_that_never_counts(world: World) -> None:
    other = world.add_source("other")
    world.succeed("nightly")
    (good,) = world.archives()
    world.wrap_borg(
        _fail("rename")
        + f'[ "$1" = create ] || exec "$BORG" "$@"\n"$BORG" "$@"; code=$?; mv "{other}" "{other}.gone"; exit $code'
    )
    done = world.run("nightly")
    assert done.returncode == 3
    run = world.latest()
    assert f"lacks {other}" in (run.reason or "")
    assert "keeps the name unproven-backup-" in done.stderr
    assert run.archive is not None
    assert world.archives() == [good, f"unproven-backup-{run.run_id}"]
    assert list(_marks(world).values()) == [None, "unproven: does not count"]
    assert _restore_latest(world) == good
    world.succeed("drill")


def test_a_whole_archive_that_cannot_get_its_good_name_fails_the_night_and_nothing_is_pruned(world: World) -> None:
    world.main["keep"] = {"last": 1, "daily": 0, "weekly": 0, "monthly": 0}
    world.write_config()
    world.succeed("nightly")
    (good,) = world.archives()
    world.wrap_borg(_fail("rename") + 'exec "$BORG" "$@"')
    assert world.run("nightly").returncode == 3
    assert (world.latest().reason or "").startswith("name: borg rename: there is not enough free space")
    assert world.archives()[0] == good
    assert _restore_latest(world) == good
    world.unwrap_borg()
    world.succeed("nightly")
    assert good not in world.archives()
    assert described(world.latest()).incomplete_archives == 1


def test_a_repository_that_is_full_for_a_moment_leaves_no_archive_that_counts(world: World) -> None:
    """Before 1.4.5 borg warns of each file that it could not store, and commits the archive all the same."""
    world.succeed("nightly")
    (good,) = world.archives()
    lost = '{"type": "log_message", "levelname": "WARNING", "name": "x", "message": "x: [Errno 28] No space left"}'
    world.wrap_borg(f'[ "$1" = create ] || exec "$BORG" "$@"\n"$BORG" "$@"; echo \'{lost}\' >&2; exit 1')
    assert world.run("nightly").returncode == 3
    assert "not enough free space" in (world.latest().reason or "")
    assert [name.startswith("unproven-") for name in world.archives()] == [False, True]
    assert _restore_latest(world) == good
    world.unwrap_borg()
    world.succeed("nightly")
    assert world.latest().outcome is Outcome.SUCCESS


@pytest.mark.parametrize("operation", ["list", "rename"])
def test_what_a_killed_night_leaves_is_never_the_latest(world: World, operation: str) -> None:
    world.succeed("nightly")
    (good,) = world.archives()
    world.kill_a_night_during(operation)
    world.wait_until_idle()
    left = world.archives()[1]
    assert left.startswith("unproven-backup-")
    assert _restore_latest(world) == good
    world.succeed("nightly")
    assert _marks(world)[left] == "unproven: does not count"


def test_a_suspicious_day_never_displaces_the_good_archive_of_that_day(world: World) -> None:
    world.main["keep"] = {"daily": 2, "weekly": 0, "monthly": 2}
    stamp = world.root / "stamp"
    world.wrap_borg(
        f'[ "$1" = create ] || exec "$BORG" "$@"; shift; exec "$BORG" create --timestamp "$(cat "{stamp}")" "$@"'
    )

    def night(moment: str) -> None:
        stamp.write_text(moment)
        assert world.run("nightly").returncode in {0, 1}

    for day in (28, 29, 30):
        night(f"2026-10-{day}T02:30:00")
    night("2026-10-31T02:30:00")
    whole = world.latest().archive
    world.docs.rename(world.root / "away")
    world.fill(world.docs, files=1)
    night("2026-10-31T12:00:00")
    (small,) = [name for name in world.archives() if name.startswith("suspicious-")]
    for path in (*world.docs.rglob("*.txt"),):
        path.unlink()
    for path in (world.root / "away").rglob("*.txt"):
        (world.docs / path.name).write_bytes(path.read_bytes())
    for day in (1, 2, 3):
        night(f"2026-11-0{day}T02:30:00")
    assert whole is not None
    assert whole.name in world.archives()
    assert _marks(world)[whole.name] is None
    assert _marks(world)[small] == "suspicious: does not count"


def test_a_bad_streak_keeps_the_last_three_that_are_set_aside(world: World) -> None:
    other = world.add_source("other")
    world.succeed("nightly")
    other.rename(world.root / "elsewhere")
    for _ in range(5):
        world.begin_a_second()
        assert world.run("nightly").returncode == 3
    assert [name.partition("-")[0] for name in world.archives()] == ["backup", *["incomplete"] * 3]
    assert world.step("tidy").counters["deleted"] == 1
    (world.root / "elsewhere").rename(other)
    world.succeed("nightly")


def test_the_repositorys_sizes_are_those_after_the_prune(world: World) -> None:
    world.main["keep"] = {"last": 1, "daily": 0, "weekly": 0, "monthly": 0}
    world.write_config()
    big = world.docs / "big.bin"
    big.write_bytes(os.urandom(3_000_000))
    world.succeed("nightly")
    big.write_bytes(b"small now")
    world.succeed("nightly", "--accept-size")
    told = json.loads(world.borg("info", "--json", str(world.repository)).stdout)["cache"]["stats"]
    facts = described(world.latest())
    assert facts.archives == 1
    assert facts.deduplicated_bytes == pytest.approx(told["unique_csize"], abs=20_000)
    assert facts.original_bytes == pytest.approx(told["total_size"], abs=20_000)
    assert (facts.chunks, facts.unique_chunks) == (told["total_chunks"], told["total_unique_chunks"])
