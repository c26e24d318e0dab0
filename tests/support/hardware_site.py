"""A configured host whose pool and disks are programs that replay outputs; bkp-run itself is the real one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner, Result

from bkp.liveness import is_alive, this_process
from bkp.state.records import Process, Run
from bkp.state.store import StateStore, value_of
from runner.cli import cli
from runner.probe import commands
from tests.support.fake_programs import FakePrograms
from tests.support.probe_world import BASE, WATCHED, ProbeWorld, recorded

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

STATUS = " ".join(commands.status_json("tank"))
SCRUBBED, REPAIRED = "online-scrubbed", "scrub-repaired"


def pool(recording: str, **scan: Any) -> str:
    """Return a recorded status of the pool, its scan changed."""
    document = json.loads(recorded(f"zfs/trixie/{recording}.zpool-status-j"))
    document["pools"]["tank"]["scan_stats"] |= scan
    return json.dumps(document)


class HardwareSite:
    """A configuration, a state directory, and programs in the place of zpool, zfs and smartctl."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.store = StateStore(root / "state")
        self.programs = FakePrograms(root / "bin", "zpool", "zfs", "smartctl")
        self.config = root / "config.yml"
        self.configure(WATCHED)
        patch.setattr("bkp.tools.process.SAFE_PATH", f"{self.programs.folder}:/usr/bin:/bin")
        patch.setattr("runner.jobs.scrub.job.ZPOOL_PROGRAM", str(self.programs.folder / "zpool"))
        (root / "host").mkdir()
        patch.setattr("runner.probe.devices.ROOT", root / "host")
        self.world = ProbeWorld(root / "host")
        for argv, answer in self.world.answers.items():
            self.programs.answer(" ".join(argv), answer.text, ends_with=answer.exit_code or 0)

    def configure(self, extra: str) -> None:
        """Write the configuration."""
        paths = {name: str(self.root / name) for name in ("state", "log", "lock")}
        self.config.write_text(f"{BASE}paths: {json.dumps(paths)}\n{extra}")

    def run(self, *words: str) -> Result:
        """Run bkp-run."""
        return CliRunner().invoke(cli, ["--config", str(self.config), *words], standalone_mode=False)

    def job(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Run a job on one target; return the exit code and the record that it printed."""
        done = self.run(*words, "--json")
        assert done.exception is None, done.exception
        return done.return_value, json.loads(done.stdout)

    def follow(self) -> tuple[int, list[dict[str, Any]]]:
        """Follow what goes on; return the exit code and the records."""
        self.kill()
        done = self.run("follow", "--json")
        assert done.exception is None, done.exception
        return done.return_value, json.loads(done.stdout)

    def latest(self, job: str, target: str) -> Run:
        """Return the record of the last attempt."""
        run = value_of(self.store.read_job(job, target).latest)
        assert run is not None
        return run

    def kill(self) -> None:
        """Have every record that goes on be that of a process which is dead: this one, before a restart."""
        for job, target in self.store.recorded():
            run = self.latest(job, target)
            if run.ended_at is None:
                dead = Process(pid=1, started_ticks=this_process().started_ticks + 1, boot_id="another boot")
                assert is_alive(dead) is False
                self.store.write_running(_with(run, process=dead), durable=False)

    def asked(self, beginning: str) -> list[str]:
        """Return the calls of the programs that begin so."""
        return [call for call, _ in self.programs.calls() if call.startswith(beginning)]


def _with(run: Run, **changes: Any) -> Run:
    import msgspec

    return msgspec.structs.replace(run, **changes)
