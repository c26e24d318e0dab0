"""What a look at a pool comes to: by JSON, by text, where it is missing, and where zpool hangs."""

from datetime import timedelta
from pathlib import Path

import pytest

from bkp.zfs_health.model import every_vdev
from runner.probe import commands
from tests.support.probe_world import ProbeWorld, a_config, dataset, recorded
from tests.support.zpool_written import HC, status


@pytest.fixture
def world(tmp_path: Path) -> ProbeWorld:
    return ProbeWorld(tmp_path)


def test_everything_is_seen_of_a_host_that_is_well(world: ProbeWorld) -> None:
    seen = world.look()
    pool = seen.pools["tank"].value
    assert seen.unseen == ()
    assert pool is not None
    assert (pool.health.state, pool.health.scrub.state, pool.configured) == ("ONLINE", "finished", True)
    assert pool.health.space is not None
    assert pool.health.space.size == 2013265920
    assert set(pool.devices.values()) == {"/dev/sda", "/dev/sdb"}
    assert sorted(pool.devices) == sorted(each.guid or "" for each in every_vdev(pool.health) if not each.children)


def test_where_json_is_refused_text_is_asked_and_the_devices_are_found_by_name(world: ProbeWorld) -> None:
    by_json = world.look().pools["tank"].value
    world.say(commands.status_json("tank"), "", exit_code=2, stderr="invalid option 'j'\nusage:\n")
    world.say(commands.status_text("tank"), recorded("zfs/bookworm/online-scrubbed.zpool-status-pv"))
    seen = world.look()
    pool = seen.pools["tank"].value
    assert seen.unseen == ()
    assert seen.pools["tank"].source == "zpool status -p tank"
    assert by_json is not None
    assert pool is not None
    assert (pool.health.state, pool.health.data_errors) == (by_json.health.state, by_json.health.data_errors)
    assert set(pool.devices.values()) == set(by_json.devices.values())


def test_a_configured_pool_that_is_not_imported_is_missing_and_never_ok(world: ProbeWorld) -> None:
    world.look()
    world.say(commands.status_json("tank"), "", exit_code=1, stderr="cannot open 'tank': no such pool\n")
    part = world.look(after=timedelta(minutes=5)).pools["tank"]
    assert (part.missing, part.error) == (True, "no pool tank is imported")
    assert part.seen_at == world.now - timedelta(minutes=5)


def test_where_zpool_hangs_the_last_values_stay_with_their_time(world: ProbeWorld) -> None:
    first = world.look()
    world.hang(commands.status_json("tank"))
    seen = world.look(after=timedelta(minutes=5))
    part = seen.pools["tank"]
    assert (part.missing, part.error) == (False, "zpool gave no answer within 20 s")
    assert part.value == first.pools["tank"].value
    assert part.seen_at == world.now - timedelta(minutes=5)
    assert part.looked_at == world.now
    assert seen.datasets["tank/Secure"].error == "zpool gave no answer within 20 s"
    assert seen.datasets["tank/Secure"].value == first.datasets["tank/Secure"].value
    assert {part.error for part in seen.disks.values()} == {None}


def test_the_kernels_own_word_tells_of_a_suspended_pool_while_zpool_hangs(world: ProbeWorld) -> None:
    first = world.look()
    world.hang(commands.status_json("tank"))
    world.kernel_says("tank", "SUSPENDED")
    seen = world.look(after=timedelta(minutes=5))
    part = seen.pools["tank"]
    assert part.error is None
    assert part.value is not None
    assert first.pools["tank"].value is not None
    assert (part.value.health.state, part.value.health.suspended) == ("SUSPENDED", True)
    assert part.value.health.data_errors is None
    assert part.value.health.vdevs == ()
    assert part.value.devices == first.pools["tank"].value.devices
    assert seen.datasets["tank"].error == "it is suspended"


def test_a_pool_that_is_suspended_though_it_says_online_is_not_asked_for_its_datasets(world: ProbeWorld) -> None:
    world.say(commands.status_json("tank"), "", exit_code=2, stderr="invalid option 'j'\n")
    world.say(commands.status_text("tank"), status(above=HC, pool="tank"))
    seen = world.look()
    assert seen.pools["tank"].value is not None
    assert seen.pools["tank"].value.health.suspended is True
    assert not [each for each in world.asked if each.startswith("zfs")]
    assert seen.datasets["tank"].error == "pool tank is suspended: zfs would hang"


def test_a_pool_that_nobody_configured_is_seen_and_its_datasets_are_not(world: ProbeWorld) -> None:
    world.config = a_config("")
    seen = world.look()
    assert seen.pools["tank"].value is not None
    assert seen.pools["tank"].value.configured is False
    assert seen.datasets == {}


def test_what_cannot_be_seen_of_a_pool_is_unknown_and_said(world: ProbeWorld) -> None:
    world.hang(commands.space("tank"))
    world.hang(commands.snapshots("tank"))
    seen = world.look()
    assert seen.pools["tank"].value is not None
    assert seen.pools["tank"].value.health.space is None
    assert seen.datasets["tank"].value is not None
    assert seen.datasets["tank"].value.snapshots is None
    assert [each.split(":")[0] for each in seen.unseen] == ["space of pool tank", "snapshots of pool tank"]


def test_a_dataset_that_is_gone_leaves_and_one_that_is_new_comes(world: ProbeWorld) -> None:
    world.look()
    world.say(commands.datasets("tank"), dataset("tank/new"))
    assert set(world.look().datasets) == {"tank/new"}


def test_one_pool_that_hangs_takes_no_other_down(world: ProbeWorld) -> None:
    world.config = a_config("pools: {tank: {}, other: {zfs_name: Other}}\n")
    world.hang(commands.status_json("Other"))
    seen = world.look()
    assert seen.pools["tank"].error is None
    assert seen.pools["Other"].error == "zpool gave no answer within 20 s"


def test_without_the_kernels_list_zpool_is_asked_which_pools_there_are(world: ProbeWorld, tmp_path: Path) -> None:
    (tmp_path / "proc").rename(tmp_path / "elsewhere")
    world.config = a_config("")
    world.say(commands.POOL_NAMES, "tank\n")
    assert set(world.look().pools) == {"tank"}
    world.hang(commands.POOL_NAMES)
    assert world.look().unseen[0].startswith("pools: zpool gave no answer")


def test_a_host_without_zfs_and_smartctl_on_which_none_is_watched_lacks_nothing(tmp_path: Path) -> None:
    world = ProbeWorld(tmp_path)
    (tmp_path / "proc").rename(tmp_path / "elsewhere")
    world.config = a_config("")
    world.answers.clear()
    assert world.look().unseen == ()


SECURE = dataset(
    "tank/Secure", guid="4711", encryption="aes-256-gcm", keystatus="available", encryptionroot="tank/Secure"
)
KEYS = "tank/Secure\tguid\t4711\ntank/Secure\tkeyformat\t{form}\ntank/Secure\tpbkdf2iters\t350000\n"


def a_key(world: ProbeWorld, form: str = "passphrase", salt: str = "77") -> None:
    world.say(commands.datasets("tank"), dataset("tank") + SECURE)
    text = KEYS.format(form=form) + f"tank/Secure\tpbkdf2salt\t{salt}\n"
    world.say(commands.keys(["tank/Secure"]), text)


def test_another_passphrase_of_an_encryption_root_is_seen_and_of_a_raw_key_only_whose_it_is(world: ProbeWorld) -> None:
    a_key(world)
    seen = world.look()
    assert seen.unseen == ()
    first = seen.datasets["tank/Secure"].value
    assert first is not None
    assert (first.guid, first.key_form) == ("4711", "passphrase")
    assert first.key_fingerprint == world.look().datasets["tank/Secure"].value.key_fingerprint  # type: ignore[union-attr]
    a_key(world, salt="78")
    changed = world.look().datasets["tank/Secure"].value
    assert changed is not None
    assert changed.key_fingerprint != first.key_fingerprint
    a_key(world, form="raw", salt="0")
    raw = world.look().datasets["tank/Secure"].value
    assert raw is not None
    assert (raw.guid, raw.key_form, raw.key_fingerprint) == ("4711", "raw", None)


def test_a_key_that_cannot_be_asked_for_is_said_and_takes_nothing_else_down(world: ProbeWorld) -> None:
    a_key(world)
    world.say(
        commands.keys(["tank/Secure"]), "", exit_code=2, stderr="bad property list: invalid property 'pbkdf2salt'\n"
    )
    world.say(commands.keys(["tank/Secure"], salt=False), KEYS.format(form="passphrase"))
    seen = world.look()
    assert seen.unseen == ()
    found = seen.datasets["tank/Secure"].value
    assert found is not None
    assert found.key_fingerprint
    world.hang(commands.keys(["tank/Secure"]))
    seen = world.look()
    assert seen.unseen == ("keys of pool tank: zfs gave no answer within 20 s",)
    found = seen.datasets["tank/Secure"].value
    assert found is not None
    assert (found.key_status, found.guid, found.key_fingerprint) == ("available", "4711", None)
