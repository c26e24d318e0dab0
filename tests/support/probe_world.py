"""A host for the probe: its files below a folder, its programs as replayed recordings, its clock in the test's hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from bkp.config import parse_config
from bkp.observations import Observations
from bkp.state.observed import Observed
from bkp.state.reading import Missing, Readable
from bkp.zfs_health.listing import DATASET_COLUMNS
from runner.probe import commands
from runner.probe.asking import ToolAnswer
from runner.probe.devices import Host
from runner.probe.look import ProbeLook, look

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeVar

    from bkp.config import Config
    from bkp.state.observed import Part
    from bkp.state.reading import Reading

    T = TypeVar("T")

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BASE = """\
schema: 1
repositories: {main: {path: /r, sources: [data]}}
sources: {data: {path: /x}}
mail: {when: never}
"""
ONE, TWO = "wwn-0x5000c500ab000001", "wwn-0x5000c500ab000002"
WATCHED = f"""\
pools: {{tank: {{disks: [one, two]}}}}
disks:
  one: {{path: /dev/disk/by-id/{ONE}}}
  two: {{path: /dev/disk/by-id/{TWO}}}
"""


def recorded(name: str) -> str:
    """Return the standard output of one recording below tests/fixtures."""
    return str(json.loads((FIXTURES / f"{name}.json").read_text())["stdout"])


def a_config(extra: str = WATCHED) -> Config:
    """Return a configuration with these pools and disks."""
    return parse_config(BASE + extra)


SPACE = "tank\t1523832579045127045\tONLINE\t2013265920\t37584896\t1975681024\t1\t2\t-\t-\toff\n"
_PLAIN = {"type": "filesystem", "encryption": "off", "mounted": "yes", "canmount": "on", "readonly": "off", "used": "1"}


def dataset(name: str, **properties: str) -> str:
    """Return the row of `zfs list` of a file system."""
    known = _PLAIN | properties | {"name": name}
    return "\t".join(known.get(column, "-") for column in DATASET_COLUMNS) + "\n"


DATASETS = dataset("tank") + dataset("tank/Secure", encryption="aes-256-gcm", keystatus="unavailable", mounted="no")
SNAPSHOTS = "tank/Secure@a\t1795414690\ntank/Secure@b\t1795414693\n"
SCAN = json.dumps(
    {
        "smartctl": {"argv": ["smartctl", "--scan", "--json"], "exit_status": 0},
        "devices": [
            {"name": f"/dev/{each}", "info_name": f"/dev/{each}", "type": "scsi", "protocol": "SCSI"}
            for each in ("sda", "sdb")
        ],
    }
)


class ProbeWorld:
    """A host with the pool `tank` on two disks, all well; a test spoils what it wants spoilt."""

    def __init__(self, root: Path) -> None:
        self.root, self.host, self.now = root, Host(root), START
        self.config = a_config()
        self.asked: list[str] = []
        self.answers: dict[tuple[str, ...], ToolAnswer] = {}
        self.before = Observations(*(Missing(root) for _ in range(4)))
        self.kernel_says("tank", "ONLINE")
        for link, device in ((ONE, "sda"), (TWO, "sdb")):
            self.disk(device, link)
        self.say(commands.SCAN, SCAN)
        self.say(commands.status_json("tank"), recorded("zfs/trixie/online-scrubbed.zpool-status-j"))
        self.say(commands.space("tank"), SPACE)
        self.say(commands.datasets("tank"), DATASETS)
        self.say(commands.snapshots("tank"), SNAPSHOTS)
        self.say(commands.KERNEL_LOG, "", exit_code=1)
        for name in (ONE, TWO):
            self.say(commands.smart(f"/dev/disk/by-id/{name}", None), recorded("smartctl/trixie/sata-hdd"))

    def disk(self, device: str, link: str) -> None:
        """Have a disk with one partition, and a lasting name for both."""
        for name, by_id in ((device, link), (f"{device}1", f"{link}-part1")):
            node = self.root / "dev" / name
            node.parent.mkdir(exist_ok=True)
            node.touch()
            (self.root / "dev/disk/by-id").mkdir(parents=True, exist_ok=True)
            (self.root / "dev/disk/by-id" / by_id).symlink_to(f"../../{name}")
        block = self.root / "sys/class/block"
        block.mkdir(parents=True, exist_ok=True)
        partition = self.root / "sys/devices/pci" / device / f"{device}1"
        partition.mkdir(parents=True)
        (partition / "partition").write_text("1\n")
        (block / device).symlink_to(f"../../devices/pci/{device}")
        (block / f"{device}1").symlink_to(f"../../devices/pci/{device}/{device}1")

    def pull(self, device: str, link: str) -> None:
        """Take a disk away, as udev does."""
        for name in (link, f"{link}-part1"):
            (self.root / "dev/disk/by-id" / name).unlink()
        for name in (device, f"{device}1"):
            (self.root / "dev" / name).unlink()

    def kernel_says(self, pool: str, state: str) -> None:
        """Have the kernel tell a pool's state."""
        folder = self.root / "proc/spl/kstat/zfs" / pool
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "state").write_text(f"{state}\n")

    def say(self, argv: tuple[str, ...], stdout: str, *, exit_code: int = 0, stderr: str = "") -> None:
        """Say what a command answers."""
        self.answers[argv] = ToolAnswer(argv, stdout.encode(), stderr, exit_code)

    def hang(self, argv: tuple[str, ...]) -> None:
        """Have a command give no answer."""
        self.answers[argv] = ToolAnswer(argv, problem=f"{argv[0]} gave no answer within 20 s")

    def ask(self, argv: tuple[str, ...], _limit: float) -> ToolAnswer:
        """ToolAnswer as the programs would."""
        self.asked.append(" ".join(argv))
        return self.answers.get(argv, ToolAnswer(argv, problem=f"{argv[0]} is not installed"))

    def look(self, *, all_disks: bool = False, after: timedelta = timedelta(0)) -> ProbeLook:
        """Look, and remember what was seen as the state would."""
        self.now += after
        self.asked.clear()
        seen = look(self.config, self.before, self.ask, self.host, lambda: self.now, all_disks=all_disks)
        self.before = Observations(
            self._kept(seen.pools), self._kept(seen.datasets), self._kept(seen.disks), self._kept(seen.host)
        )
        return seen

    def _kept(self, parts: Mapping[str, Part[T]]) -> Reading[Observed[T]]:
        return Readable(Observed(host="h", parts=dict(parts)), self.root, self.now)
