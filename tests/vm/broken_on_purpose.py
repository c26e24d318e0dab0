"""Not collected by itself: `test_harness.py` runs it to see the lab turn red and show why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.vm.lab.states import State
    from tests.vm.lab.virtual import VirtualMachine


@pytest.fixture(scope="module")
def server_state() -> State | None:
    return None  # the bare image: there is nothing to prepare for what fails anyway


def test_a_service_that_fails(server: VirtualMachine) -> None:
    server.run("logger --tag lab-broken the reason only the journal knows")
    server.run("echo the reason only the console knows > /dev/ttyS0")
    server.run("systemd-run --quiet --wait --unit=lab-broken false")


def test_a_skip(server: VirtualMachine) -> None:
    pytest.skip("no reason counts")
