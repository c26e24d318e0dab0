"""What the parsers are tested against elsewhere is what the real programs say on this machine, today."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.vm.lab import recordings, states

if TYPE_CHECKING:
    from tests.vm.lab.pool import Pool
    from tests.vm.lab.recipe import Release
    from tests.vm.lab.states import State
    from tests.vm.lab.virtual import VirtualMachine


@pytest.fixture(scope="module")
def server_state() -> State | None:
    return states.POOL


@pytest.mark.needs("disks")
def test_smartctl_says_what_is_recorded(server: VirtualMachine, release: Release) -> None:
    recorder = recordings.Recorder(server)
    recordings.smart(server, recorder)
    _compare(recorder, release)


@pytest.mark.needs("disks")
def test_zfs_says_what_is_recorded(server: VirtualMachine, pool: Pool, release: Release) -> None:
    """The last test of this module: it ruins the pool."""
    recorder = recordings.Recorder(server)
    recordings.zfs(server, pool, recorder)
    _compare(recorder, release)


def _compare(recorder: recordings.Recorder, release: Release) -> None:
    written = {name: recordings.load(release.name, name).shape for name in recorder.found}
    assert {name: recording.shape for name, recording in recorder.found.items()} == written, (
        "the fixtures are out of date: python -m tests.vm.lab record"
    )
