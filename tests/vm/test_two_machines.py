"""A live server and a backup server, joined by a network of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.vm.lab import states

if TYPE_CHECKING:
    from tests.vm.lab.pool import Pool
    from tests.vm.lab.states import State
    from tests.vm.lab.virtual import VirtualMachine


@pytest.fixture(scope="module")
def server_state() -> State | None:
    return states.POOL


@pytest.fixture(scope="module")
def live_pool(live: VirtualMachine) -> Pool:
    pool = states.lab_pool(live)
    pool.unlock()
    return pool


def test_the_backup_server_pulls_a_dataset_by_syncoid(
    server: VirtualMachine, live: VirtualMachine, pool: Pool, live_pool: Pool
) -> None:
    source, target = f"{live_pool.secure}/data", f"{pool.backup}/data"
    live.run(f"zfs create {source} && echo one > {live_pool.path(source)}/file")
    syncoid = f"syncoid --no-privilege-elevation --quiet root@live:{source} {target}"

    server.run(syncoid)
    live.run(f"echo two > {live_pool.path(source)}/file")
    server.run(syncoid)

    assert server.read(f"{pool.path(target)}/file") == "two\n"
    assert len([name for name in pool.snapshots() if name.startswith(f"{target}@syncoid")]) == 1


def test_a_machine_that_lost_power_or_was_rebooted_comes_back_to_the_network(
    server: VirtualMachine, live: VirtualMachine
) -> None:
    live.power_cut()
    assert server.run("ssh -o ConnectTimeout=5 root@live true", check=False).code != 0

    live.start()
    live.wait_ready()

    server.wait_until("the live server to answer again", "ssh -o ConnectTimeout=30 root@live true")

    boot = server.run("cat /proc/sys/kernel/random/boot_id").text
    server.reboot()

    assert server.run("cat /proc/sys/kernel/random/boot_id").text != boot
    assert server.run("systemctl is-system-running", check=False).text == "running"
    server.wait_until("the live server to be reached again", "ssh -o ConnectTimeout=30 root@live true")
