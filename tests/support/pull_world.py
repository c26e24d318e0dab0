"""A backup server that pulls from a live server: both in a folder, with stand-in programs and the real job."""

from __future__ import annotations

import dataclasses
import functools
import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bkp.config import parse_config
from bkp.state.results import SyncResult
from bkp.tools.zfs.commands import Programs
from runner.jobs.sync.job import JOB, PullPrograms, sync
from runner.lifecycle.context import Options
from runner.lifecycle.job import run_job
from runner.lifecycle.log import Log
from runner.lifecycle.scope import new_scope
from runner.lifecycle.signals import ending_signals_raise
from runner.progress import NoProgress
from tests.support.fake_pull import HERE, LIVE
from tests.support.loaded import loaded

if TYPE_CHECKING:
    from bkp.state.records import Run

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 27, 1, tzinfo=UTC)


def made(hours: float) -> int:
    """Return when a snapshot was made, so many hours before `NOW`, as zfs tells it."""
    return int((NOW - timedelta(hours=hours)).timestamp())


class PullWorld:
    """Both servers: `live` and `here` are their datasets, `host` the live one's name, `play` what programs do."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now, self.settings, self.host = folder, NOW, "", "live"
        self.guid = "1"  # of every dataset here
        self.live: dict[str, Any] = {
            name: {"snapshots": [["old", f"1{name}", made(25)], ["new", f"2{name}", made(1)]]}
            for name in (LIVE, f"{LIVE}/child")
        }
        self.here: dict[str, Any] = {}
        self.play: dict[str, Any] = {"ssh": {"": "ok"}, "raw": False, "pull": {}}
        (folder / "bin").mkdir()
        for name in ("ssh", "zfs", "syncoid"):
            program = folder / "bin" / name
            program.write_text(f'#!/bin/sh\nexec {loaded("fake-pull")} {folder} {name} "$@"\n')
            program.chmod(0o755)
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "key")], check=True, capture_output=True
        )
        public = " ".join((folder / "key.pub").read_text().split()[:2])
        (folder / "hosts").write_text(f"live,other {public}\n")

    def run(self, *flags: str) -> Run:
        """Pull once, at `now`, and return the record."""
        self.play["guid"] = self.guid
        for name in ("live", "here", "play"):
            (self.folder / f"{name}.json").write_text(json.dumps(getattr(self, name)))
        config = parse_config(
            f"schema: 1\nmail: {{when: never}}\nrepositories: {{main: {{path: /r, sources: [data]}}}}\n"
            f"paths: {{state: {self.folder}/state, log: {self.folder}/log, lock: {self.folder}/lock}}\n"
            f"sources: {{data: {{dataset: {HERE}}}}}\nreplications: {{live: {{source: 'bkp@{self.host}:{LIVE}', "
            f"target: {HERE}, identity_file: {self.folder}/key, known_hosts: {self.folder}/hosts, "
            f"syncoid: {self.folder}/bin/syncoid{self.settings}}}}}\n"
        )
        programs = PullPrograms(f"{self.folder}/bin/ssh", Programs(zfs=f"{self.folder}/bin/zfs"))
        with ending_signals_raise() as signals:
            scope = new_scope(
                dataclasses.replace(JOB, work=functools.partial(sync, programs=programs)),
                *("live", config),
                options=Options(lock_wait=5, progress=NoProgress(), flags=frozenset(flags)),
                log=Log(self.clock, quiet=True),
                clock=self.clock,
                mail=lambda _: None,
                signals=signals,
            )
            run = run_job(scope)
        self.here = json.loads((self.folder / "here.json").read_text())
        return run

    def clock(self) -> datetime:
        """Return the time, a little later each time."""
        self.now += timedelta(milliseconds=1)
        return self.now

    def asked(self) -> list[str]:
        """Return what the live server was asked, and forget it."""
        path = self.folder / "asked"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines


def result_of(run: Run) -> SyncResult:
    """Return what a pull recorded."""
    assert isinstance(run.result, SyncResult), run.reason
    return run.result
