"""`zfs` and `zpool` that answer from a table as the real ones answer the audit's questions. What ZFS does is the lab's.

Programs are small scripts beside `table.json`; every call is noted in `calls`. A question that the real programs would
not understand, or that nobody here foresaw, is refused with exit code 2.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from bkp.tools.zfs.commands import Programs

if TYPE_CHECKING:
    from pathlib import Path

_SCRIPT = """\
#!{python}
import json, os, sys
from pathlib import Path
here = Path(__file__).resolve().parent
table = json.loads((here / "table.json").read_text())
program, verb, words = Path(__file__).name, sys.argv[1], sys.argv[2:]
with (here / "calls").open("a") as log:
    log.write(" ".join([program, *sys.argv[1:]]) + chr(10))
with (here / "environments").open("a") as log:
    log.write(repr(dict(os.environ)) + chr(10))
if table["refuses"]:
    sys.exit(table["refuses"])
def after(flag):
    return words[words.index(flag) + 1].split(",")
datasets, pools = table["datasets"], table["pools"]
if (program, verb) == ("zfs", "get") and after("-o") == ["name", "property", "value", "source"]:
    at = words.index("-o") + 2
    for top in words[at + 1:]:
        if top not in datasets:
            sys.exit(f"cannot open '{{top}}': dataset does not exist")
        for name in sorted(datasets):
            if name == top or ("-r" in words and name.startswith(top + "/")):
                for key in words[at].split(","):
                    print(name, key, *datasets[name].get(key, ["-", "-"]), sep=chr(9))
elif (program, verb, words[:3]) == ("zfs", "load-key", ["-n", "-L", "prompt"]):
    root, given = words[-1], sys.stdin.buffer.read()
    if root not in datasets:
        sys.exit(f"cannot open '{{root}}': dataset does not exist")
    form, key = datasets[root]["keyformat"][0], datasets[root]["key"][0]
    if form == "raw" and len(given) != 32:
        sys.exit(f"Key load error: Raw key too {{'long' if len(given) > 32 else 'short'}} (expected 32).")
    if (given.hex() if form == "raw" else given.decode().removesuffix(chr(10))) != key:
        sys.exit(f"Key load error: Incorrect key provided for '{{root}}'.")
    print("1 / 1 key(s) successfully verified")
elif (program, verb) == ("zfs", "list"):
    for name, known in sorted(datasets.items()):
        print(name, *(known.get(key, ["-"])[0] for key in after("-o")[1:]), sep=chr(9))
elif program == "zpool" and verb in ("list", "status"):
    if words[-1] not in pools:
        sys.exit(f"cannot open '{{words[-1]}}': no such pool")
    known = pools[words[-1]]
    if verb in known["refuses"]:
        sys.exit(known["refuses"][verb])
    print(known["status"] if verb == "status" else chr(9).join(known["list"]))
else:
    sys.exit(2)
"""

HEALTHY = """\
  pool: {name}
 state: ONLINE
config:

\tNAME        STATE     READ WRITE CKSUM
\t{name}        ONLINE       0     0     0
\t  vda       ONLINE       0     0     0

errors: No known data errors"""


class ZfsTable:
    """The table, and the programs that answer from it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.datasets: dict[str, dict[str, list[str]]] = {}
        self.pools: dict[str, dict[str, Any]] = {}
        folder.mkdir()
        for name in ("zfs", "zpool"):
            script = folder / name
            script.write_text(_SCRIPT.format(python=sys.executable))
            script.chmod(0o755)
        self.write()

    @property
    def programs(self) -> Programs:
        """Return where the programs are."""
        return Programs(zfs=str(self.folder / "zfs"), zpool=str(self.folder / "zpool"))

    @property
    def calls(self) -> list[str]:
        """Return what was asked so far."""
        log = self.folder / "calls"
        return log.read_text().splitlines() if log.exists() else []

    @property
    def environments(self) -> str:
        """Return the environments that the programs had so far."""
        return (self.folder / "environments").read_text()

    def pool(self, name: str, *, health: str = "ONLINE", capacity: str = "41", status: str | None = None) -> None:
        """Have a pool; a `health` of UNAVAIL leaves it without numbers."""
        numbers = ["-", "-", "-"] if health == "UNAVAIL" else ["1000", "590", capacity]
        row = [name, *numbers, health, "-" if health == "UNAVAIL" else "off"]
        self.pools[name] = {"list": row, "status": status or HEALTHY.format(name=name), "refuses": {}}
        self.write()

    def dataset(self, name: str, **properties: str) -> None:
        """Have a dataset. A property is `value` or `value source`; others are as a good server has them."""
        good = {
            "mountpoint": f"/{name} default",
            "canmount": "on default",
            "mounted": "yes -",
            "encryption": "aes-256-gcm -",
            "encryptionroot": f"{name} -",
            "keystatus": "available -",
            "keylocation": "file:///root/keys/secret-name local",
            "compression": "zstd local",
            "atime": "off inherited from tank",
            "recordsize": "1048576 local",
        }
        rows = {key: [*text.split(" ", 1), "-"][:2] for key, text in (good | properties).items()}
        self.datasets[name] = rows
        self.write()

    def write(self, refuses: str = "") -> None:
        """Write the table; with `refuses`, every call ends with these words."""
        table = {"datasets": self.datasets, "pools": self.pools, "refuses": refuses}
        (self.folder / "table.json").write_text(json.dumps(table))
