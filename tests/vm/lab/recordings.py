"""What the real programs print, recorded once per release, for tests of the parsers on machines without ZFS and SMART.

One recording is a JSON file: `argv`, `exit_code`, `stdout`, `stderr`, as the program left them. The names of hosts,
disks and pools in them are the lab's own. `python -m tests.vm.lab record` writes them anew; a lab test compares what a
machine says today with what is recorded, so that recordings do not outlive the truth.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from . import states
from .disks import NVME, POOL0, POOL1, SCSI, SPARE, VIRTIO, Disk
from .errors import LabError
from .paths import CHECKOUT, lab

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from .pool import Pool
    from .progress import Progress
    from .recipe import Release
    from .virtual import VirtualMachine

FIXTURES = CHECKOUT / "tests" / "fixtures"
_ZFS_TUNABLES = "/sys/module/zfs/parameters"
_ONE_AT_A_TIME = {"zfs_scan_legacy": "1", "zfs_scan_vdev_limit": "4096"}
# Bytes per second: the 35 MB that the story writes take more than a minute at this speed, a recording seconds.
_CRAWL = 512 << 10


@dataclass(frozen=True)
class Recording:
    """One run of a program.

    Attributes:
        argv: the command.
        exit_code: what it ended with.
        stdout: its standard output.
        stderr: its standard error.
    """

    argv: list[str]
    exit_code: int
    stdout: str
    stderr: str

    @property
    def shape(self) -> object:
        """What must stay equal from run to run: exit code and, instead of values, keys, labels or columns."""
        return [self.exit_code, _shape(self.stdout)]


def _shape(text: str) -> object:
    if text.startswith("{"):
        return sorted(_paths(json.loads(text)))
    labels = re.findall(r"^ *([a-z]+):", text, re.MULTILINE)
    if labels:
        return labels
    return sorted({line.count("\t") for line in text.splitlines()})


def _paths(value: object, at: str = "") -> set[str]:
    """Return the paths of all keys; entries of lists, and what is named by numbers, dates or ids, count as one."""
    if isinstance(value, dict):
        found: set[str] = set()
        for key, inner in value.items():
            found |= _paths(inner, f"{at}.{key}")
        return found
    if isinstance(value, list):
        return set().union(*(_paths(inner, f"{at}[]") for inner in value)) if value else {f"{at}[]"}
    return {at}


class Recorder:
    """Collects recordings of one release by name (`<folder>/<name>`), and keeps them as files."""

    def __init__(self, machine: VirtualMachine) -> None:
        self._machine = machine
        self.found: dict[str, Recording] = {}

    def record(self, name: str, *argv: str) -> None:
        """Run a program in the machine and keep what it left under this name."""
        self.record_at_once({name: argv})

    def record_at_once(self, commands: dict[str, Sequence[str]]) -> None:
        """Run several programs as closely one after the other as can be: a state like a running scrub passes."""
        request = json.dumps(list(commands.values()))
        answer = self._machine.run("python3", "-c", _RUN_ALL, request, limit=300.0)
        for (name, argv), (code, stdout, stderr) in zip(commands.items(), json.loads(answer.stdout), strict=True):
            self.found[name] = Recording(list(argv), code, stdout, stderr)


# Runs in the guest: what to run comes as JSON, and what it left goes back as JSON.
_RUN_ALL = """
import json, subprocess, sys
run = lambda argv: subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=240)
done = [run(argv) for argv in json.loads(sys.argv[1])]
print(json.dumps([[d.returncode, d.stdout, d.stderr] for d in done]))
"""


def file_of(release: str, name: str) -> Path:
    """Return the file of a recording: `tests/fixtures/<folder>/<release>/<name>.json`."""
    folder, _, short = name.partition("/")
    return FIXTURES / folder / release / f"{short}.json"


def load(release: str, name: str) -> Recording:
    """Return a recording that was written."""
    return Recording(**json.loads(file_of(release, name).read_text("utf-8")))


def write(release: str, recordings: dict[str, Recording]) -> None:
    """Write recordings, replacing those of the same name."""
    for name, recording in recordings.items():
        path = file_of(release, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(recording), indent=2, ensure_ascii=False) + "\n", "utf-8")


def smart(machine: VirtualMachine, recorder: Recorder) -> None:
    """Record smartctl's view of every kind of disk, healthy and not."""
    recorder.record("smartctl/scan", "smartctl", "--scan", "-j")
    recorder.record("smartctl/scan-open", "smartctl", "--scan-open", "-j")
    for disk in (POOL0, SPARE, SCSI, NVME, VIRTIO):
        kind = {"pool0": "sata-hdd", "spare": "sata-ssd"}.get(disk.name, disk.name)
        recorder.record(f"smartctl/{kind}", "smartctl", "-x", "-j", disk.by_id)
        recorder.record(f"smartctl/{kind}-health", "smartctl", "-H", "-j", disk.by_id)
    recorder.record("smartctl/sata-standby-checked", "smartctl", "-n", "standby", "-a", "-j", POOL0.by_id)
    recorder.record("smartctl/no-such-device", "smartctl", "-a", "-j", "/dev/disk/by-id/wwn-0x0000000000000000")
    recorder.record("smartctl/sata-selftest-start", "smartctl", "-t", "short", "-j", POOL0.by_id)
    recorder.record("smartctl/sata-selftest-log", "smartctl", "-l", "selftest", "-j", POOL0.by_id)
    recorder.record("smartctl/nvme-selftest-start", "smartctl", "-t", "short", "-j", NVME.by_id)
    machine.nvme_warn(NVME, 4)
    recorder.record("smartctl/nvme-failing", "smartctl", "-x", "-j", NVME.by_id)
    machine.nvme_warn(NVME, 0)


def _pool_state(recorder: Recorder, pool: Pool, state: str, says: str, *, json_too: bool) -> None:
    name = pool.name
    commands: dict[str, Sequence[str]] = {
        f"zfs/{state}.zpool-status": ("zpool", "status", name),
        f"zfs/{state}.zpool-status-pv": ("zpool", "status", "-p", "-v", name),
        f"zfs/{state}.zpool-list-Hp": ("zpool", "list", "-Hp", name),
    }
    if json_too:
        commands[f"zfs/{state}.zpool-status-j"] = ("zpool", "status", "-j", "-p", name)
        commands[f"zfs/{state}.zpool-list-j"] = ("zpool", "list", "-j", "-p", name)
    recorder.record_at_once(commands)
    # A recording under a wrong name is worse than none.
    for kind in ("zpool-status", "zpool-status-pv"):
        text = recorder.found[f"zfs/{state}.{kind}"].stdout
        if says not in text:
            raise LabError(f"the pool is not in the state {state!r}: `{kind}` does not say {says!r}:\n{text}")


def _datasets(recorder: Recorder, pool: Pool, state: str, *, json_too: bool) -> None:
    columns = "name,type,mounted,canmount,mountpoint,keystatus,encryptionroot,used,available,referenced,creation"
    every = ["-p", "-r", "-t", "filesystem", "all", pool.name]
    chosen = ["-p", "-r", "-t", "filesystem,snapshot", "-o", columns, pool.name]
    recorder.record(f"zfs/{state}.zfs-get-Hp-all", "zfs", "get", "-H", *every)
    recorder.record(f"zfs/{state}.zfs-list-Hp", "zfs", "list", "-H", *chosen)
    recorder.record(f"zfs/{state}.zfs-list", "zfs", "list", "-r", pool.name)
    recorder.record(f"zfs/{state}.zfs-holds", "zfs", "holds", "-H", "-r", f"{pool.backup}@recorded")
    if json_too:
        recorder.record(f"zfs/{state}.zfs-get-j-all", "zfs", "get", "-j", *every)
        recorder.record(f"zfs/{state}.zfs-list-j", "zfs", "list", "-j", *chosen)


def zfs(machine: VirtualMachine, pool: Pool, recorder: Recorder) -> None:
    """Record zpool's and zfs's view of a pool on its way from health to ruin; the machine is used up afterwards."""
    json_too = machine.run("zpool", "status", "-j", check=False).code == 0

    def state(name: str, says: str) -> None:
        _pool_state(recorder, pool, name, says, json_too=json_too)

    state("online-never-scrubbed", "state: ONLINE")
    _fill(machine, pool)
    _datasets(recorder, pool, "unlocked", json_too=json_too)
    with _crawling(machine, POOL1):
        machine.run(f"zpool scrub {pool.name} && zpool scrub -p {pool.name}")
        state("scrub-paused", "scan: scrub paused")
        machine.run("zpool", "scrub", pool.name)
        state("scrub-in-progress", "scan: scrub in progress")
    pool.scrub_result()
    state("online-scrubbed", "scan: scrub repaired 0B")
    blocks = pool.blocks(pool.backup, "noise")
    machine.corrupt(POOL1, blocks[:4])
    pool.scrub()
    state("scrub-repaired", "scan: scrub repaired 4M")
    machine.run("zpool", "clear", pool.name)
    machine.run("zpool", "offline", pool.name, POOL1.by_id)
    state("degraded-offline", "OFFLINE")
    machine.run("zpool", "online", pool.name, POOL1.by_id)
    machine.wait_for("the resilver to end", lambda: "scan: resilvered" in pool.status())
    machine.unplug_from(pool, POOL1)
    state("degraded-removed", "REMOVED")
    # Partitioning makes udev report the new disk's partitions gone for a moment; a late zed takes the disk for removed.
    machine.run("systemctl stop zfs-zed")
    with _crawling(machine, SPARE):
        machine.run("zpool", "replace", "-f", pool.name, POOL1.by_id, SPARE.by_id)
        state("resilver-in-progress", "scan: resilver in progress")
    machine.wait_for("the resilver to end", lambda: pool.health() == "ONLINE")
    state("resilvered", "scan: resilvered")
    for disk in (POOL0, SPARE):  # the same block of both halves: nothing to repair from
        machine.corrupt(disk, blocks[4:5])
    pool.scrub()
    state("data-errors", "with 1 errors")
    _lock(machine, pool)
    _datasets(recorder, pool, "locked", json_too=json_too)
    machine.unplug(POOL0)
    machine.unplug(SPARE)
    # The write never ends, and with the connection's descriptors in its hands neither would the command.
    machine.run(f"touch {pool.mountpoint}/never-written </dev/null >/dev/null 2>&1 &")
    machine.wait_for("the pool to suspend", lambda: pool.health() == "SUSPENDED")
    state("suspended", "state: SUSPENDED")


def _fill(machine: VirtualMachine, pool: Pool) -> None:
    machine.script(
        f"""
        head -c 8M /dev/urandom > {pool.path(pool.backup)}/noise
        zfs create -o recordsize=4K {pool.backup}/many-blocks
        head -c 24M /dev/urandom > {pool.path(pool.backup)}/many-blocks/noise
        zfs create -o canmount=off {pool.backup}/never-mounted
        zfs create -o mountpoint=none {pool.backup}/no-mountpoint
        zfs create -o mountpoint=legacy {pool.backup}/legacy
        zfs create {pool.backup}/unmounted
        zfs unmount {pool.backup}/unmounted
        zfs snapshot -r -o lab:run=recorded {pool.backup}@recorded
        zfs hold -r lab-run {pool.backup}@recorded
        zpool sync {pool.name}
        """
    )


@contextmanager
def _crawling(machine: VirtualMachine, disk: Disk) -> Iterator[None]:
    """Let a scrub or resilver crawl, at a speed no haste of the host changes, while something is recorded.

    The disk is slow, and ZFS is told to have one block of the scan under way at a time: a queue full of them would hold
    up the commands too.
    """
    before = {name: machine.read(f"{_ZFS_TUNABLES}/{name}").strip() for name in _ONE_AT_A_TIME}
    for name, value in _ONE_AT_A_TIME.items():
        machine.run(f"echo {value} > {_ZFS_TUNABLES}/{name}")
    machine.throttle(disk, _CRAWL)
    try:
        yield
    finally:
        machine.throttle(disk, 0)
        for name, value in before.items():
            machine.run(f"echo {value} > {_ZFS_TUNABLES}/{name}")


def _lock(machine: VirtualMachine, pool: Pool) -> None:
    # After sends or errors the key may stay busy for a moment; whether it is gone is read back, not assumed.
    def locked() -> bool:
        machine.run(f"zfs unmount {pool.secure}; zfs unload-key {pool.secure}", check=False)
        return pool.property("keystatus", pool.secure) == "unavailable"

    machine.wait_for("the key to unload", locked)


def record_release(release: Release, progress: Progress) -> list[str]:
    """Record everything anew on a machine of this release and write the fixtures; return the recordings' names.

    Raises:
        LabError: the machine did not do what the story wants; nothing is written then.
    """
    prepared = states.ensure(states.POOL, release, progress)
    machine = prepared.machine("server", lab())
    try:
        progress.say("booting")
        machine.start()
        machine.wait_ready()
        pool = states.lab_pool(machine)
        pool.unlock()
        recorder = Recorder(machine)
        progress.say("smartctl")
        smart(machine, recorder)
        progress.say("zfs")
        zfs(machine, pool, recorder)
    finally:
        machine.discard()
    write(release.name, recorder.found)
    return sorted(recorder.found)
