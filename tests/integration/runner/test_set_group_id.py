"""A state directory as tmpfiles.d makes it gives its group to what is made in it; no unit may set that bit itself."""

from __future__ import annotations

import stat
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.support import no_set_group_id
from tests.support.runner_world import BKP_RUN

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.runner_world import World

RESTRICTED = (sys.executable, no_set_group_id.__file__)


def test_the_first_night_of_a_unit_records_everything(world: World) -> None:
    world.load_nothing_before()  # each borg of the night is forbidden what the night is
    world.state.mkdir()
    world.state.chmod(0o2750)

    night = (*RESTRICTED, BKP_RUN, "--config", str(world.config_file), "nightly")
    done = subprocess.run(night, capture_output=True, text=True, umask=0o027)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "not permitted" not in done.stderr
    for folder in (each for each in world.state.rglob("*") if each.is_dir()):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o2750, folder


def test_what_is_run_so_may_really_not_set_the_bit(tmp_path: Path) -> None:
    refused = subprocess.run([*RESTRICTED, "/bin/chmod", "2750", str(tmp_path)], capture_output=True, text=True)
    assert "Operation not permitted" in refused.stderr
    subprocess.run([*RESTRICTED, "/bin/chmod", "0750", str(tmp_path)], check=True)
