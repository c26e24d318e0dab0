"""The JSON Schemas of the state files, for whoever reads them with other programs.

`python -m bkp.state.schema docs/state` writes one file for each kind of record.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from bkp.json_schema import json_schema
from bkp.mail.outbox import Overflow
from bkp.observations import DiskSeen, HostSeen, PoolSeen
from bkp.state.audits import Kept, KeptReport
from bkp.state.observed import Observed
from bkp.state.records import DOCUMENTED, SCHEMA_VERSION
from bkp.state.watch import WatchRecord
from bkp.zfs_health.model import DatasetHealth

OBSERVED: dict[str, type[msgspec.Struct]] = {
    "observed-pools": Observed[PoolSeen],
    "observed-datasets": Observed[DatasetHealth],
    "observed-disks": Observed[DiskSeen],
    "observed-host": Observed[HostSeen],
}

MAIL: dict[str, type[msgspec.Struct]] = {"watch": WatchRecord, "outbox-overflow": Overflow}
AUDITS: dict[str, type[msgspec.Struct]] = {"audit-report": Kept[KeptReport]}


def state_schemas() -> dict[str, bytes]:
    """Return the content of every schema file by its name."""
    return {
        f"{name}.schema.json": _schema(name, kind) for name, kind in (DOCUMENTED | OBSERVED | AUDITS | MAIL).items()
    }


def _schema(name: str, kind: type[msgspec.Struct]) -> bytes:
    schema = json_schema(f"bkp state: {name}, version {SCHEMA_VERSION}", kind)
    return msgspec.json.format(msgspec.json.encode(schema), indent=2) + b"\n"


def write_schemas(folder: Path) -> None:
    """Write every schema into `folder`, and remove those of kinds that are no more."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = state_schemas()
    for stale in folder.glob("*.schema.json"):
        if stale.name not in wanted:
            stale.unlink()
    for name, content in wanted.items():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]))
