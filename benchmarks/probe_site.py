"""A host for the probe: one pool of mirrors with many datasets, snapshots and disks, and programs that replay it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from bkp.clock import utc_now
from bkp.state.store import StateStore
from runner.probe import commands
from tests.support.probe_world import SPACE, ProbeWorld, dataset, recorded
from tests.support.records import a_run, steps

_FIXTURES = Path(__file__).resolve().parents[1] / "tests/fixtures"
_ROWS, _TESTS = 24, 21  # attributes and entries of the self-test log, as a disk of some years has them
_AT_ONCE = 8  # as the probe asks

# A shell, because it starts faster than anything that could be said to replay.
_PROGRAM = """#!/bin/sh
here={here}
echo "${{0##*/}} $*" >>$here/calls
for last; do :; done
case "${{0##*/}} $*" in
    *smartctl*--scan*) file=scan;;
    *smartctl*--json*) file=disk.json;;
    *smartctl*) file=disk.txt;;
    zpool*list*) file=space;;
    zpool*) file=pool.json;;
    zfs*snapshot*) file=snapshots;;
    zfs*) file=datasets;;
    *) exit 1;;
esac
exec /bin/cat $here/$file
"""
# What a person types, with the host's files and programs taken from the folder.
_CALL = """
import sys
from pathlib import Path
import bkp.tools.process
import runner.probe.devices
bkp.tools.process.SAFE_PATH = sys.argv.pop(1)
runner.probe.devices.ROOT = Path(sys.argv.pop(1))
from runner.cli import main
main()
"""


@dataclass(frozen=True)
class ProbeSite:
    """The folder, and the devices of its disks."""

    folder: Path
    devices: tuple[str, ...]

    @property
    def config(self) -> Path:
        return self.folder / "config.yml"

    @property
    def path(self) -> str:
        return f"{self.folder / 'bin'}:/usr/bin:/bin"

    def probe(self, *words: str) -> list[str]:
        """Return the command line of one look."""
        root = str(self.folder / "host")
        return [sys.executable, "-c", _CALL, self.path, root, "--config", str(self.config), "probe", "--quiet", *words]

    def take_calls(self) -> list[str]:
        """Return the calls that the replaying programs had since this was last asked."""
        calls = self.folder / "bin" / "calls"
        lines = calls.read_text().splitlines()
        calls.write_text("")
        return lines

    def ask_plainly(self, *, all_disks: bool) -> None:
        """Start the programs that a look starts, as many at once, and do nothing with what they print."""
        environment = {"PATH": self.path, "LC_ALL": "C"}

        def run(chain: list[tuple[str, ...]]) -> None:
            for argv in chain:
                # a session of its own, as the probe gives each: a busy kernel shares its time among sessions
                subprocess.run(argv, env=environment, capture_output=True, check=False, start_new_session=True)

        with ThreadPoolExecutor(max_workers=_AT_ONCE) as executor:
            list(executor.map(run, self._chains(all_disks=all_disks)))

    def _chains(self, *, all_disks: bool) -> list[list[tuple[str, ...]]]:
        """Return the questions, those together that follow one another."""
        asked = [commands.status_json, commands.space, commands.datasets, commands.snapshots]
        chains: list[list[tuple[str, ...]]] = [[question("tank") for question in asked]]
        chains += [[commands.KERNEL_LOG], [commands.SCAN]]
        if all_disks:
            chains += [[commands.smart(path, "sat"), commands.second(path, "sat")] for path in self.devices]
        return chains


def make_site(folder: Path, datasets: int, snapshots: int, disks: int) -> ProbeSite:
    """Write the host's files, its programs with what they print, and the configuration."""
    world = ProbeWorld(folder / "host")
    names = [f"wwn-0x5000c500ab{number:06x}" for number in range(1, disks + 1)]
    devices = ["sda", "sdb", *(f"disk{number:03d}" for number in range(2, disks))]
    for device, name in list(zip(devices, names, strict=True))[2:]:  # the world has two of them already
        world.disk(device, name)
    _programs(folder / "bin")
    kept = folder / "bin"
    every = [f"tank/d{number:03d}" for number in range(datasets - 1)]
    (kept / "datasets").write_text("".join(dataset(name, mountpoint=f"/{name}") for name in ("tank", *every)))
    rows = (f"{name}@s{age}\t{1795414690 - age * 3600}\n" for name in ("tank", *every) for age in range(snapshots))
    (kept / "snapshots").write_text("".join(rows))
    (kept / "space").write_text(SPACE)
    (kept / "pool.json").write_text(_pool(names))
    (kept / "scan").write_text(json.dumps({"smartctl": {"exit_status": 0}, "devices": []}))
    (kept / "disk.json").write_text(_disk())
    (kept / "disk.txt").write_text((_FIXTURES / "smartctl_written/sata-failing.txt").read_text())
    lines = [
        "schema: 1\nmail: {when: never}\nsources: {data: {path: /srv/data}}",
        "repositories: {main: {path: /tank/d000/repository, sources: [data]}}",
        f"paths: {{state: {folder}/state, log: {folder}/log, lock: {folder}/lock}}",
        f"pools: {{tank: {{disks: [{', '.join(f'disk{number}' for number in range(disks))}]}}}}",
        "disks:",
        *(f"  disk{number}: {{path: /dev/disk/by-id/{name}, interface: sat}}" for number, name in enumerate(names)),
    ]
    (folder / "config.yml").write_text("\n".join([*lines, ""]))
    return ProbeSite(folder, tuple(f"/dev/{device}" for device in devices))


def record_runs(site: ProbeSite, disks: int) -> None:
    """Record what such a server has done: nights, a scrub, and self-tests of each disk, each with its steps."""
    store, now = StateStore(site.folder / "state"), utc_now()
    tested = [f"disk{number}" for number in range(disks)]
    done = {"selftest-long": tested, "selftest-short": tested, "scrub": ["tank"]}
    done |= {job: ["main"] for job in ("verify", "drill", "check", "nightly")}
    names = {"nightly": ("prepare", "create", "confirm", "sample", "prune"), "scrub": ("start", "scrub")}
    hours = 24 * len(done)
    for job, targets in done.items():
        hours -= 24
        for target in targets:
            began = now - timedelta(hours=hours + 6)
            worked = steps(began, *names.get(job, ("start", "selftest")))
            store.write_ended(a_run(job, began, target=target, run_id=f"{job}-{target}", steps=worked))


def _programs(folder: Path) -> None:
    folder.mkdir()
    for name in ("zpool", "zfs", "smartctl", "journalctl"):
        program = folder / name
        program.write_text(_PROGRAM.format(here=shlex.quote(str(folder))))
        program.chmod(0o755)
    (folder / "calls").touch()


def _pool(names: list[str]) -> str:
    """Return a status with a mirror for every two disks, in the form that was recorded of one mirror."""
    status = json.loads(recorded("zfs/trixie/online-scrubbed.zpool-status-j"))
    top = status["pools"]["tank"]["vdevs"]["tank"]
    mirror = top["vdevs"].pop("mirror-0")
    leaf = next(iter(mirror["vdevs"].values()))
    for place in range(0, len(names), 2):
        pair = {
            name: leaf | {"name": name, "guid": str(1000 + place + side), "path": f"/dev/disk/by-id/{name}-part1"}
            for side, name in enumerate(names[place : place + 2])
        }
        group = f"mirror-{place // 2}"
        top["vdevs"][group] = mirror | {"name": group, "guid": str(9000 + place), "vdevs": pair}
    return json.dumps(status)


def _disk() -> str:
    """Return what was recorded of a disk, with as many attributes and self-tests as one of some years has."""
    said: dict[str, Any] = json.loads(recorded("smartctl/trixie/sata-hdd"))
    said["smartctl"]["exit_status"] = 0
    rows = said["ata_smart_attributes"]["table"]
    known = {row["id"] for row in rows}
    more = [number for number in range(1, 255) if number not in known][: _ROWS - len(rows)]
    rows += [rows[0] | {"id": number, "name": f"Vendor_Attribute_{number}"} for number in more]
    test = {
        "type": {"value": 1, "string": "Short offline"},
        "status": {"value": 0, "string": "Completed without error", "passed": True},
    }
    entries = [test | {"lifetime_hours": number} for number in range(_TESTS, 0, -1)]
    log = {"revision": 1, "table": entries, "count": _TESTS, "error_count_total": 0, "error_count_outdated": 0}
    said["ata_smart_self_test_log"] = {"standard": log}
    return json.dumps(said)


def environment() -> dict[str, str]:
    """Return the environment of a look: that of a unit has little in it."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": os.environ.get("HOME", "/")}
