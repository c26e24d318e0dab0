"""Archives that vanish, and prunes that would remove too many: real borg."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bkp.config import load_config
from bkp.config.repositories import Keep
from bkp.state.fields import Outcome
from bkp.tools.borg import commands
from bkp.tools.borg.client import Borg, passphrase_of
from runner.jobs.nightly.by_rules import given_up

if TYPE_CHECKING:
    from bkp.state.results import Listed
    from tests.support.runner_world import World


def _listed(world: World, job: str = "nightly") -> Listed:
    found = world.latest(job).listed
    assert found is not None
    return found


def _concerns(world: World) -> dict[str, str]:
    """Return the sentences of `bkp-run status`, by kind."""
    found = json.loads(world.run("status", "--json").stdout)["concerns"]
    return {each["kind"]: each["sentence"] for each in found}


def test_an_archive_that_somebody_deleted_is_missed_until_that_is_accepted(world: World) -> None:
    for _ in range(3):
        world.succeed("nightly")
    lost = world.archives()[0]
    assert list(_listed(world).held) == world.archives()
    world.borg("delete", f"{world.repository}::{lost}")

    done = world.run("check")
    assert done.returncode == 1
    assert f"1 archive is gone that no prune of ours removed: {lost}" in done.stderr
    noticed = _listed(world, "check").gone[lost].since

    assert world.run("nightly").returncode == 1
    run = world.latest()
    assert run.outcome is Outcome.WARNING
    assert lost in (run.reason or "")
    assert "--accept-gone" in (run.remedy or "")
    assert _listed(world).gone[lost].since == noticed
    assert world.step("prune").outcome is Outcome.SUCCESS
    assert f"1 archive is gone that no prune of ours removed: {lost}" in _concerns(world)["archives_gone"]
    assert world.run("prune").returncode == 1

    world.succeed("nightly", "--accept-gone")
    assert _listed(world).accepted == (lost,)
    assert "archives_gone" not in _concerns(world)
    world.succeed("nightly")


def test_only_what_a_run_has_reported_can_be_accepted(world: World) -> None:
    for _ in range(2):
        world.succeed("nightly")
    told, untold = world.archives()
    world.borg("delete", f"{world.repository}::{told}")
    assert world.run("check").returncode == 1
    world.borg("delete", f"{world.repository}::{untold}")

    done = world.run("nightly", "--accept-gone")

    assert done.returncode == 1
    assert untold in done.stderr
    assert (_listed(world).accepted, list(_listed(world).gone)) == ((told,), [untold])
    world.succeed("nightly", "--accept-gone")


def test_what_was_missed_is_not_forgotten_with_the_history(world: World) -> None:
    for _ in range(2):
        world.succeed("nightly")
    lost = world.archives()[0]
    world.borg("delete", f"{world.repository}::{lost}")
    assert world.run("nightly").returncode == 1
    (world.state / "history.jsonl").unlink()
    assert world.run("nightly").returncode == 1
    assert list(_listed(world).gone) == [lost]


def test_a_check_stands_though_the_list_after_it_fails(world: World) -> None:
    world.succeed("nightly")
    world.wrap_borg('[ "$1" = list ] && exit 2; exec "$BORG" "$@"')
    done = world.run("check")
    assert done.returncode == 1
    assert "what archives there are could not be listed" in done.stderr
    assert world.latest("check").outcome is Outcome.WARNING
    world.unwrap_borg()
    world.succeed("check")


def test_an_archive_that_was_made_anew_under_the_same_name_is_missed(world: World) -> None:
    world.succeed("nightly")
    (name,) = world.archives()
    world.borg("delete", f"{world.repository}::{name}")
    world.archive_by_hand(name, "2026-01-01T00:00:00")
    assert world.run("nightly").returncode == 1
    assert list(_listed(world).gone) == [name]


def test_what_bkp_prunes_itself_is_never_missed_even_if_it_dies_in_it(world: World) -> None:
    world.main["keep"] = {"last": 2, "daily": 0, "weekly": 0, "monthly": 0}
    world.write_config()
    for _ in range(3):
        world.succeed("nightly")
    assert len(_listed(world).removed or ()) == 1
    first = world.archives()[0]
    world.wrap_borg('"$BORG" "$@"; code=$?; [ "$1" = prune ] && kill -9 $PPID; exit $code')
    world.run("nightly")
    world.wait_until_idle()
    world.unwrap_borg()
    assert first not in world.archives()
    world.succeed("nightly")
    assert _listed(world).gone == {}
    world.succeed("prune")
    world.succeed("nightly")


def test_a_misdated_archive_that_is_renamed_as_its_remedy_says_is_not_missed(world: World) -> None:
    world.succeed("nightly")
    world.archive_by_hand("backup-29990101T000000Z-0123abcd", "2999-01-01T00:00:00")
    assert world.run("nightly").returncode == 1
    run = world.latest()
    assert "backup-29990101T000000Z-0123abcd" not in _listed(world).held
    assert run.archive is not None
    world.borg("rename", f"{world.repository}::backup-29990101T000000Z-0123abcd", "misdated")
    world.succeed("nightly")


def test_a_prune_that_would_remove_far_more_than_usual_stops_until_it_is_accepted(world: World) -> None:
    world.main["keep"] = {"daily": 14, "weekly": 0, "monthly": 0}
    world.write_config()
    for day in range(10, 20):
        world.archive_by_hand(f"backup-202601{day}T013000Z", f"2026-01-{day}T01:30:00")
    world.succeed("nightly")
    assert len(world.archives()) == 11
    world.main["keep"] = {"last": 2, "daily": 0, "weekly": 0, "monthly": 0}
    world.write_config()

    assert world.run("nightly").returncode == 1
    run = world.latest()
    assert "the rules would remove 10 of 12 archives, where 4 at most are usual" in (run.reason or "")
    assert "nothing was pruned" in (run.reason or "")
    assert run.archive is not None
    assert run.archive.name in _listed(world).held
    assert len(world.archives()) == 12
    assert world.sample().archive_id == run.archive.id
    assert "would remove 10 of 12" in _concerns(world)["job_warnings"]

    refused = world.run("prune")
    assert refused.returncode == 3
    assert "--accept-removal" in refused.stderr
    assert len(world.archives()) == 12
    world.succeed("prune", "--accept-removal")
    assert len(world.archives()) == 2
    assert len(_listed(world, "prune").removed or ()) == 10
    world.succeed("nightly")


RULES = (
    Keep(),
    Keep(daily=3, weekly=2, monthly=2, yearly=2),
    Keep(daily=0, weekly=0, monthly=0, last=4),
    Keep(daily=2, weekly=0, monthly=9),
    Keep(daily=0, weekly=0, monthly=0, yearly=1, within="2y"),
    Keep(daily=1, weekly=3, monthly=0, last=1, within="1m"),
)
MOMENTS = (
    *("2024-12-29T23:59:59", "2024-12-30T00:00:01", "2025-12-31T02:30:00", "2026-01-01T02:30:00"),
    *("2026-03-01T02:30:00", "2026-03-02T02:30:00", "2026-03-02T14:30:00", "2026-03-08T02:30:00"),
    *("2026-03-09T02:30:00", "2026-03-10T02:30:00"),
)


def test_the_rules_are_read_as_borg_reads_them(world: World) -> None:
    for moment in MOMENTS:
        world.archive_by_hand(f"backup-{moment}", moment)
    for place in "bca":  # three of the same second
        world.archive_by_hand(f"backup-{MOMENTS[3]}-{place}", MOMENTS[3])
    section = load_config(world.config_file).repositories["main"]
    borg = Borg(section, passphrase_of(section))
    listing = borg.list_archives()
    for keep in RULES:
        said = borg.demand(commands.prune(section, lock_wait=5, keep=keep, dry_run=True)).messages
        texts = [each.text for each in said if each.text.startswith("Would prune")]
        assert len(texts) == len([each for each in said if "Would prune" in each.text])
        doomed = {found[1] for text in texts if (found := re.search(r"\[([0-9a-f]{64})\]", text))}
        ours = given_up(listing.archives, keep, datetime.now(UTC))
        assert {each.id for each in ours} == doomed, keep
