"""The probe under its own unit, and the audit after it, on real disks and a real pool to which bad things happen.

The tests build on each other: what one breaks it mends, but for the last two, which take disks away.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.vm.lab.disks import NVME, POOL0, POOL1, SCSI, SPARE
from tests.vm.lab.pool import KEY_ROUNDS, KEYFILE
from tests.vm.site import Site

if TYPE_CHECKING:
    from tests.vm.lab.pool import Pool
    from tests.vm.lab.virtual import VirtualMachine

pytestmark = pytest.mark.needs("disks")

DISKS = {"left": POOL0, "right": POOL1, "solid": SPARE, "nvme": NVME, "single": SCSI}
# The emulated NVMe disk is always at 50 degrees.
_SECTIONS = "pools:\n  tank: {disks: [left, right]}\ndisks:\n" + "\n".join(
    f"  {name}: {{path: {disk.by_id}, temperature_warning: 55}}" for name, disk in DISKS.items()
)
_REPLICA = """
replications:
  copy:
    source: bkp@live.example.com:tank/data
    target: tank/Secure/copy
    identity_file: /root/pull
    known_hosts: /root/known_hosts
"""
# A pool of one file that is more than four fifths full. ZFS leaves nobody more of so small a pool than that.
_FULL = """
truncate -s 1G /var/tmp/full
zpool create -O compression=off -O checksum=off -O recordsize=1M -O mountpoint=/full full /var/tmp/full
zfs create full/plain
dd if=/dev/zero of=/full/plain/zeros bs=1M count=800 status=none
zpool sync full
"""
# What the emulated disks themselves say: the NVMe disk has no spare blocks, the SAS-like one no health.
ALWAYS = {"disk_worn disk nvme", "disk_unknown disk single"}
_MORE_THAN_AN_HOUR = timedelta(minutes=61)  # disks are asked once an hour
_LIMIT = timedelta(minutes=5)  # the interval of the probe
HARDWARE = ("pool", "vdev", "scrub", "disk", "dataset", "probe")


@pytest.fixture(scope="module")
def site(server: VirtualMachine, pool: Pool) -> Site:
    found = replace(Site.on(server, pool), more=_SECTIONS)
    found.set_up()
    found.bkp_run("units", "install")
    pool.scrub()
    return found


def _look(site: Site, kinds: tuple[str, ...] = HARDWARE) -> dict[str, str]:
    """Let the unit look at everything; return the sentence of each new concern of these kinds, by kind and object."""
    site.guest.set_clock(site.guest.now() + _MORE_THAN_AN_HOUR)
    began = site.guest.now()
    site.guest.run("systemctl start bkp-probe.service")
    assert site.guest.now() - began < _LIMIT
    assert site.guest.run("systemctl show -P Result bkp-probe.service").text == "success"
    told = json.loads(site.bkp_run("status", "--json", check=False).stdout)["concerns"]
    found = {f"{each['kind']} {each['object']}": each["sentence"] for each in told if each["kind"].startswith(kinds)}
    return {name: sentence for name, sentence in found.items() if name not in ALWAYS}


def _failing(site: Site) -> set[str]:
    """Audit the site; return the rules that fail or cannot be judged."""
    return {rule for rule, verdict in _verdicts(site).items() if verdict in {"fail", "error"}}


def _verdicts(site: Site) -> dict[str, str]:
    """Audit the site; return each rule's verdict."""
    report = f"{site.tools}/report.json"
    audit = site.guest.run("bkp-audit", "--config", site.config, "--json", report, check=False)
    assert audit.code in {1, 3}, audit
    return {each["id"]: each["verdict"] for each in json.loads(site.guest.read(report))["results"]}


def _seen(site: Site, what: str) -> dict[str, Any]:
    parts: dict[str, Any] = json.loads(site.guest.read(f"{site.state}/observed/{what}.json"))["parts"]
    return parts


def _vdevs(tree: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for vdev in tree for each in (vdev, *_vdevs(vdev.get("children", [])))]


def test_a_healthy_pool_and_its_disks_give_no_concern(site: Site) -> None:
    suggested = site.bkp_run("config", "suggest").stdout

    assert _look(site) == {}

    assert all(disk.serial in suggested for disk in (POOL0, POOL1))
    assert '"tank":' in suggested
    pool = _seen(site, "pools")["tank"]["value"]
    assert (pool["health"]["state"], pool["health"]["data_errors"]) == ("ONLINE", 0)
    disks = _seen(site, "disks")
    health = {name: disks[name]["value"]["health"]["health"] for name in DISKS}
    assert health == {**dict.fromkeys(DISKS, "passed"), "single": "unknown"}


def test_a_warning_of_an_nvme_disk_is_a_concern_until_it_is_gone(site: Site, server: VirtualMachine) -> None:
    server.nvme_warn(NVME, 4)
    failing = _look(site)
    server.nvme_warn(NVME, 0)

    assert list(failing) == ["disk_failing disk nvme"]
    assert "critical warning" in failing["disk_failing disk nvme"]
    assert _look(site) == {}


def test_what_is_not_as_it_should_be_on_zfs_fails_the_rules_about_it(
    site: Site, server: VirtualMachine, pool: Pool
) -> None:
    site.job("nightly")
    copy = f"{pool.secure}/copy"
    server.run(f"zfs create -o canmount=off {copy}")
    replace(site, more=_SECTIONS + _REPLICA).configure()
    before = _failing(site)
    assert not before & {"ENC-004", "REP-003", "REP-006"}

    for wrong in ("compression=lz4", "atime=on", "recordsize=128K"):
        server.run("zfs", "set", wrong, pool.borg)
    server.run(f"zfs create -o canmount=off -o encryption=off {copy}/open && zfs allow -u daemon destroy,mount {copy}")
    server.run(f"zpool offline {pool.name} {POOL1.by_id}")
    assert pool.property("atime", pool.borg) == "on"
    assert _failing(site) - before == {"ZFS-001", "ZFS-002", "ZFS-003", "ZFS-004", "ENC-004", "REP-003"}

    server.run(f"zpool online {pool.name} {POOL1.by_id} && zfs destroy -r {copy}")
    server.run(f"zfs set compression=zstd atime=off recordsize=1M {pool.borg}")
    server.script(_FULL)
    server.wait_for("the resilver to end", lambda: pool.health() == "ONLINE" and "resilvered" in pool.status())
    site.configure(dataset="full/plain")
    assert {"ENC-003", "ZFS-006"} <= _failing(site) - before
    site.configure()
    server.run("zpool destroy full && rm /var/tmp/full")
    pool.scrub()


def test_a_pool_without_room_is_relieved_by_what_the_error_says(site: Site, server: VirtualMachine, pool: Pool) -> None:
    server.run(f"zfs create -o canmount=off {pool.name}/taken && zpool sync {pool.name}")
    free = int(pool.property("available", pool.name))
    server.run(f"zfs set reservation={free} {pool.name}/taken")

    night, prune = site.job("nightly", expect=3), site.job("prune", expect=3)

    assert "out of space" in night["reason"], night["reason"]
    assert "not enough free space" in prune["reason"], prune["reason"]
    assert prune["remedy"]
    server.run(f"zfs set reservation={free // 2} {pool.name}/taken")
    assert site.job("prune")["outcome"] == "success"
    assert site.job("nightly")["outcome"] == "success"
    server.run(f"zfs destroy {pool.name}/taken")
    assert site.job("check")["outcome"] == "success"
    assert site.left_behind() == []


def test_corruption_that_a_scrub_finds_is_counted_on_the_disk_that_it_was_on(
    site: Site, server: VirtualMachine, pool: Pool
) -> None:
    noise = f"{pool.path(pool.backup)}/noise"
    server.run(f"head -c 4M /dev/urandom > {noise}")
    server.corrupt(POOL1, pool.blocks(pool.backup, "noise"))
    pool.scrub()

    found = _look(site)

    assert set(found) == {"pool_errors pool tank", "scrub_errors pool tank"}
    assert "4.0 MiB were repaired" in found["scrub_errors pool tank"]
    assert "disk right" in found["scrub_errors pool tank"]
    server.run(f"rm {noise} && zpool clear {pool.name}")
    pool.scrub()
    assert _look(site) == {}


def test_a_dataset_whose_key_is_not_loaded_is_locked(site: Site, server: VirtualMachine, pool: Pool) -> None:
    server.run(f"zfs unmount -f {pool.secure} && zfs unload-key {pool.secure}")

    found, verdicts = _look(site), _verdicts(site)

    pool.unlock()
    assert verdicts["ENC-007"] == "fail"
    below = (pool.backup, f"{pool.backup}/child", pool.borg)
    assert set(found) == {f"dataset_locked dataset {each}" for each in below}
    assert _look(site) == {}


def _attest_zfs_key(site: Site, copy: str, *target: str) -> int:
    """Try the copy of a ZFS key in a file as that of vaultwarden; return the exit code."""
    words = ("attest", "zfs-key", "vaultwarden", "--by", "A. Operator", "--file", copy)
    return site.guest.run("bkp-audit", "--config", site.config, *words, *target, check=False).code


def _of_keys(site: Site) -> set[str]:
    """Let the probe look; return kind and object of each concern about a ZFS key outside the server."""
    return {each for each in _look(site, ("escrow",)) if "encryption root" in each}


def test_a_zfs_key_is_tried_as_it_lies_at_its_place_and_a_new_one_is_told_by_the_next_look(
    site: Site, server: VirtualMachine, pool: Pool
) -> None:
    """A passphrase, and the raw key of a child that has one of its own."""
    vault, raw = f"{pool.backup}/vault", "/root/raw.key"
    server.script(
        f"""
        umask 077
        head -c 32 /dev/urandom > {raw}; head -c 32 /dev/urandom > {raw}.other; head -c 31 {raw} > {raw}.short
        echo 'no passphrase of this pool' > {KEYFILE}.other
        zfs create -o encryption=on -o keyformat=raw -o keylocation=file://{raw} {vault}
        """
    )
    server.write(site.config, server.read(site.config).replace("online, holds: [", "online, holds: [zfs-key, "))
    own, child = ("--target", pool.secure), ("--target", vault)
    assert _of_keys(site) == {f"escrow_lapsed encryption root {each}" for each in (pool.secure, vault)}
    assert _verdicts(site)["KEY-009"] == "unattested"

    assert _attest_zfs_key(site, KEYFILE) == 2, "which of the two is meant?"
    assert _attest_zfs_key(site, f"{KEYFILE}.other", *own) == 1
    assert _attest_zfs_key(site, f"{raw}.other", *child) == 1
    assert _attest_zfs_key(site, f"{raw}.short", *child) != 0
    assert _attest_zfs_key(site, raw, *own) != 0, "the key of the other one"
    assert not server.run(f"grep -c zfs-key {site.state}/attestations.jsonl", check=False).text.strip("0")
    server.run(f"zfs unmount {vault} && zfs unload-key {vault}")
    assert _attest_zfs_key(site, KEYFILE, *own) == 0
    assert _attest_zfs_key(site, raw, *child) == 0
    assert pool.property("keystatus", vault) == "unavailable", "it was tried, and not loaded"
    server.run(f"zfs load-key {vault} && zfs mount {vault}")
    assert _of_keys(site) == set()
    assert _verdicts(site)["KEY-009"] == "pass"
    passphrase = server.read(KEYFILE).strip()
    assert passphrase not in server.read(f"{site.state}/attestations.jsonl")
    assert passphrase not in server.read(f"{site.state}/observed/datasets.json")

    server.run(f"zfs change-key -o keylocation=file://{KEYFILE} -o pbkdf2iters={KEY_ROUNDS} {pool.secure}")
    assert _of_keys(site) == {f"escrow_outdated encryption root {pool.secure}"}, "even for the same passphrase again"
    assert _verdicts(site)["KEY-009"] == "unattested"

    assert _attest_zfs_key(site, KEYFILE, *own) == 0
    server.run(f"zfs change-key -o keylocation=file://{raw}.other {vault}")
    assert (_of_keys(site), _verdicts(site)["KEY-009"]) == (set(), "unattested"), "of a raw key only the audit can tell"
    server.run(f"zfs destroy -r {vault}")
    site.configure()


def test_a_disk_that_is_pulled_is_missing_until_a_spare_has_taken_its_place(
    site: Site, server: VirtualMachine, pool: Pool
) -> None:
    server.unplug_from(pool, POOL1)

    found = _look(site)

    assert {"disk_missing disk right", "pool_not_online pool tank"} <= set(found)
    assert "it is DEGRADED" in found["pool_not_online pool tank"]
    assert {"ZFS-004", "ZFS-007", "SMT-001"} <= _failing(site)
    # Partitioning makes udev report the new disk's partitions gone for a moment; a late zed takes the disk for removed.
    server.run("systemctl stop zfs-zed")
    server.run(f"zpool add -f {pool.name} spare {SPARE.by_id} && zpool replace {pool.name} {POOL1.by_id} {SPARE.by_id}")
    server.wait_for("the resilver to end", lambda: "scan: resilvered" in pool.status() and "INUSE" in pool.status())
    assert "it is DEGRADED" in _look(site)["pool_not_online pool tank"]
    seen = _vdevs(_seen(site, "pools")["tank"]["value"]["health"]["vdevs"])
    assert [each["vdev_class"] for each in seen if each["state"] == "INUSE"] == ["spare"]

    server.run("zpool", "detach", pool.name, POOL1.by_id)
    assert pool.health() == "ONLINE"
    replaced = _look(site)
    assert "pool_not_online pool tank" not in replaced
    assert {"disk_missing disk right", "disk_unconfigured pool tank"} <= set(replaced)
    assert _seen(site, "pools")["tank"]["value"]["health"]["resilver"]["state"] == "finished"


def test_a_suspended_pool_hides_neither_itself_nor_the_others(site: Site, server: VirtualMachine, pool: Pool) -> None:
    """The last test: what hangs in the kernel stays there until the machine is gone."""
    server.run(f"zpool create -f -o cachefile=none -O mountpoint=/single single {SCSI.by_id}")
    site.guest.write(site.config, site.guest.read(site.config).replace("pools:", "pools:\n  single: {disks: [single]}"))
    assert [each for each in _look(site) if each.endswith("pool single")] == ["scrub_old pool single"]
    assert "ZFS-005" in _failing(site)
    server.run(f"echo offline > /sys/block/$(basename $(readlink -f {SCSI.by_id}))/device/state")
    server.start_unit("lab-writer", "echo more > /single/file; exec zpool sync single")
    server.wait_until("the pool to be suspended", "timeout 20 grep -qs SUSPENDED /proc/spl/kstat/zfs/single/state")

    found = _look(site)

    assert "pool_suspended pool single" in found, found
    assert "hangs" in found["pool_suspended pool single"]
    pools = _seen(site, "pools")
    assert pools["tank"]["error"] is None
    assert pools["tank"]["value"]["health"]["state"] == "ONLINE"
    shown = site.guest.run(f"timeout 60 {shlex.join(['bkp-run', '--config', site.config, 'status'])}", check=False)
    assert shown.code not in {0, 124}, shown
