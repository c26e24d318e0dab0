"""Not collected by itself: `test_harness.py` runs it to see the lab turn red and show why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.vm.site import Site

# The very test that judges the project, on the site below instead of its own.
from tests.vm.test_nightly_on_zfs import test_three_nights_then_check_verify_and_drill

if TYPE_CHECKING:
    from tests.vm.lab.guest import Guest
    from tests.vm.lab.pool import Pool
    from tests.vm.lab.virtual import VirtualMachine

__all__ = ["test_three_nights_then_check_verify_and_drill"]

_WHOLE, _BROKEN = '(ZFS, "destroy", "-r"', '(ZFS, "destroy", "-n", "-r"'


@pytest.fixture(scope="module")
def site(server: Guest, pool: Pool) -> Site:
    """A server whose installed project only pretends to destroy its snapshots (`zfs destroy -n`)."""
    found = Site.on(server, pool)
    found.set_up()
    module = server.run(found.python, "-c", "from bkp.tools.zfs import commands; print(commands.__file__)").text
    assert server.read(module).count(_WHOLE) == 1
    server.run("sed", "-i", f"s/{_WHOLE}/{_BROKEN}/", module)
    return found


def test_a_service_that_fails(server: VirtualMachine) -> None:
    server.run("logger --tag lab-broken the reason only the journal knows")
    server.run("echo the reason only the console knows > /dev/ttyS0")
    server.run("systemd-run --quiet --wait --unit=lab-broken false")


def test_a_skip(server: VirtualMachine) -> None:
    pytest.skip("no reason counts")
